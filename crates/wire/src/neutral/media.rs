//! `data:` addresses (RFC 2397), media that some dialects put where others have base64; and what kind of medium
//! base64 holds.

use super::Source;
use crate::json::{Text, Writer};

impl<'a> Source<'a> {
    /// What stands at an address: the bytes themselves and their type, if it is a base64 `data:` address.
    #[must_use]
    pub fn from_url(url: Text<'a>) -> (Self, Option<Text<'a>>) {
        let Text::Escaped(raw) = &url else { return Self::from_value(url) };
        if memchr::memchr(b'\\', raw.as_bytes()).is_some() {
            // Some serializers write `\/`; base64 holds many slashes.
            return Self::from_value(Text::Plain(url.into_value()));
        }
        match split(raw) {
            Some((mime, data)) => (Self::Base64(Text::Escaped(data)), Some(Text::Escaped(mime))),
            None => (Self::Url(url), None),
        }
    }

    fn from_value(url: Text<'a>) -> (Self, Option<Text<'a>>) {
        let (mime, data) = match split(&url.value()) {
            Some((mime, data)) => (mime.to_owned(), data.to_owned()),
            None => return (Self::Url(url), None),
        };
        (Self::Base64(Text::from(data)), Some(Text::from(mime)))
    }
}

/// How each type begins in base64.
const BEGINNINGS: [(&str, &str); 6] = [
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("JVBERi", "application/pdf"),
    ("SUQz", "audio/mp3"),
];

/// The type of a medium in base64, by its first bytes. Sounds in WAVE begin as pictures in WebP do, for which they
/// are taken.
#[must_use]
pub fn type_of(base64: &str) -> Option<&'static str> {
    BEGINNINGS.iter().find(|(beginning, _)| base64.starts_with(beginning)).map(|(_, mime)| *mime)
}

/// Writes a base64 `data:` address.
pub fn write_data_url(writer: &mut Writer, mime: &str, data: &Text<'_>) {
    writer.joined(&[Text::from("data:"), Text::from(mime), Text::from(";base64,"), data.borrowed()]);
}

/// Type and base64 of a `data:` address.
fn split(url: &str) -> Option<(&str, &str)> {
    let scheme = url.get(.."data:".len())?;
    if !scheme.eq_ignore_ascii_case("data:") {
        return None;
    }
    let (head, data) = url.get(scheme.len()..)?.split_once(',')?;
    let (kind, encoding) = head.rsplit_once(';')?;
    let mime = kind.split(';').next().unwrap_or_default();
    encoding.trim().eq_ignore_ascii_case("base64").then_some((mime.trim(), data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_tell_what_they_are() {
        for (base64, expected) in [
            ("iVBORw0KGgoAAAANSUhEUg", Some("image/png")),
            // JFIF, EXIF, those of many cameras, and Adobe's.
            ("/9j/4AAQSkZJRg", Some("image/jpeg")),
            ("/9j/4QAYRXhpZg", Some("image/jpeg")),
            ("/9j/2wCEAAEBAQ", Some("image/jpeg")),
            ("/9j/7gAOQWRvYmU", Some("image/jpeg")),
            ("R0lGODlhAQABAA", Some("image/gif")),
            ("UklGRiQAAABXRUJQ", Some("image/webp")),
            ("JVBERi0xLjcK", Some("application/pdf")),
            ("AAAA", None),
            ("", None),
        ] {
            assert_eq!(type_of(base64), expected, "{base64}");
        }
    }

    fn read(url: Text<'_>) -> (String, Option<String>) {
        let (source, mime) = Source::from_url(url);
        let source = match source {
            Source::Base64(data) => format!("base64 {}", data.value()),
            Source::Url(url) => format!("url {}", url.value()),
            other => format!("{other:?}"),
        };
        (source, mime.map(|mime| mime.into_value().into_owned()))
    }

    #[test]
    fn data_addresses_are_the_bytes_themselves() {
        let png = ("base64 iVBO/w==".to_owned(), Some("image/png".to_owned()));
        assert_eq!(read(Text::Escaped("data:image/png;base64,iVBO/w==")), png);
        assert_eq!(read(Text::Escaped(r"data:image\/png;base64,iVBO\/w==")), png);
        assert_eq!(read(Text::from("DATA:image/png;charset=x;Base64,iVBO/w==".to_owned())), png);
    }

    #[test]
    fn other_addresses_stay_what_they_are() {
        for url in ["https://a.example/p.png", "data:text/plain,hello", "data:", "dåta:;base64,"] {
            assert_eq!(read(Text::from(url)), (format!("url {url}"), None));
        }
    }

    #[test]
    fn a_written_address_reads_back() {
        let mut writer = Writer::default();
        write_data_url(&mut writer, "image/png", &Text::Escaped("iVBO"));
        let text: String = serde_json::from_slice(&writer.finish()).unwrap();
        assert_eq!(read(Text::from(text)), ("base64 iVBO".to_owned(), Some("image/png".to_owned())));
    }
}
