//! Single edits of the file's text that leave everything else, comments included, as it is written.
//!
//! An edit is made by lines and then proved: the new text must read as the old tree with just that
//! change. Where it does not (an unusual way of writing), nothing is changed and the edit is refused.

use serde_json::{Value as Json, json};

use crate::effective::json as plain;
use crate::yaml::{self, Node, Value};

/// The section of client keys.
const SECTION: &str = "keys";

/// A key to be added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewKey {
    /// Its name.
    pub id: String,
    /// SHA-256, 64 hexadecimal digits.
    pub sha256: String,
    /// What it may name; `None`: everything.
    pub models: Option<Vec<String>>,
    /// Who pays.
    pub organisation: Option<String>,
    /// Who pays, more closely.
    pub project: Option<String>,
    /// Whose work it is.
    pub team: Option<String>,
    /// Whose key it is.
    pub user: Option<String>,
}

/// Why an edit was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The text is no YAML.
    #[error("the configuration cannot be read")]
    Unreadable,
    /// Written in a way that line edits do not reach.
    #[error("the keys are written in a way that only a person can edit")]
    Unusual,
    /// The id is taken.
    #[error("there is a key of this id already")]
    Taken,
    /// No key has the id.
    #[error("there is no key of this id in the file")]
    Unknown,
}

/// The text with one more key, after the others.
///
/// # Errors
/// See [`EditError`].
pub fn add_key(text: &str, key: &NewKey) -> Result<String, EditError> {
    let mut tree = read(text)?;
    let item = item(key);
    let mut lines: Vec<&str> = text.lines().collect();
    let section = section(&yaml::parse(text, 0).map_err(|_| EditError::Unreadable)?);
    let (at, indent, opened) = match &section {
        None => (lines.len(), "  ".to_owned(), true),
        Some((line, items)) if items.is_empty() => {
            let written = lines.get(*line).copied().unwrap_or_default();
            let rest = written.strip_prefix("keys:").ok_or(EditError::Unusual)?;
            let value = rest.split('#').next().unwrap_or_default().trim();
            if !matches!(value, "" | "[]" | "~" | "null") {
                return Err(EditError::Unusual);
            }
            lines.remove(*line);
            (*line, "  ".to_owned(), true)
        }
        Some((_, items)) => {
            if items.iter().any(|(_, id)| *id == key.id) {
                return Err(EditError::Taken);
            }
            let last = items.last().map_or(0, |(line, _)| *line);
            let indent = dash_indent(&lines, last)?;
            (item_end(&lines, last, indent.len()), indent, false)
        }
    };
    let mut added = String::new();
    if opened {
        added.push_str("keys:\n");
    }
    for (number, (name, value)) in item.as_object().into_iter().flatten().enumerate() {
        let mark = if number == 0 { "- " } else { "  " };
        added.push_str(&format!("{indent}{mark}{name}: {value}\n"));
    }
    let keys = tree.as_object_mut().map(|fields| fields.entry(SECTION).or_insert(Json::Null));
    match keys {
        Some(Json::Array(keys)) => keys.push(item),
        Some(keys) => *keys = json!([item]),
        None => tree = json!({ SECTION: [item] }),
    }
    prove(splice(&lines, at, at, &added), &tree)
}

/// The text without the key of this id.
///
/// # Errors
/// See [`EditError`].
pub fn remove_key(text: &str, id: &str) -> Result<String, EditError> {
    let mut tree = read(text)?;
    let lines: Vec<&str> = text.lines().collect();
    let (_, items) =
        section(&yaml::parse(text, 0).map_err(|_| EditError::Unreadable)?).ok_or(EditError::Unknown)?;
    let index = items.iter().position(|(_, found)| found == id).ok_or(EditError::Unknown)?;
    let start = items.get(index).map_or(0, |(line, _)| *line);
    let indent = dash_indent(&lines, start)?;
    let end = item_end(&lines, start, indent.len());
    if let Some(Json::Array(keys)) = tree.get_mut(SECTION) {
        keys.remove(index);
        if keys.is_empty() {
            tree[SECTION] = Json::Null;
        }
    }
    prove(splice(&lines, start, end, ""), &tree)
}

fn read(text: &str) -> Result<Json, EditError> {
    yaml::parse(text, 0).map(|tree| plain(&tree)).map_err(|_| EditError::Unreadable)
}

/// The line of `keys:` and for each key its line and id; lines count from 0.
fn section(tree: &Node) -> Option<(usize, Vec<(usize, String)>)> {
    let Value::Map(entries) = &tree.value else { return None };
    let entry = entries.iter().find(|entry| entry.key.value == SECTION)?;
    let items = match &entry.value.value {
        Value::List(items) => items.as_slice(),
        _ => &[],
    };
    // Plain scalars are texts here, `7` as well.
    let id = |item: &Node| match plain(item).get("id") {
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let line = |line: u32| (line as usize).saturating_sub(1);
    let items = items.iter().map(|item| (line(item.place.line), id(item))).collect();
    Some((line(entry.key.place.line), items))
}

fn item(key: &NewKey) -> Json {
    let mut item = json!({"id": key.id, "sha256": key.sha256});
    if let Some(models) = &key.models {
        item["models"] = json!(models);
    }
    let texts = [
        ("organisation", &key.organisation),
        ("project", &key.project),
        ("team", &key.team),
        ("user", &key.user),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            item[name] = json!(text);
        }
    }
    item
}

/// What stands before the dash of the item on this line.
fn dash_indent(lines: &[&str], line: usize) -> Result<String, EditError> {
    let text = lines.get(line).copied().unwrap_or_default();
    let indent = text.len() - text.trim_start_matches(' ').len();
    match text[indent..].strip_prefix('-') {
        Some(_) => Ok(" ".repeat(indent)),
        None => Err(EditError::Unusual),
    }
}

/// The line after the item's last one: comments and empty lines behind it belong to what follows.
fn item_end(lines: &[&str], start: usize, indent: usize) -> usize {
    let mut end = start + 1;
    for (number, line) in lines.iter().enumerate().skip(start + 1) {
        let content = line.trim_start_matches(' ');
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if line.len() - content.len() <= indent {
            break;
        }
        end = number + 1;
    }
    end
}

/// The lines with `start..end` replaced.
fn splice(lines: &[&str], start: usize, end: usize, text: &str) -> String {
    let whole = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let (before, after) = (lines.get(..start).unwrap_or(lines), lines.get(end..).unwrap_or_default());
    whole(before) + text + &whole(after)
}

fn prove(text: String, expected: &Json) -> Result<String, EditError> {
    match read(&text) {
        Ok(tree) if tree == *expected => Ok(text),
        _ => Err(EditError::Unusual),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> NewKey {
        NewKey { id: id.into(), sha256: "ab".repeat(32), ..NewKey::default() }
    }

    #[test]
    fn a_key_goes_behind_the_others_and_comments_stay() {
        let text = "# top\nkeys: # who\n- id: a # first\n  sha256: x\n\n# below\nlog:\n  level: info\n";
        let new = NewKey { models: Some(vec!["m: 1".into()]), team: Some("it's".into()), ..key("b") };
        let added = add_key(text, &new).unwrap();
        let expected = format!(
            "# top\nkeys: # who\n- id: a # first\n  sha256: x\n- id: \"b\"\n  sha256: \"{}\"\n  \
             models: [\"m: 1\"]\n  team: \"it's\"\n\n# below\nlog:\n  level: info\n",
            "ab".repeat(32)
        );
        assert_eq!(added, expected);
        assert_eq!(remove_key(&added, "b").unwrap(), text);
        assert_eq!(add_key(&added, &key("b")), Err(EditError::Taken));
        assert_eq!(remove_key(text, "c"), Err(EditError::Unknown));
    }

    #[test]
    fn the_section_is_made_where_there_is_none() {
        for text in [
            "",
            "log:\n  level: info\n",
            "log:\n  level: info",
            "keys:\n",
            "keys: []\nlog: {}\n",
            "keys: ~ # x\n",
        ] {
            let added = add_key(text, &key("a")).unwrap();
            assert!(added.contains("keys:\n  - id: \"a\"\n"), "{text:?} → {added}");
            assert_eq!(remove_key(&added, "a").map(|text| text.contains("sha256")), Ok(false), "{added}");
        }
    }

    #[test]
    fn what_lines_cannot_reach_is_left_alone() {
        for text in
            ["keys: [{id: a, sha256: x}]\n", "{log: {}}\n", "x: &k\n  - id: a\n    sha256: x\nkeys: *k\n"]
        {
            assert_eq!(add_key(text, &key("b")), Err(EditError::Unusual), "{text}");
        }
        assert_eq!(remove_key("keys: [{id: a, sha256: x}]\n", "a"), Err(EditError::Unusual));
        assert_eq!(add_key("a: [", &key("b")), Err(EditError::Unreadable));
    }

    #[test]
    fn an_id_of_digits_is_an_id() {
        let text = "keys:\n  - id: 7\n    sha256: x\n";
        assert_eq!(add_key(text, &key("7")), Err(EditError::Taken));
        assert_eq!(remove_key(text, "7").as_deref(), Ok("keys:\n"));
    }

    #[test]
    fn neighbours_are_untouched() {
        let text = "keys:\n  # one\n  - id: a\n    sha256: x\n    models:\n      - m\n  # two\n  - id: b\n    sha256: y\n";
        let without = "keys:\n  # one\n  # two\n  - id: b\n    sha256: y\n";
        assert_eq!(remove_key(text, "a").unwrap(), without);
    }
}
