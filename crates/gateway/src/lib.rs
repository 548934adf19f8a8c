//! The data plane: pipeline, handlers and the response body that drives attempts.
