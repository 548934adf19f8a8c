//! What kind of model a route may ask for: `class:flash`.

/// The class of a model, by the rules that `docs/catalogue.md` states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// The best general models of their makers.
    Frontier,
    /// General models.
    Standard,
    /// Small, fast and cheap ones.
    Flash,
    /// Made for code.
    Coder,
    /// Thinks before every answer.
    Reasoning,
    /// Text completions only.
    Completion,
    /// Embeddings.
    Embedding,
    /// Reranking.
    Rerank,
    /// Judges what others write.
    Guard,
    /// Makes pictures.
    Image,
    /// Speaks.
    Speech,
    /// Writes down what it hears.
    Transcription,
    /// Speaks and listens in one session.
    Realtime,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 13] = [
        Self::Frontier,
        Self::Standard,
        Self::Flash,
        Self::Coder,
        Self::Reasoning,
        Self::Completion,
        Self::Embedding,
        Self::Rerank,
        Self::Guard,
        Self::Image,
        Self::Speech,
        Self::Transcription,
        Self::Realtime,
    ];

    /// The word used in the catalogue, in routes (`class:flash`) and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Frontier => "frontier",
            Self::Standard => "standard",
            Self::Flash => "flash",
            Self::Coder => "coder",
            Self::Reasoning => "reasoning",
            Self::Completion => "completion",
            Self::Embedding => "embedding",
            Self::Rerank => "rerank",
            Self::Guard => "guard",
            Self::Image => "image",
            Self::Speech => "speech",
            Self::Transcription => "transcription",
            Self::Realtime => "realtime",
        }
    }

    /// The class of this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }
}
