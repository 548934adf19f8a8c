-- Where an attempt goes on with an answer that broke off: how (prefill, instructed, anew), behind how many
-- characters of text, and how many of its own were left out because they said the same again.
ALTER TABLE attempts ADD COLUMN joined TEXT;
ALTER TABLE attempts ADD COLUMN joined_at_chars INTEGER;
ALTER TABLE attempts ADD COLUMN joined_dropped_chars INTEGER;
