//! OpenAI's wire format, as its many vendors speak it. [`payload`] reads what answers and stream
//! chunks have in common; [`answer`] and [`stream`] judge it; [`error`] and [`models`] are the
//! other two documents of the API.

mod abilities;
mod alike;
pub mod answer;
pub mod chat;
pub mod error;
pub mod kept;
pub mod models;
pub mod objects;
mod payload;
pub mod realtime;
pub mod relayed;
pub mod responses;
pub mod stream;
mod strict;
mod usage;
