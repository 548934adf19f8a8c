//! The file and its overrides as one tree, and the tree as sections.

use crate::compose::Input;
use crate::decode::{Context, Decode};
use crate::raw::Root;
use crate::yaml::{self, Node, Place, Value};

/// `None`: what is wrong was told to `cx`.
pub(super) fn read(input: &Input<'_>, cx: &mut Context) -> Option<Root> {
    Root::decode(&tree(input, cx)?, cx)
}

/// The file with its overrides. `None`: what is wrong was told to `cx`.
pub(crate) fn tree(input: &Input<'_>, cx: &mut Context) -> Option<Node> {
    let mut tree = match input.file {
        Some(file) => {
            let source = cx.source(file.path.display().to_string(), true);
            match yaml::parse(file.text, source) {
                Ok(tree) => tree,
                Err(error) => return cx.fail_with(error.place, error.message, error.hint),
            }
        }
        None => {
            let source = cx.source("(defaults)", false);
            Node::empty(Place { source, line: 1, column: 1 })
        }
    };
    for (name, path, value) in input.environment.overrides() {
        let source = cx.source(name, value.contains('\n'));
        // What is no YAML is meant literally: `[::1]:4180`.
        let node = yaml::parse(value, source).unwrap_or_else(|_| literal(value, source));
        put(cx, &mut tree, &path, node);
    }
    for given in input.overrides {
        let source = cx.source(given.source.as_str(), false);
        let path: Vec<String> = given.key.split('.').map(str::to_owned).collect();
        let mut values: Vec<Node> = given.values.iter().map(|value| literal(value, source)).collect();
        let node = match values.len() {
            1 => values.pop(),
            _ => Some(Node { place: Place { source, line: 1, column: 1 }, value: Value::List(values) }),
        };
        put(cx, &mut tree, &path, node?);
    }
    Some(tree)
}

fn literal(text: &str, source: u32) -> Node {
    let value = Value::Scalar { text: text.to_owned(), plain: true };
    Node { place: Place { source, line: 1, column: 1 }, value }
}

fn put(cx: &mut Context, tree: &mut Node, path: &[String], node: Node) {
    let place = node.place;
    if path.iter().any(String::is_empty) {
        let hint = "sections and keys are separated by two underscores: `POINTSMAN__SERVER__LISTEN`";
        cx.fail_hint::<()>(place, "a part of the name is empty", hint);
    } else if let Err(error) = yaml::apply(tree, path, node) {
        cx.fail::<()>(place, format!("`{}` is no map that could hold this", error.path.to_lowercase()));
    }
}
