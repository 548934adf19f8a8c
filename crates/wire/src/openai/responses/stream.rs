//! Streamed answers: [`StreamDecoder`] reads the provider's events, [`StreamEncoder`] writes the client's.
//! `items` keeps what the client was told, because the dialect tells everything again when it is whole.

mod decode;
mod encode;
mod frames;
mod items;

pub use decode::StreamDecoder;
pub use encode::StreamEncoder;
