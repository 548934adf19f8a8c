//! Content of a turn: a string where that says it all, or a list of parts.

use base64::Engine;
use pointsman_core::Dialect;

use super::{Encoder, VIDEO};
use crate::json::{Text, Writer};
use crate::neutral::{Block, Content, Media, Source, terms, write_data_url};

/// OpenAI wants a name with every file.
const FILE_NAME: &str = "document.pdf";

impl<'e> Encoder<'e> {
    /// The blocks that have a place among a turn's parts; the others are told to be lost.
    pub(super) fn placed<'b, 'a>(&mut self, blocks: impl Iterator<Item = &'b Block<'a>>) -> Vec<&'b Block<'a>>
    where
        'a: 'b,
    {
        blocks.filter(|block| self.is_placed(block)).collect()
    }

    /// The same of one block.
    pub(super) fn is_placed(&mut self, block: &Block<'_>) -> bool {
        let placed = self.own || self.has_place(block);
        if !placed {
            self.losses.at(block.path);
        }
        placed
    }

    fn has_place(&self, block: &Block<'_>) -> bool {
        match &block.content {
            Content::Text { .. } => true,
            Content::Image(media) => matches!(media.source, Source::Base64(_) | Source::Url(_)),
            Content::Document(media) => match media.source {
                Source::Base64(_) | Source::Url(_) | Source::PlainText(_) => true,
                // An id means something only to the provider's own kind.
                Source::File(_) => self.client == Dialect::OpenAiResponses,
            },
            Content::Audio(media) => self.target.media.bytes(&media.source).is_some(),
            Content::Video(media) => {
                self.takes(VIDEO) && matches!(media.source, Source::Base64(_) | Source::Url(_))
            }
            Content::ToolCall(_)
            | Content::ToolResult(_)
            | Content::Reasoning(_)
            | Content::Refusal(_)
            | Content::Opaque(_) => false,
        }
    }

    /// Writes `content`'s value.
    pub(super) fn content(&mut self, w: &mut Writer, blocks: &[&Block<'_>]) {
        match blocks {
            [] => {
                w.string("");
            }
            [Block { content: Content::Text { text, citations }, cache, rest, path }]
                if (cache.is_none() || !self.takes("cache_control")) && (rest.is_empty() || !self.own) =>
            {
                w.text(text);
                if cache.is_some() {
                    self.losses.member(*path, "cache_control");
                }
                if !citations.is_empty() && !self.own {
                    self.losses.member(*path, "citations");
                }
                self.losses.extensions(rest);
            }
            blocks => {
                w.array(|w| blocks.iter().for_each(|block| self.part(w, block)));
            }
        }
    }

    /// Writes one part.
    pub(super) fn part(&mut self, w: &mut Writer, block: &Block<'_>) {
        let Block { content, cache, path, rest } = block;
        if let Content::Opaque(raw) = content {
            w.raw(raw);
            return;
        }
        w.object(|w| {
            let under = match content {
                Content::Text { text, citations } => {
                    w.key("type").string("text").key("text").text(text);
                    if !citations.is_empty() && !self.own {
                        self.losses.member(*path, "citations");
                    }
                    ""
                }
                Content::Refusal(text) => {
                    w.key("type").string("refusal").key("refusal").text(text);
                    ""
                }
                Content::Image(media) => {
                    self.lose_beside(block, media);
                    w.key("type").string("image_url").key("image_url").object(|w| {
                        self.url(w, media, "image/png");
                        if let Some(detail) = &media.detail {
                            w.key("detail").text(detail);
                        }
                        self.own_members(w, block, "image_url");
                    });
                    "image_url"
                }
                Content::Video(media) => {
                    self.lose_beside(block, media);
                    w.key("type").string(VIDEO).key(VIDEO).object(|w| {
                        self.url(w, media, "video/mp4");
                        self.own_members(w, block, VIDEO);
                    });
                    VIDEO
                }
                Content::Audio(media) => {
                    self.lose_beside(block, media);
                    self.audio(w, media, block)
                }
                Content::Document(media) => self.document(w, media, block),
                Content::Reasoning(thought) => {
                    w.key("type").string("thinking").key("thinking").array(|w| {
                        for text in &thought.text {
                            w.object(|w| {
                                w.key("type").string("text").key("text").text(text);
                            });
                        }
                    });
                    ""
                }
                // Has no place here: see `placed`.
                Content::ToolCall(_) | Content::ToolResult(_) | Content::Opaque(_) => "",
            };
            if let Some(cache) = cache {
                if self.takes("cache_control") {
                    w.key("cache_control").raw(cache);
                } else {
                    self.losses.member(*path, "cache_control");
                }
            }
            if self.own {
                self.rest(w, rest, "");
            } else if under.is_empty() || !rest.is_empty() {
                self.losses.extensions(rest);
            }
        });
    }

    /// What another dialect says of a medium and this one has no place for.
    fn lose_beside(&mut self, block: &Block<'_>, media: &Media<'_>) {
        if self.own {
            return;
        }
        let pictured = matches!(block.content, Content::Image(_));
        if media.name.is_some() {
            self.losses.member(block.path, terms::file_name(self.client));
        }
        if media.detail.is_some() && !pictured {
            self.losses.member(block.path, terms::detail(self.client));
        }
        let fetched = !pictured && self.target.media.bytes(&media.source).is_some();
        if media.mime.is_some() && matches!(media.source, Source::Url(_)) && !fetched {
            self.losses.member(block.path, terms::ADDRESS_TYPE);
        }
    }

    fn own_members(&mut self, w: &mut Writer, block: &Block<'_>, under: &str) {
        if self.own {
            self.rest(w, &block.rest, under);
        }
    }

    fn url(&mut self, w: &mut Writer, media: &Media<'_>, usual: &str) {
        w.key("url");
        match &media.source {
            Source::Url(url) => {
                w.text(url);
            }
            Source::Base64(data) => {
                let mime = media.mime.as_ref().map(Text::value);
                write_data_url(w, mime.as_deref().unwrap_or(usual), data);
            }
            // `placed` lets neither through.
            Source::PlainText(text) | Source::File(text) => {
                w.text(text);
            }
        }
    }

    fn audio(&mut self, w: &mut Writer, media: &Media<'_>, block: &Block<'_>) -> &'static str {
        let target = self.target;
        let Some((fetched, data)) = target.media.bytes(&media.source) else {
            // Only the dialect's own (vLLM's) address comes here.
            w.key("type").string("audio_url").key("audio_url").object(|w| {
                self.url(w, media, "audio/wav");
                self.own_members(w, block, "audio_url");
            });
            return "audio_url";
        };
        let mime = media.mime.as_ref().map(Text::value);
        let mime = mime.as_deref().or(fetched).unwrap_or("audio/wav");
        let subtype = mime.split(';').next().unwrap_or(mime).trim_start_matches("audio/");
        let format = match subtype {
            "mpeg" | "mp3" | "mpga" => "mp3",
            "wav" | "x-wav" | "wave" | "vnd.wave" => "wav",
            "mp4" | "x-m4a" => "m4a",
            other => other.trim_start_matches("x-"),
        };
        w.key("type").string("input_audio").key("input_audio").object(|w| {
            w.key("data").text(&data).key("format").string(format);
            self.own_members(w, block, "input_audio");
        });
        "input_audio"
    }

    /// A file; plain text, which OpenAI takes in no file here, as text.
    fn document(&mut self, w: &mut Writer, media: &Media<'_>, block: &Block<'_>) -> &'static str {
        let target = self.target;
        let bytes = target.media.bytes(&media.source);
        let mime = media.mime.as_ref().map(Text::value);
        let mime = mime.as_deref().or(bytes.as_ref().and_then(|(fetched, _)| *fetched));
        let plain = match (&media.source, &bytes) {
            (Source::PlainText(text), _) => Some(text.borrowed()),
            (_, Some((_, data))) if !self.own && is_text(mime) => decode_text(data).map(Text::from),
            _ => None,
        };
        if let Some(text) = plain {
            w.key("type").string("text").key("text").text(&text);
            self.lose_beside(block, media);
            return "";
        }
        if media.detail.is_some() && !self.own {
            self.losses.member(block.path, terms::detail(self.client));
        }
        w.key("type").string("file").key("file").object(|w| {
            match (&media.source, &bytes) {
                (_, Some((_, data))) => {
                    match &media.name {
                        Some(name) => w.key("filename").text(name),
                        None => w.key("filename").string(FILE_NAME),
                    };
                    w.key("file_data");
                    write_data_url(w, mime.unwrap_or("application/pdf"), data);
                }
                (Source::File(id), None) => {
                    w.key("file_id").text(id);
                    self.own_name(w, block, media);
                }
                (Source::Url(text) | Source::Base64(text) | Source::PlainText(text), None) => {
                    w.key("file_data").text(text);
                    self.own_name(w, block, media);
                }
            }
            self.own_members(w, block, "file");
        });
        "file"
    }

    fn own_name(&mut self, w: &mut Writer, block: &Block<'_>, media: &Media<'_>) {
        match &media.name {
            Some(name) if self.own => {
                w.key("filename").text(name);
            }
            Some(_) => self.losses.member(block.path, terms::file_name(self.client)),
            None => {}
        }
    }
}

fn is_text(mime: Option<&str>) -> bool {
    mime.is_some_and(|mime| mime.starts_with("text/") || mime.starts_with("application/json"))
}

fn decode_text(data: &Text<'_>) -> Option<String> {
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(&*data.value()).ok()?).ok()
}
