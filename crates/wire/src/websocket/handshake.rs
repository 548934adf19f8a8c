//! Keys of the opening handshake (RFC 6455, 4): each side shows the other that it speaks the protocol.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// The version of the protocol.
pub const VERSION: &str = "13";
/// Fixed by RFC 6455, 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Bytes of a key before it is written in base64.
const KEY_BYTES: usize = 16;

/// The value of `Sec-WebSocket-Key` for these random bytes.
#[must_use]
pub fn key(random: [u8; KEY_BYTES]) -> String {
    STANDARD.encode(random)
}

/// Whether a client's key is one.
#[must_use]
pub fn is_key(value: &[u8]) -> bool {
    STANDARD.decode(value).is_ok_and(|key| key.len() == KEY_BYTES)
}

/// The value of `Sec-WebSocket-Accept` that belongs to a key.
#[must_use]
pub fn accept(key: &[u8]) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        let key = key(*b"the sample nonce");
        assert_eq!(key, "dGhlIHNhbXBsZSBub25jZQ==");
        assert!(is_key(key.as_bytes()));
        assert_eq!(accept(key.as_bytes()), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for bad in ["", "dGhlIHNhbXBsZQ==", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ== "] {
            assert!(!is_key(bad.as_bytes()), "{bad:?}");
        }
    }
}
