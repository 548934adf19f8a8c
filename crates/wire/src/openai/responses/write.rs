//! Pieces of an answer, whole or streamed: items, parts, usage.

use pointsman_core::Usage;

use crate::json::{Document, Node, Text, Writer};
use crate::neutral::{Citation, Finish, Losses, Reason};

/// What the client's request says that matters to how its answer is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// The tools that take free text.
    pub(super) custom: Vec<String>,
    /// Thoughts are to be shown as summaries: that is where such clients look for them.
    pub(super) summary: bool,
    /// Log probabilities are wanted.
    pub(super) logprobs: bool,
}

impl Asked {
    /// Reads it from the client's body; what cannot be read asks for nothing.
    pub(super) fn read(request: &[u8]) -> Self {
        let Ok(document) = Document::read(request) else { return Self::default() };
        let root = document.root();
        let is = |node: Node<'_, '_>, name: &str, word: &str| {
            node.get(name).and_then(Node::text).is_some_and(|text| text == word)
        };
        let tools = root.get("tools").into_iter().flat_map(Node::elements);
        let custom = tools.filter(|tool| is(*tool, "type", "custom"));
        let custom = custom.filter_map(|tool| Some(tool.get("name")?.text()?.into_value().into_owned()));
        let reasoning = root.get("reasoning");
        let mut include = root.get(super::words::INCLUDE).into_iter().flat_map(Node::elements);
        Self {
            custom: custom.collect(),
            summary: reasoning
                .is_some_and(|node| node.get("summary").or_else(|| node.get("generate_summary")).is_some()),
            logprobs: include.any(|word| word.text().is_some_and(|word| word == super::words::LOGPROBS)),
        }
    }

    /// Whether the client waits for free text in calls of this tool.
    pub(super) fn is_custom(&self, name: &Text<'_>) -> bool {
        self.custom.iter().any(|known| *name == known.as_str())
    }
}

/// The free text in the arguments of a tool that had to be described as one that takes an object. Other
/// arguments are the text themselves.
pub(super) fn free_input(arguments: &str) -> String {
    let document = Document::read(arguments.as_bytes()).ok();
    let text = document.as_ref().and_then(|document| document.root().get("input")?.text());
    text.map_or_else(|| arguments.to_owned(), |text| text.into_value().into_owned())
}

/// Whether a citation is in this dialect's form.
fn is_own(citation: &Citation<'_>) -> bool {
    const KINDS: [&str; 4] = ["url_citation", "file_citation", "container_file_citation", "file_path"];
    let Ok(document) = Document::read(citation.raw.as_bytes()) else { return false };
    let root = document.root();
    // OpenAI chat has the same kinds, in an object of their own.
    root.get("type")
        .and_then(Node::text)
        .is_some_and(|kind| KINDS.contains(&&*kind.value()) && root.get(&kind.value()).is_none())
}

/// Writes a source; one without an address has no place here (false). `length`: that of the citing text, all
/// of which it stands for where the dialect does not count.
pub(super) fn write_annotation(w: &mut Writer, citation: &Citation<'_>, length: u64) -> bool {
    if is_own(citation) {
        w.raw(citation.raw);
        return true;
    }
    let Citation { url: Some(url), title, quote: _, span, raw: _ } = citation else { return false };
    let (start, end) = span.unwrap_or((0, length));
    w.object(|w| {
        w.key("type").string("url_citation").key("url").text(url);
        w.key("title").text(title.as_ref().unwrap_or(&Text::default()));
        w.key("start_index").count(start).key("end_index").count(end);
    });
    true
}

/// Writes a part of a message: `annotations` and `logprobs` are JSON texts.
pub(super) fn write_text_part<S: AsRef<str>>(
    w: &mut Writer,
    text: &Text<'_>,
    annotations: &[S],
    logprobs: &[S],
    more: impl FnOnce(&mut Writer),
) {
    w.object(|w| {
        w.key("type").string("output_text").key("text").text(text);
        w.key("annotations").array(|w| write_all(w, annotations));
        w.key("logprobs").array(|w| write_all(w, logprobs));
        more(w);
    });
}

/// Writes JSON texts one after the other.
pub(super) fn write_all<S: AsRef<str>>(w: &mut Writer, raw: &[S]) {
    for raw in raw {
        w.raw(raw.as_ref());
    }
}

/// Writes the texts of a thought, as parts of this type.
pub(super) fn write_texts(w: &mut Writer, kind: &str, texts: &[Text<'_>]) {
    for text in texts {
        w.object(|w| {
            w.key("type").string(kind).key("text").text(text);
        });
    }
}

/// Writes what a message item begins with; its `content` must follow.
pub(super) fn write_message_head(w: &mut Writer, id: &Text<'_>, status: &str) {
    w.key("id").text(id).key("type").string("message").key("status").string(status);
    w.key("role").string("assistant").key("content");
}

/// Writes the members of a reasoning item.
pub(super) fn write_reasoning(
    w: &mut Writer,
    id: &Text<'_>,
    summary: &[Text<'_>],
    content: &[Text<'_>],
    cipher: Option<&Text<'_>>,
) {
    w.key("id").text(id).key("type").string("reasoning");
    w.key("summary").array(|w| write_texts(w, "summary_text", summary));
    if !content.is_empty() {
        w.key("content").array(|w| write_texts(w, "reasoning_text", content));
    }
    if let Some(cipher) = cipher {
        w.key("encrypted_content").text(cipher);
    }
}

/// A call, as its item names it.
#[derive(Clone, Copy)]
pub(super) struct Called<'c> {
    pub(super) item: &'c Text<'c>,
    pub(super) id: &'c Text<'c>,
    pub(super) name: &'c Text<'c>,
    pub(super) custom: bool,
}

/// Writes the members of a call's item.
pub(super) fn write_call(w: &mut Writer, call: Called<'_>, status: &str, input: impl FnOnce(&mut Writer)) {
    let (kind, member) =
        if call.custom { ("custom_tool_call", "input") } else { ("function_call", "arguments") };
    w.key("id").text(call.item).key("type").string(kind).key("status").string(status);
    w.key("call_id").text(call.id).key("name").text(call.name).key(member);
    input(w);
}

/// Writes the item of a picture that the model drew.
pub(super) fn write_picture(w: &mut Writer, id: &str, data: Option<&Text<'_>>) {
    w.object(|w| {
        let status = if data.is_some() { "completed" } else { "in_progress" };
        w.key("id").string(id).key("type").string("image_generation_call").key("status").string(status);
        w.key("result");
        match data {
            Some(data) => w.text(data),
            None => w.null(),
        };
    });
}

/// Writes the value of `usage`.
pub(super) fn write_usage(w: &mut Writer, usage: Option<&Usage>) {
    let Some(usage) = usage else {
        w.null();
        return;
    };
    w.object(|w| {
        w.key("input_tokens").count(usage.input).key("input_tokens_details").object(|w| {
            w.key("cached_tokens").count(usage.cached_input);
            w.key("cache_write_tokens").count(usage.cache_write);
        });
        w.key("output_tokens").count(usage.output).key("output_tokens_details").object(|w| {
            w.key("reasoning_tokens").count(usage.reasoning);
        });
        w.key("total_tokens").count(usage.total());
    });
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    InProgress,
    Completed,
    /// With its reason.
    Incomplete(&'static str),
    Failed,
}

impl Status {
    /// What the reason means; what it does not say is declared. `refused`: the answer says so itself.
    pub(super) fn of(finish: Option<&Finish<'_>>, refused: bool, losses: &mut Losses) -> Self {
        let Some(Finish { reason, raw: _, stop_sequence }) = finish else { return Self::Completed };
        if stop_sequence.is_some() {
            losses.field("stop_sequence");
        }
        match reason {
            Reason::Stop | Reason::StopSequence | Reason::ToolCalls => Self::Completed,
            Reason::Length | Reason::ContextLength => Self::Incomplete("max_output_tokens"),
            Reason::Refusal if refused => Self::Completed,
            Reason::ContentFilter | Reason::Refusal => Self::Incomplete("content_filter"),
            Reason::Pause | Reason::Malformed | Reason::Other => {
                losses.field("finish_reason");
                Self::Completed
            }
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed => "failed",
        }
    }

    /// Writes `status` and `incomplete_details`.
    pub(super) fn write(self, w: &mut Writer) {
        w.key("status").string(self.word()).key("incomplete_details");
        match self {
            Self::Incomplete(reason) => w.object(|w| {
                w.key("reason").string(reason);
            }),
            Self::InProgress | Self::Completed | Self::Failed => w.null(),
        };
    }
}

/// Whether an answer that ended so broke off in the middle of what it was about to say.
pub(super) const fn is_cut(reason: Reason) -> bool {
    matches!(reason, Reason::Length | Reason::ContextLength | Reason::ContentFilter)
}

/// The words that the vendor's clients know for a price class.
pub(super) fn tier_word(tier: &Text<'_>) -> Option<&'static str> {
    const WORDS: [&str; 6] = ["auto", "default", "flex", "scale", "priority", "fast"];
    let tier = tier.value();
    if tier == "standard" { Some("default") } else { WORDS.into_iter().find(|word| *word == tier) }
}
