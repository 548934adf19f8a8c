//! Lists of models, as the clients of each dialect read them. OpenAI's is [`crate::openai::models`].
//!
//! Members as in the vendors' SDKs (anthropic-python 2.12, google-genai 3.4, ollama-python 0.6); what is not
//! known of a model is left out, or `null` where clients want the member.

pub mod anthropic;
pub mod gemini;
pub mod ollama;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use pointsman_core::{ErrorCode, PublicError};

/// What a model is for, as far as lists tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Conversations; also where nothing is known.
    #[default]
    Chat,
    /// Embeddings.
    Embedding,
    /// Pictures, speech and the like.
    Other,
}

/// One model, as far as any dialect says something of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedModel {
    /// What to send as `model`.
    pub id: String,
    /// Who offers it.
    pub owner: Option<String>,
    /// Seconds since the Unix epoch.
    pub created: u64,
    /// What it is for.
    pub purpose: Purpose,
    /// The longest prompt, in tokens.
    pub max_input: Option<u64>,
    /// The longest answer, in tokens.
    pub max_output: Option<u64>,
    /// Takes tools and calls them.
    pub tools: bool,
    /// Sees pictures.
    pub vision: bool,
    /// Reasons before it answers.
    pub reasoning: bool,
    /// When the provider turns it off: `YYYY-MM-DD`.
    pub retires: Option<String>,
}

/// A query's parameters, names and values unescaped.
pub type Parameters<'q> = [(Cow<'q, str>, Cow<'q, str>)];

/// The parameter of this name; of twins the last.
fn parameter<'q>(parameters: &'q Parameters<'_>, name: &str) -> Option<&'q str> {
    parameters.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
}

fn wrong(name: &'static str, must: &str) -> PublicError {
    PublicError::new(ErrorCode::InvalidRequest, format!("`{name}` must be {must}")).at(name)
}
