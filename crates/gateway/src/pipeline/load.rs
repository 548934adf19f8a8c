//! Ollama's requests that only have a model loaded: nobody else can be told to, so nobody is asked.

use http::{HeaderValue, Response, StatusCode, header};
use pointsman_core::{Dialect, Operation, Outcome};
use pointsman_wire::ollama::{read_load, render_load};

use crate::body::ResponseBody;
use crate::pipeline::dispatch::Dispatch;
use crate::{errors, headers};

/// The answer to a request that says nothing, where the first candidate is no Ollama; `None` of all others.
pub(crate) fn answer(dispatch: &mut Dispatch) -> Option<Response<ResponseBody>> {
    let prompts = matches!(dispatch.operation, Operation::Chat | Operation::TextCompletion);
    if dispatch.asked.dialect != Dialect::Ollama || !prompts {
        return None;
    }
    let first = dispatch.first()?;
    if first.dialect_for(Dialect::Ollama) == Dialect::Ollama {
        return None;
    }
    let load = read_load(&dispatch.outgoing.body)?;
    let chat = dispatch.operation == Operation::Chat;
    let body = render_load(load, &first.key.model, dispatch.unix_seconds(), chat);
    let settlement = &mut dispatch.settlement;
    settlement.update(|record| record.response_bytes = body.len() as u64);
    settlement.end(Outcome::Success, StatusCode::OK.as_u16(), None);
    let mut response = errors::json(StatusCode::OK, body.into());
    if dispatch.streamed {
        let lines = HeaderValue::from_static("application/x-ndjson");
        response.headers_mut().insert(header::CONTENT_TYPE, lines);
    }
    if let Some(record) = dispatch.settlement.record() {
        headers::insert_request_id(response.headers_mut(), record.id);
    }
    Some(response)
}
