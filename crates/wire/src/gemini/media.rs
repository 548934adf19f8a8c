//! Pictures, documents, sounds and films: `inlineData` with their bytes, `fileData` with their address.

use std::borrow::Cow;

use pointsman_core::Dialect;

use super::read;
use super::thinking::Family;
use crate::json::{Node, Text, Writer};
use crate::neutral::{
    Content, DecodeError, Extension, Media, Need, Path, Request, Resolved, Source, Target, type_of,
};

/// Media that this provider does not take from where they are. Google fetches them itself, by `https`
/// only, for models since Gemini 2.5 (films on YouTube for all).
#[must_use]
pub fn needs(request: &Request<'_>, target: &Target<'_>) -> Vec<Need> {
    if request.dialect == Dialect::Gemini {
        // What a client wrote in this dialect is the provider's to judge.
        return Vec::new();
    }
    let fetches = Family::of(target.model).fetches();
    Need::of(request, target.media, |block| {
        let Media { source: Source::Url(url), .. } = medium(&block.content)? else { return None };
        let url = url.value();
        let taken = is_film_address(&url) || fetches && url.starts_with("https://");
        (url.starts_with("http") && !taken).then_some(url)
    })
}

/// The medium in a block.
pub(super) const fn medium<'c, 'a>(content: &'c Content<'a>) -> Option<&'c Media<'a>> {
    match content {
        Content::Image(media) | Content::Document(media) | Content::Audio(media) | Content::Video(media) => {
            Some(media)
        }
        _ => None,
    }
}

/// Reads `inlineData`.
pub(super) fn inline<'a>(
    node: Node<'_, 'a>,
    path: Path,
    rest: &mut Vec<Extension<'a>>,
) -> Result<Content<'a>, DecodeError> {
    const MEMBER: &str = "inlineData";
    let place = |name: &str| path.member(&format!("{MEMBER}.{name}"));
    let (mut data, mut mime, mut name) = (None, None, None);
    for member in read::members(node, path.member(MEMBER))? {
        let node = member.node;
        match &*member.name() {
            "data" => data = Some(standard(read::string(node, place("data"))?)),
            "mimeType" => mime = Some(read::string(node, place("mimeType"))?),
            "displayName" => name = Some(read::string(node, place("displayName"))?),
            _ => member.keep_under(MEMBER, path, rest),
        }
    }
    let data = data.ok_or_else(|| DecodeError::Missing { field: place("data") })?;
    Ok(content(Media { source: Source::Base64(data), mime, name, detail: None }))
}

/// Reads `fileData`.
pub(super) fn file<'a>(
    node: Node<'_, 'a>,
    path: Path,
    rest: &mut Vec<Extension<'a>>,
) -> Result<Content<'a>, DecodeError> {
    const MEMBER: &str = "fileData";
    let place = |name: &str| path.member(&format!("{MEMBER}.{name}"));
    let (mut uri, mut mime, mut name) = (None, None, None);
    for member in read::members(node, path.member(MEMBER))? {
        let node = member.node;
        match &*member.name() {
            "fileUri" => uri = Some(read::string(node, place("fileUri"))?),
            "mimeType" => mime = Some(read::string(node, place("mimeType"))?),
            "displayName" => name = Some(read::string(node, place("displayName"))?),
            _ => member.keep_under(MEMBER, path, rest),
        }
    }
    let uri = uri.ok_or_else(|| DecodeError::Missing { field: place("fileUri") })?;
    let source = if is_held_by_google(&uri.value()) { Source::File(uri) } else { Source::Url(uri) };
    Ok(content(Media { source, mime, name, detail: None }))
}

/// Files of the vendor's own store cannot be fetched by anybody else.
fn is_held_by_google(uri: &str) -> bool {
    !uri.starts_with("http") || uri.contains("://generativelanguage.googleapis.com/")
}

fn is_film_address(url: &str) -> bool {
    let host = url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    matches!(host, "youtube.com" | "www.youtube.com" | "m.youtube.com" | "youtu.be")
}

/// What it is, by its type or else by its address.
fn content(media: Media<'_>) -> Content<'_> {
    let mime = media.mime.as_ref().map(Text::value);
    let uri = match &media.source {
        Source::Url(uri) | Source::File(uri) => uri.value(),
        Source::Base64(_) | Source::PlainText(_) => Cow::Borrowed(""),
    };
    let mime = mime.or_else(|| type_by_name(&uri).map(Cow::Borrowed)).unwrap_or_default();
    let film = mime.starts_with("video/") || (mime.is_empty() && is_film_address(&uri));
    let (image, audio) = (mime.starts_with("image/"), mime.starts_with("audio/"));
    drop((mime, uri));
    match (image, audio, film) {
        (true, ..) => Content::Image(media),
        (_, true, _) => Content::Audio(media),
        (_, _, true) => Content::Video(media),
        _ => Content::Document(media),
    }
}

/// Types by the end of a file's name: those that Google takes.
const TYPES: [(&str, &str); 20] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("html", "text/html"),
    ("csv", "text/csv"),
    ("mp3", "audio/mp3"),
    ("wav", "audio/wav"),
    ("ogg", "audio/ogg"),
    ("flac", "audio/flac"),
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("webm", "video/webm"),
    ("mpeg", "video/mpeg"),
];

fn type_by_name(uri: &str) -> Option<&'static str> {
    let path = uri.split(['?', '#']).next()?;
    let (_, end) = path.rsplit_once('.')?;
    TYPES.iter().find(|(known, _)| end.eq_ignore_ascii_case(known)).map(|(_, mime)| *mime)
}

/// Base64 in the standard alphabet, padded: the Python SDK sends the other one.
fn standard(text: Text<'_>) -> Text<'_> {
    let raw = match &text {
        Text::Escaped(raw) => raw.as_bytes(),
        Text::Plain(value) => value.as_bytes(),
    };
    let padded = raw.len().is_multiple_of(4);
    if padded && memchr::memchr3(b'-', b'_', b'\\', raw).is_none() {
        return text;
    }
    let mut value = text.into_value().replace('-', "+").replace('_', "/");
    while !value.len().is_multiple_of(4) {
        value.push('=');
    }
    Text::from(value)
}

/// A medium as Google takes it.
pub(super) enum Sayable<'m> {
    Inline { mime: Text<'m>, data: Text<'m> },
    Uri { mime: Option<Text<'m>>, uri: Text<'m> },
    Text(Text<'m>),
}

/// What stands for a medium; `None` if nothing can. `own`: the client speaks Gemini's dialect, so that names of
/// files mean the same.
pub(super) fn sayable<'m>(
    content: &'m Content<'_>,
    own: bool,
    resolved: &'m Resolved,
) -> Option<Sayable<'m>> {
    let media = medium(content)?;
    let known = media.mime.as_ref().map(Text::borrowed);
    if let Some((fetched, data)) = resolved.bytes(&media.source) {
        let mime = fetched.map(Text::from).or(known);
        let mime = if own { mime } else { mime.map(accepted) };
        return Some(Sayable::Inline { mime: mime.unwrap_or_else(|| guess(content, &data)), data });
    }
    match &media.source {
        Source::PlainText(text) => Some(Sayable::Text(text.borrowed())),
        Source::Url(uri) if own || uri.value().starts_with("https://") => {
            let guessed = || type_by_name(&uri.value()).map(Text::from);
            Some(Sayable::Uri { mime: if own { known } else { known.or_else(guessed) }, uri: uri.borrowed() })
        }
        Source::File(uri) if own => Some(Sayable::Uri { mime: known, uri: uri.borrowed() }),
        Source::Url(_) | Source::File(_) | Source::Base64(_) => None,
    }
}

/// A type under the name that Google has for it. Texts that have types of their own are plain text to it.
fn accepted(mime: Text<'_>) -> Text<'_> {
    let value = mime.value();
    let bare = value.split(';').next().unwrap_or_default().trim();
    let name = match bare {
        "image/jpg" => "image/jpeg",
        "application/json"
        | "application/xml"
        | "application/yaml"
        | "application/x-yaml"
        | "application/toml"
        | "application/javascript"
        | "application/x-sh" => "text/plain",
        _ if bare.len() == value.len() => {
            drop(value);
            return mime;
        }
        _ => return Text::from(bare.to_owned()),
    };
    Text::from(name)
}

fn guess(content: &Content<'_>, data: &Text<'_>) -> Text<'static> {
    // A sound that begins as a picture does is none.
    let fits = |mime: &&str| !matches!(content, Content::Audio(_)) || mime.starts_with("audio/");
    Text::from(type_of(&data.value()).filter(fits).unwrap_or(match content {
        Content::Image(_) => "image/png",
        Content::Audio(_) => "audio/wav",
        Content::Video(_) => "video/mp4",
        _ => "application/pdf",
    }))
}

/// Writes the member of a part.
pub(super) fn write(
    w: &mut Writer,
    sayable: &Sayable<'_>,
    name: Option<&Text<'_>>,
    extra: impl FnOnce(&mut Writer, &str),
) {
    match sayable {
        Sayable::Text(text) => {
            w.key("text").text(text);
        }
        Sayable::Inline { mime, data } => {
            w.key("inlineData").object(|w| {
                w.key("mimeType").text(mime).key("data").text(data);
                if let Some(name) = name {
                    w.key("displayName").text(name);
                }
                extra(w, "inlineData");
            });
        }
        Sayable::Uri { mime, uri } => {
            w.key("fileData").object(|w| {
                if let Some(mime) = mime {
                    w.key("mimeType").text(mime);
                }
                w.key("fileUri").text(uri);
                if let Some(name) = name {
                    w.key("displayName").text(name);
                }
                extra(w, "fileData");
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(mime: &'static str, uri: &'static str) -> &'static str {
        let source =
            if uri.is_empty() { Source::Base64(Text::from("")) } else { Source::Url(Text::from(uri)) };
        let mime = (!mime.is_empty()).then(|| Text::from(mime));
        match content(Media { source, mime, name: None, detail: None }) {
            Content::Image(_) => "image",
            Content::Audio(_) => "audio",
            Content::Video(_) => "video",
            _ => "document",
        }
    }

    #[test]
    fn types_and_names_tell_what_it_is() {
        assert_eq!(kind("image/heic", ""), "image");
        assert_eq!(kind("audio/wav", ""), "audio");
        assert_eq!(kind("application/pdf", "https://a.example/x.png"), "document");
        assert_eq!(kind("", "https://a.example/x.PNG?w=1.5#top.pdf"), "image");
        assert_eq!(kind("", "https://www.youtube.com/watch?v=1"), "video");
        assert_eq!(kind("", "https://a.example/watch"), "document");
        assert_eq!(kind("", ""), "document");
    }

    #[test]
    fn base64_is_brought_into_the_standard_alphabet() {
        for (text, expected) in
            [("_9j_4AA-", "/9j/4AA+"), ("AAAA", "AAAA"), ("AA", "AA=="), ("AAA", "AAA="), ("AA==", "AA==")]
        {
            assert_eq!(standard(Text::Escaped(text)), expected);
        }
        assert_eq!(standard(Text::Escaped(r"\/9j\/4AA+")), "/9j/4AA+");
    }

    #[test]
    fn types_are_written_as_google_knows_them() {
        for (mime, expected) in [
            ("image/jpg", "image/jpeg"),
            ("application/json; charset=utf-8", "text/plain"),
            ("text/plain; charset=utf-8", "text/plain"),
            ("image/png", "image/png"),
        ] {
            assert_eq!(accepted(Text::from(mime)), expected);
        }
        let image = Content::Image(Media {
            source: Source::Base64(Text::from("/9j/4AAQ")),
            mime: None,
            name: None,
            detail: None,
        });
        let none = Resolved::default();
        let Some(Sayable::Inline { mime, .. }) = sayable(&image, false, &none) else { panic!() };
        assert_eq!(mime, "image/jpeg");
        assert_eq!(guess(&image, &Text::from("????")), "image/png");
        let Content::Image(media) = image else { panic!() };
        assert_eq!(guess(&Content::Audio(media), &Text::from("UklGRiQAAABXQVZF")), "audio/wav");
    }
}
