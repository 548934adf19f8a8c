//! The dates of a certificate, read from its DER (RFC 5280, 4.1): rustls checks those of others, but
//! nobody tells a server that its own certificate has run out.

use std::fmt;

use pointsman_core::calendar;
use rustls::pki_types::CertificateDer;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0] EXPLICIT`: the version, absent in version 1.
const VERSION: u8 = 0xa0;
const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// Seconds since 1970 within which a certificate may be used, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: i64,
    /// The last second.
    pub not_after: i64,
}

impl Validity {
    /// `None` where the certificate is malformed.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (certificate, _) = take(certificate, SEQUENCE)?;
        let (mut rest, _) = take(certificate, SEQUENCE)?;
        if let Some((_, after)) = take(rest, VERSION) {
            rest = after;
        }
        // Serial number, signature algorithm, issuer.
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            rest = take(rest, tag)?.1;
        }
        let (validity, _) = take(rest, SEQUENCE)?;
        let (not_before, rest) = time(validity)?;
        let (not_after, _) = time(rest)?;
        Some(Self { not_before, not_after })
    }
}

/// A moment as `2026-11-22 10:30 UTC`.
#[derive(Clone, Copy, Debug)]
pub struct Moment(pub i64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = calendar::date(self.0.div_euclid(SECONDS_PER_DAY));
        let minute = self.0.rem_euclid(SECONDS_PER_DAY) / 60;
        write!(f, "{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", minute / 60, minute % 60)
    }
}

/// The content of the element at the start, which must have this tag, and what follows it.
fn take(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = input.split_first()?;
    let (&short, mut rest) = rest.split_first()?;
    if first != tag {
        return None;
    }
    let mut length = usize::from(short);
    if short & 0x80 != 0 {
        let bytes = usize::from(short & 0x7f);
        if !(1..=4).contains(&bytes) {
            return None;
        }
        let (digits, after) = rest.split_at_checked(bytes)?;
        length = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
        rest = after;
    }
    rest.split_at_checked(length)
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`; two-digit years from 50 on are of the last century.
fn time(input: &[u8]) -> Option<(i64, &[u8])> {
    let (year_digits, (text, rest)) = match take(input, UTC_TIME) {
        Some(found) => (2, found),
        None => (4, take(input, GENERALIZED_TIME)?),
    };
    let digits = text.strip_suffix(b"Z")?;
    if digits.len() != year_digits + 10 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |part: &[u8]| part.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    let (year, others) = digits.split_at(year_digits);
    let year = match (year_digits, number(year)) {
        (2, year) if year >= 50 => 1900 + year,
        (2, year) => 2000 + year,
        (_, year) => year,
    };
    let mut parts = others.chunks(2).map(number);
    let mut next = || parts.next();
    let day = calendar::days(year, next()?, next()?);
    Some((day * SECONDS_PER_DAY + next()? * 3600 + next()? * 60 + next()?, rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn made(from: (i32, u8, u8), to: (i32, u8, u8)) -> Validity {
        let mut params = CertificateParams::new(vec!["a.test".into()]).unwrap();
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(to.0, to.1, to.2);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Validity::of(certificate.der()).unwrap()
    }

    #[test]
    fn both_forms_of_time_are_read() {
        let validity = made((1975, 1, 1), (4096, 2, 29));
        assert_eq!(validity.not_before, 157_766_400);
        assert_eq!(validity.not_after, 67_095_216_000, "years from 2050 on are written with four digits");
        assert_eq!(made((2026, 11, 22), (2049, 12, 31)).not_before, 1_795_305_600);
    }

    #[test]
    fn moments_are_shown_as_dates() {
        assert_eq!(Moment(0).to_string(), "1970-01-01 00:00 UTC");
        assert_eq!(Moment(1_795_305_600 + 37_800).to_string(), "2026-11-22 10:30 UTC");
        assert_eq!(Moment(951_782_400).to_string(), "2000-02-29 00:00 UTC");
        assert_eq!(Moment(-1).to_string(), "1969-12-31 23:59 UTC");
    }

    #[test]
    fn cut_certificates_have_no_dates() {
        let params = CertificateParams::new(vec!["a.test".into()]).unwrap();
        let whole = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
        for end in 0..whole.len() {
            assert_eq!(Validity::of(&CertificateDer::from(whole[..end].to_vec())), None, "{end}");
        }
    }
}
