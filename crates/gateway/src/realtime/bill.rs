//! The accounts of a session: what the provider reports in its events, summed; each answer at its own price.

use std::sync::Arc;

use pointsman_config::{Deployment, Snapshot};
use pointsman_core::{Cost, Rng, Usage, UsageSource};
use pointsman_providers::PriceList;
use pointsman_routing::Resolved;
use pointsman_wire::openai::realtime::{Event, event, may_count};
use pointsman_wire::websocket::Seen;

/// Longest event that is looked at, in bytes: those that report usage hold texts, but no audio.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// What a session has used so far.
pub(crate) struct Bill {
    snapshot: Arc<Snapshot>,
    deployment: Arc<Deployment>,
    /// Who transcribes the caller's audio: in a session for that, the deployment itself.
    transcriber: Option<Arc<Deployment>>,
    transcribes: bool,
    /// Whether anybody transcribes, known or not.
    transcribed: bool,
    usage: Usage,
    /// `None`: some part is not known.
    cost: Option<Cost>,
    /// Answers that have begun and not ended.
    open: u32,
    /// Audio whose transcription has not come.
    spoken: u32,
    message: Message,
}

/// The server's message under way.
#[derive(Debug, Default)]
enum Message {
    /// None.
    #[default]
    Between,
    /// So much of it.
    Held(Vec<u8>),
    /// It does not count.
    Passed,
}

impl Bill {
    /// An empty one. `transcribes`: the session is for transcription.
    pub(crate) fn new(snapshot: Arc<Snapshot>, deployment: Arc<Deployment>, transcribes: bool) -> Self {
        let transcriber = transcribes.then(|| deployment.clone());
        let (usage, cost) = (Usage::default(), Some(Cost::default()));
        Self {
            snapshot,
            deployment,
            transcriber,
            transcribes,
            transcribed: transcribes,
            usage,
            cost,
            open: 0,
            spoken: 0,
            message: Message::Between,
        }
    }

    /// Tokens so far.
    pub(crate) const fn usage(&self) -> Usage {
        self.usage
    }

    /// What they cost. `None`: not to be known; so with an answer or a transcription of which nobody saw the
    /// end, and with an event that is half here.
    pub(crate) fn cost(&self) -> Option<Cost> {
        let whole = self.open == 0 && self.spoken == 0 && !matches!(self.message, Message::Held(_));
        let free = self.deployment.price.as_deref() == Some(&PriceList::FREE);
        if free { Some(Cost::default()) } else { self.cost.filter(|_| whole) }
    }

    /// Whether an answer is under way.
    pub(crate) const fn answering(&self) -> bool {
        self.open > 0
    }

    /// Looks at what the provider sends.
    pub(crate) fn see(&mut self, seen: &Seen<'_>) {
        let Seen::Data { text: true, piece, last } = *seen else { return };
        self.message = match std::mem::take(&mut self.message) {
            // Whole messages, which most are, are not copied.
            Message::Between if last => {
                if may_count(piece) {
                    self.event(piece);
                }
                return;
            }
            Message::Between if piece.is_empty() => return,
            Message::Between if !may_count(piece) => Message::Passed,
            Message::Between => Message::Held(piece.to_vec()),
            Message::Held(held) if held.len() + piece.len() > MAX_EVENT_BYTES => {
                // It may have been one that counts.
                self.cost = None;
                Message::Passed
            }
            Message::Held(mut held) => {
                held.extend_from_slice(piece);
                Message::Held(held)
            }
            Message::Passed => Message::Passed,
        };
        if last && let Message::Held(held) = std::mem::take(&mut self.message) {
            self.event(&held);
        }
    }

    fn event(&mut self, text: &[u8]) {
        match event(text) {
            Event::Begun => self.open += 1,
            Event::Done(usage) => {
                self.open = self.open.saturating_sub(1);
                let deployment = self.deployment.clone();
                self.add(usage, Some(&deployment));
            }
            Event::Committed => self.spoken += u32::from(self.transcribed),
            Event::Untranscribed => self.spoken = self.spoken.saturating_sub(1),
            Event::Transcribed(usage) => {
                self.spoken = self.spoken.saturating_sub(1);
                let transcriber = self.transcriber.clone();
                self.add(usage, transcriber.as_deref());
            }
            Event::Session(model) => {
                self.transcribed = self.transcribes || model.is_some();
                self.transcriber = match model {
                    Some(model) => self.known(&model),
                    None => self.transcribes.then(|| self.deployment.clone()),
                };
            }
            Event::Other => {}
        }
    }

    fn add(&mut self, usage: Option<Usage>, by: Option<&Deployment>) {
        let price = by.and_then(|deployment| deployment.price.as_deref());
        let Some(usage) = usage else {
            self.cost = self.cost.filter(|_| price == Some(&PriceList::FREE));
            return;
        };
        self.cost = match (self.cost, price.filter(|price| price.tells(&usage))) {
            (Some(mut sum), Some(price)) => {
                sum += price.cost(&usage);
                Some(sum)
            }
            _ => None,
        };
        let sum = &mut self.usage;
        for (sum, more) in [
            (&mut sum.input, usage.input),
            (&mut sum.cached_input, usage.cached_input),
            (&mut sum.cache_write, usage.cache_write),
            (&mut sum.output, usage.output),
            (&mut sum.reasoning, usage.reasoning),
            (&mut sum.input_audio, usage.input_audio),
            (&mut sum.output_audio, usage.output_audio),
            (&mut sum.detail.cached_audio, usage.detail.cached_audio),
            (&mut sum.detail.input_image, usage.detail.input_image),
            (&mut sum.detail.heard_ms, usage.detail.heard_ms),
        ] {
            *sum = sum.saturating_add(more);
        }
        sum.source = UsageSource::Reported;
    }

    /// The deployment of another model of the same provider.
    fn known(&self, model: &str) -> Option<Arc<Deployment>> {
        let name = format!("{}/{model}", self.deployment.key.provider);
        match self.snapshot.resolver.resolve(&name).ok()? {
            Resolved::Known(known) => {
                let plan = known.plan(&mut Rng::new(0), &());
                let candidate = plan.candidates.first()?;
                self.snapshot.deployment(candidate.deployment).cloned()
            }
            Resolved::Dynamic(dynamic) => self.snapshot.dynamic(dynamic),
        }
    }
}
