//! Turns of a conversation, as ordered blocks.

use super::{Arguments, Extension, Path, Seal};
use crate::json::Text;

/// Who speaks. Results of tools are blocks of a [`Role::User`] turn, whatever the dialect calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions of the operator.
    System,
    /// Instructions of the developer (OpenAI tells the two apart).
    Developer,
    /// The user, and what tools answered.
    User,
    /// The model.
    Assistant,
}

/// One turn. Consecutive turns may have the same role: an encoder joins them where it must.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// Who speaks.
    pub role: Role,
    /// The speaker's name (OpenAI chat).
    pub name: Option<Text<'a>>,
    /// The dialect's id of the item (OpenAI responses).
    pub id: Option<Text<'a>>,
    /// What is said, in order.
    pub blocks: Vec<Block<'a>>,
    /// Where it stood.
    pub path: Path,
    /// Members without a place here.
    pub rest: Vec<Extension<'a>>,
}

impl<'a> Message<'a> {
    /// A turn without name, id and extensions.
    #[must_use]
    pub const fn new(role: Role, path: Path, blocks: Vec<Block<'a>>) -> Self {
        Self { role, name: None, id: None, blocks, path, rest: Vec::new() }
    }
}

/// A piece of a turn.
#[derive(Clone, Debug)]
pub struct Block<'a> {
    /// What it is.
    pub content: Content<'a>,
    /// Anthropic's cache-control marker, as JSON.
    pub cache: Option<&'a str>,
    /// Where it stood.
    pub path: Path,
    /// Members without a place here.
    pub rest: Vec<Extension<'a>>,
}

impl<'a> Block<'a> {
    /// A block without marker and extensions.
    #[must_use]
    pub const fn new(content: Content<'a>, path: Path) -> Self {
        Self { content, cache: None, path, rest: Vec::new() }
    }
}

/// What a block is.
#[derive(Clone, Debug)]
pub enum Content<'a> {
    /// Text, with what it cites.
    Text {
        /// The text.
        text: Text<'a>,
        /// Its sources.
        citations: Vec<Citation<'a>>,
    },
    /// A picture.
    Image(Media<'a>),
    /// A document: PDF or plain text.
    Document(Media<'a>),
    /// A sound.
    Audio(Media<'a>),
    /// A film.
    Video(Media<'a>),
    /// The model calls a tool.
    ToolCall(ToolCall<'a>),
    /// What the tool answered.
    ToolResult(ToolResult<'a>),
    /// What the model thought.
    Reasoning(Reasoning<'a>),
    /// The model will not.
    Refusal(Text<'a>),
    /// A block of the dialect's own kind, as JSON: only the same dialect can carry it.
    Opaque(&'a str),
}

impl<'a> Content<'a> {
    /// Text that cites nothing.
    #[must_use]
    pub const fn text(text: Text<'a>) -> Self {
        Self::Text { text, citations: Vec::new() }
    }
}

/// A source that a text cites.
#[derive(Clone, Debug)]
pub struct Citation<'a> {
    /// Where it is to be found.
    pub url: Option<Text<'a>>,
    /// Its title.
    pub title: Option<Text<'a>>,
    /// The words that are cited.
    pub quote: Option<Text<'a>>,
    /// First character of the citing text, and the one after its last, where the dialect counts them.
    pub span: Option<(u64, u64)>,
    /// The dialect's own form, as JSON.
    pub raw: &'a str,
}

/// A picture, document, sound or film.
#[derive(Clone, Debug)]
pub struct Media<'a> {
    /// Its bytes, or where they are.
    pub source: Source<'a>,
    /// Its type: `image/png`. Known for [`Source::Base64`], not always for the others.
    pub mime: Option<Text<'a>>,
    /// Its file name or title.
    pub name: Option<Text<'a>>,
    /// OpenAI's `detail`.
    pub detail: Option<Text<'a>>,
}

/// Where the bytes of a [`Media`] are.
#[derive(Clone, Debug)]
pub enum Source<'a> {
    /// Here, in base64 (the standard alphabet, padded).
    Base64(Text<'a>),
    /// Here, as plain text.
    PlainText(Text<'a>),
    /// At this address.
    Url(Text<'a>),
    /// At the provider, under this id.
    File(Text<'a>),
}

/// A call of a tool.
#[derive(Clone, Debug)]
pub struct ToolCall<'a> {
    /// Joins it with its result. Empty where the dialect has none: see [`super::Request::link`].
    pub id: Text<'a>,
    /// The dialect's own id of the item, apart from the call's (OpenAI responses).
    pub item: Option<Text<'a>>,
    /// The tool.
    pub name: Text<'a>,
    /// Its input.
    pub arguments: Arguments<'a>,
    /// The provider's proof of the reasoning behind it (Gemini's thought signature).
    pub seal: Option<Seal<'a>>,
}

/// The result of a call.
#[derive(Clone, Debug)]
pub struct ToolResult<'a> {
    /// The call's id. Empty where the dialect has none: see [`super::Request::link`].
    pub id: Text<'a>,
    /// The tool. `None` where the dialect does not repeat it: see [`super::Request::link`].
    pub name: Option<Text<'a>>,
    /// What it answered: text, images, documents.
    pub content: Vec<Block<'a>>,
    /// The answer as a JSON object, where the dialect has it so (Gemini). Then `content` is empty.
    pub object: Option<&'a str>,
    /// The tool failed.
    pub failed: bool,
    /// It answers a call with [`Arguments::Free`].
    pub custom: bool,
    /// No call before it has this id and name, so that the name is told nowhere else: see
    /// [`super::Request::link`].
    pub own_name: bool,
}

impl<'a> ToolResult<'a> {
    /// The name that is lost where the dialect has no place for one.
    #[must_use]
    pub fn lone_name(&self) -> Option<&Text<'a>> {
        self.name.as_ref().filter(|name| self.own_name && **name != self.id)
    }

    /// The name, where it stands in place of an id that the client did not give.
    #[must_use]
    pub fn name_for_id(&self) -> Option<&Text<'a>> {
        self.name.as_ref().filter(|name| self.own_name && **name == self.id)
    }
}

/// What the model thought before it spoke.
#[derive(Clone, Debug, Default)]
pub struct Reasoning<'a> {
    /// The dialect's own id of the item (OpenAI responses).
    pub id: Option<Text<'a>>,
    /// The thoughts themselves, where they are shown.
    pub text: Vec<Text<'a>>,
    /// A summary of them.
    pub summary: Vec<Text<'a>>,
    /// The provider's proof, or the thoughts encrypted: worth something only to who made it.
    pub seal: Option<Seal<'a>>,
}
