//! Ollama's calls that are no chat: `/api/tags`, `/api/show`, `/api/ps`, `/api/version`.

use std::net::IpAddr;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use pointsman_core::{Dialect, ErrorCode, PublicError};
use pointsman_wire::lists::ollama;

use crate::Gateway;
use crate::body::ResponseBody;
use crate::errors;
use crate::handlers::models::{created, find, visible};
use crate::pipeline::admit::body_limits;
use crate::pipeline::identify::identify;
use crate::pipeline::read;

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// `GET /api/tags`
    Tags,
    /// `POST /api/show`
    Show,
    /// `GET /api/ps`
    Running,
    /// `GET /api/version`
    Version,
}

impl Call {
    /// The call of this path.
    pub(crate) fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/api/tags" => Self::Tags,
            "/api/show" => Self::Show,
            "/api/ps" => Self::Running,
            "/api/version" => Self::Version,
            _ => return None,
        })
    }
}

/// Answers one of these calls.
pub(crate) async fn run(
    gateway: Arc<Gateway>,
    peer: IpAddr,
    call: Call,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    match answer(&gateway, peer, call, request).await {
        Ok(body) => errors::json(StatusCode::OK, body),
        Err(error) => {
            gateway.metrics.refused(error.code);
            errors::response_in(Dialect::Ollama, &error, None)
        }
    }
}

async fn answer(
    gateway: &Gateway,
    peer: IpAddr,
    call: Call,
    request: Request<Incoming>,
) -> Result<bytes::Bytes, PublicError> {
    let (head, body) = request.into_parts();
    let snapshot = gateway.world.load_full();
    let principal = identify(gateway, &snapshot, peer, &head)?;
    let created = created(gateway);
    Ok(match call {
        Call::Version => ollama::render_version(),
        Call::Running => ollama::render_running(),
        Call::Tags => {
            let shown = visible(&snapshot, &principal);
            ollama::render_tags(&shown.iter().map(|shown| shown.listed(created)).collect::<Vec<_>>())
        }
        Call::Show => {
            let received = read::read(body, &head.headers, body_limits(&snapshot), &gateway.metrics).await?;
            let model = ollama::shown_model(&received.bytes).map_err(|error| {
                let wrong = PublicError::new(ErrorCode::InvalidRequest, error.to_string());
                wrong.at(error.field().unwrap_or("model").to_owned())
            })?;
            ollama::render_show(&find(&snapshot, &principal, &model)?.listed(created))
        }
    })
}
