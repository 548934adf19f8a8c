//! From parser events to the tree, without recursion and within bounds.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::{Entry, Node, Place, Spanned, Value};

/// Longer texts are no configuration.
const MAX_BYTES: usize = 16 << 20;
/// Lists and maps inside each other. Later stages walk the tree recursively.
const MAX_DEPTH: usize = 64;
/// Values in all; 20,000 keys with everything set are a fifth of it.
const MAX_NODES: usize = 1_000_000;
/// Values that aliases and anchors may copy in all: enough for shared settings, too few for a bomb.
const MAX_COPIED: usize = 50_000;
/// Maps up to this size are searched for duplicates one by one.
const SMALL_MAP: usize = 16;

/// Why a text has no tree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) place: Place,
    pub(crate) message: String,
    pub(crate) hint: Option<&'static str>,
}

/// Reads `text`, which holds one document. An empty one is an empty map.
pub(crate) fn parse(text: &str, source: u32) -> Result<Node, SyntaxError> {
    let mut builder = Builder { source, ..Builder::default() };
    if text.len() > MAX_BYTES {
        return Err(builder.error(Span::default(), "longer than 16 MiB", None));
    }
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| builder.syntax(&error))?;
        builder.event(event, span)?;
    }
    Ok(builder.root.unwrap_or(Node::empty(Place { source, line: 1, column: 1 })))
}

#[derive(Default)]
struct Builder {
    source: u32,
    stack: Vec<Frame>,
    anchors: HashMap<usize, (Node, usize)>,
    copied: usize,
    nodes: usize,
    root: Option<Node>,
}

/// A list or map that is not yet complete.
struct Frame {
    place: Place,
    anchor: usize,
    /// Nodes inside so far, for the bound on aliases.
    size: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: HashSet<String>, key: Option<Spanned<String>> },
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), SyntaxError> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => Err(self.error(
                span,
                "a second document",
                Some("keep everything in one document, without `---`"),
            )),
            Event::Scalar(_, _, _, Some(tag)) => Err(self.tag(span, &tag)),
            Event::SequenceStart(_, Some(tag)) | Event::MappingStart(_, Some(tag)) => {
                Err(self.tag(span, &tag))
            }
            Event::Scalar(text, style, anchor, None) => {
                let value = Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                let node = Node { place: self.place(span), value };
                self.finish(node, anchor, 1, span)
            }
            Event::SequenceStart(anchor, None) => self.open(span, anchor, Content::List(Vec::new())),
            Event::MappingStart(anchor, None) => {
                let content = Content::Map { entries: Vec::new(), seen: HashSet::new(), key: None };
                self.open(span, anchor, content)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = self.stack.pop() else { return Ok(()) };
                let value = match frame.content {
                    Content::List(list) => Value::List(list),
                    Content::Map { entries, .. } => Value::Map(entries),
                };
                self.finish(Node { place: frame.place, value }, frame.anchor, frame.size + 1, span)
            }
            Event::Alias(anchor) => {
                let Some((_, size)) = self.anchors.get(&anchor) else {
                    return Err(self.error(span, "an alias inside its own anchor", None));
                };
                let size = *size;
                self.copy(size, span)?;
                match self.anchors.get(&anchor) {
                    Some((node, _)) => self.finish(node.clone(), 0, size, span),
                    None => Ok(()),
                }
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn open(&mut self, span: Span, anchor: usize, content: Content) -> Result<(), SyntaxError> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(self.error(span, "nested deeper than 64 levels", None));
        }
        self.stack.push(Frame { place: self.place(span), anchor, size: 0, content });
        Ok(())
    }

    /// Puts a complete node where it belongs.
    fn finish(&mut self, node: Node, anchor: usize, size: usize, span: Span) -> Result<(), SyntaxError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.error(span, "more than 1000000 values", None));
        }
        if anchor != 0 {
            self.copy(size, span)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.size += size;
        match &mut frame.content {
            Content::List(list) => list.push(node),
            Content::Map { entries, seen, key } => match key.take() {
                Some(key) => entries.push(Entry { key, value: node }),
                None => *key = Some(new_key(node, entries, seen)?),
            },
        }
        Ok(())
    }

    /// Counts copies before they are made.
    fn copy(&mut self, size: usize, span: Span) -> Result<(), SyntaxError> {
        self.copied += size;
        match self.copied > MAX_COPIED {
            true => Err(self.error(span, "anchors and aliases that expand to more than 50000 values", None)),
            false => Ok(()),
        }
    }

    fn place(&self, span: Span) -> Place {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        // The parser counts lines from 1 and columns from 0.
        let (line, column) = (span.start.line().max(1), span.start.col() + 1);
        Place { source: self.source, line: number(line), column: number(column) }
    }

    fn error(&self, span: Span, message: &str, hint: Option<&'static str>) -> SyntaxError {
        SyntaxError { place: self.place(span), message: message.to_owned(), hint }
    }

    fn tag(&self, span: Span, tag: &saphyr_parser::Tag) -> SyntaxError {
        self.error(span, &format!("tags such as `!{}` have no meaning here", tag.suffix), None)
    }

    fn syntax(&self, error: &saphyr_parser::ScanError) -> SyntaxError {
        let span = Span::empty(*error.marker());
        self.error(span, &format!("not valid YAML: {}", error.info()), None)
    }
}

fn new_key(
    node: Node,
    entries: &[Entry],
    seen: &mut HashSet<String>,
) -> Result<Spanned<String>, SyntaxError> {
    let Value::Scalar { text, .. } = node.value else {
        return Err(SyntaxError {
            place: node.place,
            message: "a key must be a text".to_owned(),
            hint: None,
        });
    };
    let double = match entries.len() {
        0..SMALL_MAP => entries.iter().any(|entry| entry.key.value == text),
        SMALL_MAP => {
            seen.extend(entries.iter().map(|entry| entry.key.value.clone()));
            !seen.insert(text.clone())
        }
        _ => !seen.insert(text.clone()),
    };
    match double {
        true => {
            let message = format!("the key `{}` occurs twice", shorten(&text));
            Err(SyntaxError { place: node.place, message, hint: None })
        }
        false => Ok(Spanned { value: text, place: node.place }),
    }
}

/// Enough of a text to recognise it in a message.
pub(crate) fn shorten(text: &str) -> &str {
    &text[..text.floor_char_boundary(60)]
}
