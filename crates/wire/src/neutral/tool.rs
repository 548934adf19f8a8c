//! Tools that a model may call.

use std::collections::HashSet;

use super::{Extension, Path, Schema};
use crate::json::Text;

/// A tool.
#[derive(Clone, Debug)]
pub struct Tool<'a> {
    /// What it is called. Of a [`ToolKind::Server`] tool, its type.
    pub name: Text<'a>,
    /// What it is good for.
    pub description: Option<Text<'a>>,
    /// What kind of tool.
    pub kind: ToolKind<'a>,
    /// Anthropic's cache-control marker, as JSON.
    pub cache: Option<&'a str>,
    /// Where it stood.
    pub path: Path,
    /// Members without a place here.
    pub rest: Vec<Extension<'a>>,
}

/// What kind of tool it is.
#[derive(Clone, Debug)]
pub enum ToolKind<'a> {
    /// The client runs it; its input is an object.
    Function {
        /// What the input looks like.
        schema: Option<Schema<'a>>,
        /// The input must obey the schema to the letter.
        strict: Option<bool>,
    },
    /// The client runs it; its input is free text (OpenAI).
    Custom {
        /// What the text looks like, as JSON: `{"type":"grammar",…}`.
        format: Option<&'a str>,
    },
    /// The provider runs it: the whole definition, as JSON. Only the same dialect can carry it.
    Server(&'a str),
}

/// Whether a tool of this name takes free text.
pub(crate) fn is_custom(tools: &[Tool<'_>], name: &Text<'_>) -> bool {
    tools.iter().any(|tool| tool.name == *name && matches!(tool.kind, ToolKind::Custom { .. }))
}

/// The names of those that take free text, to look up many.
pub(crate) fn custom_names<'t, 'a>(tools: &'t [Tool<'a>]) -> HashSet<&'t Text<'a>> {
    let customs = tools.iter().filter(|tool| matches!(tool.kind, ToolKind::Custom { .. }));
    customs.map(|tool| &tool.name).collect()
}
