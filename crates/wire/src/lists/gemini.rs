//! Gemini's `GET /v1beta/models` and `/v1beta/models/{id}`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use pointsman_core::PublicError;

use super::{ListedModel, Parameters, Purpose, parameter, wrong};
use crate::json::Writer;

/// Models on a page where nothing is asked for: the vendor's.
const USUAL: usize = 50;
/// Most models on a page: the vendor's, which gives as many where more are asked for.
const MOST: usize = 1_000;

/// The page that the query asks for. A page's token is the last model of the one before.
///
/// # Errors
/// `pageSize` or `pageToken` is none.
pub fn render_list(models: &[ListedModel], query: &Parameters<'_>) -> Result<Bytes, PublicError> {
    let size = match parameter(query, "pageSize").filter(|text| !text.is_empty()) {
        None => USUAL,
        Some(text) => match text.parse::<usize>() {
            Ok(0) => USUAL,
            Ok(size) => size.min(MOST),
            Err(_) => return Err(wrong("pageSize", "a whole number")),
        },
    };
    let from = match parameter(query, "pageToken").filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => {
            let last = URL_SAFE_NO_PAD.decode(token).ok();
            let found = last.and_then(|last| models.iter().position(|model| model.id.as_bytes() == last));
            found.ok_or_else(|| wrong("pageToken", "the `nextPageToken` of an earlier page"))? + 1
        }
    };
    let rest = models.get(from..).unwrap_or_default();
    let page = rest.get(..size).unwrap_or(rest);
    let next = page.last().filter(|_| rest.len() > size);
    let mut writer = Writer::with_capacity(256 * page.len() + 64);
    writer.object(|w| {
        w.key("models").array(|w| {
            for model in page {
                write(w, model);
            }
        });
        if let Some(last) = next {
            w.key("nextPageToken").string(&URL_SAFE_NO_PAD.encode(&last.id));
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

/// What can be called of a model.
const fn methods(purpose: Purpose) -> &'static [&'static str] {
    match purpose {
        Purpose::Chat => &["generateContent", "streamGenerateContent", "countTokens"],
        Purpose::Embedding => &["embedContent", "batchEmbedContents"],
        Purpose::Other => &[],
    }
}

fn write(w: &mut Writer, model: &ListedModel) {
    w.object(|w| {
        w.key("name").string(&format!("models/{}", model.id));
        w.key("displayName").string(&model.id);
        if let Some(owner) = &model.owner {
            w.key("description").string(&format!("offered by {owner}"));
        }
        for (name, limit) in [("inputTokenLimit", model.max_input), ("outputTokenLimit", model.max_output)] {
            if let Some(limit) = limit {
                w.key(name).count(limit);
            }
        }
        w.key("supportedGenerationMethods").array(|w| {
            for method in methods(model.purpose) {
                w.string(method);
            }
        });
        if model.reasoning {
            w.key("thinking").bool(true);
        }
    });
}
