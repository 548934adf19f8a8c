//! Requests to providers that speak OpenAI chat.
//!
//! [`turns`] writes the conversation, [`options`] everything else. Each member passes
//! [`Encoder::put`], where the provider's quirks rename or refuse it.

mod options;
mod parts;
mod turns;

use std::borrow::Cow;

use pointsman_core::Dialect;

use crate::json::Writer;
use crate::neutral::{
    Block, Content, EncodeError, Encoded, Extension, Losses, Media, Need, Request, Source, Target,
};
use crate::openai::abilities::Abilities;

/// Documents, sounds and films at addresses: this dialect takes only pictures so.
#[must_use]
pub fn needs(request: &Request<'_>, target: &Target<'_>) -> Vec<Need> {
    let mut needs = Vec::new();
    for message in &request.messages {
        collect_needs(&message.blocks, target, &mut needs);
    }
    needs
}

fn collect_needs(blocks: &[Block<'_>], target: &Target<'_>, needs: &mut Vec<Need>) {
    for block in blocks {
        let media = match &block.content {
            Content::Document(media) | Content::Audio(media) => media,
            Content::Video(media) if !target.quirks.takes(VIDEO) => media,
            Content::ToolResult(result) => {
                collect_needs(&result.content, target, needs);
                continue;
            }
            _ => continue,
        };
        if let Media { source: Source::Url(url), .. } = media {
            needs.push(Need { url: url.value().into_owned(), path: block.path });
        }
    }
}

const VIDEO: &str = "video_url";

/// Writes a request.
///
/// # Errors
/// A medium that is named by its address was not fetched.
pub fn encode_request(request: &Request<'_>, target: &Target<'_>) -> Result<Encoded, EncodeError> {
    let own = request.dialect == Dialect::OpenAiChat;
    // What the client itself wrote in this dialect is the provider's to judge.
    if !own
        && let Some(need) = needs(request, target).iter().find(|need| !target.media.0.contains_key(&need.url))
    {
        let problem = "is an address, which this provider does not take: send the bytes";
        return Err(EncodeError { field: need.path.to_string(), problem });
    }
    if !own && request.says_nothing() {
        return Err(EncodeError::empty(request.dialect));
    }
    let abilities = match Abilities::of(target.model) {
        _ if own => Abilities::Open,
        // Vendors with such a switch have words of their own.
        Abilities::Unknown if target.quirks.takes("thinking") => Abilities::Open,
        abilities => abilities,
    };
    let losses = Losses::default();
    let mut encoder = Encoder { target, client: request.dialect, own, abilities, losses };
    let mut writer = Writer::with_capacity(request.room());
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

impl Encoder<'_> {
    fn request(&mut self, w: &mut Writer, request: &Request<'_>) {
        let Request {
            dialect,
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
            stream_usage,
            rest,
        } = request;
        w.key("model").string(self.target.model);
        w.key("messages").array(|w| self.messages(w, messages));
        self.tools(w, tools);
        self.tool_choice(w, tool_choice.as_ref(), parallel_tool_calls.as_ref(), tools);
        self.format(w, format.as_ref(), rest);
        self.limits(w, max_output.as_ref(), stop.as_ref(), choices.as_ref());
        let effort = self.abilities.effort(thinking).map(|said| said.word);
        self.sampling(w, sampling, effort.as_deref());
        self.logprobs(w, logprobs.as_ref(), effort.as_deref());
        self.thinking(w, thinking, rest);
        self.account(w, user.as_ref(), metadata.as_ref(), store.as_ref());
        self.service_tier(w, service_tier.as_ref(), *dialect);
        self.losses.given(previous.as_ref());
        self.stream(w, stream_usage.as_ref(), rest);
        self.extensions(w, *dialect, rest);
    }

    /// A top-level member that the client gave as `given`.
    fn put(
        &mut self,
        w: &mut Writer,
        name: &str,
        given: impl Into<Cow<'static, str>>,
        value: impl FnOnce(&mut Writer),
    ) {
        if self.key(w, name, given) {
            value(w);
        }
    }

    /// The key of a top-level member, if the provider takes it: then its value must follow.
    fn key(&mut self, w: &mut Writer, name: &str, given: impl Into<Cow<'static, str>>) -> bool {
        let taken = self.target.quirks.name(name);
        match taken {
            Some(name) => {
                w.key(name);
            }
            None => self.losses.field(given),
        }
        taken.is_some()
    }

    /// Whether the provider takes a member that OpenAI does not have.
    fn takes(&self, extra: &str) -> bool {
        self.own || self.target.quirks.takes(extra)
    }

    /// Writes back what was found beside the known members of an object inside the document.
    /// `under` is the object's own name within what has the path of these extensions, or empty.
    fn rest(&mut self, w: &mut Writer, rest: &[Extension<'_>], under: &str) {
        if !self.own {
            self.losses.extensions(rest);
            return;
        }
        for extension in rest {
            let name = extension.name.value();
            let inner = if under.is_empty() {
                (!NESTED.iter().any(|object| is_under(&name, object))).then_some(&*name)
            } else {
                name.strip_prefix(under).and_then(|name| name.strip_prefix('.'))
            };
            if let Some(inner) = inner.filter(|inner| under.is_empty() || !inner.starts_with("json_schema."))
            {
                w.key(inner).raw(extension.raw);
            }
        }
    }
}

/// Objects whose members are taken apart: what is left of them has a dotted name.
const NESTED: [&str; 11] = [
    "function",
    "custom",
    "image_url",
    "video_url",
    "audio_url",
    "input_audio",
    "file",
    "stream_options",
    "reasoning",
    "thinking",
    "response_format",
];

fn is_under(name: &str, object: &str) -> bool {
    name.strip_prefix(object).is_some_and(|rest| rest.starts_with('.'))
}
