//! The control plane: metrics, health and status on their own listener.
