//! Streamed answers: [`StreamDecoder`] reads the provider's events, [`StreamEncoder`] writes the client's.

mod decode;
mod encode;

pub use decode::StreamDecoder;
pub use encode::StreamEncoder;

#[cfg(test)]
mod tests;
