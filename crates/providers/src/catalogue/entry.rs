//! One line of the catalogue, read on demand.

use pointsman_core::Operation;

use super::class::Class;
use super::prices;
use crate::price::PriceList;

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Chat completions.
    Chat,
    /// Only OpenAI's Responses API.
    Responses,
    /// Text completions.
    Completion,
    /// Embeddings.
    Embedding,
    /// Pictures from text, or from other pictures.
    Image,
    /// Text from speech.
    Transcription,
    /// Speech from text.
    Speech,
    /// Documents by relevance.
    Rerank,
    /// Whether a text is harmful.
    Moderation,
    /// Sessions of OpenAI's Realtime API or one like it.
    Realtime,
}

impl Mode {
    /// Whether the model answers this operation.
    #[must_use]
    pub const fn serves(self, operation: Operation) -> bool {
        matches!(
            (self, operation),
            (Self::Chat, Operation::Chat)
                | (Self::Completion, Operation::TextCompletion)
                | (Self::Embedding, Operation::Embeddings)
                | (Self::Realtime, Operation::Realtime)
        )
    }

    /// The word used on the command line and in `GET /v1/models`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Completion => "completion",
            Self::Embedding => "embedding",
            Self::Image => "image",
            Self::Transcription => "transcription",
            Self::Speech => "speech",
            Self::Rerank => "rerank",
            Self::Moderation => "moderation",
            Self::Realtime => "realtime",
        }
    }

    fn from_letter(letter: &str) -> Option<Self> {
        Some(match letter {
            "c" => Self::Chat,
            "r" => Self::Responses,
            "t" => Self::Completion,
            "e" => Self::Embedding,
            "i" => Self::Image,
            "x" => Self::Transcription,
            "s" => Self::Speech,
            "k" => Self::Rerank,
            "m" => Self::Moderation,
            "l" => Self::Realtime,
            _ => return None,
        })
    }
}

/// What a model can do, as the letters of the catalogue. A letter that is absent means "no" or "not
/// known".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities(&'static str);

impl Capabilities {
    fn has(self, letter: char) -> bool {
        self.0.contains(letter)
    }

    /// Takes tools and calls them.
    #[must_use]
    pub fn tools(self) -> bool {
        self.has('t')
    }

    /// Calls several tools at once.
    #[must_use]
    pub fn parallel_tools(self) -> bool {
        self.has('p')
    }

    /// Sees images.
    #[must_use]
    pub fn vision(self) -> bool {
        self.has('v')
    }

    /// Reads PDF files.
    #[must_use]
    pub fn pdf(self) -> bool {
        self.has('d')
    }

    /// Hears.
    #[must_use]
    pub fn audio_input(self) -> bool {
        self.has('a')
    }

    /// Speaks.
    #[must_use]
    pub fn audio_output(self) -> bool {
        self.has('o')
    }

    /// Sees video.
    #[must_use]
    pub fn video(self) -> bool {
        self.has('m')
    }

    /// Reasons before it answers.
    #[must_use]
    pub fn reasoning(self) -> bool {
        self.has('r')
    }

    /// Keeps to a JSON Schema.
    #[must_use]
    pub fn response_schema(self) -> bool {
        self.has('s')
    }

    /// Caches prompts.
    #[must_use]
    pub fn prompt_caching(self) -> bool {
        self.has('c')
    }

    /// Takes system messages.
    #[must_use]
    pub fn system_messages(self) -> bool {
        self.has('y')
    }

    /// Searches the web.
    #[must_use]
    pub fn web_search(self) -> bool {
        self.has('w')
    }

    /// Uses a computer.
    #[must_use]
    pub fn computer_use(self) -> bool {
        self.has('u')
    }

    /// Goes on from an answer that has begun.
    #[must_use]
    pub fn assistant_prefill(self) -> bool {
        self.has('f')
    }

    /// Makes pictures between its words.
    #[must_use]
    pub fn image_output(self) -> bool {
        self.has('g')
    }

    /// The names of what it can do, in one order: `tools`, `vision`, …
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().filter(move |(letter, _)| self.has(*letter)).map(|(_, name)| name)
    }

    /// Is charged for more than its prices show (a fee for each request or search), so that the tokens' cost
    /// is not the whole cost.
    #[must_use]
    pub fn extra_fees(self) -> bool {
        self.has('$')
    }
}

/// The letters with the names that people read.
const NAMES: [(char, &str); 14] = [
    ('t', "tools"),
    ('p', "parallel_tools"),
    ('v', "vision"),
    ('d', "pdf"),
    ('a', "audio_input"),
    ('o', "audio_output"),
    ('m', "video"),
    ('r', "reasoning"),
    ('s', "response_schema"),
    ('c', "prompt_caching"),
    ('w', "web_search"),
    ('u', "computer_use"),
    ('f', "assistant_prefill"),
    ('g', "image_output"),
];

/// One model of one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// The provider's name in the catalogue: `together_ai`.
    pub provider: &'static str,
    /// The model's name without the provider: what is sent upstream.
    pub model: &'static str,
    /// What it is for.
    pub mode: Mode,
    /// What kind of model it is.
    pub class: Class,
    /// The longest prompt, in tokens.
    pub max_input: Option<u32>,
    /// The longest answer, in tokens.
    pub max_output: Option<u32>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// `None`: not known.
    pub price: Option<PriceList>,
    /// When the provider turns it off, as `YYYY-MM-DD`.
    pub deprecated: Option<&'static str>,
}

impl CatalogueEntry {
    /// Reads a line: provider, model, mode, class, longest prompt, longest answer, capabilities, prices
    /// and date of deprecation, separated by tabs. Further fields are ignored; the line of a twin is none.
    pub(crate) fn parse(line: &'static str) -> Option<Self> {
        let mut fields = line.split('\t');
        let (provider, model) = (fields.next()?, fields.next()?);
        let mode = Mode::from_letter(fields.next()?)?;
        let class = Class::from_word(fields.next()?)?;
        let (max_input, max_output) = (fields.next()?.parse().ok(), fields.next()?.parse().ok());
        let capabilities = Capabilities(fields.next()?);
        let price = prices::parse(fields.next()?);
        let deprecated = fields.next().filter(|date| !date.is_empty());
        Some(Self { provider, model, mode, class, max_input, max_output, capabilities, price, deprecated })
    }

    /// With what the line of a twin says otherwise: its prices and its date.
    pub(super) fn of_twin(mut self, twin: &Twin) -> Self {
        self.price = prices::parse(twin.prices).or(self.price);
        self.deprecated = twin.deprecated.or(self.deprecated);
        self
    }

    /// What it takes: `text`, `image`, `file`, `audio`, `video`.
    pub fn input_modalities(&self) -> impl Iterator<Item = &'static str> {
        let can = self.capabilities;
        let hears = self.mode == Mode::Transcription;
        let all = [
            ("text", !hears),
            ("image", can.vision()),
            ("file", can.pdf()),
            ("audio", hears || can.audio_input()),
            ("video", can.video()),
        ];
        all.into_iter().filter(|(_, takes)| *takes).map(|(name, _)| name)
    }

    /// What it gives: `text`, `image`, `audio`, `embeddings`, `scores`.
    pub fn output_modalities(&self) -> impl Iterator<Item = &'static str> {
        let can = self.capabilities;
        let scores = matches!(self.mode, Mode::Rerank | Mode::Moderation);
        let text = matches!(
            self.mode,
            Mode::Chat | Mode::Responses | Mode::Completion | Mode::Transcription | Mode::Realtime
        );
        let all = [
            ("text", text),
            ("image", self.mode == Mode::Image || can.image_output()),
            ("audio", self.mode == Mode::Speech || can.audio_output()),
            ("embeddings", self.mode == Mode::Embedding),
            ("scores", scores),
        ];
        all.into_iter().filter(|(_, gives)| *gives).map(|(name, _)| name)
    }
}

/// Another name of a model: the line `provider, name, =model, kind, prices, date`.
pub(super) struct Twin {
    /// The model's name.
    pub(super) of: &'static str,
    /// Where they differ from the model's.
    prices: &'static str,
    deprecated: Option<&'static str>,
}

impl Twin {
    pub(super) fn parse(line: &'static str) -> Option<Self> {
        let mut fields = line.split('\t').skip(2);
        let of = fields.next()?.strip_prefix('=')?;
        let (_kind, prices) = (fields.next(), fields.next().unwrap_or_default());
        Some(Self { of, prices, deprecated: fields.next() })
    }
}
