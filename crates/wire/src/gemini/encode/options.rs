//! `generationConfig`.

use super::super::schema;
use super::super::thinking::{Config, Family};
use super::Top;
use crate::json::{Text, Writer};
use crate::neutral::terms::schema_place;
use crate::neutral::{Cap, Format, Given, Logprobs, Sampling};

/// Stop sequences that Google takes.
const MAX_STOPS: usize = 5;

impl Top<'_> {
    /// Writes the object, if any of these says something.
    pub(super) fn generation_config(&mut self, parts: &[&dyn Fn(&mut Self)]) {
        const OBJECT: &str = "generationConfig";
        let outer = std::mem::take(&mut self.w);
        self.w.frame(b"{");
        parts.iter().for_each(|part| part(self));
        self.write_under(OBJECT, "thinkingConfig");
        self.w.frame(b"}");
        let inner = std::mem::replace(&mut self.w, outer).finish();
        if inner != b"{}" && self.key(OBJECT, OBJECT) {
            self.w.frame(&inner);
        }
    }

    pub(super) fn sampling(&mut self, sampling: &Sampling<'_>, family: Family) {
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
        self.losses.given(min_p.as_ref());
        self.losses.given(repeat_penalty.as_ref());
        let numbers = [
            ("temperature", temperature),
            ("topP", top_p),
            ("topK", top_k),
            ("frequencyPenalty", frequency_penalty),
            ("presencePenalty", presence_penalty),
            ("seed", seed),
        ];
        let refused = !self.own && family.refuses_penalties();
        for (name, number) in numbers {
            if refused && name.ends_with("Penalty") {
                // None is the default.
                let none = |value: &str| value.parse::<f64>().is_ok_and(|value| value == 0.0);
                self.losses.given(number.as_ref().filter(|given| !none(given.value)));
                continue;
            }
            if let Some(Given { field, value }) = number
                && self.key(name, field)
            {
                self.w.raw(value);
            }
        }
    }

    pub(super) fn limits(
        &mut self,
        max_output: Option<&Given<u64>>,
        stop: Option<&Given<Vec<Text<'_>>>>,
        choices: Option<&Given<u64>>,
    ) {
        if let Some(Given { field, value }) = max_output
            && self.key("maxOutputTokens", field)
        {
            self.w.count(*value);
        }
        // Models that give one answer refuse to be told so.
        if let Some(Given { field, value }) = choices.filter(|given| self.own || given.value != 1)
            && self.key("candidateCount", field)
        {
            self.w.count(*value);
        }
        let Some(Given { field, value }) = stop else { return };
        let taken = if self.own { value.len() } else { value.len().min(MAX_STOPS) };
        if taken < value.len() {
            self.losses.field(*field);
        }
        if (taken > 0 || self.own) && self.key("stopSequences", field) {
            self.w.array(|w| {
                for text in value.iter().take(taken) {
                    w.text(text);
                }
            });
        }
    }

    /// `calls`: the model may call tools, and could not answer by a format then.
    pub(super) fn format(&mut self, format: Option<&Given<Format<'_>>>, calls: bool) {
        let Some(Given { field, value }) = format else { return };
        if calls && !self.own && !matches!(value, Format::Text) {
            self.losses.field(*field);
            return;
        }
        let mime = match value {
            Format::Text if self.own => "text/plain",
            Format::Text => return,
            Format::Json | Format::Schema { .. } => "application/json",
            // Google's own kinds are extensions.
            Format::Other(_) => {
                self.losses.field(*field);
                return;
            }
        };
        if self.key("responseMimeType", field) {
            self.w.string(mime);
        }
        let Format::Schema { name, description, schema, strict } = value else { return };
        let place = schema_place(self.client, field);
        if *strict == Some(false) {
            // It is always obeyed here.
            self.losses.field(format!("{place}.strict"));
        }
        if let Some(native) = schema.native().filter(|_| self.own) {
            if self.key("responseSchema", field) {
                self.w.raw(native);
            }
        } else if self.key("responseJsonSchema", field) {
            let titles =
                [("title", "name", name.as_ref()), ("description", "description", description.as_ref())];
            schema::write_titled(&mut self.w, schema, titles, &place, &mut self.losses);
        }
    }

    pub(super) fn logprobs(&mut self, logprobs: Option<&Given<Logprobs>>) {
        let Some(Given { field, value: Logprobs { top } }) = logprobs else { return };
        if self.key("responseLogprobs", field) {
            self.w.bool(true);
        }
        if let Some(top) = top
            && self.key("logprobs", field)
        {
            self.w.count(*top);
        }
    }

    pub(super) fn thinking(&mut self, config: &Config) {
        const OBJECT: &str = "generationConfig.thinkingConfig";
        let Config { shown, budget, level } = config;
        let extended =
            self.own && self.rest.iter().any(|own| super::under(&own.name.value(), OBJECT).is_some());
        if (*config == Config::default() && !extended) || !self.key("thinkingConfig", OBJECT) {
            return;
        }
        self.w.frame(b"{");
        if let Some(shown) = shown {
            self.w.key("includeThoughts").bool(*shown);
        }
        match budget {
            Some(Cap::Tokens(tokens)) => write_count(&mut self.w, "thinkingBudget", *tokens),
            Some(Cap::Free) => {
                self.w.key("thinkingBudget").raw("-1");
            }
            None => {}
        }
        if let Some(level) = level {
            self.w.key("thinkingLevel").string(level);
        }
        self.write_under(OBJECT, "");
        self.w.frame(b"}");
    }
}

fn write_count(w: &mut Writer, name: &str, value: u64) {
    w.key(name).count(value);
}
