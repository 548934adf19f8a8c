//! Stage 10 for embeddings: providers are asked in their own dialect, and answer in the client's.

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use pointsman_config::Deployment;
use pointsman_core::{Dialect, ErrorCode, Outcome, PublicError, Usage, UsageSource};
use pointsman_providers::Protocol;
use pointsman_providers::classify::classify_body_error;
use pointsman_transport::RequestBody;
use pointsman_wire::convert::codec;
use pointsman_wire::embeddings::{
    Reply, Shape, decode_answer, decode_request, encode_answer, encode_request,
};
use pointsman_wire::json::Document;
use pointsman_wire::neutral::{DecodeError, Target};

use crate::pipeline::attempt::{self, Failure};
use crate::pipeline::dispatch::Dispatch;
use crate::pipeline::refusal::{blamed, error_info};
use crate::pipeline::translate::{Speech, wrong};

/// How a candidate is asked. Chats may go another way: here its protocol decides.
pub(crate) fn speech(dispatch: &Dispatch, deployment: &Deployment) -> Speech {
    let client = dispatch.asked.dialect;
    let upstream = match deployment.provider.protocol() {
        Protocol::Gemini => Dialect::Gemini,
        Protocol::Ollama => Dialect::Ollama,
        Protocol::Anthropic => Dialect::Anthropic,
        Protocol::OpenAi | Protocol::OpenAiResponses | Protocol::Azure => Dialect::OpenAiChat,
    };
    Speech { client, upstream, rewritten: (client, upstream) != (Dialect::OpenAiChat, Dialect::OpenAiChat) }
}

/// The request for a candidate that does not take the client's bytes as they are.
///
/// # Errors
/// The client's request is wrong, or cannot be said to this candidate.
pub(crate) fn encode(
    dispatch: &mut Dispatch,
    deployment: &Deployment,
) -> Result<Request<RequestBody>, Failure> {
    let upstream = dispatch.speech.upstream;
    if Shape::of_provider(upstream).is_none() {
        let message = format!("the provider of {} has no embeddings", deployment.key);
        return Err(Failure::unsaid(PublicError::new(ErrorCode::UnsupportedOperation, message), false));
    }
    let document = Document::read(&dispatch.outgoing.body).map_err(|error| wrong(&error.into()))?;
    let request = decode_request(dispatch.asked.shape, &document).map_err(|error| wrong(&error))?;
    let provider = &deployment.provider;
    let target =
        Target { quirks: &provider.quirks, ..Target::new(upstream, &provider.name, &deployment.key.model) };
    let unsayable = |message: String, field: &str| {
        let error = PublicError::new(ErrorCode::InvalidRequest, message).at(field.to_owned());
        Failure::unsaid(error, false)
    };
    let encoded = encode_request(&request, &target)
        .map_err(|error| unsayable(format!("{error} ({})", deployment.key), &error.field))?;
    if let Some(first) = encoded.losses.iter().next().filter(|_| dispatch.route.strict) {
        let message = format!(
            "`{first}` has no place in a request to {}, and this route is `strict`; leave it out, or use another model",
            deployment.key
        );
        return Err(unsayable(message, first));
    }
    dispatch.settlement.lost_in_request(&encoded.losses);
    dispatch.dropped = encoded.losses;
    attempt::request(dispatch, deployment, RequestBody::from(Bytes::from(encoded.body)))
}

/// A candidate's answer as the client reads it: its headers, its bytes, and what it used.
///
/// # Errors
/// It is no answer.
pub(crate) fn answer(
    dispatch: &mut Dispatch,
    deployment: &Deployment,
    mut headers: HeaderMap,
    body: &Bytes,
) -> Result<(HeaderMap, Bytes, Usage), Failure> {
    let misunderstood = |error: &DecodeError| {
        Failure::new(Outcome::Malformed, "the answer could not be understood").because(error)
    };
    let upstream = dispatch.speech.upstream;
    let document = Document::read(body).map_err(|error| misunderstood(&error.into()))?;
    if let (Some(_), Some(codec)) = (document.root().get("error"), codec(upstream)) {
        let error = codec.parse_error(body);
        return Err(blamed(classify_body_error(&error_info(&error)), None, &error, deployment));
    }
    let shape = dispatch.asked.shape;
    // Read again rather than carried along: it was borrowed from the client's bytes.
    let asked = dispatch.outgoing.body.clone();
    let asked = Document::read(&asked).map_err(|error| wrong(&error.into()))?;
    let asked = decode_request(shape, &asked).map_err(|error| wrong(&error))?;
    let from = Shape::of_provider(upstream).unwrap_or(shape);
    let answer = decode_answer(from, &document, asked.inputs.len()).map_err(|error| misunderstood(&error))?;
    let usage = answer.usage.unwrap_or_else(|| Usage {
        input: asked.estimated_tokens(),
        source: UsageSource::Estimated,
        ..Usage::default()
    });
    if from == shape {
        return Ok((headers, body.clone(), usage));
    }
    let reply = Reply { shape, base64: asked.base64, model: &deployment.key.model, usage };
    let encoded = encode_answer(&answer, &reply);
    dispatch.settlement.lost_in_answer(&encoded.losses);
    headers.remove(header::CONTENT_TYPE);
    Ok((headers, encoded.body.into(), usage))
}
