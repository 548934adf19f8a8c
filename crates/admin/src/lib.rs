//! The control plane: metrics, health, status, request records and the set-up on their own listener,
//! behind their own credential.
//!
//! `routes.rs` lists every operation with its handler and description; the OpenAPI document is made
//! from the same list. [`AdminToken`] is the credential; `auth.rs` has the one short list of what is
//! open. What is shown comes in through [`AdminState`], so this crate does not know the database.

mod auth;
mod endpoints;
mod limits;
mod openapi;
mod operation;
mod records;
mod reply;
mod routes;
mod setup;
mod state;
mod tail;
mod token;

pub use endpoints::Endpoints;
pub use routes::{router, service};
pub use setup::{Checked, ConfigWorld, SetUp};
pub use state::{AdminState, OpenReader, ProviderStatus, Readiness, Status};
pub use tail::LiveTail;
pub use token::{AdminToken, TokenError};
