//! What both of OpenAI's dialects write alike.

use pointsman_core::Dialect;

use super::abilities::Abilities;
use super::strict;
use crate::json::{Text, Writer};
use crate::neutral::{Format, Given, Losses, ids};

/// A schema must have a name here, and not everywhere else.
const SCHEMA_NAME: &str = "answer";
/// The longest name of a user that OpenAI takes; others take twice as much.
const MAX_USER: usize = 64;

/// Writes the members of a format with a schema; of any other, none.
pub(super) fn schema(
    w: &mut Writer,
    given: &Given<Format<'_>>,
    (client, abilities): (Dialect, Abilities),
    losses: &mut Losses,
) {
    let Format::Schema { name, description, schema, strict } = &given.value else { return };
    w.key("name");
    match name {
        Some(name) => w.text(name),
        None => w.string(SCHEMA_NAME),
    };
    if let Some(description) = description {
        w.key("description").text(description);
    }
    // To be obeyed as it always was where it comes from: OpenAI's models do only if they are told to, and not every
    // schema.
    let always = matches!(client, Dialect::Anthropic | Dialect::Gemini | Dialect::Ollama);
    let tell = strict.is_none() && always && abilities.is_openais();
    let obeyed = tell.then(|| strict::obeyed(schema)).flatten();
    if tell && obeyed.is_none() {
        losses.field(given.field);
    }
    w.key("schema").raw(obeyed.as_deref().unwrap_or(schema));
    if let Some(strict) = strict.or(obeyed.is_some().then_some(true)) {
        w.key("strict").bool(strict);
    }
}

/// Writes the name of a user. A digest tells users apart as well as a name that is too long does.
pub(super) fn user(w: &mut Writer, user: &Text<'_>, own: bool) {
    let value = user.value();
    if !own && value.chars().count() > MAX_USER {
        w.string(&ids::fit(&value));
    } else {
        w.text(user);
    }
}
