//! What a list is asked for: `limit`, `after`, `order` and, of files, `purpose`.

use pointsman_core::objects::ObjectKind;
use pointsman_core::{ErrorCode, PublicError};

use super::path::is_id;

/// Most files on a page, and as many where nothing is asked for: what OpenAI has.
const MAX_FILES: usize = 10_000;
/// Most batches on a page: likewise.
const MAX_BATCHES: usize = 100;
/// Batches on a page where nothing is asked for: likewise.
const USUAL_BATCHES: usize = 20;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) limit: usize,
    /// The page begins behind this id.
    pub(super) after: Option<String>,
    /// Oldest first.
    pub(super) ascending: bool,
    pub(super) purpose: Option<String>,
}

/// Reads a query. Parameters that lists do not have are not looked at.
pub(super) fn parse(kind: ObjectKind, query: Option<&str>) -> Result<Wanted, PublicError> {
    let (usual, most) = match kind {
        ObjectKind::File => (MAX_FILES, MAX_FILES),
        ObjectKind::Batch => (USUAL_BATCHES, MAX_BATCHES),
    };
    let mut wanted = Wanted { limit: usual, after: None, ascending: false, purpose: None };
    let mut seen: Vec<&str> = Vec::new();
    for pair in query.unwrap_or_default().split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(name) = ["limit", "after", "order", "purpose"].into_iter().find(|known| *known == name)
        else {
            continue;
        };
        let invalid =
            |what: &str| PublicError::new(ErrorCode::InvalidRequest, format!("`{name}` {what}")).at(name);
        if seen.contains(&name) {
            return Err(invalid("stands there twice"));
        }
        seen.push(name);
        match name {
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=most).contains(limit));
                wanted.limit =
                    limit.ok_or_else(|| invalid(&format!("must be a whole number from 1 to {most}")))?;
            }
            "order" => {
                wanted.ascending = match value {
                    "asc" => true,
                    "desc" => false,
                    _ => return Err(invalid("must be `asc` or `desc`")),
                }
            }
            _ if !is_id(value) => return Err(invalid("must be letters, digits, `-` and `_`")),
            "after" => wanted.after = Some(value.to_owned()),
            _ => wanted.purpose = (kind == ObjectKind::File).then(|| value.to_owned()),
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_or_refused() {
        let plain = Wanted { limit: 20, after: None, ascending: false, purpose: None };
        let batches = |query| parse(ObjectKind::Batch, query);
        assert_eq!(batches(None), Ok(plain.clone()));
        assert_eq!(batches(Some("x=1&purpose=batch&")), Ok(plain));
        let all = parse(ObjectKind::File, Some("limit=3&after=file-1&order=asc&purpose=batch_output"));
        let purpose = Some("batch_output".into());
        assert_eq!(all, Ok(Wanted { limit: 3, after: Some("file-1".into()), ascending: true, purpose }));
        for (query, param) in [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=", "limit"),
            ("limit=1&limit=1", "limit"),
            ("order=up", "order"),
            ("after=a%2Fb", "after"),
            ("after", "after"),
            ("purpose=a%20b", "purpose"),
        ] {
            let error = batches(Some(query)).unwrap_err();
            assert_eq!(
                (error.code, error.param.as_deref()),
                (ErrorCode::InvalidRequest, Some(param)),
                "{query}"
            );
        }
    }
}
