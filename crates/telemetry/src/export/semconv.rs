//! Every attribute and metric name that leaves over OTLP, in one place.
//!
//! OpenTelemetry semantic conventions 1.41 (GenAI spans and metrics, in development there:
//! <https://opentelemetry.io/docs/specs/semconv/gen-ai/>), Langfuse's property mapping
//! (<https://langfuse.com/integrations/native/opentelemetry>), and our own under `pointsman.`.

/// The schema that the names below belong to.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.41.0";

/// Resource: which program.
pub const SERVICE_NAME: &str = "service.name";
/// Resource: its version.
pub const SERVICE_VERSION: &str = "service.version";
/// Resource: `production` and its like.
pub const ENVIRONMENT: &str = "deployment.environment.name";

/// `chat`, `text_completion`, `embeddings`.
pub const OPERATION_NAME: &str = "gen_ai.operation.name";
/// The provider's configured name.
pub const PROVIDER_NAME: &str = "gen_ai.provider.name";
/// The model as asked for: on the server span by the client, on client spans by Pointsman.
pub const REQUEST_MODEL: &str = "gen_ai.request.model";
/// Whether a stream was asked for.
pub const REQUEST_STREAM: &str = "gen_ai.request.stream";
/// The model that answered.
pub const RESPONSE_MODEL: &str = "gen_ai.response.model";
/// All prompt tokens.
pub const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
/// All completion tokens.
pub const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
/// Prompt tokens read from the provider's cache.
pub const CACHE_READ_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
/// Prompt tokens written to the provider's cache.
pub const CACHE_CREATION_TOKENS: &str = "gen_ai.usage.cache_creation.input_tokens";
/// Completion tokens spent on reasoning.
pub const REASONING_TOKENS: &str = "gen_ai.usage.reasoning.output_tokens";
/// The caller's session.
pub const CONVERSATION_ID: &str = "gen_ai.conversation.id";
/// The caller's agent.
pub const AGENT_NAME: &str = "gen_ai.agent.name";
/// Captured content: a JSON text of messages with parts.
pub const INPUT_MESSAGES: &str = "gen_ai.input.messages";
/// Captured content: a JSON text of messages with parts.
pub const OUTPUT_MESSAGES: &str = "gen_ai.output.messages";
/// `input` or `output`, on the token metric.
pub const TOKEN_TYPE: &str = "gen_ai.token.type";
/// A word of `pointsman_core::ErrorCode` or `pointsman_core::Outcome`.
pub const ERROR_TYPE: &str = "error.type";
/// The HTTP status.
pub const HTTP_STATUS: &str = "http.response.status_code";
/// The user that the client key belongs to.
pub const USER_ID: &str = "user.id";

/// Metric: tokens by operation, in `{token}`.
pub const TOKEN_USAGE: &str = "gen_ai.client.token.usage";
/// Metric: duration of upstream calls, in seconds.
pub const OPERATION_DURATION: &str = "gen_ai.client.operation.duration";

/// The request's id.
pub const REQUEST_ID: &str = "pointsman.request.id";
/// The route.
pub const ROUTE: &str = "pointsman.route";
/// The client key's public id.
pub const KEY: &str = "pointsman.key";
/// Who pays.
pub const ORGANISATION: &str = "pointsman.organisation";
/// Who pays, more closely.
pub const PROJECT: &str = "pointsman.project";
/// Whose work it is.
pub const TEAM: &str = "pointsman.team";
/// The caller's tags.
pub const TAGS: &str = "pointsman.tags";
/// A word of `pointsman_core::Outcome`.
pub const OUTCOME: &str = "pointsman.outcome";
/// Dollars with nine decimals, as a text: exact. Absent where no price is known.
pub const COST_USD: &str = "pointsman.cost_usd";
/// A word of `pointsman_core::UsageSource`.
pub const USAGE_SOURCE: &str = "pointsman.usage_source";
/// Microseconds to the first token or the plain answer.
pub const FIRST_TOKEN_US: &str = "pointsman.first_token_us";
/// Microseconds inside Pointsman.
pub const OVERHEAD_US: &str = "pointsman.overhead_us";
/// The position among the request's upstream calls, from 1.
pub const ATTEMPT: &str = "pointsman.attempt";
/// How the call goes on with an answer that broke off: a word of `pointsman_core::record::Joined`.
pub const JOINED: &str = "pointsman.joined";
/// Behind how many characters of text it does.
pub const JOINED_AT_CHARS: &str = "pointsman.joined_at_chars";
/// Made up by the built-in provider.
pub const SIMULATED: &str = "pointsman.simulated";

/// Langfuse: the trace's name.
pub const LANGFUSE_TRACE_NAME: &str = "langfuse.trace.name";
/// Langfuse: a list of texts.
pub const LANGFUSE_TAGS: &str = "langfuse.trace.tags";
/// Langfuse: the user.
pub const LANGFUSE_USER: &str = "langfuse.user.id";
/// Langfuse: the session.
pub const LANGFUSE_SESSION: &str = "langfuse.session.id";
/// Langfuse: the environment.
pub const LANGFUSE_ENVIRONMENT: &str = "langfuse.environment";
/// Langfuse: `span` or `generation`.
pub const LANGFUSE_TYPE: &str = "langfuse.observation.type";
/// Langfuse: `DEFAULT` or `ERROR`.
pub const LANGFUSE_LEVEL: &str = "langfuse.observation.level";
/// Langfuse: what went wrong.
pub const LANGFUSE_STATUS: &str = "langfuse.observation.status_message";
/// Langfuse: the model of a generation.
pub const LANGFUSE_MODEL: &str = "langfuse.observation.model.name";
/// Langfuse: a JSON text of tokens by kind, each kind counted once.
pub const LANGFUSE_USAGE: &str = "langfuse.observation.usage_details";
/// Langfuse: a JSON text of dollars by kind.
pub const LANGFUSE_COST: &str = "langfuse.observation.cost_details";
/// Langfuse: the time of the first token, ISO 8601.
pub const LANGFUSE_FIRST_TOKEN: &str = "langfuse.observation.completion_start_time";
/// Langfuse: captured content.
pub const LANGFUSE_INPUT: &str = "langfuse.observation.input";
/// Langfuse: captured content.
pub const LANGFUSE_OUTPUT: &str = "langfuse.observation.output";
