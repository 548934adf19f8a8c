//! Upstream connections and pools, TLS, listeners, drain.
