//! Content: a string, or a list of parts.

use crate::json::{Fields, Kind, Node, Text};
use crate::neutral::{Block, Content, DecodeError, Extension, Media, Path, Reasoning, Source, fields};

/// The turn that is read: `messages[2]`, or `choices[0]` of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub list: &'static str,
    pub at: u32,
}

impl Place {
    pub(super) const fn item(self) -> Path {
        Path::Item(self.list, self.at)
    }

    pub(super) const fn part(self, inner: &'static str, part: u32) -> Path {
        Path::Part(self.list, self.at, inner, part)
    }
}

/// Adds what `content` says.
pub(super) fn read<'a>(
    content: Node<'_, 'a>,
    place: Place,
    blocks: &mut Vec<Block<'a>>,
) -> Result<(), DecodeError> {
    if let Some(text) = content.text() {
        // Most turns are one text: a vector that grows by itself begins with room for four.
        blocks.reserve_exact(1);
        blocks.push(Block::new(Content::text(text), place.item()));
        return Ok(());
    }
    if content.kind() != Kind::Array {
        return Err(DecodeError::wrong(place.item().member("content"), "a string or a list of parts"));
    }
    blocks.reserve_exact(content.elements().count());
    for (at, part) in (0u32..).zip(content.elements()) {
        blocks.push(read_part(part, place.part("content", at))?);
    }
    Ok(())
}

fn read_part<'a>(part: Node<'_, 'a>, path: Path) -> Result<Block<'a>, DecodeError> {
    // Mistral's lists may hold bare strings.
    if let Some(text) = part.text() {
        return Ok(Block::new(Content::text(text), path));
    }
    let mut members = fields(part, path)?;
    let kind = members.take("type").and_then(Node::text);
    let mut block = Block::new(Content::Opaque(part.raw()), path);
    let kind = kind.ok_or_else(|| DecodeError::Missing { field: path.member("type") })?;
    block.content = match &*kind.value() {
        "text" => Content::text(text(&mut members, "text", path)?),
        "refusal" => Content::Refusal(text(&mut members, "refusal", path)?),
        "image_url" => Content::Image(linked(&mut members, "image_url", &mut block.rest, path)?),
        "video_url" => Content::Video(linked(&mut members, "video_url", &mut block.rest, path)?),
        "audio_url" => Content::Audio(linked(&mut members, "audio_url", &mut block.rest, path)?),
        "input_audio" => Content::Audio(audio(&mut members, &mut block.rest, path)?),
        "file" => match file(&mut members, &mut block.rest, path)? {
            Some(media) => Content::Document(media),
            None => return Ok(block),
        },
        "thinking" => Content::Reasoning(thinking(&mut members, path)?),
        _ => return Ok(block),
    };
    block.cache = members.take("cache_control").map(Node::raw);
    Extension::collect(members, path, &mut block.rest);
    Ok(block)
}

fn text<'a>(members: &mut Fields<'_, 'a>, name: &str, path: Path) -> Result<Text<'a>, DecodeError> {
    let node = members.take(name).ok_or_else(|| DecodeError::Missing { field: path.member(name) })?;
    node.text().ok_or_else(|| DecodeError::wrong(path.member(name), "a string"))
}

/// `{"url": …}`, or the address alone.
fn linked<'a>(
    members: &mut Fields<'_, 'a>,
    name: &str,
    rest: &mut Vec<Extension<'a>>,
    path: Path,
) -> Result<Media<'a>, DecodeError> {
    let node = members.take(name).ok_or_else(|| DecodeError::Missing { field: path.member(name) })?;
    let mut detail = None;
    let url = match node.text() {
        Some(url) => url,
        None => {
            let place = path.member(name);
            let mut inner = fields(node, &place)?;
            let url = inner.take("url").and_then(Node::text);
            detail = inner.take("detail").and_then(Node::text);
            Extension::collect_under(inner, path, name, rest);
            url.ok_or_else(|| DecodeError::wrong(format!("{place}.url"), "a string"))?
        }
    };
    let (source, mime) = Source::from_url(url);
    Ok(Media { source, mime, name: None, detail })
}

fn audio<'a>(
    members: &mut Fields<'_, 'a>,
    rest: &mut Vec<Extension<'a>>,
    path: Path,
) -> Result<Media<'a>, DecodeError> {
    let place = path.member("input_audio");
    let node = members.take("input_audio").ok_or_else(|| DecodeError::Missing { field: place.clone() })?;
    let mut inner = fields(node, &place)?;
    let data = inner.take("data").and_then(Node::text);
    let data = data.ok_or_else(|| DecodeError::wrong(format!("{place}.data"), "a string"))?;
    let format = inner.take("format").and_then(Node::text).unwrap_or(Text::Escaped("wav"));
    Extension::collect_under(inner, path, "input_audio", rest);
    // Some clients send an address with the type in it.
    let (source, mime) = match Source::from_url(data) {
        (Source::Url(data), _) => (Source::Base64(data), None),
        with_type => with_type,
    };
    let mime = mime.unwrap_or_else(|| match &*format.value() {
        "mp3" => Text::Escaped("audio/mpeg"),
        other => Text::from(format!("audio/{other}")),
    });
    Ok(Media { source, mime: Some(mime), name: None, detail: None })
}

/// A file by its bytes, its id or (OpenRouter) its address; `None` where it has none of these.
fn file<'a>(
    members: &mut Fields<'_, 'a>,
    rest: &mut Vec<Extension<'a>>,
    path: Path,
) -> Result<Option<Media<'a>>, DecodeError> {
    let place = path.member("file");
    let node = members.take("file").ok_or_else(|| DecodeError::Missing { field: place.clone() })?;
    let mut inner = fields(node, &place)?;
    let name = inner.take("filename").and_then(Node::text);
    let (source, mime) = match inner.take("file_data").and_then(Node::text) {
        Some(data) => match Source::from_url(data) {
            (Source::Url(data), _) if !data.value().contains("://") => {
                (Source::Base64(data), Some(Text::Escaped("application/pdf")))
            }
            known => known,
        },
        None => match inner.take("file_id").and_then(Node::text) {
            Some(id) => (Source::File(id), None),
            None => return Ok(None),
        },
    };
    Extension::collect_under(inner, path, "file", rest);
    Ok(Some(Media { source, mime, name, detail: None }))
}

/// Mistral's: `"thinking": [{"type": "text", "text": "…"}]`, or a string.
fn thinking<'a>(members: &mut Fields<'_, 'a>, path: Path) -> Result<Reasoning<'a>, DecodeError> {
    let place = path.member("thinking");
    let node = members.take("thinking").ok_or_else(|| DecodeError::Missing { field: place.clone() })?;
    let text = match node.text() {
        Some(text) => vec![text],
        None => node.elements().filter_map(|part| part.get("text")?.text()).collect(),
    };
    // Tells whether the thought is whole, which it is in all that is kept.
    members.take("closed");
    Ok(Reasoning { text, ..Reasoning::default() })
}
