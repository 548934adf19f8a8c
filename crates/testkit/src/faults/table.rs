//! Every fault, a row each: what happens, to which answers, and what a gateway is to make of it.

use std::time::Duration;

use crate::mock::Cut;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// In logs and scorecards.
    pub name: &'static str,
    /// What happens.
    pub what: What,
    /// Which answers it can befall.
    pub befalls: Befalls,
    /// What becomes of the request where another provider is well.
    pub effect: Effect,
}

/// Which answers a fault can befall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Befalls {
    /// Whole answers and streams.
    Both,
    /// Whole answers.
    Plain,
    /// Streams.
    Streams,
}

/// What a gateway with a second candidate is to make of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The next candidate answers; the caller notices nothing.
    Fallback,
    /// Something was shown: the next candidate goes on.
    Rescue,
    /// The caller is told, in the provider's words: nobody else can do better.
    Told,
    /// The answer is whole as it is.
    Harmless,
}

/// How a provider fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It answers with an error.
    Status {
        /// The HTTP status.
        status: u16,
        /// What the body says.
        words: Words,
        /// When to come again.
        wait: Wait,
    },
    /// The connection breaks off or hangs.
    Cut {
        /// Where.
        at: At,
        /// How.
        how: Cut,
    },
    /// The connection is refused. Nothing is received, so that only a listener that closes can do it.
    Refuse,
    /// It takes its time, then answers well.
    Slow {
        /// Where.
        at: At,
        /// For how long.
        pause: Pause,
    },
    /// Bytes that are no HTTP.
    GarbageHead,
    /// A head that never ends.
    HugeHead,
    /// A good head and a body that is no answer.
    GarbageBody,
    /// A page of HTML with status 200.
    Page,
    /// Nothing, with status 200.
    Empty,
    /// Events that are no JSON, in mid-text.
    OddEvents {
        /// All that follow; else one, and the stream goes on.
        lasting: bool,
    },
    /// An event longer than any may be, before the text.
    HugeEvent,
    /// An error inside a stream that began well.
    ErrorEvent {
        /// Where.
        at: At,
    },
    /// The stream ends in good order, but too early.
    Unfinished {
        /// Where.
        at: At,
    },
    /// Everything is there but the last event.
    NoSentinel,
    /// Comments without end before the text.
    Flood,
}

/// A place in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Before its first byte.
    BeforeHead,
    /// In the middle of the head.
    InHead,
    /// Between head and text.
    AfterHead,
    /// In the middle of the text.
    InText,
    /// After the text, before the event that says why it ended.
    BeforeFinish,
}

/// How long something takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Longer than any limit: see [`super::Injector::limit`].
    TooLong,
    /// Well within the limits.
    Bearable,
}

/// What an error says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// Too many requests.
    RateLimit,
    /// Too many requests of everybody.
    Overloaded,
    /// Something broke.
    Server,
    /// The key is wrong.
    Authentication,
    /// The key may not.
    Permission,
    /// The account has no credit.
    Billing,
    /// The account's quota is used up.
    Quota,
    /// The prompt is longer than the model can take.
    ContextTooLong,
    /// The prompt is refused.
    ContentFilter,
    /// There is no such model.
    ModelNotFound,
    /// The request is wrong.
    BadRequest,
    /// A page of a proxy, not JSON.
    Page,
}

/// How a provider says when to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// It does not.
    Unsaid,
    /// `Retry-After` in seconds.
    Seconds(u64),
    /// `Retry-After` as a date, so many seconds from now.
    Date(u64),
    /// The vendor's own headers say when its window begins anew, so many seconds from now.
    Headers(u64),
}

/// Waits of rate limits in the table: short ones fit into any deadline.
const SOON: u64 = 1;
/// A wait that fits into none.
const LATE: u64 = 3600;

const fn fault(name: &'static str, what: What, befalls: Befalls, effect: Effect) -> Fault {
    Fault { name, what, befalls, effect }
}

const fn status(name: &'static str, status: u16, words: Words, wait: Wait) -> Fault {
    fault(name, What::Status { status, words, wait }, Befalls::Both, Effect::Fallback)
}

/// The same, but the caller is told.
const fn told(name: &'static str, status: u16, words: Words) -> Fault {
    let what = What::Status { status, words, wait: Wait::Unsaid };
    fault(name, what, Befalls::Both, Effect::Told)
}

const fn cut(name: &'static str, at: At, how: Cut, befalls: Befalls) -> Fault {
    let seen = matches!(befalls, Befalls::Streams) && matches!(at, At::InText | At::BeforeFinish);
    fault(name, What::Cut { at, how }, befalls, if seen { Effect::Rescue } else { Effect::Fallback })
}

/// All faults.
pub const FAULTS: &[Fault] = &[
    status("rate_limit_seconds", 429, Words::RateLimit, Wait::Seconds(SOON)),
    status("rate_limit_date", 429, Words::RateLimit, Wait::Date(SOON)),
    status("rate_limit_headers", 429, Words::RateLimit, Wait::Headers(SOON)),
    status("rate_limit_unsaid", 429, Words::RateLimit, Wait::Unsaid),
    status("rate_limit_late", 429, Words::RateLimit, Wait::Seconds(LATE)),
    status("overloaded_503", 503, Words::Overloaded, Wait::Unsaid),
    status("overloaded_529", 529, Words::Overloaded, Wait::Seconds(SOON)),
    status("server_error", 500, Words::Server, Wait::Unsaid),
    status("bad_gateway_page", 502, Words::Page, Wait::Unsaid),
    status("gateway_timeout", 504, Words::Server, Wait::Unsaid),
    status("key_wrong", 401, Words::Authentication, Wait::Unsaid),
    status("key_forbidden", 403, Words::Permission, Wait::Unsaid),
    status("payment_required", 402, Words::Billing, Wait::Unsaid),
    status("quota_used_up", 429, Words::Quota, Wait::Unsaid),
    status("model_not_found", 404, Words::ModelNotFound, Wait::Unsaid),
    told("context_too_long", 400, Words::ContextTooLong),
    told("content_filter", 400, Words::ContentFilter),
    told("bad_request", 400, Words::BadRequest),
    fault("refused", What::Refuse, Befalls::Both, Effect::Fallback),
    cut("reset_before_head", At::BeforeHead, Cut::Reset, Befalls::Both),
    cut("close_before_head", At::BeforeHead, Cut::Close, Befalls::Both),
    cut("hang_before_head", At::BeforeHead, Cut::Hang, Befalls::Both),
    cut("reset_in_head", At::InHead, Cut::Reset, Befalls::Both),
    cut("reset_after_head", At::AfterHead, Cut::Reset, Befalls::Both),
    cut("hang_after_head", At::AfterHead, Cut::Hang, Befalls::Both),
    cut("reset_in_body", At::InText, Cut::Reset, Befalls::Plain),
    cut("close_in_body", At::InText, Cut::Close, Befalls::Plain),
    cut("hang_in_body", At::InText, Cut::Hang, Befalls::Plain),
    cut("reset_in_text", At::InText, Cut::Reset, Befalls::Streams),
    cut("close_in_text", At::InText, Cut::Close, Befalls::Streams),
    cut("hang_in_text", At::InText, Cut::Hang, Befalls::Streams),
    cut("reset_before_finish", At::BeforeFinish, Cut::Reset, Befalls::Streams),
    fault(
        "slow_head",
        What::Slow { at: At::BeforeHead, pause: Pause::TooLong },
        Befalls::Both,
        Effect::Fallback,
    ),
    fault(
        "slow_first_token",
        What::Slow { at: At::AfterHead, pause: Pause::TooLong },
        Befalls::Streams,
        Effect::Fallback,
    ),
    fault(
        "slow_drip",
        What::Slow { at: At::InText, pause: Pause::Bearable },
        Befalls::Streams,
        Effect::Harmless,
    ),
    fault("garbage_head", What::GarbageHead, Befalls::Both, Effect::Fallback),
    fault("huge_head", What::HugeHead, Befalls::Both, Effect::Fallback),
    fault("garbage_body", What::GarbageBody, Befalls::Both, Effect::Fallback),
    fault("page_with_200", What::Page, Befalls::Both, Effect::Fallback),
    fault("nothing_with_200", What::Empty, Befalls::Both, Effect::Fallback),
    fault("odd_event", What::OddEvents { lasting: false }, Befalls::Streams, Effect::Harmless),
    fault("odd_events", What::OddEvents { lasting: true }, Befalls::Streams, Effect::Rescue),
    fault("huge_event", What::HugeEvent, Befalls::Streams, Effect::Fallback),
    fault("flood", What::Flood, Befalls::Streams, Effect::Harmless),
    fault("error_event_first", What::ErrorEvent { at: At::AfterHead }, Befalls::Streams, Effect::Fallback),
    fault("error_event_in_text", What::ErrorEvent { at: At::InText }, Befalls::Streams, Effect::Rescue),
    fault("unfinished", What::Unfinished { at: At::InText }, Befalls::Streams, Effect::Rescue),
    fault(
        "unfinished_at_the_end",
        What::Unfinished { at: At::BeforeFinish },
        Befalls::Streams,
        Effect::Rescue,
    ),
    fault("no_sentinel", What::NoSentinel, Befalls::Streams, Effect::Harmless),
];

impl Fault {
    /// The fault of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        FAULTS.iter().find(|fault| fault.name == name)
    }

    /// Whether it can befall such an answer.
    #[must_use]
    pub const fn fits(&self, streamed: bool) -> bool {
        match self.befalls {
            Befalls::Both => true,
            Befalls::Plain => !streamed,
            Befalls::Streams => streamed,
        }
    }

    /// Whether the provider had begun to work when it failed: then it bills the prompt.
    #[must_use]
    pub const fn works(&self) -> bool {
        !matches!(
            self.what,
            What::Status { .. } | What::Refuse | What::ErrorEvent { at: At::BeforeHead | At::AfterHead }
        )
    }

    /// Whether it is only over when the gateway gives up.
    #[must_use]
    pub const fn hangs(&self) -> bool {
        matches!(self.what, What::Cut { how: Cut::Hang, .. } | What::Slow { pause: Pause::TooLong, .. })
    }
}

/// How long a bearable pause is.
pub(super) const BEARABLE: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_apart_and_lead_to_their_faults() {
        for (at, fault) in FAULTS.iter().enumerate() {
            assert_eq!(Fault::named(fault.name), Some(fault));
            assert!(FAULTS[..at].iter().all(|other| other.name != fault.name), "{} twice", fault.name);
            let shown = matches!(fault.effect, Effect::Rescue);
            assert!(!shown || !fault.fits(false), "{}: nothing of a whole answer is shown", fault.name);
        }
        assert!(Fault::named("none").is_none());
    }
}
