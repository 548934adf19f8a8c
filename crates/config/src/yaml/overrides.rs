//! Single values put into the tree from outside: variables and command-line options.

use super::{Entry, Node, Place, Spanned, Value};

/// Why a value has no place in the tree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotAMap {
    /// The path so far, with dots.
    pub(crate) path: String,
}

/// Puts `value` at `path`. A segment means an existing key that is the same but for case and `-`, which
/// variable names cannot hold; else a new one.
pub(crate) fn apply(root: &mut Node, path: &[String], value: Node) -> Result<(), NotAMap> {
    let place = value.place;
    let mut node = root;
    for (depth, segment) in path.iter().enumerate() {
        if node.is_null() {
            node.value = Value::Map(Vec::new());
        }
        let Value::Map(entries) = &mut node.value else {
            return Err(NotAMap { path: path[..depth].join(".") });
        };
        let index = match entries.iter().position(|entry| same(&entry.key.value, segment)) {
            Some(index) => index,
            None => {
                entries.push(new_entry(segment, place));
                entries.len() - 1
            }
        };
        node = match entries.get_mut(index) {
            Some(entry) => {
                // Errors about this value name the override, also where the key was in the file.
                if depth + 1 == path.len() {
                    entry.key.place = place;
                }
                &mut entry.value
            }
            None => return Ok(()),
        };
    }
    *node = value;
    Ok(())
}

fn new_entry(segment: &str, place: Place) -> Entry {
    Entry { key: Spanned { value: segment.to_ascii_lowercase(), place }, value: Node::empty(place) }
}

fn same(key: &str, segment: &str) -> bool {
    let plain = |byte: u8| if byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
    key.len() == segment.len() && key.bytes().zip(segment.bytes()).all(|(a, b)| plain(a) == plain(b))
}
