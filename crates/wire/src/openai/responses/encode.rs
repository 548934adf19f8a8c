//! A request for a provider.
//!
//! [`items`] writes the conversation, [`parts`] its content, [`options`] everything else. Each top-level
//! member passes [`Encoder::key`], where the provider's quirks rename or refuse it. What a client of another
//! dialect did not ask to be kept is not kept: the vendor's default would be to.

mod items;
mod options;
mod parts;

use pointsman_core::Dialect;

use crate::json::Writer;
use crate::neutral::{
    Content, EncodeError, Encoded, Extension, Losses, Media, Need, Request, Source, Target,
};
use crate::openai::abilities::Abilities;

/// Sounds at addresses: pictures and documents the vendor fetches itself.
#[must_use]
pub fn needs(request: &Request<'_>, target: &Target<'_>) -> Vec<Need> {
    Need::of(request, target.media, |block| match &block.content {
        Content::Audio(Media { source: Source::Url(url), .. }) => Some(url.value()),
        _ => None,
    })
}

/// What an item has around it more than the turns of other dialects.
const ITEM: usize = 64;

/// Writes the body of `POST /v1/responses`.
///
/// # Errors
/// A sound is named by an address that was not fetched, or nothing is said.
pub fn encode_request(request: &Request<'_>, target: &Target<'_>) -> Result<Encoded, EncodeError> {
    let own = request.dialect == Dialect::OpenAiResponses;
    // What the client itself wrote in this dialect is the provider's to judge.
    if let Some(need) = needs(request, target).first().filter(|_| !own) {
        let problem = "is an address, which this provider does not take: send the bytes";
        return Err(EncodeError { field: need.path.to_string(), problem });
    }
    if !own && request.says_nothing() {
        return Err(EncodeError::empty(request.dialect));
    }
    let abilities = if own { Abilities::Open } else { Abilities::of(target.model) };
    let losses = Losses::default();
    let mut encoder = Encoder { target, client: request.dialect, own, abilities, losses };
    let mut writer = Writer::with_capacity(request.room() + ITEM * request.messages.len());
    writer.object(|w| encoder.request(w, request));
    Ok(Encoded { body: writer.finish(), losses: encoder.losses })
}

struct Encoder<'e> {
    target: &'e Target<'e>,
    client: Dialect,
    /// The client speaks this dialect too: what it wrote beyond the neutral form is written back.
    own: bool,
    /// What the model can be told; what a client of this dialect says is the provider's to judge.
    abilities: Abilities,
    losses: Losses,
}

/// Objects of which some members have a place in the neutral form: what is left of them has a dotted name.
const NESTED: [&str; 4] = ["text.format", "text", "reasoning", "stream_options"];

impl Encoder<'_> {
    fn request(&mut self, w: &mut Writer, request: &Request<'_>) {
        let Request {
            dialect: _,
            model: _,
            messages,
            tools,
            tool_choice,
            parallel_tool_calls,
            format,
            max_output,
            stop,
            sampling,
            choices,
            logprobs,
            thinking,
            user,
            metadata,
            service_tier,
            store,
            previous,
            stream: _,
            // These streams always tell the usage.
            stream_usage: _,
            rest,
        } = request;
        w.key("model").string(self.target.model);
        // A prompt or an answer that the provider keeps may be all that there is.
        let held = previous.is_some() || rest.iter().any(|own| own.name == "prompt");
        self.conversation(w, messages, held);
        self.held(w, previous.as_ref());
        self.tools(w, tools);
        self.tool_choice(w, tool_choice.as_ref(), parallel_tool_calls.as_ref(), tools);
        self.text(w, format.as_ref(), rest);
        self.limits(w, max_output.as_ref(), stop.as_ref());
        self.losses.given(choices.as_ref().filter(|given| given.value != 1));
        let effort = self.abilities.effort(thinking).map(|said| said.word);
        self.sampling(w, sampling, effort.as_deref());
        self.reasoning(w, thinking, rest);
        let logprobs = logprobs.as_ref().filter(|given| {
            let refused = self.abilities.refuses_sampling(effort.as_deref());
            self.losses.given(Some(*given).filter(|_| refused));
            !refused
        });
        self.include(w, request, logprobs);
        self.top_logprobs(w, logprobs);
        self.account(w, user.as_ref(), metadata.as_ref());
        self.store(w, store.as_ref());
        self.service_tier(w, service_tier.as_ref());
        self.stream(w, rest);
        self.extensions(w, rest);
    }

    /// The key of a top-level member that the client gave as `given`, if the provider takes it: then its
    /// value must follow.
    fn key(&mut self, w: &mut Writer, name: &str, given: &str) -> bool {
        let taken = self.target.quirks.name(name);
        match taken {
            Some(name) => {
                w.key(name);
            }
            None => self.losses.field(given.to_owned()),
        }
        taken.is_some()
    }

    /// A top-level member that the client gave as `given`.
    fn put(&mut self, w: &mut Writer, name: &str, given: &str, value: impl FnOnce(&mut Writer)) {
        if self.key(w, name, given) {
            value(w);
        }
    }

    /// Whether the provider takes a member that OpenAI does not have.
    fn takes(&self, extra: &str) -> bool {
        self.own || self.target.quirks.takes(extra)
    }

    /// Writes back what was found beside the known members of an item, part or tool.
    fn rest(&mut self, w: &mut Writer, rest: &[Extension<'_>]) {
        if !self.own {
            self.losses.extensions(rest);
            return;
        }
        for extension in rest {
            w.text(&extension.name).frame(b":").raw(extension.raw);
        }
    }
}

/// The name inside the object, if the extension stood there and not in one of the objects inside it.
fn under(extension: &Extension<'_>, object: &str) -> Option<String> {
    let name = extension.name.value();
    let inner = name.strip_prefix(object)?.strip_prefix('.')?;
    let deeper = NESTED.iter().any(|known| {
        known
            .strip_prefix(object)
            .and_then(|rest| rest.strip_prefix('.'))
            .is_some_and(|nested| inner.strip_prefix(nested).is_some_and(|rest| rest.starts_with('.')))
    });
    (!deeper).then(|| inner.to_owned())
}
