//! A provider's request.

use pointsman_core::Dialect;

use super::turns;
use crate::json::{Text, Writer};
use crate::neutral::{
    Cap, EncodeError, Encoded, Format, Losses, Need, Request, Sampling, Target, Thinking, Tool, ToolChoice,
    ToolKind, terms,
};

/// Pictures that are only an address: Ollama takes their bytes.
#[must_use]
pub fn needs(request: &Request<'_>, _target: &Target<'_>) -> Vec<Need> {
    turns::needs(&request.messages)
}

/// Writes the body of `POST /api/chat`.
///
/// # Errors
/// A medium that Ollama cannot take, or only in base64; or nothing is said.
pub fn encode_request(request: &Request<'_>, target: &Target<'_>) -> Result<Encoded, EncodeError> {
    let Request {
        dialect,
        model: _,
        messages,
        tools,
        tool_choice,
        parallel_tool_calls,
        format,
        max_output,
        stop,
        sampling,
        choices,
        logprobs,
        thinking,
        user,
        metadata,
        service_tier,
        store,
        previous,
        stream: _,
        // Ollama always tells.
        stream_usage: _,
        rest,
    } = request;
    let own = *dialect == target.dialect;
    // Without messages, Ollama loads the model and answers nothing.
    if !own && request.says_nothing() {
        return Err(EncodeError::empty(*dialect));
    }
    let mut losses = Losses::default();
    let mut failed = Ok(());
    let mut writer = Writer::with_capacity(256);
    writer.object(|w| {
        w.key("model").string(target.model).key("stream").bool(target.stream);
        w.key("messages").array(|w| {
            for turn in turns::joined(messages, own) {
                if failed.is_ok() {
                    failed = turns::write(w, turn, target, *dialect, &mut losses);
                }
            }
        });
        let silenced = matches!(tool_choice, Some(choice) if choice.value == ToolChoice::None);
        if !tools.is_empty() && !silenced {
            write_tools(w, tools, *dialect, &mut losses);
        }
        if let Some(format) = format {
            match &format.value {
                Format::Text => {}
                Format::Json => {
                    w.key("format").string("json");
                }
                Format::Schema { name, description, schema, strict } => {
                    w.key("format").raw(schema);
                    // It is always obeyed to the letter here.
                    let said = [("name", name.is_some()), ("description", description.is_some())];
                    let said = said.into_iter().chain([("strict", *strict == Some(false))]);
                    let place = terms::schema_place(*dialect, format.field);
                    for (member, _) in said.filter(|(_, given)| *given) {
                        losses.field(format!("{place}.{member}"));
                    }
                }
                Format::Other(raw) if own => {
                    w.key("format").raw(raw);
                }
                Format::Other(_) => losses.field(format.field),
            }
        }
        write_thinking(w, thinking, target, own, &mut losses);
        if let Some(logprobs) = logprobs {
            w.key("logprobs").bool(true);
            if let Some(top) = logprobs.value.top {
                w.key("top_logprobs").count(top);
            }
        }
        write_options(
            w,
            sampling,
            max_output.as_ref().map(|max| max.value),
            stop.as_ref().map(|stop| &stop.value[..]),
            request,
            own,
        );
        if own {
            turns::write_rest(w, rest);
        }
    });
    failed?;
    match tool_choice {
        Some(choice) if !matches!(choice.value, ToolChoice::Auto | ToolChoice::None) => {
            losses.field(choice.field);
        }
        _ => {}
    }
    losses.given(parallel_tool_calls.as_ref());
    losses.given(choices.as_ref().filter(|choices| choices.value != 1));
    losses.given(user.as_ref());
    losses.given(metadata.as_ref());
    losses.given(service_tier.as_ref());
    losses.given(store.as_ref());
    losses.given(previous.as_ref());
    if !own {
        losses.extensions(rest);
    }
    Ok(Encoded { body: writer.finish(), losses })
}

fn write_tools(w: &mut Writer, tools: &[Tool<'_>], client: Dialect, losses: &mut Losses) {
    let own = client == Dialect::Ollama;
    w.key("tools").array(|w| {
        for tool in tools {
            let Tool { name, description, kind, cache, path, rest } = tool;
            let schema = match kind {
                ToolKind::Function { schema, strict } => {
                    if strict.is_some() {
                        losses.member(*path, terms::strict(client));
                    }
                    schema.as_deref().unwrap_or(r#"{"type":"object","properties":{}}"#)
                }
                ToolKind::Custom { format } => {
                    if format.is_some() {
                        losses.member(*path, terms::grammar(client));
                    }
                    r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#
                }
                ToolKind::Server(_) => {
                    losses.at(*path);
                    continue;
                }
            };
            if cache.is_some() {
                losses.member(*path, "cache_control");
            }
            if !own {
                losses.extensions(rest);
            }
            w.object(|w| {
                if !own || rest.iter().all(|own| own.name != "type") {
                    w.key("type").string("function");
                }
                w.key("function").object(|w| {
                    w.key("name").text(name);
                    if let Some(description) = description {
                        w.key("description").text(description);
                    }
                    w.key("parameters").raw(schema);
                    for extension in rest.iter().filter(|_| own) {
                        if let Some(name) = extension.name.value().strip_prefix("function.") {
                            w.key(name).raw(extension.raw);
                        }
                    }
                });
                if own {
                    turns::write_rest(w, rest);
                }
            });
        }
    });
}

/// `think`: most models know yes and no only; those of the gpt-oss family also how hard.
pub(super) fn write_thinking(
    w: &mut Writer,
    thinking: &Thinking<'_>,
    target: &Target<'_>,
    own: bool,
    losses: &mut Losses,
) {
    let Thinking { on, effort, budget, summary, shown, encrypted } = thinking;
    let graded = own || target.model.contains("gpt-oss");
    let spent = budget.as_ref().map(|budget| match budget.value {
        Cap::Free => None,
        Cap::Tokens(tokens) => Some(tokens),
    });
    if let Some(effort) = effort {
        if effort.value == "none" {
            w.key("think").bool(false);
        } else if graded {
            let word = match &*effort.value.value() {
                "minimal" => Text::from("low"),
                "xhigh" | "max" if !own => Text::from("high"),
                _ => effort.value.borrowed(),
            };
            w.key("think").text(&word);
        } else {
            w.key("think").bool(true);
            losses.field(effort.field);
        }
    } else if let Some(spent) = spent {
        w.key("think").bool(spent != Some(0));
        if spent.is_some_and(|tokens| tokens > 0) {
            losses.given(budget.as_ref());
        }
    } else if let Some(on) = on {
        w.key("think").bool(on.value);
    }
    if effort.is_some() {
        losses.given(budget.as_ref());
    }
    losses.given(summary.as_ref());
    losses.given(shown.as_ref());
    losses.given(encrypted.as_ref());
}

pub(super) fn write_options(
    w: &mut Writer,
    sampling: &Sampling<'_>,
    max_output: Option<u64>,
    stop: Option<&[Text<'_>]>,
    request: &Request<'_>,
    own: bool,
) {
    let Sampling {
        temperature,
        top_p,
        top_k,
        min_p,
        frequency_penalty,
        presence_penalty,
        repeat_penalty,
        seed,
    } = sampling;
    let numbers = [
        ("temperature", temperature),
        ("top_p", top_p),
        ("top_k", top_k),
        ("min_p", min_p),
        ("frequency_penalty", frequency_penalty),
        ("presence_penalty", presence_penalty),
        ("repeat_penalty", repeat_penalty),
        ("seed", seed),
    ];
    let inner = |name: &str| name.strip_prefix("options.").map(str::to_owned);
    let kept: Vec<_> = request
        .rest
        .iter()
        .filter(|_| own)
        .filter_map(|extension| Some((inner(&extension.name.value())?, extension.raw)))
        .collect();
    let given = numbers.iter().any(|(_, number)| number.is_some());
    if !given && max_output.is_none() && stop.is_none() && kept.is_empty() {
        return;
    }
    w.key("options").object(|w| {
        for (name, number) in numbers {
            if let Some(number) = number {
                w.key(name).raw(number.value);
            }
        }
        if let Some(tokens) = max_output {
            w.key("num_predict").count(tokens);
        }
        if let Some(stop) = stop {
            w.key("stop").array(|w| {
                for sequence in stop {
                    w.text(sequence);
                }
            });
        }
        for (name, raw) in kept {
            w.key(&name).raw(raw);
        }
    });
}
