//! The conversation as Google takes it: instructions apart, then turns of the user and of the model, results of
//! tools right behind the calls, all of one step in one turn.
//!
//! Instructions that come later move to the others, and a conversation that the model begins is begun by
//! the user, as in the Anthropic dialect; what a Gemini client wrote stays as it is.

use pointsman_core::Dialect;

use super::media::{self, Sayable};
use super::part::{self, ERROR, OUTPUT, RESPONSE, RESULT};
use super::signature::UNSIGNED;
use super::thinking::Family;
use crate::json::{Text, Writer};
use crate::neutral::terms;
use crate::neutral::{
    Block, Content, Extension, Losses, Message, Path, Reasoning, Request, Role, Seal, Source, Target,
    ToolCall, ToolResult,
};

/// What is said where there is no turn of the user at the start: the vendor wants one.
const OPENING: &str = "Begin.";

/// Between two pieces of text that were apart.
static BREAK: Text<'static> = Text::Escaped("\\n\\n");

/// A turn under construction.
struct Turn<'r, 'a> {
    role: Role,
    blocks: Vec<&'r Block<'a>>,
    rest: &'r [Extension<'a>],
}

/// A conversation, as it will be written.
pub(super) struct Conversation<'r, 'a> {
    target: &'r Target<'r>,
    /// What the client speaks.
    client: Dialect,
    family: Family,
    system: Vec<&'r Block<'a>>,
    system_rest: &'r [Extension<'a>],
    turns: Vec<Turn<'r, 'a>>,
}

impl<'r, 'a> Conversation<'r, 'a> {
    /// Sorts the conversation, and declares what of it cannot be said.
    pub(super) fn sort(request: &'r Request<'a>, target: &'r Target<'r>, losses: &mut Losses) -> Self {
        let family = Family::of(target.model);
        let mut sorted = Self {
            target,
            client: request.dialect,
            family,
            system: Vec::new(),
            system_rest: &[],
            turns: Vec::new(),
        };
        for message in &request.messages {
            sorted.add(message, losses);
        }
        if !sorted.is_own() {
            for turn in sorted.turns.iter_mut().filter(|turn| turn.role == Role::User) {
                turn.blocks.sort_by_key(|block| !matches!(block.content, Content::ToolResult(_)));
            }
        }
        sorted
    }

    fn is_own(&self) -> bool {
        self.client == Dialect::Gemini
    }

    fn add(&mut self, message: &'r Message<'a>, losses: &mut Losses) {
        let Message { role, name, id, blocks, path, rest } = message;
        if name.is_some() {
            losses.member(*path, "name");
        }
        if id.is_some() {
            losses.member(*path, "id");
        }
        let own = self.is_own();
        if !own {
            losses.extensions(rest);
        }
        let said: Vec<&'r Block<'a>> = blocks.iter().filter(|block| self.is_sayable(block, losses)).collect();
        if matches!(role, Role::System | Role::Developer) {
            self.system_rest = if own { rest } else { &[] };
            for block in said {
                match block.content {
                    Content::Text { .. } => self.system.push(block),
                    _ if own => self.system.push(block),
                    _ => losses.at(block.path),
                }
            }
            return;
        }
        match self.turns.last_mut() {
            Some(turn) if turn.role == *role && !own => turn.blocks.extend(said),
            _ if said.is_empty() && !own => {}
            _ => self.turns.push(Turn { role: *role, blocks: said, rest }),
        }
    }

    /// Whether the block can be said; what it loses, or that all of it is lost, is declared.
    fn is_sayable(&self, block: &Block<'_>, losses: &mut Losses) -> bool {
        let Block { content, cache, path, rest } = block;
        let own = self.is_own();
        let said = match content {
            Content::Text { text, citations } => {
                if !citations.is_empty() {
                    losses.member(*path, "citations");
                }
                own || !text.is_empty()
            }
            Content::Refusal(text) => !text.is_empty(),
            Content::Image(_) | Content::Document(_) | Content::Audio(_) | Content::Video(_) => {
                self.is_medium_sayable(block, losses)
            }
            Content::ToolCall(call) => {
                if call.item.is_some() {
                    losses.member(*path, "item_id");
                }
                if let Some(seal) = call.seal.as_ref().filter(|seal| !seal.is_for(self.target)) {
                    losses.member(*path, terms::seal(self.client, seal.kind));
                }
                true
            }
            Content::ToolResult(result) => {
                for inner in &result.content {
                    self.is_sayable(inner, losses);
                }
                true
            }
            Content::Reasoning(reasoning) => {
                if reasoning.id.is_some() {
                    losses.member(*path, "id");
                }
                // Unsigned thoughts say nothing to the model, and another's signature is refused.
                let said = match &reasoning.seal {
                    Some(seal) => seal.is_for(self.target),
                    None => own,
                };
                if !said && own && reasoning.summary.is_empty() {
                    // The part that it sits on stays.
                    losses.member(*path, "thoughtSignature");
                    return false;
                }
                if said && !reasoning.text.is_empty() && !reasoning.summary.is_empty() {
                    losses.member(*path, "summary");
                }
                or_lost(said, *path, losses)
            }
            Content::Opaque(_) => or_lost(own, *path, losses),
        };
        if said && cache.is_some() {
            losses.member(*path, "cache_control");
        }
        if said && !own {
            losses.extensions(rest);
        }
        said
    }

    fn is_medium_sayable(&self, block: &Block<'_>, losses: &mut Losses) -> bool {
        let own = self.is_own();
        let said = media::sayable(&block.content, own, self.target.media).is_some();
        if let Some(media) = media::medium(&block.content).filter(|_| said) {
            if media.detail.is_some() {
                losses.member(block.path, terms::detail(self.client));
            }
            if media.name.is_some() && !own {
                losses.member(block.path, terms::file_name(self.client));
            }
        }
        or_lost(said, block.path, losses)
    }

    /// Whether nothing is said at all.
    pub(super) fn is_empty(&self) -> bool {
        self.system.is_empty() && self.turns.is_empty()
    }

    /// Writes `systemInstruction`, if there is one.
    pub(super) fn write_system(&self, w: &mut Writer, losses: &mut Losses) {
        if self.system.is_empty() && self.system_rest.is_empty() {
            return;
        }
        w.key("systemInstruction").object(|w| {
            w.key("parts").array(|w| self.parts(w, &self.system, losses));
            write_rest(w, self.system_rest, "");
        });
    }

    /// Writes `contents`.
    pub(super) fn write_turns(&self, w: &mut Writer, losses: &mut Losses) {
        w.key("contents").array(|w| {
            if !self.is_own() && self.turns.first().is_none_or(|turn| turn.role != Role::User) {
                w.object(|w| {
                    w.key("parts").array(|w| {
                        w.object(|w| {
                            w.key("text").string(OPENING);
                        });
                    });
                    w.key("role").string("user");
                });
            }
            for turn in &self.turns {
                self.turn(w, turn, losses);
            }
        });
    }

    fn turn(&self, w: &mut Writer, turn: &Turn<'r, 'a>, losses: &mut Losses) {
        let role = if turn.role == Role::Assistant { "model" } else { "user" };
        if self.is_own() {
            self.content(w, role, &turn.blocks, turn.rest, losses);
            return;
        }
        // Nothing but results may answer calls: what else the user says is a turn of its own.
        let results = turn.blocks.iter().take_while(|block| matches!(block.content, Content::ToolResult(_)));
        let (results, others) = turn.blocks.split_at(results.count());
        if !results.is_empty() {
            self.content(w, role, results, &[], losses);
        }
        let attached: Vec<Attached<'_, 'a>> = results.iter().flat_map(|block| self.attached(block)).collect();
        if others.is_empty() && attached.is_empty() {
            return;
        }
        w.object(|w| {
            w.key("parts").array(|w| {
                attached.iter().for_each(|attached| attached.write(w));
                self.parts(w, others, losses);
            });
            w.key("role").string(role);
        });
    }

    fn content(
        &self,
        w: &mut Writer,
        role: &str,
        blocks: &[&'r Block<'a>],
        rest: &[Extension<'_>],
        losses: &mut Losses,
    ) {
        w.object(|w| {
            w.key("parts").array(|w| self.parts(w, blocks, losses));
            w.key("role").string(role);
            write_rest(w, rest, "");
        });
    }

    fn parts(&self, w: &mut Writer, blocks: &[&'r Block<'a>], losses: &mut Losses) {
        // The first call of a step must be signed.
        let mut called = false;
        let mut blocks = blocks.iter().peekable();
        while let Some(block) = blocks.next() {
            let own = self.is_own();
            let proof = blocks.peek().and_then(|next| part::proof_of(block, Some(*next))).filter(|_| own);
            if proof.is_some() {
                blocks.next();
            }
            if let Content::Opaque(raw) = block.content {
                w.raw(raw);
                continue;
            }
            w.object(|w| {
                self.part(w, block, losses);
                let proof = match &block.content {
                    Content::ToolCall(call) => self.call_proof(call, std::mem::replace(&mut called, true)),
                    Content::Reasoning(reasoning) => reasoning.seal.as_ref().map(|seal| seal.data.borrowed()),
                    _ => proof.map(|seal: &Seal<'_>| seal.data.borrowed()),
                };
                if let Some(proof) = proof {
                    w.key("thoughtSignature").text(&proof);
                }
                if own {
                    write_rest(w, &block.rest, "");
                }
            });
        }
    }

    fn call_proof<'s>(&self, call: &'s ToolCall<'_>, called: bool) -> Option<Text<'s>> {
        let own = call.seal.as_ref().filter(|seal| seal.is_for(self.target));
        let unsigned = || (self.family.is_third() && !called).then(|| Text::from(UNSIGNED));
        own.map(|seal| seal.data.borrowed()).or_else(unsigned)
    }

    fn part(&self, w: &mut Writer, block: &Block<'_>, losses: &mut Losses) {
        let Block { content, cache: _, path, rest } = block;
        let own = self.is_own();
        match content {
            Content::Text { text, .. } | Content::Refusal(text) => {
                w.key("text").text(text);
            }
            Content::Image(_) | Content::Document(_) | Content::Audio(_) | Content::Video(_) => {
                if let Some(sayable) = media::sayable(content, own, self.target.media) {
                    write_medium(w, content, &sayable, own, rest);
                }
            }
            Content::ToolCall(call) => {
                w.key("functionCall").object(|w| {
                    write_id(w, &call.id, own);
                    w.key("name").text(&call.name).key("args");
                    if call.arguments.write_object(w).is_err() {
                        losses.member(*path, "arguments");
                    }
                    if own {
                        write_rest(w, rest, "functionCall");
                    }
                });
            }
            Content::ToolResult(result) => {
                w.key("functionResponse").object(|w| {
                    self.result(w, result, *path, losses);
                    if own {
                        write_rest(w, rest, "functionResponse");
                    }
                });
            }
            Content::Reasoning(reasoning) => {
                let Reasoning { id: _, text, summary, seal: _ } = reasoning;
                let said = if text.is_empty() { summary } else { text };
                w.key("text").joined(broken(said));
                // A signature alone is one of no thought, unless the client said so.
                if !said.is_empty() || own {
                    w.key("thought").bool(true);
                }
            }
            Content::Opaque(_) => {}
        }
    }

    fn result(&self, w: &mut Writer, result: &ToolResult<'_>, path: Path, losses: &mut Losses) {
        let ToolResult { id, name, content, object, failed, custom: _, own_name: _ } = result;
        let own = self.is_own();
        write_id(w, id, own);
        w.key("name").text(name.as_ref().unwrap_or(id));
        w.key("response");
        let texts: Vec<(&Block<'_>, Text<'_>)> =
            content.iter().filter_map(|block| Some((block, spoken(block)?))).collect();
        let under = texts.first().filter(|_| own).map_or(RESULT, |(block, _)| part::said_under(block));
        match (object, under) {
            (Some(object), _) => {
                // Nothing but the name of a member says so.
                if *failed && !own {
                    losses.member(path, "is_error");
                }
                w.raw(object);
            }
            (None, RESPONSE) => {
                let whole: String = texts.iter().map(|(_, text)| text.value().into_owned()).collect();
                w.raw(&whole);
            }
            (None, under) => {
                let key = if *failed && under != OUTPUT { ERROR } else { under };
                w.object(|w| {
                    let texts: Vec<Text<'_>> = texts.iter().map(|(_, text)| text.borrowed()).collect();
                    w.key(key).joined(broken(&texts));
                });
            }
        }
        let shown: Vec<(&Block<'_>, Sayable<'_>)> = content
            .iter()
            .filter(|_| self.shows_results())
            .filter_map(|block| Some((block, media::sayable(&block.content, own, self.target.media)?)))
            .filter(|(_, sayable)| own || matches!(sayable, Sayable::Inline { .. }))
            .filter(|(_, sayable)| !matches!(sayable, Sayable::Text(_)))
            .collect();
        let opaque = || content.iter().filter(|block| own && matches!(block.content, Content::Opaque(_)));
        if !shown.is_empty() || opaque().next().is_some() {
            w.key("parts").array(|w| {
                for (block, sayable) in &shown {
                    w.object(|w| write_medium(w, &block.content, sayable, own, &block.rest));
                }
                for block in opaque() {
                    if let Content::Opaque(raw) = block.content {
                        w.raw(raw);
                    }
                }
            });
        }
    }

    /// Whether media stand inside results: older models read only what the user shows.
    fn shows_results(&self) -> bool {
        self.is_own() || self.family.is_third()
    }

    /// The media of a result that are shown by the user, with a note before the first.
    fn attached<'b>(&'b self, block: &'b Block<'a>) -> Vec<Attached<'b, 'a>> {
        let Content::ToolResult(result) = &block.content else { return Vec::new() };
        let shown = |sayable: &Sayable<'_>| match sayable {
            Sayable::Inline { .. } => !self.shows_results(),
            Sayable::Uri { .. } => true,
            Sayable::Text(_) => false,
        };
        let media = result.content.iter().filter_map(|block| {
            let sayable = media::sayable(&block.content, false, self.target.media).filter(shown)?;
            Some((block, sayable))
        });
        let mut noted = false;
        media
            .map(|(block, sayable)| Attached {
                call: (!std::mem::replace(&mut noted, true)).then_some(&result.id),
                block,
                sayable,
            })
            .collect()
    }
}

/// A medium that is shown behind the results it belongs to.
struct Attached<'b, 'a> {
    /// The call, where this is the first of its media.
    call: Option<&'b Text<'a>>,
    block: &'b Block<'a>,
    sayable: Sayable<'b>,
}

impl Attached<'_, '_> {
    fn write(&self, w: &mut Writer) {
        if let Some(call) = self.call {
            w.object(|w| {
                w.key("text").joined(&[Text::from("Result of tool call "), call.borrowed(), Text::from(":")]);
            });
        }
        w.object(|w| write_medium(w, &self.block.content, &self.sayable, false, &[]));
    }
}

fn write_medium(
    w: &mut Writer,
    content: &Content<'_>,
    sayable: &Sayable<'_>,
    own: bool,
    rest: &[Extension<'_>],
) {
    let name = media::medium(content).and_then(|media| media.name.as_ref()).filter(|_| own);
    media::write(w, sayable, name, |w, under| {
        if own {
            write_rest(w, rest, under);
        }
    });
}

/// The text of a block of a result.
fn spoken<'b>(block: &'b Block<'_>) -> Option<Text<'b>> {
    match &block.content {
        Content::Text { text, .. } | Content::Refusal(text) => Some(text.borrowed()),
        content => match &media::medium(content)?.source {
            Source::PlainText(text) => Some(text.borrowed()),
            _ => None,
        },
    }
}

/// Texts with a blank line between each two.
pub(super) fn broken<'t>(texts: &'t [Text<'t>]) -> impl Iterator<Item = &'t Text<'t>> {
    let gap = |at: usize| -> Option<&'t Text<'t>> { if at > 0 { Some(shorten(&BREAK)) } else { None } };
    texts.iter().enumerate().flat_map(move |(at, text)| [gap(at), Some(text)]).flatten()
}

fn shorten<'s>(text: &'s Text<'_>) -> &'s Text<'s> {
    text
}

/// Writes an id, unless [`Request::link`] gave it to a client that has none: those are not in the client's text.
fn write_id(w: &mut Writer, id: &Text<'_>, own: bool) {
    let given = matches!(id, Text::Escaped(_)) || !own;
    if given && !id.is_empty() {
        w.key("id").text(id);
    }
}

/// Writes extensions: of the part itself, or of the object inside it that is called `under`.
pub(super) fn write_rest(w: &mut Writer, rest: &[Extension<'_>], under: &str) {
    const NESTED: [&str; 4] = ["inlineData.", "fileData.", "functionCall.", "functionResponse."];
    for extension in rest {
        let name = extension.name.value();
        let inner = match under {
            "" => (!NESTED.iter().any(|object| name.starts_with(object))).then_some(&*name),
            object => name.strip_prefix(object).and_then(|name| name.strip_prefix('.')),
        };
        if let Some(inner) = inner {
            w.key(inner).raw(extension.raw);
        }
    }
}

fn or_lost(said: bool, path: Path, losses: &mut Losses) -> bool {
    if !said {
        losses.at(path);
    }
    said
}
