//! Providers that fail, for proving that callers do not notice: an HTTP server of its own that speaks OpenAI
//! chat, OpenAI responses and Anthropic's messages, with every fault as a row of [`FAULTS`].
//!
//! What it says to a request is worked out from a seed in the prompt ([`Oracle`]), so that a client can
//! compare every byte; a request that goes on with an answer is answered from where it stands, in the ways
//! of [`Continuing`]. Start with [`Injector`], ask with [`Question`], read answers with [`Reader`].

mod ask;
mod client;
mod continuing;
mod injector;
mod log;
mod shape;
mod speak;
mod table;
mod text;

pub use self::ask::{Ask, Prefix};
pub use self::client::{Question, Reader, Said};
pub use self::continuing::Continuing;
pub use self::injector::{Choose, FaultServer, Injector};
pub use self::log::{Attempt, emitted, most_at_once};
pub use self::table::{At, Befalls, Effect, FAULTS, Fault, Pause, Wait, What, Words};
pub use self::text::{Kind, Oracle};

#[cfg(test)]
mod tests;
