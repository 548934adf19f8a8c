//! UTF-8 in pieces: whether a text is one, however it is cut.

/// What has been seen of a text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Utf8 {
    /// The beginning of a character whose end has not come.
    started: [u8; 4],
    length: usize,
}

impl Utf8 {
    /// Takes the next bytes; whether the text may still be UTF-8.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> bool {
        while self.length > 0 {
            let [next, rest @ ..] = bytes else { return true };
            self.started[self.length] = *next;
            self.length += 1;
            bytes = rest;
            match std::str::from_utf8(&self.started[..self.length]) {
                Ok(_) => self.length = 0,
                // A character has four bytes at most, so that an unfinished one leaves room for another byte.
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return false,
            }
        }
        match std::str::from_utf8(bytes) {
            Ok(_) => true,
            Err(error) if error.error_len().is_none() => {
                let tail = &bytes[error.valid_up_to()..];
                self.started[..tail.len()].copy_from_slice(tail);
                self.length = tail.len();
                true
            }
            Err(_) => false,
        }
    }

    /// Whether the text may end here.
    pub(super) const fn is_whole(&self) -> bool {
        self.length == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid(pieces: &[&[u8]]) -> bool {
        let mut utf8 = Utf8::default();
        pieces.iter().all(|piece| utf8.push(piece)) && utf8.is_whole()
    }

    #[test]
    fn every_cut_of_a_text() {
        let text = "aé€\u{10FFFF}z".as_bytes();
        for first in 0..=text.len() {
            for second in first..=text.len() {
                assert!(valid(&[&text[..first], &text[first..second], &text[second..]]), "{first} {second}");
            }
            assert_eq!(valid(&[&text[..first]]), std::str::from_utf8(&text[..first]).is_ok(), "{first}");
        }
    }

    #[test]
    fn what_is_no_text() {
        for bad in
            [&b"\xff"[..], b"a\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xe2\x28\xa1"]
        {
            for cut in 0..=bad.len() {
                assert!(!valid(&[&bad[..cut], &bad[cut..]]), "{bad:?} at {cut}");
            }
        }
    }
}
