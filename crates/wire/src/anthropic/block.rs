//! Content blocks, as clients send them and as the provider answers with them.

use pointsman_core::Dialect;

use super::media;
use crate::json::{Fields, Kind, Node, Text};
use crate::neutral::{
    Arguments, Block, Citation, Content, DecodeError, Extension, Path, Reasoning, Seal, SealKind, ToolCall,
    ToolResult, fields, ids, read,
};

/// Who wrote the blocks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side<'a> {
    /// A client: its proofs may carry a tag, its ids may have been fitted.
    Client,
    /// This provider.
    Provider(&'a str),
}

impl<'a> Side<'a> {
    /// The proof or cipher; `None` if it is empty.
    pub(super) fn seal(self, data: Text<'a>, kind: SealKind) -> Option<Seal<'a>> {
        if data.is_empty() {
            return None;
        }
        Some(match self {
            Self::Client => Seal::from_client(data, kind, Dialect::Anthropic),
            Self::Provider(provider) => Seal::from_provider(data, kind, Dialect::Anthropic, provider),
        })
    }

    fn call_id(self, id: Text<'a>) -> Text<'a> {
        let restored = match self {
            Self::Client => match ids::unfit(&id.value()) {
                std::borrow::Cow::Owned(restored) => Some(restored),
                std::borrow::Cow::Borrowed(_) => None,
            },
            Self::Provider(_) => None,
        };
        restored.map_or(id, Text::from)
    }
}

/// The blocks of a `content` that may also be a string.
pub(super) fn content<'a>(
    node: Node<'_, 'a>,
    place: Path,
    at: impl Fn(u32) -> Path,
    side: Side<'a>,
) -> Result<Vec<Block<'a>>, DecodeError> {
    if let Some(text) = node.text() {
        return Ok(vec![Block::new(Content::text(text), place)]);
    }
    if node.kind() != Kind::Array {
        return Err(DecodeError::wrong(place.member("content"), "a string or an array of blocks"));
    }
    let mut blocks = Vec::with_capacity(node.elements().count());
    for (number, element) in (0u32..).zip(node.elements()) {
        blocks.push(block(element, at(number), side)?);
    }
    Ok(blocks)
}

/// One block.
pub(super) fn block<'a>(node: Node<'_, 'a>, path: Path, side: Side<'a>) -> Result<Block<'a>, DecodeError> {
    let mut members = fields(node, path)?;
    let kind = read::needed(&mut members, "type", path)?;
    let opaque = || Ok(Block::new(Content::Opaque(node.raw()), path));
    let mut rest = Vec::new();
    let content = match &*kind.value() {
        "text" => Content::Text {
            text: read::needed(&mut members, "text", path)?,
            citations: citations(&mut members, path)?,
        },
        "image" => match media::image(&mut members, path, &mut rest)? {
            Some(media) => Content::Image(media),
            None => return opaque(),
        },
        "document" => match media::document(&mut members, path, &mut rest)? {
            Some(media) => Content::Document(media),
            None => return opaque(),
        },
        "thinking" => {
            let text = read::needed(&mut members, "thinking", path)?;
            let seal = read::text(&mut members, "signature", path)?
                .and_then(|signature| side.seal(signature, SealKind::Signature));
            let text = if text.is_empty() { Vec::new() } else { vec![text] };
            Content::Reasoning(Reasoning { text, seal, ..Reasoning::default() })
        }
        "redacted_thinking" => {
            let data = read::needed(&mut members, "data", path)?;
            let seal = side.seal(data, SealKind::Encrypted);
            Content::Reasoning(Reasoning { seal, ..Reasoning::default() })
        }
        "tool_use" => Content::ToolCall(call(&mut members, path, side)?),
        "tool_result" => Content::ToolResult(result(&mut members, path, side)?),
        _ => return opaque(),
    };
    let cache = members.take("cache_control").map(Node::raw);
    Extension::collect(members, path, &mut rest);
    Ok(Block { content, cache, path, rest })
}

/// One citation.
pub(super) fn citation<'a>(node: Node<'_, 'a>) -> Citation<'a> {
    let text = |name: &str| node.get(name).and_then(Node::text);
    Citation {
        url: text("url"),
        title: text("title").or_else(|| text("document_title")),
        quote: text("cited_text"),
        // Anthropic counts characters of the source, not of the citing text.
        span: None,
        raw: node.raw(),
    }
}

fn citations<'a>(members: &mut Fields<'_, 'a>, path: Path) -> Result<Vec<Citation<'a>>, DecodeError> {
    let Some(node) = members.take("citations") else { return Ok(Vec::new()) };
    if node.kind() != Kind::Array {
        return Err(DecodeError::wrong(path.member("citations"), "an array"));
    }
    Ok(node.elements().map(citation).collect())
}

fn call<'a>(members: &mut Fields<'_, 'a>, path: Path, side: Side<'a>) -> Result<ToolCall<'a>, DecodeError> {
    let id = read::needed(members, "id", path)?;
    let name = read::needed(members, "name", path)?;
    let input = members.take("input");
    if input.is_some_and(|input| input.kind() != Kind::Object) {
        return Err(DecodeError::wrong(path.member("input"), "an object"));
    }
    let arguments = Arguments::Object(input.map_or("{}", Node::raw));
    Ok(ToolCall { id: side.call_id(id), item: None, name, arguments, seal: None })
}

fn result<'a>(
    members: &mut Fields<'_, 'a>,
    path: Path,
    side: Side<'a>,
) -> Result<ToolResult<'a>, DecodeError> {
    let id = read::needed(members, "tool_use_id", path)?;
    let content = match members.take("content") {
        // The parts of a result are told apart by nothing but the result itself.
        Some(node) => content(node, path, |_| path, side)?,
        None => Vec::new(),
    };
    let failed = members.take("is_error");
    if failed.is_some_and(|failed| failed.bool().is_none()) {
        return Err(DecodeError::wrong(path.member("is_error"), "true or false"));
    }
    let failed = failed.and_then(Node::bool).unwrap_or(false);
    let id = side.call_id(id);
    Ok(ToolResult { id, name: None, content, object: None, failed, custom: false, own_name: false })
}
