//! Errors as data: a stable code, whose fault it is, and a message fit for the public.

use std::borrow::Cow;
use std::time::Duration;

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The caller can mend it.
    Client,
    /// Pointsman or its configuration.
    Gateway,
    /// A provider.
    Upstream,
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $fault:ident;)+) => {
        /// Every error a client can see. The text form is stable; HTTP status is chosen in the gateway.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $name,)+ }

        impl ErrorCode {
            /// All codes, for tables and documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable text form.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// Whose fault it is.
            #[must_use]
            pub const fn fault(self) -> Fault {
                match self { $(Self::$name => Fault::$fault),+ }
            }
        }
    };
}

error_codes! {
    /// The body is not JSON, or a field that Pointsman acts on has the wrong type.
    InvalidRequest = "invalid_request", Client;
    /// A key that Pointsman acts on occurs twice.
    DuplicateKey = "duplicate_key", Client;
    /// No key, or one that is not known.
    InvalidApiKey = "invalid_api_key", Client;
    /// Too many wrong keys came from the caller's address.
    TooManyAuthFailures = "too_many_auth_failures", Client;
    /// The key may not use this model.
    ModelNotAllowed = "model_not_allowed", Client;
    /// No model, route or alias has this name.
    ModelNotFound = "model_not_found", Client;
    /// The answer that a request goes on from is not there.
    PreviousResponseNotFound = "previous_response_not_found", Client;
    /// The caller has no file, batch or answer with this id.
    ObjectNotFound = "object_not_found", Client;
    /// More than one provider has a model of this name.
    ModelAmbiguous = "model_ambiguous", Client;
    /// The model cannot do what was asked of it.
    UnsupportedOperation = "unsupported_operation", Client;
    /// No such path.
    UnknownPath = "unknown_path", Client;
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed", Client;
    /// The path is a WebSocket, and the request does not open one.
    UpgradeRequired = "upgrade_required", Client;
    /// The body is longer than the limit.
    BodyTooLarge = "body_too_large", Client;
    /// The body did not arrive in time.
    BodyTimeout = "body_timeout", Client;
    /// The body is compressed in a way that is not understood, or broke off.
    BodyUnreadable = "body_unreadable", Client;
    /// The `Host` or `Origin` of the request is not allowed without keys.
    ForbiddenOrigin = "forbidden_origin", Client;
    /// Too many bytes of request bodies are in flight.
    TooManyBytesInFlight = "too_many_bytes_in_flight", Gateway;
    /// The queues are full.
    Overloaded = "overloaded", Gateway;
    /// The server is shutting down.
    ShuttingDown = "shutting_down", Gateway;
    /// Something that should not happen did.
    Internal = "internal_error", Gateway;
    /// The provider refused the request as wrong.
    UpstreamRejected = "upstream_rejected", Upstream;
    /// The request is longer than the model's context. OpenAI's word, which agents look for.
    ContextTooLong = "context_length_exceeded", Upstream;
    /// The provider's rules on content forbid it. OpenAI's word.
    ContentFiltered = "content_policy_violation", Upstream;
    /// The provider refused Pointsman's own credentials.
    UpstreamUnauthorized = "upstream_unauthorized", Upstream;
    /// Every candidate is rate-limited.
    UpstreamRateLimited = "upstream_rate_limited", Upstream;
    /// Every candidate is overloaded.
    UpstreamOverloaded = "upstream_overloaded", Upstream;
    /// No candidate gave an answer.
    UpstreamUnavailable = "upstream_unavailable", Upstream;
    /// No candidate answered in time.
    UpstreamTimeout = "upstream_timeout", Upstream;
    /// The answer could not be understood.
    UpstreamMalformed = "upstream_malformed", Upstream;
    /// The answer broke off in the middle.
    StreamInterrupted = "stream_interrupted", Upstream;
}

/// What a client is told. Internal detail goes to the log, never in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicError {
    /// The stable code.
    pub code: ErrorCode,
    /// One sentence, lower case, no full stop, with what to do about it where that is known.
    pub message: Cow<'static, str>,
    /// The request field that is at fault, as a path.
    pub param: Option<Cow<'static, str>>,
    /// When another try makes sense.
    pub retry_after: Option<Duration>,
}

impl PublicError {
    /// An error with a message and nothing else.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), param: None, retry_after: None }
    }

    /// The same, at this field of the request.
    #[must_use]
    pub fn at(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }
}
