//! Content: a string where that says it all, or a list of parts.

use base64::Engine;

use super::Encoder;
use crate::json::{Text, Writer};
use crate::neutral::{Block, Content, Media, Path, Source, terms, write_data_url};

/// The vendor wants a name with the bytes of a file.
const FILE_NAME: &str = "document.pdf";

const PDF: &str = "application/pdf";

impl Encoder<'_> {
    /// Whether a block of another dialect has a place among the parts of a message or result.
    pub(super) fn has_place(&self, block: &Block<'_>, assistant: bool) -> bool {
        match &block.content {
            Content::Text { .. } => true,
            Content::Refusal(_) => assistant,
            // An id means something only to the provider that gave it.
            Content::Image(media) => !assistant && matches!(media.source, Source::Base64(_) | Source::Url(_)),
            Content::Document(media) => !assistant && !matches!(media.source, Source::File(_)),
            Content::Audio(media) => !assistant && self.target.media.bytes(&media.source).is_some(),
            Content::Video(_)
            | Content::ToolCall(_)
            | Content::ToolResult(_)
            | Content::Reasoning(_)
            | Content::Opaque(_) => false,
        }
    }

    /// What the model said in another dialect, as one string: the list form is that of an item which the
    /// provider itself made, with an id. Dialects cut an answer where a source is cited, and no space is lost.
    pub(super) fn joined(&mut self, w: &mut Writer, said: &[&Block<'_>]) {
        let mut texts = Vec::with_capacity(said.len());
        for block in said {
            match &block.content {
                Content::Text { text, citations } => {
                    texts.push(text.borrowed());
                    if !citations.is_empty() {
                        self.losses.member(block.path, "citations");
                    }
                }
                Content::Refusal(text) => texts.push(text.borrowed()),
                _ => {}
            }
            self.beside(block);
        }
        w.joined(&texts);
    }

    /// What stands beside the content of a block of another dialect.
    fn beside(&mut self, block: &Block<'_>) {
        if block.cache.is_some() {
            self.losses.member(block.path, "cache_control");
        }
        self.losses.extensions(&block.rest);
    }

    /// Writes the value of `content` or `output`.
    pub(super) fn content(&mut self, w: &mut Writer, blocks: &[&Block<'_>], assistant: bool) {
        match blocks {
            [] if !self.own => {
                w.string("");
            }
            [block] if self.is_string(block) => {
                if let Content::Text { text, citations } = &block.content {
                    w.text(text);
                    if !citations.is_empty() {
                        self.losses.member(block.path, "citations");
                    }
                }
                if !self.own {
                    self.beside(block);
                }
            }
            blocks => {
                w.array(|w| blocks.iter().for_each(|block| self.part(w, block, assistant)));
            }
        }
    }

    /// Whether a lone block is written as a string: as the client did, or because that says it all.
    fn is_string(&self, block: &Block<'_>) -> bool {
        match &block.content {
            Content::Text { citations, .. } if self.own => {
                citations.is_empty() && block.rest.is_empty() && !matches!(block.path, Path::Part(..))
            }
            Content::Text { .. } => true,
            _ => false,
        }
    }

    fn part(&mut self, w: &mut Writer, block: &Block<'_>, assistant: bool) {
        if let Content::Opaque(raw) = block.content {
            w.raw(raw);
            return;
        }
        w.object(|w| {
            match &block.content {
                Content::Text { text, citations } if assistant => {
                    w.key("type").string("output_text").key("text").text(text).key("annotations").array(
                        |w| {
                            for citation in citations {
                                w.raw(citation.raw);
                            }
                        },
                    );
                }
                Content::Text { text, citations } => {
                    w.key("type").string("input_text").key("text").text(text);
                    if !citations.is_empty() {
                        self.losses.member(block.path, "citations");
                    }
                }
                Content::Refusal(text) => {
                    w.key("type").string("refusal").key("refusal").text(text);
                }
                Content::Image(media) => self.image(w, media),
                Content::Document(media) => self.document(w, media, block),
                Content::Audio(media) => self.audio(w, media, block),
                Content::Video(_)
                | Content::ToolCall(_)
                | Content::ToolResult(_)
                | Content::Reasoning(_)
                | Content::Opaque(_) => {}
            }
            if self.own {
                let inside = |name: &Text<'_>| name.value().starts_with("input_audio.");
                let beside = block.rest.iter().filter(|own| !inside(&own.name));
                beside.for_each(|own| {
                    w.text(&own.name).frame(b":").raw(own.raw);
                });
            } else {
                self.beside_medium(block);
                self.beside(block);
            }
        });
    }

    /// What another dialect says of a medium and this one has no place for.
    fn beside_medium(&mut self, block: &Block<'_>) {
        let (media, named, detailed) = match &block.content {
            Content::Image(media) => (media, false, true),
            Content::Audio(media) => (media, false, false),
            // Its name is dealt with where it is written.
            Content::Document(media) => (media, true, true),
            _ => return,
        };
        if media.name.is_some() && !named {
            self.losses.member(block.path, terms::file_name(self.client));
        }
        if media.detail.is_some() && !detailed {
            self.losses.member(block.path, terms::detail(self.client));
        }
        let fetched =
            !matches!(block.content, Content::Image(_)) && self.target.media.bytes(&media.source).is_some();
        if media.mime.is_some() && matches!(media.source, Source::Url(_)) && !fetched {
            self.losses.member(block.path, terms::ADDRESS_TYPE);
        }
    }

    fn image(&self, w: &mut Writer, media: &Media<'_>) {
        w.key("type").string("input_image");
        match &media.source {
            Source::File(id) => {
                w.key("file_id").text(id);
            }
            source => {
                w.key("image_url");
                write_address(w, source, media.mime.as_ref(), "image/png");
            }
        }
        match &media.detail {
            Some(detail) => {
                w.key("detail").text(detail);
            }
            // The vendor's own default, which its types want to be said.
            None if !self.own => {
                w.key("detail").string("auto");
            }
            None => {}
        }
    }

    fn audio(&self, w: &mut Writer, media: &Media<'_>, block: &Block<'_>) {
        let (fetched, data) = self.target.media.bytes(&media.source).unwrap_or_default();
        let mime = media.mime.as_ref().map(Text::value);
        let mime = mime.as_deref().or(fetched).unwrap_or("audio/wav");
        let subtype = mime.split(';').next().unwrap_or(mime).trim_start_matches("audio/");
        let format = match subtype.trim_start_matches("x-") {
            "mpeg" | "mpga" => "mp3",
            "wave" | "vnd.wave" => "wav",
            other => other,
        };
        w.key("type").string("input_audio").key("input_audio").object(|w| {
            w.key("data").text(&data).key("format").string(format);
            for own in block.rest.iter().filter(|_| self.own) {
                if let Some(name) = own.name.value().strip_prefix("input_audio.") {
                    w.key(name).raw(own.raw);
                }
            }
        });
    }

    /// A file; plain text as text.
    fn document(&mut self, w: &mut Writer, media: &Media<'_>, block: &Block<'_>) {
        let target = self.target;
        let bytes = target.media.bytes(&media.source);
        let mime = media.mime.as_ref().map(Text::value);
        let mime = mime.as_deref().or(bytes.as_ref().and_then(|(fetched, _)| *fetched)).unwrap_or(PDF);
        let plain = match (&media.source, &bytes) {
            (Source::PlainText(text), _) => Some(text.borrowed()),
            (_, Some((_, data))) if !self.own => decoded(mime, data).map(Text::from),
            _ => None,
        };
        if let Some(text) = plain {
            w.key("type").string("input_text").key("text").text(&text);
            if media.name.is_some() {
                self.losses.member(block.path, terms::file_name(self.client));
            }
            return;
        }
        w.key("type").string("input_file");
        match (&media.source, &bytes) {
            (_, Some((_, data))) => {
                match &media.name {
                    Some(name) => {
                        w.key("filename").text(name);
                    }
                    None if !self.own => {
                        w.key("filename").string(if mime == PDF { FILE_NAME } else { "document" });
                    }
                    None => {}
                }
                w.key("file_data");
                write_data_url(w, mime, data);
            }
            (source, None) => {
                w.key(if matches!(source, Source::File(_)) { "file_id" } else { "file_url" });
                write_address(w, source, None, PDF);
                match &media.name {
                    Some(name) if self.own => {
                        w.key("filename").text(name);
                    }
                    Some(_) => self.losses.member(block.path, terms::file_name(self.client)),
                    None => {}
                }
            }
        }
        if let Some(detail) = &media.detail {
            w.key("detail").text(detail);
        }
    }
}

fn write_address(w: &mut Writer, source: &Source<'_>, mime: Option<&Text<'_>>, usual: &str) {
    match source {
        Source::Base64(data) => {
            let mime = mime.map(Text::value);
            write_data_url(w, mime.as_deref().unwrap_or(usual), data);
        }
        Source::Url(text) | Source::File(text) | Source::PlainText(text) => {
            w.text(text);
        }
    }
}

/// The text of a file that is one.
fn decoded(mime: &str, data: &Text<'_>) -> Option<String> {
    let textual = mime.starts_with("text/") || mime.starts_with("application/json");
    let bytes = base64::engine::general_purpose::STANDARD.decode(&*data.value()).ok().filter(|_| textual)?;
    String::from_utf8(bytes).ok()
}
