//! What is not a request to a model: lists, the page at `/`, health, wrong paths.

pub(crate) mod health;
pub(crate) mod home;
pub(crate) mod models;
pub(crate) mod ollama;
pub(crate) mod unknown;
