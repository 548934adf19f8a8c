//! Wire formats: probe, splice, SSE and observers, as sans-IO state machines.
