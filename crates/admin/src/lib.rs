//! The control plane: metrics, health, status and request records on their own listener, behind
//! their own credential.
//!
//! [`router`] has every path and the one short list of those that are open; [`AdminToken`] is the
//! credential. What is shown comes in through [`AdminState`], so this crate knows neither the
//! configuration nor the database.

mod auth;
mod records;
mod reply;
mod routes;
mod state;
mod token;

pub use routes::{router, service};
pub use state::{AdminState, OpenReader, ProviderStatus, Readiness, Status};
pub use token::{AdminToken, TokenError};
