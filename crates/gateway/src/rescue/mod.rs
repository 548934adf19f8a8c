//! Streams that break off after something of them was shown: another candidate goes on, and the client sees
//! one answer.
//!
//! [`Keep`] remembers what was shown, without reading it. When the stream breaks, [`go_on`] reads it back,
//! decides what can be done, and has [`crate::pipeline::dispatch::Dispatch::open`] ask for the rest with a
//! [`Continuation`]. What an answer may be gone on with is decided in [`pointsman_wire::rescue`].

mod continuation;
mod keep;

use std::sync::Arc;

use pointsman_config::{Deployment, OnInterrupt};
use pointsman_core::record::{Joined, Joint};
use pointsman_core::{Outcome, Phase, PublicError, Usage};
use pointsman_telemetry::Rescued as Counted;
use pointsman_wire::json::Document;
use pointsman_wire::rescue::{Shown, Terms, Way};

pub(crate) use self::continuation::Continuation;
pub(crate) use self::keep::Keep;

use crate::pipeline::attempt::{Failure, Opened};
use crate::pipeline::dispatch::Dispatch;
use crate::pipeline::translate;
use crate::stream::StreamStart;

/// What earlier attempts at the answer leave for the accounts of the next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Before {
    /// What the first provider said of the prompt's tokens.
    pub(crate) prompt: Option<Usage>,
    /// By how many pieces of text the client got fewer than providers wrote for it.
    pub(crate) merged: i64,
}

/// What went on, and how.
pub(crate) struct Rescued {
    pub(crate) start: Box<StreamStart>,
    pub(crate) keep: Option<Keep>,
    pub(crate) joint: Joint,
}

/// Whether somebody else may help after a stream ended so.
pub(crate) const fn may_help(outcome: Outcome) -> bool {
    outcome.fallback_helps() && !matches!(outcome, Outcome::Timeout(Phase::Total))
}

/// Finds somebody who goes on with what a deployment began.
///
/// # Errors
/// Why nobody does, for the client.
pub(crate) async fn go_on(
    dispatch: &mut Dispatch,
    keep: Keep,
    broken: (&Arc<Deployment>, Failure),
    before: Before,
) -> Result<Rescued, String> {
    let rescued = ask(dispatch, keep, broken, before).await;
    let counted = match &rescued {
        Ok(Rescued { joint: Joint { how: Joined::Anew, .. }, .. }) => Counted::Restarted,
        Ok(_) => Counted::Continued,
        Err(_) => Counted::Failed,
    };
    dispatch.gateway.metrics.resilience().rescued(counted);
    rescued
}

async fn ask(
    dispatch: &mut Dispatch,
    keep: Keep,
    (deployment, failure): (&Arc<Deployment>, Failure),
    before: Before,
) -> Result<Rescued, String> {
    let broke = format!("{}: {}", deployment.key, failure.public);
    let (shown, terms) = read_back(dispatch, keep).map_err(|reason| format!("{broke}; {reason}"))?;
    let restarts = dispatch.route.on_interrupt == OnInterrupt::Restart;
    let goes_on = match shown.said().way(dispatch.choices, restarts, &terms) {
        Way::GoOn => true,
        Way::Anew => false,
        Way::None(obstacle) => return Err(format!("{broke}; {}", obstacle.as_str())),
    };
    if !dispatch.next_after_interrupt(deployment, failure) {
        return Err(broke);
    }
    dispatch.continuation = Some(Arc::new(Continuation::new(shown, terms, goes_on, before)));
    let opened = open(dispatch).await;
    let continuation = dispatch.continuation.take();
    match (opened, continuation) {
        (Ok(start), Some(continuation)) => {
            let joint = continuation.joint(&start.deployment, dispatch.speech.upstream);
            // Attempts beside it have ended, and with them their hold on this.
            let shown = Arc::into_inner(continuation).and_then(Continuation::into_shown);
            Ok(Rescued { start, keep: shown.and_then(|shown| Keep::after(dispatch, shown)), joint })
        }
        (Ok(_), None) => Err(broke),
        (Err(error), _) => Err(format!("{broke}; nobody went on: {}", error.message)),
    }
}

/// What the client was shown, and what it asked for.
fn read_back(dispatch: &Dispatch, keep: Keep) -> Result<(Shown, Terms), &'static str> {
    let shown = keep.read().ok_or("what was shown of it could not be read again")?;
    let unread = |_| "the request could not be read again";
    let document =
        Document::read(&dispatch.outgoing.body).map_err(|_| "the request could not be read again")?;
    let request = translate::decode(dispatch, &document).map_err(unread)?;
    Ok((shown, Terms::of(&request)))
}

/// Opens a stream of the rest. A candidate that refuses to go on by itself is told to; one that refuses that
/// too is left: what it says of a request that the client never made is no concern of the client's.
async fn open(dispatch: &mut Dispatch) -> Result<Box<StreamStart>, PublicError> {
    loop {
        match dispatch.open().await? {
            Opened::Stream(start) => return Ok(start),
            Opened::Rejected(rejection) => {
                let told =
                    dispatch.continuation.as_ref().and_then(|continuation| continuation.telling(&rejection));
                match told {
                    Some(continuation) => dispatch.continuation = Some(Arc::new(continuation)),
                    None => dispatch.leave()?,
                }
            }
            // A stream was asked for, and nothing else is taken for an answer.
            Opened::Plain(_) => dispatch.leave()?,
        }
    }
}
