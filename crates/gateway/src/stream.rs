//! A stream from its first byte to its last: held until it has something to show, then driven by the
//! client's own reading. Frames pass untouched while an observer reads along, or are converted.
//!
//! This file is about what comes before the commit point, [`driver`] about what comes after it.

mod driver;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, header};
use http_body_util::BodyExt;
use pointsman_config::Deployment;
use pointsman_core::{Outcome, Phase};
use pointsman_providers::classify::classify_body_error;
use pointsman_transport::UpstreamBody;
use pointsman_wire::convert::Relay;
use pointsman_wire::openai::stream::{Observed, StreamFault};
use tokio::time::{Instant, timeout_at};

pub(crate) use self::driver::StreamDriver;

use crate::pipeline::attempt::{Failure, broken, is_malformed, timed_out};
use crate::pipeline::dispatch::Dispatch;
use crate::pipeline::read::Encoding;
use crate::pipeline::refusal::{blamed, error_info, not_a_stream};
use crate::pipeline::translate::{self, streams_lines};

/// Bytes that are held before the commit point; a stream that is longer by then is shown as it is.
const MAX_HELD_BYTES: usize = 256 * 1024;
/// Pieces that they are held in; more are joined.
const MAX_HELD_PIECES: usize = 64;

/// A stream that has something to show, or has already ended well.
pub(crate) struct StreamStart {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) headers: HeaderMap,
    /// `None` once it broke off: its connection is let go.
    body: Option<UpstreamBody>,
    relay: Relay,
    held: Vec<Bytes>,
    ended: bool,
    status: u16,
    between_chunks: Duration,
}

/// Reads a streamed answer up to its commit point: the first event with text, reasoning, a tool call or
/// a finish. Whatever fails before that can be tried elsewhere without the client noticing.
pub(crate) async fn open(
    dispatch: &mut Dispatch,
    deployment: &Arc<Deployment>,
    response: Response<UpstreamBody>,
    answered: Instant,
    strip_usage: bool,
) -> Result<Box<StreamStart>, Failure> {
    if !is_stream(response.headers(), streams_lines(dispatch.speech.upstream)) {
        return Err(not_a_stream(dispatch, deployment, response).await);
    }
    let (head, body) = response.into_parts();
    check_encoding(&head.headers)?;
    let timeouts = dispatch.timeouts(deployment);
    let relay = translate::relay(dispatch, deployment, strip_usage)?;
    let mut start = Box::new(StreamStart {
        deployment: deployment.clone(),
        headers: head.headers,
        body: Some(body),
        relay,
        held: Vec::new(),
        ended: false,
        status: head.status.as_u16(),
        between_chunks: timeouts.between_chunks,
    });
    let first_token = answered + timeouts.first_token;
    let (limit, phase) = match dispatch.deadline.instant() {
        total if total <= first_token => (total, Phase::Total),
        _ => (first_token, Phase::FirstToken),
    };
    match timeout_at(limit, commit(&mut start)).await {
        Ok(Ok(())) => Ok(start),
        Ok(Err(failure)) => Err(failure),
        Err(_) => Err(timed_out(phase)),
    }
}

/// Whether this is a stream of events, or of lines.
fn is_stream(headers: &HeaderMap, lines: bool) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.map(|text| text.trim_start().to_ascii_lowercase()).unwrap_or_default();
    if lines { content_type.contains("json") } else { content_type.starts_with("text/event-stream") }
}

fn check_encoding(headers: &HeaderMap) -> Result<(), Failure> {
    match Encoding::of(headers) {
        Ok(None) => Ok(()),
        Ok(Some(_)) | Err(_) => Err(Failure::new(
            Outcome::Malformed,
            "the stream came compressed although that was not asked for",
        )),
    }
}

async fn commit(start: &mut StreamStart) -> Result<(), Failure> {
    let mut held_bytes = 0;
    let settled = |observed: &Observed| observed.committed || observed.done;
    while !settled(start.relay.observed()) && held_bytes <= MAX_HELD_BYTES {
        let before = start.held.len();
        let frame = match &mut start.body {
            Some(body) => body.frame().await,
            None => None,
        };
        match frame {
            Some(Ok(frame)) => {
                let Ok(chunk) = frame.into_data() else { continue };
                let pushed = start.relay.push(chunk, &mut start.held);
                if let Some(failure) = error_inside(start.relay.observed(), &start.deployment) {
                    return Err(failure);
                }
                pushed.map_err(|fault| misunderstood(&fault))?;
            }
            Some(Err(error)) => {
                let malformed = is_malformed(&error);
                return Err(broken(malformed, "the stream broke off before its first token").because(error));
            }
            None => {
                let finished = start.relay.finish(&mut start.held);
                if let Some(failure) = error_inside(start.relay.observed(), &start.deployment) {
                    return Err(failure);
                }
                finished.map_err(|fault| misunderstood(&fault))?;
                if !start.relay.observed().complete() {
                    return Err(Failure::new(Outcome::Reset, "the stream ended before its first token"));
                }
                start.ended = true;
                return Ok(());
            }
        }
        held_bytes += start.held.iter().skip(before).map(Bytes::len).sum::<usize>();
        // A piece may keep the whole buffer that it was read into.
        if start.held.len() > MAX_HELD_PIECES {
            start.held = vec![start.held.concat().into()];
        }
    }
    Ok(())
}

fn error_inside(observed: &Observed, deployment: &Deployment) -> Option<Failure> {
    let error = observed.error.as_ref()?;
    let outcome = classify_body_error(&error_info(error));
    Some(blamed(outcome, None, error, deployment))
}

fn misunderstood(fault: &StreamFault) -> Failure {
    let public = match fault {
        StreamFault::Unfit(reason) => reason,
        _ => "the stream could not be understood",
    };
    Failure::new(Outcome::Malformed, public).because(fault)
}
