//! `GET /v1/responses/{id}/input_items`: a page of items.

use pointsman_core::{ErrorCode, PublicError};

use crate::json::{Document, Node, Writer};

/// Items on a page where nothing is asked for: the vendor's.
const USUAL: usize = 20;
/// Most items on a page: the vendor's.
const MOST: usize = 100;

/// Which items are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemQuery {
    limit: usize,
    after: Option<String>,
    ascending: bool,
}

impl ItemQuery {
    /// Reads a query's parameters, unescaped; others are not looked at.
    ///
    /// # Errors
    /// `limit` or `order` is none.
    pub fn read<'q>(parameters: impl IntoIterator<Item = (&'q str, &'q str)>) -> Result<Self, PublicError> {
        let mut query = Self { limit: USUAL, after: None, ascending: false };
        for (name, value) in parameters {
            match name {
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
                    query.limit = limit
                        .ok_or_else(|| wrong("limit", "`limit` must be a whole number from 1 to 100"))?;
                }
                "order" => {
                    query.ascending = match value {
                        "asc" => true,
                        "desc" => false,
                        _ => return Err(wrong("order", "`order` must be `asc` or `desc`")),
                    };
                }
                "after" if !value.is_empty() => query.after = Some(value.to_owned()),
                _ => {}
            }
        }
        Ok(query)
    }
}

fn wrong(name: &'static str, message: &'static str) -> PublicError {
    PublicError::new(ErrorCode::InvalidRequest, message).at(name)
}

/// The page that `query` asks for of these conversations' items: arrays, and answers with an `output`, the
/// oldest first.
///
/// # Errors
/// There is no item with the id of `after`.
pub fn render_items(parts: &[&[u8]], query: &ItemQuery) -> Result<Vec<u8>, PublicError> {
    // What is kept was JSON when it was kept.
    let documents: Vec<_> = parts.iter().filter_map(|part| Document::read(part).ok()).collect();
    let mut items: Vec<Node<'_, '_>> = documents
        .iter()
        .flat_map(|document| document.root().get("output").unwrap_or_else(|| document.root()).elements())
        .collect();
    if !query.ascending {
        items.reverse();
    }
    let id = |item: &Node<'_, '_>| item.get("id").and_then(Node::text).map(|id| id.into_value().into_owned());
    let from = match &query.after {
        None => 0,
        Some(after) => {
            let found = items.iter().position(|item| id(item).as_deref() == Some(after));
            let message = format!("Item with id '{after}' not found.");
            found.ok_or_else(|| PublicError::new(ErrorCode::ObjectNotFound, message).at("after"))? + 1
        }
    };
    let rest = items.get(from..).unwrap_or_default();
    let page = rest.get(..query.limit).unwrap_or(rest);
    let mut writer = Writer::with_capacity(page.iter().map(|item| item.raw().len() + 1).sum::<usize>() + 96);
    writer.object(|w| {
        w.key("object").string("list").key("data").array(|w| {
            for item in page {
                w.raw(item.raw());
            }
        });
        for (name, item) in [("first_id", page.first()), ("last_id", page.last())] {
            w.key(name);
            match item.and_then(id) {
                Some(id) => w.string(&id),
                None => w.null(),
            };
        }
        w.key("has_more").bool(rest.len() > page.len());
    });
    Ok(writer.finish())
}
