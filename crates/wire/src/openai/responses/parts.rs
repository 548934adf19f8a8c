//! Content of messages and results: a string, or a list of parts.

use crate::json::{Fields, Kind, Node, Text};
use crate::neutral::read::{needed, text};
use crate::neutral::{Block, Citation, Content, DecodeError, Extension, Media, Path, Source, fields};

/// The item that is read: `input[2]`, or `output[0]` of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) list: &'static str,
    pub(super) at: u32,
}

impl Place {
    pub(super) const fn item(self) -> Path {
        Path::Item(self.list, self.at)
    }

    const fn part(self, inner: &'static str, part: u32) -> Path {
        Path::Part(self.list, self.at, inner, part)
    }
}

/// What stands in the member `inner` of an item.
pub(super) fn read<'a>(
    node: Node<'_, 'a>,
    place: Place,
    inner: &'static str,
) -> Result<Vec<Block<'a>>, DecodeError> {
    if let Some(text) = node.text() {
        return Ok(vec![Block::new(Content::text(text), place.item())]);
    }
    if node.kind() != Kind::Array {
        return Err(DecodeError::wrong(place.item().member(inner), "a string or a list of parts"));
    }
    let mut blocks = Vec::with_capacity(node.elements().count());
    for (at, part) in (0u32..).zip(node.elements()) {
        blocks.push(read_part(part, place.part(inner, at))?);
    }
    Ok(blocks)
}

fn read_part<'a>(part: Node<'_, 'a>, path: Path) -> Result<Block<'a>, DecodeError> {
    let mut members = fields(part, path)?;
    let mut block = Block::new(Content::Opaque(part.raw()), path);
    let kind = needed(&mut members, "type", path)?;
    block.content = match &*kind.value() {
        "input_text" | "output_text" | "text" => said(&mut members, path)?,
        "refusal" => Content::Refusal(needed(&mut members, "refusal", path)?),
        "input_image" => match image(&mut members, path)? {
            Some(media) => Content::Image(media),
            None => return Ok(block),
        },
        "input_file" => match file(&mut members, path)? {
            Some(media) => Content::Document(media),
            None => return Ok(block),
        },
        "input_audio" => Content::Audio(audio(&mut members, &mut block.rest, path)?),
        _ => return Ok(block),
    };
    Extension::collect(members, path, &mut block.rest);
    Ok(block)
}

/// Text and its sources. Empty lists beside it say nothing.
fn said<'a>(members: &mut Fields<'_, 'a>, path: Path) -> Result<Content<'a>, DecodeError> {
    let text = needed(members, "text", path)?;
    let mut citations = Vec::new();
    if let Some(list) = members.take("annotations") {
        if list.kind() != Kind::Array {
            return Err(DecodeError::wrong(path.member("annotations"), "a list"));
        }
        citations.extend(list.elements().map(read_citation));
    }
    if members.peek("logprobs").is_some_and(|list| list.elements().next().is_none()) {
        members.take("logprobs");
    }
    Ok(Content::Text { text, citations })
}

/// `{"type": "url_citation", "url", "title", "start_index", "end_index"}`, or the citation of a file.
pub(super) fn read_citation<'a>(node: Node<'_, 'a>) -> Citation<'a> {
    let text = |name: &str| node.get(name).and_then(Node::text);
    let count = |name: &str| node.get(name).and_then(Node::count);
    Citation {
        url: text("url"),
        title: text("title").or_else(|| text("filename")),
        quote: None,
        span: count("start_index").zip(count("end_index")),
        raw: node.raw(),
    }
}

/// A picture by its address or id; `None` where it has neither.
fn image<'a>(members: &mut Fields<'_, 'a>, path: Path) -> Result<Option<Media<'a>>, DecodeError> {
    let (source, mime) = match text(members, "image_url", path)? {
        Some(url) => Source::from_url(url),
        None => match text(members, "file_id", path)? {
            Some(id) => (Source::File(id), None),
            None => return Ok(None),
        },
    };
    Ok(Some(Media { source, mime, name: None, detail: text(members, "detail", path)? }))
}

/// A file by its bytes, its address or its id; `None` where it has none of these.
fn file<'a>(members: &mut Fields<'_, 'a>, path: Path) -> Result<Option<Media<'a>>, DecodeError> {
    let name = text(members, "filename", path)?;
    let (source, mime) = if let Some(data) = text(members, "file_data", path)? {
        match Source::from_url(data) {
            (Source::Url(data), _) => (Source::Base64(data), Some(Text::Escaped("application/pdf"))),
            known => known,
        }
    } else if let Some(url) = text(members, "file_url", path)? {
        Source::from_url(url)
    } else if let Some(id) = text(members, "file_id", path)? {
        (Source::File(id), None)
    } else {
        return Ok(None);
    };
    Ok(Some(Media { source, mime, name, detail: text(members, "detail", path)? }))
}

/// `{"type": "input_audio", "input_audio": {"data", "format"}}`
fn audio<'a>(
    members: &mut Fields<'_, 'a>,
    rest: &mut Vec<Extension<'a>>,
    path: Path,
) -> Result<Media<'a>, DecodeError> {
    const INNER: &str = "input_audio";
    let place = path.member(INNER);
    let node = members.take(INNER).ok_or_else(|| DecodeError::Missing { field: place.clone() })?;
    let mut inner = fields(node, &place)?;
    let wrong = |name| DecodeError::wrong(format!("{place}.{name}"), "a string");
    let data = inner.take("data").and_then(Node::text).ok_or_else(|| wrong("data"))?;
    let format = inner.take("format").and_then(Node::text).ok_or_else(|| wrong("format"))?;
    Extension::collect_under(inner, path, INNER, rest);
    let mime = match &*format.value() {
        "mp3" => Text::Escaped("audio/mpeg"),
        other => Text::from(format!("audio/{other}")),
    };
    Ok(Media { source: Source::Base64(data), mime: Some(mime), name: None, detail: None })
}
