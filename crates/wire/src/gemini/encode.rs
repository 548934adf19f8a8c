//! A request for a provider.

mod options;
mod tools;

use pointsman_core::Dialect;

use super::thinking::{self, Family};
use super::turns::Conversation;
use super::{media, words};
use crate::json::{Text, Writer};
use crate::neutral::{EncodeError, Encoded, Extension, Given, Losses, Request, Target, Tool, ToolKind};

/// Writes the body of `:generateContent` or `:streamGenerateContent`.
///
/// # Errors
/// The request goes on from an answer that was not resolved, names a medium by an address that was not
/// fetched, or says nothing.
pub fn encode_request(request: &Request<'_>, target: &Target<'_>) -> Result<Encoded, EncodeError> {
    let Request {
        dialect,
        model: _,
        messages: _,
        tools,
        tool_choice,
        parallel_tool_calls,
        format,
        max_output,
        stop,
        sampling,
        choices,
        logprobs,
        thinking: _,
        user,
        metadata,
        service_tier,
        store,
        previous,
        // The path says so.
        stream: _,
        // Google's streams always tell the usage.
        stream_usage: _,
        rest,
    } = request;
    if let Some(previous) = previous {
        return Err(EncodeError { field: previous.field.to_owned(), problem: "must be resolved first" });
    }
    if let Some(need) = media::needs(request, target).first() {
        let problem = "is an address that this provider does not take: send the bytes";
        return Err(EncodeError { field: need.path.to_string(), problem });
    }
    let own = *dialect == Dialect::Gemini;
    let mut losses = Losses::default();
    losses.given(user.as_ref());
    // Calls at once are the model's habit, and cannot be forbidden.
    losses.given(parallel_tool_calls.as_ref().filter(|given| !given.value));
    let conversation = Conversation::sort(request, target, &mut losses);
    if !own && conversation.is_empty() {
        return Err(EncodeError::empty(*dialect));
    }
    let config = thinking::decide(request, target, &mut losses);
    let family = Family::of(target.model);
    let w = Writer::with_capacity(request.room());
    let mut top = Top { w, target, client: *dialect, own, rest, losses };
    top.w.frame(b"{");
    top.generation_config(&[
        &|inner| inner.sampling(sampling, family),
        &|inner| inner.limits(max_output.as_ref(), stop.as_ref(), choices.as_ref()),
        &|inner| inner.format(format.as_ref(), family.answers_or_calls() && has_functions(tools)),
        &|inner| inner.logprobs(logprobs.as_ref()),
        &|inner| inner.thinking(&config),
    ]);
    top.tools(tools);
    top.tool_config(tools, tool_choice.as_ref(), family);
    top.account(metadata.as_ref(), service_tier.as_ref(), store.as_ref());
    top.extensions();
    top.conversation(&conversation);
    let Top { mut w, losses, .. } = top;
    w.frame(b"}");
    Ok(Encoded { body: w.finish(), losses })
}

/// The members of the body, one by one.
struct Top<'t> {
    w: Writer,
    target: &'t Target<'t>,
    client: Dialect,
    /// The client speaks Gemini's dialect too: extensions mean the same.
    own: bool,
    rest: &'t [Extension<'t>],
    losses: Losses,
}

/// Objects of which some members have a place in the neutral form and others are extensions.
const OBJECTS: [&str; 2] = ["generationConfig", "toolConfig"];

impl Top<'_> {
    /// Writes the key, unless the provider refuses the field.
    fn key(&mut self, name: &str, given: &'static str) -> bool {
        let Some(name) = self.target.quirks.name(name) else {
            self.losses.field(given);
            return false;
        };
        self.w.key(name);
        true
    }

    /// Writes the extensions that stood inside `object`, but not those inside its `inner` objects.
    fn write_under(&mut self, object: &str, inner: &str) {
        if !self.own {
            return;
        }
        for extension in self.rest {
            let name = extension.name.value();
            if let Some(name) = under(&name, object).filter(|name| under(name, inner).is_none()) {
                self.w.key(name).raw(extension.raw);
            }
        }
    }

    fn account(
        &mut self,
        metadata: Option<&Given<&str>>,
        tier: Option<&Given<Text<'_>>>,
        store: Option<&Given<bool>>,
    ) {
        if let Some(Given { field, value }) = metadata {
            if !self.own {
                // Only Vertex AI has labels, and they are for the bill.
                self.losses.field(*field);
            } else if self.key("labels", field) {
                self.w.raw(value);
            }
        }
        if let Some(Given { field, value }) = tier {
            let value = value.value();
            match words::tier(&value) {
                Some(word) => {
                    if self.key("serviceTier", field) {
                        self.w.string(word);
                    }
                }
                None if self.own => {
                    if self.key("serviceTier", field) {
                        self.w.string(&value);
                    }
                }
                // As Google does without being told.
                None if value == "auto" => {}
                None => self.losses.field(*field),
            }
        }
        if let Some(Given { field, value }) = store {
            if self.own {
                if self.key("store", field) {
                    self.w.bool(*value);
                }
            } else if *value {
                self.losses.field(*field);
            }
        }
    }

    fn extensions(&mut self) {
        if !self.own {
            self.losses.extensions(self.rest);
            return;
        }
        for extension in self.rest {
            let name = extension.name.value();
            if OBJECTS.iter().any(|object| under(&name, object).is_some()) {
                continue;
            }
            match self.target.quirks.name(&name) {
                Some(name) => {
                    self.w.key(name).raw(extension.raw);
                }
                None => self.losses.field(extension.place()),
            }
        }
    }

    fn conversation(&mut self, conversation: &Conversation<'_, '_>) {
        let Self { w, losses, .. } = self;
        conversation.write_system(w, losses);
        conversation.write_turns(w, losses);
    }
}

/// Whether there is anything to call but Google's own tools.
fn has_functions(tools: &[Tool<'_>]) -> bool {
    tools.iter().any(|tool| !matches!(tool.kind, ToolKind::Server(_)))
}

/// The name inside `object`, if the name is dotted so.
fn under<'n>(name: &'n str, object: &str) -> Option<&'n str> {
    name.strip_prefix(object)?.strip_prefix('.')
}
