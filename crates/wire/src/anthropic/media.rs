//! Pictures and documents: where their bytes are, and what must be fetched first.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::json::{Fields, Kind, Node, Text, Writer};
use crate::neutral::{
    Content, DecodeError, Extension, Media, Need, Path, Request, Resolved, Source, Target, fields, read,
    type_of,
};

/// Media that Anthropic does not take from where they are: it fetches pictures and PDF documents itself, by
/// `https` only.
#[must_use]
pub fn needs(request: &Request<'_>, target: &Target<'_>) -> Vec<Need> {
    Need::of(request, target.media, |block| {
        let (media, taken) = match &block.content {
            Content::Image(media) => (media, true),
            Content::Document(media) => (media, media.mime.as_ref().is_none_or(|mime| *mime == PDF)),
            _ => return None,
        };
        let Source::Url(url) = &media.source else { return None };
        let url = url.value();
        let fetchable = url.starts_with("http://") || (url.starts_with("https://") && !taken);
        fetchable.then_some(url)
    })
}

pub(super) const PDF: &str = "application/pdf";

/// A picture; `None` where its source is of an unknown kind.
pub(super) fn image<'a>(
    members: &mut Fields<'_, 'a>,
    path: Path,
    rest: &mut Vec<Extension<'a>>,
) -> Result<Option<Media<'a>>, DecodeError> {
    let Some((source, mime)) = source(members, path, rest)? else { return Ok(None) };
    Ok(Some(Media { source, mime, name: None, detail: None }))
}

/// A document; `None` where its source is of an unknown kind.
pub(super) fn document<'a>(
    members: &mut Fields<'_, 'a>,
    path: Path,
    rest: &mut Vec<Extension<'a>>,
) -> Result<Option<Media<'a>>, DecodeError> {
    let Some((source, mime)) = source(members, path, rest)? else { return Ok(None) };
    let name = read::text(members, "title", path)?;
    Ok(Some(Media { source, mime, name, detail: None }))
}

/// The member of a block in which its source is kept as it stood, where the neutral form says less.
const SOURCE: &str = "source";

type Found<'a> = Option<(Source<'a>, Option<Text<'a>>)>;

fn source<'a>(
    members: &mut Fields<'_, 'a>,
    path: Path,
    rest: &mut Vec<Extension<'a>>,
) -> Result<Found<'a>, DecodeError> {
    let place = || path.member(SOURCE);
    let node = members.take(SOURCE).ok_or_else(|| DecodeError::Missing { field: place() })?;
    let mut inner = fields(node, place())?;
    let kind = inner.take("type").and_then(Node::text);
    let kind = kind.ok_or_else(|| DecodeError::wrong(format!("{}.type", place()), "a string"))?;
    let mut take = |name: &str| {
        let text = inner.take(name).and_then(Node::text);
        text.ok_or_else(|| DecodeError::wrong(format!("{}.{name}", place()), "a string"))
    };
    let found = match &*kind.value() {
        "base64" => (Source::Base64(take("data")?), Some(take("media_type")?)),
        "text" => (Source::PlainText(take("data")?), Some(take("media_type")?)),
        "url" => (Source::Url(take("url")?), None),
        "file" => (Source::File(take("file_id")?), None),
        "content" => {
            let Some(content) = inner.take("content") else { return Ok(None) };
            let Some(text) = plain(content) else { return Ok(None) };
            // Its division into parts, which citations name, has no place elsewhere.
            rest.push(Extension { path, name: Text::from(SOURCE), raw: node.raw() });
            return Ok(Some((Source::PlainText(text), Some(Text::from("text/plain")))));
        }
        _ => return Ok(None),
    };
    Extension::collect_under(inner, path, SOURCE, rest);
    Ok(Some(found))
}

/// The text of a document made of parts; `None` where one of them is no text.
fn plain<'a>(content: Node<'_, 'a>) -> Option<Text<'a>> {
    if let Some(text) = content.text() {
        return Some(text);
    }
    let parts: Option<Vec<Text<'a>>> =
        content.elements().map(|part| part.get("text").and_then(Node::text)).collect();
    let parts = parts.filter(|_| content.kind() == Kind::Array)?;
    let values: Vec<_> = parts.iter().map(Text::value).collect();
    Some(Text::from(values.join("\n")))
}

/// A source that Anthropic takes.
pub(super) enum Sayable<'m> {
    Base64 { mime: Text<'m>, data: Text<'m> },
    Text(Text<'m>),
    Url(Text<'m>),
    File(Text<'m>),
}

/// What stands for a picture; `None` if nothing can. `own`: the client speaks Anthropic's dialect, so
/// that ids of files mean the same.
pub(super) fn image_source<'m>(
    media: &'m Media<'_>,
    own: bool,
    resolved: &'m Resolved,
) -> Option<Sayable<'m>> {
    if let Some((fetched, data)) = resolved.bytes(&media.source) {
        let sniffed = type_of(&data.value()).filter(|mime| mime.starts_with("image/"));
        let mime = match (fetched, &media.mime) {
            // The vendor looks at the bytes itself, and refuses a picture that is called by another's type.
            _ if sniffed.is_some() && !own => Text::from(sniffed?),
            (Some(mime), _) => Text::from(mime),
            (None, Some(mime)) => mime.borrowed(),
            (None, None) => Text::from(sniffed?),
        };
        // `image/jpg` is no registered type, and is in wide use.
        let mime = if mime == "image/jpg" { Text::from("image/jpeg") } else { mime };
        return Some(Sayable::Base64 { mime, data });
    }
    match &media.source {
        Source::Url(url) if url.value().starts_with("http") => Some(Sayable::Url(url.borrowed())),
        Source::File(id) if own => Some(Sayable::File(id.borrowed())),
        _ => None,
    }
}

/// What stands for a document; `None` if nothing can.
pub(super) fn document_source<'m>(
    media: &'m Media<'_>,
    own: bool,
    resolved: &'m Resolved,
) -> Option<Sayable<'m>> {
    if let Some((fetched, data)) = resolved.bytes(&media.source) {
        let mime = fetched.map(Text::from).or_else(|| media.mime.as_ref().map(Text::borrowed));
        let mime = mime.unwrap_or_else(|| Text::from(type_of(&data.value()).unwrap_or_default()));
        let mime = mime.value();
        let mime = mime.split(';').next().unwrap_or_default().trim();
        if mime == PDF {
            return Some(Sayable::Base64 { mime: Text::from(PDF), data });
        }
        let textual = mime.starts_with("text/") || matches!(mime, "application/json" | "application/xml");
        let bytes = STANDARD.decode(data.value().as_bytes()).ok().filter(|_| textual)?;
        return Some(Sayable::Text(Text::from(String::from_utf8(bytes).ok()?)));
    }
    match &media.source {
        Source::PlainText(text) => Some(Sayable::Text(text.borrowed())),
        Source::Url(url) if url.value().starts_with("http") => Some(Sayable::Url(url.borrowed())),
        Source::File(id) if own => Some(Sayable::File(id.borrowed())),
        _ => None,
    }
}

/// Writes the object of a source; `extra` members go inside it.
pub(super) fn write_source(w: &mut Writer, source: &Sayable<'_>, extra: impl FnOnce(&mut Writer)) {
    w.object(|w| {
        match source {
            Sayable::Base64 { mime, data } => {
                w.key("type").string("base64").key("media_type").text(mime).key("data").text(data)
            }
            Sayable::Text(text) => {
                w.key("type").string("text").key("media_type").string("text/plain").key("data").text(text)
            }
            Sayable::Url(url) => w.key("type").string("url").key("url").text(url),
            Sayable::File(id) => w.key("type").string("file").key("file_id").text(id),
        };
        extra(w);
    });
}
