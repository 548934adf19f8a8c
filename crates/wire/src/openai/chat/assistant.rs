//! What the model says, in requests and in answers: thoughts, text, refusals, calls.

use std::collections::{HashMap, HashSet, VecDeque};

use pointsman_core::Dialect;

use super::order;
use super::parts::{self, Place};
use crate::json::{Fields, Kind, Node, Text};
use crate::neutral::{
    Arguments, Block, Citation, Content, DecodeError, Extension, Media, Reasoning, Seal, SealKind, Source,
    ToolCall, fields,
};

/// Who handed over what the model said.
#[derive(Clone, Copy, Debug)]
pub(super) enum Author<'a> {
    /// A client, which has it from an earlier answer.
    Client,
    /// This provider.
    Provider(&'a str),
}

impl<'a> Author<'a> {
    pub(super) fn seal(self, text: Text<'a>, kind: SealKind) -> Seal<'a> {
        match self {
            Self::Client => Seal::from_client(text, kind, Dialect::OpenAiChat),
            Self::Provider(name) => Seal::from_provider(text, kind, Dialect::OpenAiChat, name),
        }
    }
}

/// The names of thoughts as plain text: DeepSeek's, OpenRouter's and newer vLLM's, older gateways'.
pub(super) const THOUGHTS: [&str; 3] = ["reasoning_content", "reasoning", "reasoning_text"];

/// Takes what is known from `members`; what is not of the expected type goes to `rest`.
pub(super) fn read<'a>(
    members: &mut Fields<'_, 'a>,
    place: Place,
    author: Author<'a>,
    rest: &mut Vec<Extension<'a>>,
) -> Result<Vec<Block<'a>>, DecodeError> {
    let calls = members.peek("tool_calls").map_or(0, |calls| calls.elements().count());
    let mut blocks = Vec::with_capacity(if calls == 0 { 0 } else { calls + 1 });
    if let Some(details) = members.take("reasoning_details") {
        read_details(details, place, author, &mut blocks);
    }
    read_thoughts(members, place, &mut blocks, rest);
    if let Some(content) = members.take("content")
        && content.text().is_none_or(|text| !text.is_empty())
    {
        parts::read(content, place, &mut blocks)?;
    }
    if let Some(refusal) = members.take("refusal") {
        let text = refusal.text();
        let text = text.ok_or_else(|| DecodeError::wrong(place.item().member("refusal"), "a string"))?;
        if !text.is_empty() {
            blocks.push(Block::new(Content::Refusal(text), place.item()));
        }
    }
    if let Some(node) = members.take("annotations") {
        read_annotations(node, place, &mut blocks, rest);
    }
    if let Some(images) = members.take("images") {
        read_images(images, place, &mut blocks);
    }
    if let Some(calls) = members.take("tool_calls") {
        if calls.kind() != Kind::Array {
            return Err(DecodeError::wrong(place.item().member("tool_calls"), "a list"));
        }
        for (at, call) in (0u32..).zip(calls.elements()) {
            blocks.push(read_call(call, place, at, author)?);
        }
    }
    if let Some(call) = members.take("function_call") {
        blocks.push(read_function_call(call, place)?);
    }
    join_calls_and_seals(&mut blocks);
    Ok(order::restored(blocks))
}

/// OpenRouter's list: pieces with the same `index` or `id` are one thought.
fn read_details<'a>(node: Node<'_, 'a>, place: Place, author: Author<'a>, blocks: &mut Vec<Block<'a>>) {
    let mut before: (Option<&str>, Option<Text<'_>>) = (None, None);
    // Names of the members that the last thought keeps.
    let mut known = HashSet::new();
    for (at, detail) in (0u32..).zip(node.elements()) {
        let path = place.part("reasoning_details", at);
        let mut block = Block::new(Content::Opaque(detail.raw()), path);
        let piece = detail.fields().and_then(|members| read_detail(members, &mut block, author));
        let Some((index, piece)) = piece else {
            blocks.push(block);
            continue;
        };
        let bare = index.is_none() && piece.id.is_none();
        let same = (index.is_some() && before.0 == index)
            || (piece.id.is_some() && before.1 == piece.id)
            || (bare && before == (None, None) && piece.text.is_empty() && piece.summary.is_empty());
        before = (index, piece.id.clone());
        if same
            && let Some(Block { content: Content::Reasoning(last), rest, .. }) = blocks.last_mut()
            && (last.seal.is_none() || piece.seal.is_none())
        {
            last.text.extend(piece.text);
            last.summary.extend(piece.summary);
            last.seal = last.seal.take().or(piece.seal);
            let new = |own: &Extension<'a>| known.insert(own.name.clone());
            rest.extend(block.rest.into_iter().filter(new));
            continue;
        }
        known.clear();
        known.extend(block.rest.iter().map(|own| own.name.clone()));
        block.content = Content::Reasoning(piece);
        blocks.push(block);
    }
}

/// One entry and its `index`; `None` where it is of no known kind.
fn read_detail<'a>(
    mut members: Fields<'_, 'a>,
    block: &mut Block<'a>,
    author: Author<'a>,
) -> Option<(Option<&'a str>, Reasoning<'a>)> {
    let kind = members.take("type")?.text()?;
    let mut string = |name: &str| members.take(name).and_then(Node::text).filter(|text| !text.is_empty());
    let mut piece = Reasoning { id: string("id"), ..Reasoning::default() };
    match &*kind.value() {
        "reasoning.text" => {
            piece.text = string("text").into_iter().collect();
            piece.seal = string("signature").map(|text| author.seal(text, SealKind::Signature));
        }
        "reasoning.summary" => piece.summary = string("summary").into_iter().collect(),
        "reasoning.encrypted" => {
            piece.seal = string("data").map(|text| author.seal(text, SealKind::Encrypted));
        }
        _ => return None,
    }
    let index = members.take("index").and_then(Node::number);
    Extension::collect(members, block.path, &mut block.rest);
    Some((index, piece))
}

/// Plain thoughts. Most who write `reasoning_details` repeat their text here.
fn read_thoughts<'a>(
    members: &mut Fields<'_, 'a>,
    place: Place,
    blocks: &mut Vec<Block<'a>>,
    rest: &mut Vec<Extension<'a>>,
) {
    for name in THOUGHTS {
        let Some(node) = members.take(name) else { continue };
        let told: String = shown(blocks).map(Text::value).collect();
        match node.text() {
            Some(text) if text.is_empty() || text == told.as_str() => {}
            Some(text) if told.is_empty() => match proof_alone(blocks) {
                Some(proved) => proved.text.push(text),
                None => {
                    let thought = Reasoning { text: vec![text], ..Reasoning::default() };
                    blocks.insert(0, Block::new(Content::Reasoning(thought), place.part(name, 0)));
                }
            },
            // The details say something else: they are the fuller form, and this one is told to be lost.
            _ => rest.push(Extension { path: place.item(), name: Text::from(name), raw: node.raw() }),
        }
    }
}

/// What the thoughts read so far say.
fn shown<'b, 'a>(blocks: &'b [Block<'a>]) -> impl Iterator<Item = &'b Text<'a>> {
    blocks.iter().flat_map(|block| match &block.content {
        Content::Reasoning(own) if own.text.is_empty() => own.summary.iter(),
        Content::Reasoning(own) => own.text.iter(),
        _ => [].iter(),
    })
}

/// A signature whose thoughts stand elsewhere.
fn proof_alone<'b, 'a>(blocks: &'b mut [Block<'a>]) -> Option<&'b mut Reasoning<'a>> {
    blocks.iter_mut().find_map(|block| match &mut block.content {
        Content::Reasoning(own) => {
            own.seal.as_ref().is_some_and(|seal| seal.kind == SealKind::Signature).then_some(own)
        }
        _ => None,
    })
}

/// Sources of the text before them. An empty list says nothing.
fn read_annotations<'a>(
    node: Node<'_, 'a>,
    place: Place,
    blocks: &mut [Block<'a>],
    rest: &mut Vec<Extension<'a>>,
) {
    let cited = blocks.iter_mut().rev().find_map(|block| match &mut block.content {
        Content::Text { citations, .. } => Some(citations),
        _ => None,
    });
    match cited {
        Some(citations) => citations.extend(node.elements().map(read_citation)),
        None if node.elements().next().is_none() => {}
        None => {
            rest.push(Extension { path: place.item(), name: Text::from("annotations"), raw: node.raw() });
        }
    }
}

/// `{"type": "url_citation", "url_citation": {"url", "title", "start_index", "end_index"}}`
pub(super) fn read_citation<'a>(node: Node<'_, 'a>) -> Citation<'a> {
    let inner = node.get("url_citation").or_else(|| node.get("file_citation")).unwrap_or(node);
    let text = |name: &str| inner.get(name).and_then(Node::text);
    let count = |name: &str| inner.get(name).and_then(Node::count);
    Citation {
        url: text("url"),
        title: text("title").or_else(|| text("filename")),
        quote: text("content"),
        span: count("start_index").zip(count("end_index")),
        raw: node.raw(),
    }
}

/// OpenRouter's pictures: `[{"type": "image_url", "image_url": {"url": "data:…"}}]`.
fn read_images<'a>(node: Node<'_, 'a>, place: Place, blocks: &mut Vec<Block<'a>>) {
    for (at, image) in (0u32..).zip(node.elements()) {
        let content = read_image(image).map_or(Content::Opaque(image.raw()), Content::Image);
        blocks.push(Block::new(content, place.part("images", at)));
    }
}

/// One of them.
pub(super) fn read_image<'a>(image: Node<'_, 'a>) -> Option<Media<'a>> {
    let (source, mime) = Source::from_url(image.get("image_url")?.get("url")?.text()?);
    Some(Media { source, mime, name: None, detail: None })
}

fn read_call<'a>(
    node: Node<'_, 'a>,
    place: Place,
    at: u32,
    author: Author<'a>,
) -> Result<Block<'a>, DecodeError> {
    let path = place.part("tool_calls", at);
    let mut members = fields(node, path)?;
    let mut block = Block::new(Content::Opaque(node.raw()), path);
    let id = members.take("id").and_then(Node::text).unwrap_or_default();
    // `index` is a leftover of streams that some clients keep.
    let (_, _) = (members.take("type"), members.take("index"));
    let (key, argument, inner) = match (members.take("function"), members.take("custom")) {
        (Some(function), _) => ("function", "arguments", function),
        (None, Some(custom)) => ("custom", "input", custom),
        (None, None) => return Ok(block),
    };
    let mut inner = fields(inner, path.member(key))?;
    let name = inner.take("name").and_then(Node::text);
    let name = name.ok_or_else(|| DecodeError::Missing { field: path.member(&format!("{key}.name")) })?;
    let given = inner.take(argument);
    let arguments = if key == "custom" {
        Arguments::Free(given.and_then(Node::text).unwrap_or_default())
    } else {
        read_arguments(given)
            .ok_or_else(|| DecodeError::wrong(path.member("function.arguments"), "a string"))?
    };
    Extension::collect_under(inner, path, key, &mut block.rest);
    let seal = members.peek("extra_content").and_then(thought_signature);
    if seal.is_some() {
        members.take("extra_content");
    }
    let seal = seal.map(|text| author.seal(text, SealKind::Signature));
    block.content = Content::ToolCall(ToolCall { id, item: None, name, arguments, seal });
    Extension::collect(members, path, &mut block.rest);
    Ok(block)
}

/// Google's place for a call's proof: `{"google": {"thought_signature": "…"}}`.
pub(super) fn thought_signature<'a>(extra: Node<'_, 'a>) -> Option<Text<'a>> {
    extra.get("google")?.get("thought_signature")?.text().filter(|text| !text.is_empty())
}

/// A string as a rule; some servers send the object itself.
pub(super) fn read_arguments<'a>(node: Option<Node<'_, 'a>>) -> Option<Arguments<'a>> {
    let Some(node) = node else { return Some(Arguments::Quoted(Text::default())) };
    match node.kind() {
        Kind::Object => Some(Arguments::Object(node.raw())),
        _ => node.text().map(Arguments::Quoted),
    }
}

fn read_function_call<'a>(node: Node<'_, 'a>, place: Place) -> Result<Block<'a>, DecodeError> {
    let path = place.part("function_call", 0);
    let mut members = fields(node, place.item().member("function_call"))?;
    let wrong = |name| DecodeError::wrong(place.item().member(name), "a string");
    let name = members.take("name").and_then(Node::text).ok_or_else(|| wrong("function_call.name"))?;
    let arguments = read_arguments(members.take("arguments"));
    let arguments = arguments.ok_or_else(|| wrong("function_call.arguments"))?;
    let call = ToolCall { id: Text::default(), item: None, name, arguments, seal: None };
    let mut block = Block::new(Content::ToolCall(call), path);
    Extension::collect(members, path, &mut block.rest);
    Ok(block)
}

/// OpenRouter keeps a call's proof among the details, under the call's id.
fn join_calls_and_seals(blocks: &mut Vec<Block<'_>>) {
    let mut open: HashMap<Text<'_>, VecDeque<usize>> = HashMap::new();
    for (at, block) in blocks.iter().enumerate() {
        if let Content::ToolCall(call) = &block.content
            && call.seal.is_none()
        {
            open.entry(call.id.clone()).or_default().push_back(at);
        }
    }
    if open.is_empty() {
        return;
    }
    let mut seals = Vec::new();
    let mut joined = HashSet::new();
    for (at, block) in blocks.iter_mut().enumerate() {
        let Content::Reasoning(own) = &mut block.content else { continue };
        let calls = own.id.as_ref().filter(|_| own.text.is_empty() && own.summary.is_empty());
        let Some(calls) = calls.and_then(|id| open.get_mut(id)) else { continue };
        let call = if own.seal.is_some() { calls.pop_front() } else { calls.front().copied() };
        if let Some(call) = call {
            seals.push((call, own.seal.take()));
            joined.insert(at);
        }
    }
    for (at, seal) in seals {
        if let Some(Block { content: Content::ToolCall(call), .. }) = blocks.get_mut(at) {
            call.seal = seal.or(call.seal.take());
        }
    }
    let mut at = 0..;
    blocks.retain(|_| at.next().is_none_or(|at| !joined.contains(&at)));
}
