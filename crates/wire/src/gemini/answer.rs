//! A whole answer, from the provider and to the client.

use super::grounding::{self, Cited, Found};
use super::part::{self, Side};
use super::{logprobs, media, read, signature, turns, usage, words};
use crate::json::{Document, Kind, Node, Text, Writer};
use crate::neutral::{
    Answer, AnswerContext, Block, Choice, Content, DecodeError, Encoded, Extension, Finish, Losses, Origin,
    Path, Reason, Reasoning, ids,
};

/// Reads the answer of `:generateContent`.
///
/// # Errors
/// It has no candidate and no word why, or one that cannot be read.
pub fn decode_answer<'a>(document: &Document<'a>, origin: &Origin<'a>) -> Result<Answer<'a>, DecodeError> {
    let mut answer = Answer::default();
    let (mut blocked, mut calls) = (None, 0);
    for member in read::members(document.root(), Path::Root)? {
        let node = member.node;
        match &*member.name() {
            "candidates" => {
                for (at, node) in read::items(node, "candidates")? {
                    answer.choices.push(candidate(node, at, origin, &mut calls)?);
                }
            }
            "responseId" => answer.id = read::string(node, "responseId")?,
            "modelVersion" => answer.model = read::string(node, "modelVersion")?,
            usage::MEMBER => {
                let counts = usage::read(node, &mut answer.rest);
                answer.usage = counts.usage;
                answer.service_tier = counts.tier.map(Text::from);
            }
            FEEDBACK => {
                blocked = read::get(node, "blockReason").and_then(Node::text);
                member.keep(Path::Root, &mut answer.rest);
            }
            name if OWN_MEMBERS.contains(&name) => member.keep(Path::Root, &mut answer.own),
            _ => member.keep(Path::Root, &mut answer.rest),
        }
    }
    if answer.choices.is_empty() {
        let reason = blocked.ok_or_else(|| DecodeError::Missing { field: "candidates".to_owned() })?;
        answer.choices.push(Choice { finish: Some(words::blocked(reason)), ..Choice::default() });
    }
    Ok(answer)
}

/// What says why a prompt was not answered.
pub(super) const FEEDBACK: &str = "promptFeedback";

/// The id of a call that came without one.
pub(super) fn call_id(request: &str, at: usize) -> String {
    ids::fit(&format!("call_{request}_{at}")).into_owned()
}

fn candidate<'a>(
    node: Node<'_, 'a>,
    at: u32,
    origin: &Origin<'a>,
    calls: &mut usize,
) -> Result<Choice<'a>, DecodeError> {
    let path = Path::Item("candidates", at);
    let mut choice = Choice { index: u64::from(at), ..Choice::default() };
    let (mut reason, mut found): (_, Vec<Found<'a>>) = (None, Vec::new());
    for member in read::members(node, path)? {
        let node = member.node;
        match &*member.name() {
            "content" => choice.blocks = content(node, at, path, origin)?,
            "finishReason" => reason = Some(read::string(node, path.member("finishReason"))?),
            "index" => choice.index = read::count(node, path.member("index"))?,
            "logprobsResult" => choice.logprobs = logprobs::read(node).map(Into::into),
            name => {
                match name {
                    "groundingMetadata" => found.extend(grounding::read(node)),
                    "citationMetadata" => found.extend(grounding::read_recited(node)),
                    _ => {}
                }
                member.keep(path, &mut choice.rest);
            }
        }
    }
    grounding::attach(&mut choice.blocks, found);
    let mut called = false;
    for block in &mut choice.blocks {
        let Content::ToolCall(call) = &mut block.content else { continue };
        called = true;
        if call.id.is_empty() {
            call.id = Text::from(call_id(origin.id, *calls));
        }
        *calls += 1;
    }
    if reason.is_none() && choice.blocks.is_empty() {
        return Err(DecodeError::Missing { field: path.member("finishReason") });
    }
    choice.finish = reason.map(|reason| words::finish(reason, called));
    Ok(choice)
}

fn content<'a>(
    node: Node<'_, 'a>,
    at: u32,
    path: Path,
    origin: &Origin<'a>,
) -> Result<Vec<Block<'a>>, DecodeError> {
    let place = path.member("content");
    let mut blocks = Vec::new();
    for member in read::members(node, &place)? {
        if member.name() == "parts" {
            let parts = |part| Path::Part("candidates", at, "parts", part);
            blocks = part::read_all(member.node, path, parts, Side::Provider(origin.provider))?;
        }
        // The role is always the model's.
    }
    Ok(blocks)
}

/// Members of an answer that nobody else has a use for.
const OWN_MEMBERS: [&str; 2] = ["createTime", "modelStatus"];

/// Writes the answer of `:generateContent`.
#[must_use]
pub fn encode_answer(answer: &Answer<'_>, context: &AnswerContext) -> Encoded {
    let Answer { id, model, created: _, choices, usage, service_tier, own, rest } = answer;
    let mut losses = Losses::default();
    let mut w = Writer::with_capacity(1_024);
    w.object(|w| {
        if !is_blocked(answer) {
            w.key("candidates").array(|w| {
                for choice in choices {
                    w.object(|w| write_candidate(w, choice, &mut losses));
                }
            });
        }
        let tier = service_tier.as_ref().and_then(|tier| tier_word(tier, &mut losses));
        if let Some(usage) = usage {
            w.key(usage::MEMBER);
            usage::write(w, usage, tier, |w| turns::write_rest(w, rest, usage::MEMBER));
        } else if tier.is_some() {
            // It stands beside the counts.
            losses.field("service_tier");
        }
        write_tail(w, id, model, context);
        // Known by name, as an answer does not say its dialect.
        for extension in own.iter().filter(|own| OWN_MEMBERS.contains(&&*own.name.value())) {
            w.key(&extension.name.value()).raw(extension.raw);
        }
        for extension in rest {
            let name = extension.name.value();
            if name == FEEDBACK && extension.path == Path::Root {
                w.key(FEEDBACK).raw(extension.raw);
            } else if !name.starts_with(usage::MEMBER) {
                losses.field(extension.place());
            }
        }
    });
    Encoded { body: w.finish(), losses }
}

/// Whether it says no more than that the prompt was blocked.
fn is_blocked(answer: &Answer<'_>) -> bool {
    let told = answer.rest.iter().any(|extension| extension.name == FEEDBACK);
    let empty = |choice: &Choice<'_>| {
        choice.blocks.is_empty()
            && choice.finish.as_ref().is_some_and(|finish| finish.reason == Reason::ContentFilter)
    };
    told && answer.choices.iter().all(empty)
}

/// Google's word for a tier; others are declared.
pub(super) fn tier_word(tier: &Text<'_>, losses: &mut Losses) -> Option<&'static str> {
    let word = words::tier(&tier.value());
    if word.is_none() {
        losses.field("service_tier");
    }
    word
}

/// Writes what names the answer: `modelVersion` and `responseId`.
pub(super) fn write_tail(w: &mut Writer, id: &Text<'_>, model: &Text<'_>, context: &AnswerContext) {
    w.key("modelVersion");
    if model.is_empty() {
        w.string(&context.model);
    } else {
        w.text(model);
    }
    w.key("responseId");
    if id.is_empty() {
        w.string(&context.id);
    } else {
        w.text(id);
    }
}

/// Writes `finishReason`; what it does not say is declared.
pub(super) fn write_finish(w: &mut Writer, finish: Option<&Finish<'_>>, losses: &mut Losses) {
    let stop = Finish::new(Reason::Stop);
    let finish = finish.unwrap_or(&stop);
    let (word, blurred) = words::finish_word(finish);
    if blurred {
        losses.field(if finish.stop_sequence.is_some() { "stop_sequence" } else { "finish_reason" });
    }
    w.key("finishReason").string(word);
}

fn write_candidate(w: &mut Writer, choice: &Choice<'_>, losses: &mut Losses) {
    let Choice { index, blocks: _, finish, logprobs, rest } = choice;
    let blocks = choice.without_cut_call(losses);
    let mut cited = Vec::new();
    w.key("content").object(|w| {
        w.key("parts").array(|w| write_parts(w, blocks, &mut cited, losses));
        w.key("role").string("model");
    });
    write_finish(w, finish.as_ref(), losses);
    w.key("index").count(*index);
    if let Some(raw) = logprobs {
        write_logprobs(w, raw, losses);
    }
    // Only this dialect's answers have members there.
    let is_own = |extension: &&Extension<'_>| matches!(extension.path, Path::Item("candidates", _));
    let mut grounded = false;
    for extension in rest.iter().filter(is_own) {
        let name = extension.name.value();
        grounded |= name == "groundingMetadata" || name == "citationMetadata";
        w.key(&name).raw(extension.raw);
    }
    for extension in rest.iter().filter(|extension| !is_own(extension)) {
        losses.field(extension.place());
    }
    if !grounded && !cited.is_empty() {
        w.key("groundingMetadata");
        grounding::write(w, &cited);
    }
}

/// Writes `logprobsResult`, if there is anything to tell.
pub(super) fn write_logprobs(w: &mut Writer, raw: &str, losses: &mut Losses) {
    let mut inner = Writer::with_capacity(raw.len());
    if logprobs::write(&mut inner, raw) {
        w.key("logprobsResult").raw(&String::from_utf8(inner.finish()).unwrap_or_default());
    } else {
        losses.field("logprobs");
    }
}

fn write_parts<'b, 'a: 'b>(
    w: &mut Writer,
    blocks: impl Iterator<Item = &'b Block<'a>>,
    cited: &mut Vec<Cited>,
    losses: &mut Losses,
) {
    let mut written = 0;
    let mut blocks = blocks.peekable();
    while let Some(block) = blocks.next() {
        let Block { content, cache: _, path, rest } = block;
        let own = matches!(path, Path::Part("candidates", ..));
        let proof = blocks.peek().and_then(|next| part::proof_of(block, Some(*next))).filter(|_| own);
        if proof.is_some() {
            blocks.next();
        }
        if let Content::Text { text, citations } = content {
            let value = text.value();
            for citation in citations {
                match Cited::new(citation, Some(&value), written) {
                    Some(found) => cited.push(found),
                    None => losses.member(*path, "citations"),
                }
            }
        }
        if !write_part(w, block, proof.map(signature::for_client).as_ref(), losses) {
            losses.at(*path);
            continue;
        }
        if !own {
            losses.extensions(rest);
        }
        written += 1;
    }
}

/// Writes one part; false if there is none for it.
fn write_part(w: &mut Writer, block: &Block<'_>, proof: Option<&Text<'_>>, losses: &mut Losses) -> bool {
    let Block { content, cache: _, path, rest } = block;
    let sayable = media::sayable(content, true, &NO_MEDIA);
    match content {
        Content::Opaque(raw) if is_own_opaque(raw) => {
            w.raw(raw);
            return true;
        }
        Content::Opaque(_) | Content::ToolResult(_) => return false,
        Content::Image(_) | Content::Document(_) | Content::Audio(_) | Content::Video(_)
            if sayable.is_none() =>
        {
            return false;
        }
        _ => {}
    }
    w.object(|w| {
        match (content, &sayable) {
            (Content::Text { text, .. } | Content::Refusal(text), _) => {
                w.key("text").text(text);
            }
            (Content::Reasoning(reasoning), _) => write_thought(w, reasoning, *path, losses),
            (Content::ToolCall(call), _) => {
                w.key("functionCall").object(|w| {
                    w.key("id").text(&call.id).key("name").text(&call.name).key("args");
                    if call.arguments.write_object(w).is_err() {
                        losses.member(*path, "arguments");
                    }
                });
                if let Some(seal) = &call.seal {
                    w.key("thoughtSignature").text(&signature::for_client(seal));
                }
            }
            (_, Some(sayable)) => media::write(w, sayable, None, |_, _| {}),
            (_, None) => {}
        }
        if let Some(proof) = proof {
            w.key("thoughtSignature").text(proof);
        }
        if matches!(path, Path::Part("candidates", ..)) {
            turns::write_rest(w, rest, "");
        }
    });
    true
}

static NO_MEDIA: std::sync::LazyLock<crate::neutral::Resolved> =
    std::sync::LazyLock::new(crate::neutral::Resolved::default);

/// A thought with its proof. One that is only proof is told as an empty thought: clients keep that, and may
/// drop an empty text.
fn write_thought(w: &mut Writer, reasoning: &Reasoning<'_>, path: Path, losses: &mut Losses) {
    let Reasoning { id, text, summary, seal } = reasoning;
    if id.is_some() {
        losses.member(path, "id");
    }
    let said = if text.is_empty() { summary } else { text };
    w.key("text").joined(turns::broken(said)).key("thought").bool(true);
    if let Some(seal) = seal {
        w.key("thoughtSignature").text(&signature::for_client(seal));
    }
}

/// Whether a block of some dialect's own kind is a part of Google's.
pub(super) fn is_own_opaque(raw: &str) -> bool {
    const KINDS: [&str; 7] = [
        "executableCode",
        "codeExecutionResult",
        "toolCall",
        "toolResponse",
        "inlineData",
        "fileData",
        "audioTranscription",
    ];
    let Ok(document) = Document::read(raw.as_bytes()) else { return false };
    let root = document.root();
    let holds = |kind: &&str| read::get(root, kind).is_some_and(|node| node.kind() == Kind::Object);
    // Google's parts are told apart by their members alone; with a type it is somebody else's.
    root.get("type").is_none() && KINDS.iter().any(holds)
}
