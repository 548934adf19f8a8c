//! One line of the catalogue, read on demand.

use crate::price::{PriceList, Prices, Tier, usd_per_million};
use pointsman_core::{Operation, Price};

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
        )
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

    /// Is charged for more than tokens (a fee for each request or search), so that the tokens' cost
    /// is not the whole cost.
    #[must_use]
    pub fn extra_fees(self) -> bool {
        self.has('$')
    }
}

/// One model of one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// The provider's name in the catalogue: `together_ai`.
    pub provider: &'static str,
    /// The model's name without the provider: what is sent upstream.
    pub model: &'static str,
    /// What it is for.
    pub mode: Mode,
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
    /// Reads a line: provider, model, mode, longest prompt, longest answer, capabilities, prices and
    /// date of deprecation, separated by tabs. Further fields are ignored.
    pub(crate) fn parse(line: &'static str) -> Option<Self> {
        let mut fields = line.split('\t');
        let (provider, model) = (fields.next()?, fields.next()?);
        let mode = match fields.next()? {
            "c" => Mode::Chat,
            "r" => Mode::Responses,
            "t" => Mode::Completion,
            "e" => Mode::Embedding,
            _ => return None,
        };
        let (max_input, max_output) = (fields.next()?.parse().ok(), fields.next()?.parse().ok());
        let capabilities = Capabilities(fields.next()?);
        let price = prices(fields.next()?);
        let deprecated = fields.next().filter(|date| !date.is_empty());
        Some(Self { provider, model, mode, max_input, max_output, capabilities, price, deprecated })
    }
}

/// Reads `i.15 o.6 c.075 >200000 i.3 o1.2`: a letter and USD per million tokens; what follows a `>`
/// counts above so many input tokens and inherits what it does not name.
fn prices(text: &str) -> Option<PriceList> {
    let mut base = Prices::default();
    let mut tiers: Vec<Tier> = Vec::new();
    let mut input_known = false;
    for word in text.split_ascii_whitespace() {
        let (letter, value) = word.split_at_checked(1)?;
        if letter == ">" {
            tiers.push(Tier { above_input: value.parse().ok()?, prices: base });
            continue;
        }
        input_known |= letter == "i";
        let price = usd_per_million(value).ok()?;
        set(tiers.last_mut().map_or(&mut base, |tier| &mut tier.prices), letter, price);
    }
    input_known.then(|| PriceList::tiered(base, tiers))
}

fn set(prices: &mut Prices, letter: &str, price: Price) {
    match letter {
        "i" => prices.input = price,
        "o" => prices.output = price,
        "c" => prices.cached_input = Some(price),
        "w" => prices.cache_write = Some(price),
        "r" => prices.reasoning = Some(price),
        "a" => prices.input_audio = Some(price),
        "b" => prices.output_audio = Some(price),
        // A kind that a later list adds and this build does not bill.
        _ => {}
    }
}
