//! Parts, as clients send them and as the provider answers with them.

use pointsman_core::Dialect;

use super::read::Inside;
use super::{media, read, signature};
use crate::json::{Kind, Node, Text};
use crate::neutral::{
    Arguments, Block, Content, DecodeError, Extension, Path, Reasoning, Seal, SealKind, ToolCall, ToolResult,
};

/// Who wrote the parts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side<'a> {
    /// A client: its signatures may carry a tag.
    Client,
    /// This provider.
    Provider(&'a str),
}

impl<'a> Side<'a> {
    pub(super) fn seal(self, text: Text<'a>) -> Seal<'a> {
        match self {
            Self::Client => signature::from_client(text),
            Self::Provider(name) => Seal::from_provider(text, SealKind::Signature, Dialect::Gemini, name),
        }
    }
}

impl Side<'_> {
    /// What a provider leaves out is empty, and no fault.
    fn lenient<T>(self, read: Result<T, DecodeError>, instead: T) -> Result<T, DecodeError> {
        match (self, read) {
            (Self::Provider(_), Err(DecodeError::Missing { .. })) => Ok(instead),
            (_, read) => read,
        }
    }
}

/// The members of a result's `response` that hold a text and nothing else, and where such a text is said to
/// stand: so it goes back under the same name.
pub(super) const RESULT: &str = "result";
pub(super) const OUTPUT: &str = "output";
pub(super) const ERROR: &str = "error";
/// Where the whole `response` stands, as JSON, if there are media beside it.
pub(super) const RESPONSE: &str = "response";

/// A part whose members have been looked at.
#[derive(Default)]
struct Draft<'d, 'a> {
    text: Option<Text<'a>>,
    thought: bool,
    signature: Option<Text<'a>>,
    data: Option<(Data, Node<'d, 'a>)>,
    rest: Vec<Extension<'a>>,
}

#[derive(Clone, Copy)]
enum Data {
    Inline,
    File,
    Call,
    Result,
}

/// Reads a part and adds what it says. A signature of anything but a thought or a call becomes a block of
/// its own, with the same path.
pub(super) fn read<'a>(
    node: Node<'_, 'a>,
    path: Path,
    side: Side<'a>,
    blocks: &mut Vec<Block<'a>>,
) -> Result<(), DecodeError> {
    let mut draft = Draft::default();
    for member in read::members(node, path)? {
        let node = member.node;
        match &*member.name() {
            "text" => draft.text = Some(read::string(node, Inside(path, "text"))?),
            "thought" => draft.thought = read::boolean(node, Inside(path, "thought"))?,
            "thoughtSignature" => {
                draft.signature = Some(read::string(node, Inside(path, "thoughtSignature"))?);
            }
            "inlineData" => draft.data = Some((Data::Inline, node)),
            "fileData" => draft.data = Some((Data::File, node)),
            "functionCall" => draft.data = Some((Data::Call, node)),
            "functionResponse" => draft.data = Some((Data::Result, node)),
            _ => member.keep(path, &mut draft.rest),
        }
    }
    let Draft { text, thought, signature, data, mut rest } = draft;
    if matches!(side, Side::Provider(_)) && node.members().next().is_none() {
        return Ok(());
    }
    let mut seal = signature.filter(|text| !text.is_empty()).map(|text| side.seal(text));
    let content = match (data, text) {
        // A picture in the thoughts is none of the answer.
        (Some((Data::Inline | Data::File, _)), _) if thought => Content::Opaque(node.raw()),
        (Some((Data::Inline, inner)), _) => {
            side.lenient(media::inline(inner, path, &mut rest), Content::Opaque(node.raw()))?
        }
        (Some((Data::File, inner)), _) => {
            side.lenient(media::file(inner, path, &mut rest), Content::Opaque(node.raw()))?
        }
        (Some((Data::Call, node)), _) => {
            let mut call = call(node, path, &mut rest)?;
            call.seal = seal.take();
            Content::ToolCall(call)
        }
        (Some((Data::Result, node)), _) => Content::ToolResult(result(node, path, &mut rest)?),
        (None, Some(text)) if thought => {
            let summary = if text.is_empty() { Vec::new() } else { vec![text] };
            Content::Reasoning(Reasoning { summary, seal: seal.take(), ..Reasoning::default() })
        }
        (None, Some(text)) => Content::text(text),
        (None, None) if rest.is_empty() && seal.is_some() => {
            Content::Reasoning(Reasoning { seal: seal.take(), ..Reasoning::default() })
        }
        (None, None) => Content::Opaque(node.raw()),
    };
    if matches!(content, Content::Opaque(_)) {
        // The raw part has them all.
        (seal, rest) = (None, Vec::new());
    }
    blocks.push(Block { content, cache: None, path, rest });
    if let Some(seal) = seal {
        let proof = Reasoning { seal: Some(seal), ..Reasoning::default() };
        blocks.push(Block::new(Content::Reasoning(proof), path));
    }
    Ok(())
}

/// The parts of `content`, or of what stands in its place.
pub(super) fn read_all<'a>(
    node: Node<'_, 'a>,
    place: Path,
    at: impl Fn(u32) -> Path,
    side: Side<'a>,
) -> Result<Vec<Block<'a>>, DecodeError> {
    let mut blocks = Vec::new();
    for (number, part) in read::items(node, place.member("parts"))? {
        read(part, at(number), side, &mut blocks)?;
    }
    Ok(blocks)
}

/// A block that is the signature of the one before it.
pub(super) fn proof_of<'b, 'a>(block: &Block<'_>, next: Option<&'b Block<'a>>) -> Option<&'b Seal<'a>> {
    let next = next.filter(|next| next.path == block.path)?;
    let signed = !matches!(block.content, Content::Reasoning(_) | Content::Opaque(_));
    match &next.content {
        Content::Reasoning(Reasoning { id: _, text, summary, seal })
            if signed && text.is_empty() && summary.is_empty() =>
        {
            seal.as_ref()
        }
        _ => None,
    }
}

/// Reads `functionCall`.
pub(super) fn call<'a>(
    node: Node<'_, 'a>,
    path: Path,
    rest: &mut Vec<Extension<'a>>,
) -> Result<ToolCall<'a>, DecodeError> {
    const MEMBER: &str = "functionCall";
    let place = |name: &str| path.member(&format!("{MEMBER}.{name}"));
    let (mut id, mut name, mut arguments) = (Text::default(), Text::default(), "{}");
    for member in read::members(node, path.member(MEMBER))? {
        let node = member.node;
        match &*member.name() {
            "id" => id = read::string(node, place("id"))?,
            "name" => name = read::string(node, place("name"))?,
            "args" => arguments = read::object(node, place("args"))?,
            _ => member.keep_under(MEMBER, path, rest),
        }
    }
    if name.is_empty() {
        return Err(DecodeError::Missing { field: place("name") });
    }
    Ok(ToolCall { id, item: None, name, arguments: Arguments::Object(arguments), seal: None })
}

fn result<'a>(
    node: Node<'_, 'a>,
    path: Path,
    rest: &mut Vec<Extension<'a>>,
) -> Result<ToolResult<'a>, DecodeError> {
    const MEMBER: &str = "functionResponse";
    let place = |name: &str| path.member(&format!("{MEMBER}.{name}"));
    let mut result = ToolResult {
        id: Text::default(),
        name: None,
        content: Vec::new(),
        object: None,
        failed: false,
        custom: false,
        own_name: false,
    };
    let mut media = Vec::new();
    for member in read::members(node, path.member(MEMBER))? {
        let node = member.node;
        match &*member.name() {
            "id" => result.id = read::string(node, place("id"))?,
            "name" => result.name = Some(read::string(node, place("name"))?).filter(|name| !name.is_empty()),
            "response" => response(node, path, &place("response"), &mut result)?,
            "parts" => {
                for (at, part) in read::items(node, place("parts"))? {
                    let inside = |error| moved(error, path, &format!("{}[{at}]", place("parts")));
                    read(part, path, Side::Client, &mut media).map_err(inside)?;
                }
            }
            _ => member.keep_under(MEMBER, path, rest),
        }
    }
    if !media.is_empty() {
        if let Some(object) = result.object.take() {
            let text = Content::text(Text::from(object));
            result.content.push(Block::new(text, said_at(path, RESPONSE)));
        }
        result.content.append(&mut media);
    }
    Ok(result)
}

/// An error of a part of a result, which is read as if it stood where the result does.
fn moved(error: DecodeError, path: Path, place: &str) -> DecodeError {
    let outer = path.to_string();
    let inner = |field: String| match field.strip_prefix(&outer) {
        Some(rest) => format!("{place}{rest}"),
        None => field,
    };
    match error {
        DecodeError::Wrong { field, expected } => DecodeError::Wrong { field: inner(field), expected },
        DecodeError::Missing { field } => DecodeError::Missing { field: inner(field) },
        other @ DecodeError::Json(_) => other,
    }
}

/// What a tool answered: a text, if Google's reference has a name for where it stands, or an object.
fn response<'a>(
    node: Node<'_, 'a>,
    path: Path,
    place: &str,
    result: &mut ToolResult<'a>,
) -> Result<(), DecodeError> {
    let whole = read::object(node, place)?;
    result.failed = node.get(ERROR).is_some_and(|error| matches!(error.kind(), Kind::String | Kind::Object));
    let mut members = node.members();
    let (alone, more) = (members.next(), members.next());
    if let (Some((key, value)), None) = (alone, more)
        && let Some(name) = [RESULT, OUTPUT, ERROR].into_iter().find(|name| key == *name)
        && let Some(text) = value.text()
    {
        let at = if name == OUTPUT { said_at(path, OUTPUT) } else { path };
        result.content.push(Block::new(Content::text(text), at));
    } else {
        result.object = Some(whole);
    }
    Ok(())
}

fn said_at(path: Path, inner: &'static str) -> Path {
    match path {
        Path::Part(list, at, _, part) => Path::Part(list, at, inner, part),
        other => other,
    }
}

/// Under which name a text of a result stood.
pub(super) fn said_under(block: &Block<'_>) -> &'static str {
    match block.path {
        Path::Part(_, _, inner, _) if inner == OUTPUT || inner == RESPONSE => inner,
        _ => RESULT,
    }
}
