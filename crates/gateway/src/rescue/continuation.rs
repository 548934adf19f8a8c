//! What attempts to go on are made with: the request for the rest, and the relay of what comes of it.

use std::sync::Arc;

use pointsman_config::Deployment;
use pointsman_core::record::{Joined, Joint};
use pointsman_core::{Dialect, ErrorCode, ModelRef, PublicError};
use pointsman_providers::Prefill;
use pointsman_wire::convert::{Codec, Relay};
use pointsman_wire::neutral::Request as NeutralRequest;
use pointsman_wire::rescue::{Before, GoOn, Manner, Mark, Plan, Rejoin, Shown, Terms};

use crate::pipeline::attempt::Failure;
use crate::pipeline::dispatch::Dispatch;
use crate::pipeline::refusal::Rejection;

/// vLLM's way: `continue_final_message`.
const CONTINUE_FINAL: &[(&str, &str)] =
    &[("continue_final_message", "true"), ("add_generation_prompt", "false")];

/// An answer that somebody is asked to go on with.
#[derive(Debug)]
pub(crate) struct Continuation {
    shown: Arc<Shown>,
    terms: Terms,
    /// Behind its text; else from the beginning.
    goes_on: bool,
    before: super::Before,
    /// Those that refused to go on from a begun answer: they are told to.
    told: Vec<ModelRef>,
}

impl Continuation {
    pub(super) fn new(shown: Shown, terms: Terms, goes_on: bool, before: super::Before) -> Self {
        Self { shown: Arc::new(shown), terms, goes_on, before, told: Vec::new() }
    }

    /// The same for a candidate that refused to go on by itself; `None` where it was told to already.
    pub(super) fn telling(&self, rejection: &Rejection) -> Option<Self> {
        let deployment = &rejection.deployment;
        if !self.goes_on || !self.prefills(deployment, rejection.dialect) || self.terms.schema.is_some() {
            return None;
        }
        let told = self.told.iter().chain([&deployment.key]).cloned().collect();
        Some(Self {
            told,
            shown: self.shown.clone(),
            terms: self.terms.clone(),
            goes_on: true,
            before: self.before,
        })
    }

    pub(super) fn into_shown(self) -> Option<Shown> {
        Arc::into_inner(self.shown)
    }

    /// Whether a request is for the rest of an answer, not for a whole one.
    pub(crate) const fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// Whether this candidate goes on by itself from an answer that it has begun, spoken to so.
    fn prefills(&self, deployment: &Deployment, upstream: Dialect) -> bool {
        let can = match deployment.prefill {
            Prefill::None => false,
            Prefill::Message => upstream != Dialect::OpenAiResponses,
            Prefill::Prefix | Prefill::Partial | Prefill::ContinueFinalMessage => {
                upstream == Dialect::OpenAiChat
            }
        };
        can && !self.told.contains(&deployment.key)
    }

    /// Tokens that so many pieces were when they were written.
    const fn tokens(&self, pieces: u64) -> u64 {
        pieces.saturating_add_signed(self.before.merged)
    }

    fn request<'c>(&'c self, deployment: &Deployment, upstream: Dialect) -> GoOn<'c> {
        let said = self.shown.said();
        GoOn {
            text: said.text(),
            tokens: self.tokens(said.spoken()),
            prefill: self.prefills(deployment, upstream),
        }
    }

    /// Turns the client's request into one for the rest.
    ///
    /// # Errors
    /// This candidate cannot give it.
    pub(crate) fn adapt(
        &self,
        request: &mut NeutralRequest<'_>,
        deployment: &Deployment,
        upstream: Dialect,
    ) -> Result<(), Failure> {
        if !self.goes_on {
            return Ok(());
        }
        let go_on = self.request(deployment, upstream);
        if self.terms.schema.is_some() && !go_on.prefill {
            let message = format!("{} cannot go on with a structured answer", deployment.key);
            let error = PublicError::new(ErrorCode::UnsupportedOperation, message);
            return Err(Failure::unsaid(error, false));
        }
        go_on.adapt(request, upstream);
        Ok(())
    }

    /// The request with what its vendor needs to go on from a begun answer.
    pub(crate) fn mark(&self, body: Vec<u8>, deployment: &Deployment, upstream: Dialect) -> Vec<u8> {
        if !self.goes_on || !self.prefills(deployment, upstream) {
            return body;
        }
        let mark = match deployment.prefill {
            Prefill::None | Prefill::Message => return body,
            Prefill::Prefix => Mark::Message("prefix"),
            Prefill::Partial => Mark::Message("partial"),
            Prefill::ContinueFinalMessage => Mark::Request(CONTINUE_FINAL),
        };
        // It was written a moment ago: that it is JSON is sure.
        mark.put(&body).unwrap_or(body)
    }

    /// What reads the stream of the rest.
    pub(crate) fn relay(
        &self,
        dispatch: &Dispatch,
        deployment: &Deployment,
        (from, id): (&dyn Codec, &str),
    ) -> Relay {
        let said = self.shown.said();
        let upstream = dispatch.speech.upstream;
        let go_on = self.goes_on.then(|| self.request(deployment, upstream));
        let manner = go_on.as_ref().map(|go_on| match go_on.prefill {
            true => Manner::Prefill { trimmed: go_on.trims(upstream) },
            false => Manner::Instructed,
        });
        let added = go_on.as_ref().map_or(0, GoOn::added);
        let before = Before { prompt: self.before.prompt, output: self.tokens(said.deltas()), added };
        let plan = Plan { manner, terms: &self.terms, choices: dispatch.choices, before };
        let rejoin = Rejoin::new((from, &deployment.provider.name, id), &self.shown, &plan);
        Relay::Rejoin(Box::new(rejoin.restoring(dispatch.tool_names.as_ref())))
    }

    /// For the record. What was left out is known later.
    pub(super) fn joint(&self, deployment: &Deployment, upstream: Dialect) -> Joint {
        let how = match (self.goes_on, self.prefills(deployment, upstream)) {
            (false, _) => Joined::Anew,
            (true, true) => Joined::Prefill,
            (true, false) => Joined::Instructed,
        };
        Joint { at_chars: self.shown.said().text().chars().count() as u64, dropped_chars: 0, how }
    }
}
