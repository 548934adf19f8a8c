-- Fields that had no place in another dialect, comma separated; fields of the answer as answer.name.
ALTER TABLE requests ADD COLUMN dropped TEXT;
