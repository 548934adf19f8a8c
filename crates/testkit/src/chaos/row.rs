//! A row of the scorecard, and the configuration that it stands for.

use std::fmt::Write as _;
use std::time::Duration;

use pointsman_core::Dialect;

use crate::faults::{Continuing, Fault, Injector, Question};

/// The limit of each phase in every row: long enough for a busy machine, short enough to wait for often.
pub const LIMIT: Duration = Duration::from_millis(400);
/// Longer than any limit.
const TOO_LONG: Duration = Duration::from_secs(120);
/// The variable with the providers' key.
const KEY: &str = "CHAOS_KEY";

/// A way to fail, and what must become of it.
#[derive(Clone, Debug)]
pub struct Row {
    /// In the scorecard.
    pub name: String,
    /// What is asked; the model is the row's route, see [`Row::question`].
    pub question: Question,
    /// In the order in which the route asks them.
    pub providers: Vec<Provider>,
    /// How many of them, from the last on, are no candidates of the route: its options name them.
    pub apart: usize,
    /// Options of the route, as lines of YAML; `{b}` stands for the name of the second provider, and so on.
    pub options: &'static str,
    /// What is to be seen.
    pub expect: Expect,
}

/// A provider of a row.
#[derive(Clone, Debug)]
pub struct Provider {
    /// What it speaks.
    pub dialect: Dialect,
    /// Where it is.
    pub place: Place,
    /// What befalls its first attempts.
    pub script: Vec<Option<&'static Fault>>,
    /// What befalls all further ones.
    pub always: Option<&'static Fault>,
    /// How it goes on with answers that others began.
    pub way: Continuing,
    /// It refuses requests that end with a turn of the model.
    pub refuses_prefill: bool,
    /// It cuts characters into halves.
    pub splits: bool,
    /// Further lines of YAML.
    pub options: &'static str,
}

/// Where a provider is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At its injector.
    Served,
    /// At an address where nobody listens.
    Nobody,
    /// At a name that is not known.
    Unknown,
    /// At its injector, which is taken for one that speaks TLS.
    Tls,
}

/// What is to be seen.
#[derive(Clone, Debug)]
pub struct Expect {
    /// What the client gets.
    pub client: Client,
    /// What befell the attempts at each provider, in order; `?` at the end of a name: perhaps.
    pub attempts: Vec<Vec<&'static str>>,
    /// The time that the faults themselves take.
    pub own: Duration,
}

/// What a client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// The whole answer, as if nothing had been.
    Whole,
    /// An error with this status, whose message holds these words.
    Told {
        /// The HTTP status.
        status: u16,
        /// A part of the message.
        words: &'static str,
    },
    /// The begin of the answer, and an error event in its dialect.
    Interrupted,
}

impl Provider {
    /// A provider that is well.
    #[must_use]
    pub const fn well(dialect: Dialect) -> Self {
        Self {
            dialect,
            place: Place::Served,
            script: Vec::new(),
            always: None,
            way: Continuing::Exact,
            refuses_prefill: false,
            splits: false,
            options: "",
        }
    }

    /// A provider whose first attempt fails.
    #[must_use]
    pub fn failing(dialect: Dialect, fault: &'static Fault) -> Self {
        Self { script: vec![Some(fault)], ..Self::well(dialect) }
    }

    /// Goes on in this way.
    #[must_use]
    pub fn going_on(self, way: Continuing) -> Self {
        Self { way, ..self }
    }

    /// Has these lines in its configuration.
    #[must_use]
    pub fn with(self, options: &'static str) -> Self {
        Self { options, ..self }
    }

    /// Tells the injector what to do.
    pub fn prepare(&self, injector: &Injector) {
        injector.limit(TOO_LONG).continues(self.way).script(self.script.iter().copied());
        if let Some(fault) = self.always {
            injector.always(fault);
        }
        if self.refuses_prefill {
            injector.refuses_prefill();
        }
        if self.splits {
            injector.splits_characters();
        }
    }

    const fn kind(&self) -> &'static str {
        match self.dialect {
            Dialect::OpenAiResponses => "openai-responses",
            Dialect::Anthropic => "anthropic",
            _ => "openai",
        }
    }
}

impl Row {
    /// The name of the provider at this place of the row with this number.
    #[must_use]
    pub fn provider(number: usize, place: usize) -> String {
        let letter = ["a", "b", "c", "d"].get(place).copied().unwrap_or("e");
        format!("{letter}{number:03}")
    }

    /// The name of the row's route.
    #[must_use]
    pub fn route(number: usize) -> String {
        format!("r{number:03}")
    }

    /// What is asked of the route.
    #[must_use]
    pub fn question(&self, number: usize) -> Question {
        Question { model: Self::route(number), ..self.question.clone() }
    }

    /// The environment that the configuration refers to.
    #[must_use]
    pub const fn environment() -> [(&'static str, &'static str); 1] {
        [(KEY, "sk-chaos-0001")]
    }

    /// The row's providers as entries of `providers`; `urls` are their base URLs.
    #[must_use]
    pub fn providers_yaml(&self, number: usize, urls: &[String]) -> String {
        let mut text = String::new();
        let limit = LIMIT.as_millis();
        for (place, (provider, url)) in self.providers.iter().zip(urls).enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "  {}:\n    kind: {}\n    base_url: {url}\n    keys: {{ env: {KEY} }}\n    models: [mmmm, long]\n    \
                 timeouts: {{ connect: 2s, first_byte: {limit}ms, first_token: {limit}ms, \
                 between_chunks: {limit}ms, total: 20s }}\n",
                Self::provider(number, place),
                provider.kind(),
            );
            if provider.dialect == Dialect::OpenAiChat {
                text.push_str("    include_usage: true\n");
            }
            lines(&mut text, number, provider.options);
        }
        text
    }

    /// The row's route as an entry of `routes`.
    #[must_use]
    pub fn route_yaml(&self, number: usize) -> String {
        let candidates = (0..self.providers.len() - self.apart).map(|place| {
            // As long as the route's name, so that a body has the same length on both sides.
            format!("{}/mmmm", Self::provider(number, place))
        });
        let candidates: Vec<_> = candidates.collect();
        let mut text = format!("  {}:\n    first: [{}]\n", Self::route(number), candidates.join(", "));
        lines(&mut text, number, self.options);
        text
    }
}

fn lines(text: &mut String, number: usize, options: &str) {
    let mut options = options.to_owned();
    for (place, name) in ["{a}", "{b}", "{c}"].into_iter().enumerate() {
        options = options.replace(name, &Row::provider(number, place));
    }
    for line in options.lines().filter(|line| !line.trim().is_empty()) {
        let _ = writeln!(text, "    {line}");
    }
}
