//! Anthropic's `GET /v1/models` and `/v1/models/{id}`.

use bytes::Bytes;
use pointsman_core::PublicError;

use super::{ListedModel, Parameters, parameter, wrong};
use crate::json::Writer;

/// Models on a page where nothing is asked for: the vendor's.
const USUAL: usize = 20;
/// Most models on a page: the vendor's.
const MOST: usize = 1_000;

/// The page that the query asks for.
///
/// # Errors
/// `limit`, `after_id` or `before_id` is none.
pub fn render_list(models: &[ListedModel], query: &Parameters<'_>) -> Result<Bytes, PublicError> {
    let limit = match parameter(query, "limit") {
        None => USUAL,
        Some(text) => {
            let limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
            limit.ok_or_else(|| wrong("limit", "a whole number from 1 to 1000"))?
        }
    };
    let models: Vec<&ListedModel> = models.iter().filter(|model| wanted(model, query)).collect();
    let place = |name: &'static str, id: &str| {
        let found = models.iter().position(|model| model.id == id);
        found.ok_or_else(|| wrong(name, "the id of a model in the list"))
    };
    let (page, has_more) = match (parameter(query, "before_id"), parameter(query, "after_id")) {
        (Some(id), _) => {
            let before = models.get(..place("before_id", id)?).unwrap_or_default();
            let from = before.len().saturating_sub(limit);
            (before.get(from..).unwrap_or_default(), from > 0)
        }
        (None, after) => {
            let from = after.map(|id| place("after_id", id)).transpose()?.map_or(0, |at| at + 1);
            let rest = models.get(from..).unwrap_or_default();
            (rest.get(..limit).unwrap_or(rest), rest.len() > limit)
        }
    };
    let mut writer = Writer::with_capacity(256 * page.len() + 64);
    writer.object(|w| {
        w.key("data").array(|w| {
            for model in page {
                write(w, model);
            }
        });
        w.key("has_more").bool(has_more);
        for (name, model) in [("first_id", page.first()), ("last_id", page.last())] {
            w.key(name);
            match model {
                Some(model) => w.string(&model.id),
                None => w.null(),
            };
        }
    });
    Ok(writer.finish().into())
}

/// One model.
#[must_use]
pub fn render_one(model: &ListedModel) -> Bytes {
    let mut writer = Writer::with_capacity(256);
    write(&mut writer, model);
    writer.finish().into()
}

/// Whether the query's `lifecycle` lets the model through. What a provider has turned off is in no list.
fn wanted(model: &ListedModel, query: &Parameters<'_>) -> bool {
    let mut words = query
        .iter()
        .filter(|(name, _)| name == "lifecycle" || name == "lifecycle[]")
        .flat_map(|(_, value)| value.split(','))
        .peekable();
    words.peek().is_none() || words.any(|word| word == lifecycle(model))
}

const fn lifecycle(model: &ListedModel) -> &'static str {
    if model.retires.is_some() { "deprecated" } else { "active" }
}

fn write(w: &mut Writer, model: &ListedModel) {
    w.object(|w| {
        w.key("type").string("model").key("id").string(&model.id);
        w.key("display_name").string(&model.id);
        w.key("created_at").string(&crate::ollama::timestamp(model.created));
        w.key("lifecycle").string(lifecycle(model));
        if let Some(date) = &model.retires {
            w.key("retires_at").string(&format!("{date}T00:00:00Z"));
        }
        for (name, limit) in [("max_input_tokens", model.max_input), ("max_tokens", model.max_output)] {
            if let Some(limit) = limit {
                w.key(name).count(limit);
            }
        }
    });
}
