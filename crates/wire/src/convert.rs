//! Conversion between dialects: one [`Codec`] each, and [`Relay`], which drives a stream through them.
//!
//! A whole request goes `decode_request` → [`crate::neutral::Request`] → `encode_request`, an answer the
//! other way. Where client and provider speak the same dialect only [`Relay`] is used, and only watches.

mod bridge;
mod codec;
mod count;
mod frames;
mod lenient;
mod relay;
mod renamed;
#[cfg(test)]
mod tests;
mod translator;
mod watch;

pub use bridge::{Between, Bridge};
pub use codec::{Called, Codec, Decode, Encode, Moment, codec, codec_for};
pub use count::{count_request, counts_tokens, read_count, render_count};
pub use frames::Lines;
pub(crate) use frames::{Frames, Piece};
pub(crate) use lenient::Lenient;
pub use relay::Relay;
pub use translator::Translator;
pub use watch::Watch;
