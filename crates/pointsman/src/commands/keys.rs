//! `pointsman keys`: making client keys. A key itself is never stored, only its SHA-256.

use std::io::{self, Read as _};

use pointsman_core::principal::KeyHash;
use sha2::{Digest as _, Sha256};

use crate::cli::Keys;
use crate::failure::Failure;
use crate::output;

/// Tells our keys from vendors' keys.
const PREFIX: &str = "pk-";
/// 256 bits.
const KEY_BYTES: usize = 32;
/// Longer input is no key.
const MAX_INPUT_BYTES: u64 = 64 * 1024;

/// Makes a key or hashes one.
pub(crate) fn run(command: &Keys) -> Result<(), Failure> {
    match command {
        Keys::New { id } => new(id),
        Keys::Hash => hash_stdin(),
    }
}

fn new(id: &str) -> Result<(), Failure> {
    check_id(id)?;
    let mut secret = [0; KEY_BYTES];
    getrandom::fill(&mut secret)
        .map_err(|error| Failure::new(format!("the system gave no random bytes: {error}")))?;
    let key = format!("{PREFIX}{}", hex::encode(secret));
    output::print(&document(id, &key))
}

/// The key goes to its user, the rest into the configuration.
fn document(id: &str, key: &str) -> String {
    let hash = hex::encode(hash(key.as_bytes()));
    format!(
        "The key, shown only this once; give it to the client as OPENAI_API_KEY:\n\n  {key}\n\n\
         Add this to the configuration (the key cannot be found from it):\n\n\
         keys:\n  - id: \"{id}\"\n    sha256: \"{hash}\"\n"
    )
}

fn hash_stdin() -> Result<(), Failure> {
    let mut input = Vec::new();
    io::stdin()
        .lock()
        .take(MAX_INPUT_BYTES + 1)
        .read_to_end(&mut input)
        .map_err(|error| Failure::new(format!("cannot read standard input: {error}")))?;
    if input.len() as u64 > MAX_INPUT_BYTES {
        return Err(Failure::new("standard input is too long for a key"));
    }
    let key = line(&input);
    if key.is_empty() {
        let hint = "pipe the key in: `printf %s \"$KEY\" | pointsman keys hash`";
        return Err(Failure::new("there is no key on standard input").hint(hint));
    }
    output::print(&format!("{}\n", hex::encode(hash(key))))
}

fn hash(key: &[u8]) -> KeyHash {
    Sha256::digest(key).into()
}

/// Without the line's end that a shell or an editor adds.
fn line(input: &[u8]) -> &[u8] {
    let input = input.strip_suffix(b"\n").unwrap_or(input);
    input.strip_suffix(b"\r").unwrap_or(input)
}

/// An id that needs no escapes in YAML, in a shell or in a URL.
fn check_id(id: &str) -> Result<(), Failure> {
    let first = id.chars().next().is_some_and(|first| first.is_ascii_alphabetic());
    let rest = id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if first && rest {
        return Ok(());
    }
    Err(Failure::new(format!("`{}` cannot be the id of a key", output::plain(id)))
        .hint("begin with a letter and use letters, digits, `-`, `_` and `.` only"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_snippet_holds_the_hash_and_never_the_key() {
        let text = document("ci", "abc");
        let (shown, snippet) = text.split_once("keys:\n").unwrap();
        assert!(shown.contains("\n  abc\n"));
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            snippet,
            "  - id: \"ci\"\n    sha256: \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"\n"
        );
    }

    #[test]
    fn one_line_end_is_no_part_of_a_key() {
        assert_eq!(line(b"abc\n"), b"abc");
        assert_eq!(line(b"abc\r\n"), b"abc");
        assert_eq!(line(b"abc \n\n"), b"abc \n");
        assert_eq!(line(b""), b"");
    }

    #[test]
    fn ids_need_no_escapes() {
        for good in ["default", "ci-1", "a.b_c"] {
            assert_eq!(check_id(good), Ok(()));
        }
        for wrong in ["", "1", "a b", "a: b", "ä", "-x", "a\n"] {
            assert!(check_id(wrong).is_err(), "{wrong}");
        }
    }
}
