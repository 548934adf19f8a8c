//! Every metric and label name. Labels are OpenTelemetry's GenAI attributes where one exists, with
//! dots as underscores (<https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/>).
//!
//! Counters get the suffix `_total` in the exposition. docs/metrics.md explains each.

/// `chat`, `text_completion`, `embeddings`.
pub const OPERATION: &str = "gen_ai_operation_name";
/// The provider's configured name.
pub const PROVIDER: &str = "gen_ai_provider_name";
/// The upstream model id.
pub const MODEL: &str = "gen_ai_request_model";
/// A kind of token.
pub const TOKEN_TYPE: &str = "gen_ai_token_type";
/// A word of `pointsman_core::Outcome`.
pub const OUTCOME: &str = "outcome";
/// `2xx` and its kin; `none` where the client left before a status was sent.
pub const STATUS_CLASS: &str = "status_class";
/// `true` for streams.
pub const STREAM: &str = "stream";
/// A word of `pointsman_core::UsageSource`.
pub const SOURCE: &str = "source";
/// A bounded queue.
pub const QUEUE: &str = "queue";
/// A receiver of request records.
pub const SINK: &str = "sink";
/// A configured exporter.
pub const EXPORTER: &str = "exporter";
/// `api` or `admin`.
pub const LISTENER: &str = "listener";
/// `ok` or `failed`; for exporters `sent`, `failed` or `dropped`; for waits, hedges and probes what became of them.
pub const RESULT: &str = "result";
/// Why a candidate was not asked.
pub const REASON: &str = "reason";
/// A word of `pointsman_core::ErrorCode`.
pub const CODE: &str = "code";
/// The program's version.
pub const VERSION: &str = "version";

/// The value of [`PROVIDER`] and [`MODEL`] beyond the limit of distinct pairs.
pub const OTHER: &str = "other";

/// Counter: client requests.
pub const REQUESTS: &str = "pointsman_requests";
/// Counter: client requests that were refused before they had a record: by key, origin or load.
pub const REFUSED: &str = "pointsman_requests_refused";
/// Histogram: seconds from accepting a request to the end of its answer.
pub const REQUEST_DURATION: &str = "pointsman_request_duration_seconds";
/// Histogram: seconds to the first token, or the whole plain answer.
pub const FIRST_TOKEN: &str = "pointsman_time_to_first_token_seconds";
/// Histogram: seconds inside Pointsman, not waiting for client or upstream.
pub const OVERHEAD: &str = "pointsman_overhead_seconds";
/// Counter: where the token counts of requests came from.
pub const USAGE: &str = "pointsman_usage";
/// Counter: upstream calls.
pub const ATTEMPTS: &str = "pointsman_attempts";
/// Counter: seconds spent in upstream calls.
pub const ATTEMPT_SECONDS: &str = "pointsman_attempt_seconds";
/// Counter: tokens by kind.
pub const TOKENS: &str = "pointsman_tokens";
/// Counter: what the tokens cost.
pub const COST: &str = "pointsman_cost_usd";
/// Counter: upstream calls whose price is not known.
pub const UNPRICED: &str = "pointsman_unpriced_attempts";
/// Counter: candidates that were not asked in their turn.
pub const PASSED_OVER: &str = "pointsman_candidates_passed_over";
/// Counter: candidates that were asked again after a pause.
pub const RETRIES: &str = "pointsman_retries";
/// Counter: requests that would wait for a deployment.
pub const WAITS: &str = "pointsman_waits";
/// Counter: second attempts beside late ones.
pub const HEDGES: &str = "pointsman_hedges";
/// Counter: requests that were given another one's answer.
pub const COALESCED: &str = "pointsman_requests_coalesced";
/// Counter: calls of our own to sick deployments.
pub const PROBES: &str = "pointsman_probes";
/// Counter: streams that broke off when they were shown.
pub const RESCUES: &str = "pointsman_stream_rescues";
/// Gauge: breakers of deployments.
pub const BREAKER_STATE: &str = "pointsman_breaker_state";
/// Gauge: upstream calls that have not ended.
pub const ENDPOINT_IN_FLIGHT: &str = "pointsman_endpoint_in_flight";
/// Gauge: requests that wait for a deployment.
pub const ENDPOINT_WAITING: &str = "pointsman_endpoint_waiting";
/// Gauge: requests that have not ended.
pub const IN_FLIGHT: &str = "pointsman_requests_in_flight";
/// Gauge: realtime sessions that have not ended.
pub const REALTIME_SESSIONS: &str = "pointsman_realtime_sessions";
/// Gauge: bytes of request bodies held.
pub const BODY_BYTES: &str = "pointsman_request_body_bytes_in_flight";
/// Counter: entries that a full queue refused.
pub const QUEUE_DROPS: &str = "pointsman_queue_drops";
/// Counter: request records handed to a sink.
pub const RECORDS_WRITTEN: &str = "pointsman_records_written";
/// Counter: request records that a sink could not take.
pub const RECORDS_FAILED: &str = "pointsman_records_failed";
/// Counter: request records by what became of them at an exporter.
pub const EXPORT_RECORDS: &str = "pointsman_export_records";
/// Counter: requests of an exporter that were sent again.
pub const EXPORT_RETRIES: &str = "pointsman_export_retries";
/// Gauge: request records that wait for an exporter or are under way.
pub const EXPORT_HELD: &str = "pointsman_export_records_held";
/// Gauge: the generation of the configuration in force.
pub const CONFIG_GENERATION: &str = "pointsman_config_generation";
/// Counter: attempts to load the configuration.
pub const CONFIG_LOADS: &str = "pointsman_config_loads";
/// Gauge: when the certificate of a listener runs out.
pub const CERTIFICATE_EXPIRY: &str = "pointsman_certificate_expiry_timestamp_seconds";
/// Gauge, always 1: which build this is.
pub const BUILD: &str = "pointsman_build";
