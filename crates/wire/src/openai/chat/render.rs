//! Whole answers to clients.
//!
//! Thoughts are shown as `reasoning_content`, which most clients know; those with a proof or cipher also
//! as OpenRouter's `reasoning_details`, which a client hands back as they are.

use pointsman_core::{Dialect, Usage};

use super::details::{write_call_proof, write_citation, write_thought};
use crate::json::{Document, Text, Writer};
use crate::neutral::{
    Answer, AnswerContext, Arguments, Behind, Block, Choice, Content, Encoded, Finish, Losses, Media, Reason,
    Source, ToolCall, write_data_url,
};

/// Writes an answer.
#[must_use]
pub fn encode_answer(answer: &Answer<'_>, context: &AnswerContext) -> Encoded {
    let Answer { id, model, created, choices, usage, service_tier, own: _, rest } = answer;
    let mut losses = Losses::default();
    let old = asked_with_functions(context);
    let mut writer = Writer::with_capacity(1024);
    writer.object(|w| {
        w.key("id");
        write_id(w, id, context);
        w.key("object").string("chat.completion");
        w.key("created").count(created.unwrap_or(context.created));
        w.key("model");
        write_model(w, model, context);
        w.key("choices").array(|w| {
            for choice in choices {
                write_choice(w, choice, context, old, &mut losses);
            }
        });
        if let Some(usage) = usage {
            w.key("usage");
            write_usage(w, usage);
        }
        if let Some(tier) = service_tier {
            match tier_word(tier) {
                Some(word) => {
                    w.key("service_tier").string(word);
                }
                None => losses.field("service_tier"),
            }
        }
    });
    losses.extensions(rest);
    Encoded { body: writer.finish(), losses }
}

pub(super) fn write_id(w: &mut Writer, id: &Text<'_>, context: &AnswerContext) {
    if id.is_empty() {
        w.joined(&[Text::from("chatcmpl-"), Text::from(context.id.as_str())]);
    } else {
        w.text(id);
    }
}

pub(super) fn write_model(w: &mut Writer, model: &Text<'_>, context: &AnswerContext) {
    if model.is_empty() {
        w.string(&context.model)
    } else {
        w.text(model)
    };
}

/// Whether the client knows only the older `functions`: then it waits for a `function_call`.
pub(super) fn asked_with_functions(context: &AnswerContext) -> bool {
    memchr::memmem::find(&context.request, b"\"functions\"").is_some()
        && Document::read(&context.request).is_ok_and(|body| body.root().get("functions").is_some())
}

/// The words that OpenAI's clients know.
pub(super) fn tier_word(tier: &Text<'_>) -> Option<&'static str> {
    const WORDS: [&str; 6] = ["auto", "default", "flex", "scale", "priority", "fast"];
    let tier = tier.value();
    if tier == "standard" { Some("default") } else { WORDS.into_iter().find(|word| *word == tier) }
}

pub(super) fn write_usage(w: &mut Writer, usage: &Usage) {
    let Usage {
        input,
        cached_input,
        cache_write,
        output,
        reasoning,
        input_audio,
        output_audio,
        source: _,
        detail: _,
    } = usage;
    w.object(|w| {
        w.key("prompt_tokens").count(*input).key("completion_tokens").count(*output);
        w.key("total_tokens").count(usage.total());
        w.key("prompt_tokens_details").object(|w| {
            w.key("cached_tokens").count(*cached_input).key("audio_tokens").count(*input_audio);
            // OpenRouter's name; only where there is something to tell.
            if *cache_write > 0 {
                w.key("cache_write_tokens").count(*cache_write);
            }
        });
        w.key("completion_tokens_details").object(|w| {
            w.key("reasoning_tokens").count(*reasoning).key("audio_tokens").count(*output_audio);
        });
    });
}

/// The word of the dialect, and whether it says all.
pub(super) fn finish_word(finish: &Finish<'_>, old: bool, refused: bool) -> (&'static str, bool) {
    match finish.reason {
        Reason::Stop | Reason::StopSequence => ("stop", true),
        Reason::Length | Reason::ContextLength => ("length", true),
        Reason::ToolCalls if old => ("function_call", true),
        Reason::ToolCalls => ("tool_calls", true),
        Reason::Refusal if refused => ("stop", true),
        Reason::ContentFilter | Reason::Refusal => ("content_filter", true),
        Reason::Pause | Reason::Malformed | Reason::Other => ("stop", false),
    }
}

fn write_choice(
    w: &mut Writer,
    choice: &Choice<'_>,
    context: &AnswerContext,
    old: bool,
    losses: &mut Losses,
) {
    let Choice { index, blocks, finish, logprobs, rest } = choice;
    let refused = blocks.iter().any(|block| matches!(block.content, Content::Refusal(_)));
    w.object(|w| {
        w.key("index").count(*index);
        w.key("message").object(|w| write_message(w, blocks, context, old, losses));
        w.key("logprobs");
        match logprobs {
            Some(raw) => w.raw(raw),
            None => w.null(),
        };
        let stop = Finish::new(Reason::Stop);
        let finish = finish.as_ref().unwrap_or(&stop);
        let (word, whole) = finish_word(finish, old, refused);
        if !whole {
            losses.field("finish_reason");
        }
        w.key("finish_reason").string(word);
        // vLLM's name.
        if let Some(text) = &finish.stop_sequence {
            w.key("stop_reason").text(text);
        }
    });
    losses.extensions(rest);
}

fn write_message(
    w: &mut Writer,
    blocks: &[Block<'_>],
    context: &AnswerContext,
    old: bool,
    losses: &mut Losses,
) {
    let (mut texts, mut refusals, mut thoughts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut sealed, mut calls, mut images, mut sounds) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut cited = Vec::new();
    let mut chars = 0;
    for block in blocks {
        match &block.content {
            Content::Text { text, citations } => {
                texts.push(text.borrowed());
                cited.extend(citations.iter().map(|citation| (citation, chars)));
                chars += text.value().chars().count() as u64;
            }
            Content::Refusal(text) => refusals.push(text.borrowed()),
            Content::Reasoning(thought) => {
                let shown = if thought.text.is_empty() { &thought.summary } else { &thought.text };
                thoughts.extend(shown.iter().map(Text::borrowed));
                let behind = Behind { chars, calls: calls.len() as u64 };
                sealed.extend(thought.seal.as_ref().map(|seal| (thought, seal, behind)));
            }
            Content::ToolCall(call) => calls.push(call),
            Content::Image(media) if has_place(media) => images.push(media),
            Content::Audio(Media { source: Source::Base64(data), .. }) if sounds.is_empty() => {
                sounds.push(data);
            }
            _ => losses.at(block.path),
        }
        losses.extensions(&block.rest);
    }
    w.key("role").string("assistant").key("content");
    if texts.is_empty() && !(calls.is_empty() && refusals.is_empty() && sounds.is_empty()) {
        w.null();
    } else {
        w.joined(&texts);
    }
    w.key("refusal");
    if refusals.is_empty() {
        w.null()
    } else {
        w.joined(&refusals)
    };
    if !thoughts.is_empty() {
        w.key("reasoning_content").joined(&thoughts);
    }
    if !sealed.is_empty() {
        w.key("reasoning_details").array(|w| {
            for (index, (thought, seal, behind)) in (0u64..).zip(sealed) {
                let text = seal.placed_for_client(Dialect::OpenAiChat, behind);
                write_thought(w, index, thought, Some((seal.kind, text)), |_| {});
            }
        });
    }
    if !cited.is_empty() {
        w.key("annotations").array(|w| {
            for (citation, before) in cited {
                if !write_citation(w, citation, before) {
                    losses.field("citations");
                }
            }
        });
    }
    if !images.is_empty() {
        w.key("images").array(|w| images.iter().for_each(|media| write_image(w, media)));
    }
    if let Some(data) = sounds.first() {
        w.key("audio");
        write_audio(w, data, context);
    }
    write_calls(w, &calls, old, losses);
}

fn has_place(media: &Media<'_>) -> bool {
    matches!(media.source, Source::Base64(_) | Source::Url(_))
}

/// OpenRouter's form.
pub(super) fn write_image(w: &mut Writer, media: &Media<'_>) {
    w.object(|w| {
        w.key("type").string("image_url").key("image_url").object(|w| {
            w.key("url");
            match &media.source {
                Source::Base64(data) => {
                    let mime = media.mime.as_ref().map(Text::value);
                    write_data_url(w, mime.as_deref().unwrap_or("image/png"), data);
                }
                Source::Url(text) | Source::PlainText(text) | Source::File(text) => {
                    w.text(text);
                }
            }
        });
    });
}

/// All four members are always there for OpenAI's clients.
pub(super) fn write_audio(w: &mut Writer, data: &Text<'_>, context: &AnswerContext) {
    w.object(|w| {
        w.key("id").joined(&[Text::from("audio_"), Text::from(context.id.as_str())]);
        w.key("data").text(data).key("transcript").string("").key("expires_at").count(context.created);
    });
}

fn write_calls(w: &mut Writer, calls: &[&ToolCall<'_>], old: bool, losses: &mut Losses) {
    if let (true, Some(first)) = (old, calls.first()) {
        w.key("function_call").object(|w| {
            w.key("name").text(&first.name).key("arguments");
            first.arguments.write_string(w);
        });
        if calls.len() > 1 {
            losses.field("tool_calls");
        }
        return;
    }
    if calls.is_empty() {
        return;
    }
    w.key("tool_calls").array(|w| {
        for ToolCall { id, item: _, name, arguments, seal } in calls {
            let (kind, argument) = match arguments {
                Arguments::Free(_) => ("custom", "input"),
                Arguments::Object(_) | Arguments::Quoted(_) => ("function", "arguments"),
            };
            w.object(|w| {
                w.key("id").text(id).key("type").string(kind).key(kind).object(|w| {
                    w.key("name").text(name).key(argument);
                    arguments.write_string(w);
                });
                if let Some(seal) = seal {
                    write_call_proof(w, &seal.for_client(Dialect::OpenAiChat));
                }
            });
        }
    });
}
