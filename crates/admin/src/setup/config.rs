//! `/admin/v1/config…`: what is in force, is a text right, what would it change, make it so, and back.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::header::{CONTENT_TYPE, ETAG, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::diff::{Difference, differences};
use super::{Action, Actor, Changed, SetUp, blocking, file, history, invalid};
use crate::reply::{Problem, Refusal, problems};
use crate::state::AdminState;

/// How `If-Match` looks.
pub(crate) const ETAG_PATTERN: &str = "^\"[0-9a-f]{64}\"$";

/// The media type of configurations (RFC 9512).
pub(crate) const YAML: &str = "application/yaml";

/// The configuration.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ConfigView {
    /// The file, on the server.
    file: String,
    /// SHA-256 of the file, also the `ETag`: what `If-Match` wants.
    sha256: String,
    /// The generation in force.
    generation: u64,
    /// Whether the file is right as it is now. If not, an older one is in force.
    valid: bool,
    /// File and overrides, with secrets as references and hashes of keys cut short; null where the file
    /// is wrong. What is not written has its default.
    effective: Value,
    /// What is odd but no error.
    warnings: Vec<String>,
    /// What is wrong with the file.
    problems: Vec<Problem>,
}

/// Whether a text would do as the configuration.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Verdict {
    valid: bool,
    /// Everything that is wrong, with places.
    problems: Vec<Problem>,
    /// What is odd but no error.
    warnings: Vec<String>,
}

/// What a text would change.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DiffView {
    /// SHA-256 of the file as it is.
    before_sha256: String,
    /// SHA-256 of the text.
    after_sha256: String,
    /// By meaning, not by line.
    changes: Vec<Difference>,
    /// What is odd about the text but no error.
    warnings: Vec<String>,
}

/// A change that is in force.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Applied {
    /// SHA-256 of the file as it is now.
    pub(crate) sha256: String,
    /// The generation in force.
    pub(crate) generation: u64,
    /// What is odd but no error.
    pub(crate) warnings: Vec<String>,
}

/// Versions that can be gone back to.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HistoryView {
    /// Newest first, at most 50.
    versions: Vec<VersionView>,
}

/// One version.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct VersionView {
    /// Its name.
    version: String,
    /// When it was kept.
    kept_unix_us: i64,
    /// SHA-256 of the text.
    sha256: String,
    /// Length of the text.
    bytes: usize,
    /// Whether the file is this version now.
    current: bool,
}

/// Body of `/admin/v1/config/rollback`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollback {
    /// A version of the history.
    #[schemars(extend("pattern" = history::PATTERN))]
    version: String,
}

pub(crate) async fn view(State(state): State<AdminState>) -> Result<impl IntoResponse, Refusal> {
    let view = blocking(&state, SetUp::view).await?;
    Ok(([(ETAG, format!("\"{}\"", view.sha256))], Json(view)))
}

/// The file as it is written: never one that holds what a configuration may not hold.
pub(crate) async fn text(State(state): State<AdminState>) -> Result<impl IntoResponse, Refusal> {
    let text = blocking(&state, |setup| {
        let text = file::read(&setup.world.file())?;
        setup.world.check(&text).map_err(|errors| invalid(&errors))?;
        Ok(text)
    });
    let text = text.await?;
    Ok(([(CONTENT_TYPE, YAML.to_owned()), (ETAG, format!("\"{}\"", file::hash(&text)))], text))
}

pub(crate) async fn validate(
    State(state): State<AdminState>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Verdict>, Refusal> {
    let text = utf8(body)?;
    let checked = blocking(&state, move |setup| Ok(setup.world.check(&text))).await?;
    Ok(Json(match checked {
        Ok(checked) => Verdict { valid: true, problems: vec![], warnings: checked.warnings },
        Err(errors) => Verdict { valid: false, problems: problems(&errors), warnings: vec![] },
    }))
}

pub(crate) async fn diff(
    State(state): State<AdminState>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<DiffView>, Refusal> {
    let text = utf8(body)?;
    let found = blocking(&state, move |setup| {
        let current = file::read(&setup.world.file())?;
        let after = setup.world.check(&text).map_err(|errors| invalid(&errors))?;
        // A file that is wrong has no meaning to compare with: then everything is new.
        let before = setup.world.check(&current).map_or(Value::Null, |checked| checked.effective);
        Ok(DiffView {
            before_sha256: file::hash(&current),
            after_sha256: file::hash(&text),
            changes: differences(&before, &after.effective),
            warnings: after.warnings,
        })
    });
    Ok(Json(found.await?))
}

pub(crate) async fn apply(
    State(state): State<AdminState>,
    parts: Parts,
    body: Result<Bytes, BytesRejection>,
) -> Result<impl IntoResponse, Refusal> {
    let expected = if_match(&parts.headers)?;
    let text = utf8(body)?;
    let actor = Actor::of(&state, &parts);
    let action = Action { name: "config.apply", target: None };
    let changed =
        blocking(&state, move |setup| setup.change(actor, action, Some(&expected), |_| Ok(text))).await?;
    Ok(applied(changed))
}

pub(crate) async fn versions(State(state): State<AdminState>) -> Result<Json<HistoryView>, Refusal> {
    Ok(Json(blocking(&state, SetUp::versions).await?))
}

pub(crate) async fn rollback(
    State(state): State<AdminState>,
    parts: Parts,
    body: Result<Bytes, BytesRejection>,
) -> Result<impl IntoResponse, Refusal> {
    let expected = if_match(&parts.headers)?;
    let Rollback { version } = json_body(body)?;
    let actor = Actor::of(&state, &parts);
    let changed = blocking(&state, move |setup| {
        let text = setup.history.text(&version)?;
        let action = Action { name: "config.rollback", target: Some(version) };
        setup.change(actor, action, Some(&expected), |_| Ok(text))
    });
    Ok(applied(changed.await?))
}

impl SetUp {
    fn view(&self) -> Result<ConfigView, Refusal> {
        let path = self.world.file();
        let text = file::read(&path)?;
        let checked = self.world.check(&text);
        let problems = checked.as_ref().err().map(problems).unwrap_or_default();
        let (effective, warnings) =
            checked.map_or((Value::Null, vec![]), |checked| (checked.effective, checked.warnings));
        Ok(ConfigView {
            file: path.display().to_string(),
            sha256: file::hash(&text),
            generation: self.world.generation(),
            valid: problems.is_empty(),
            effective,
            warnings,
            problems,
        })
    }

    fn versions(&self) -> Result<HistoryView, Refusal> {
        let current = file::hash(&file::read(&self.world.file())?);
        let versions = self.history.all()?.into_iter().map(|version| {
            let sha256 = file::hash(&version.text);
            VersionView {
                version: version.name,
                kept_unix_us: version.unix_us,
                bytes: version.text.len(),
                current: sha256 == current,
                sha256,
            }
        });
        Ok(HistoryView { versions: versions.collect() })
    }
}

/// A body of JSON, whatever its content type says.
pub(crate) fn json_body<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Refusal> {
    let bytes = whole(body)?;
    serde_json::from_slice(&bytes).map_err(|error| bad_body(error.to_string()))
}

fn applied(changed: Changed) -> impl IntoResponse {
    let Changed { sha256, generation, warnings } = changed;
    ([(ETAG, format!("\"{sha256}\""))], Json(Applied { sha256, generation, warnings }))
}

/// The hash that the caller has seen.
fn if_match(headers: &HeaderMap) -> Result<String, Refusal> {
    let mut values = headers.get_all(IF_MATCH).iter();
    let (value, None) = (values.next(), values.next()) else {
        return Err(bad_body("more than one `If-Match`".into()));
    };
    let hint = "send the `ETag` of GET /admin/v1/config as `If-Match`, so that no other change is lost";
    let Some(value) = value else {
        let message = "`If-Match` is missing";
        return Err(Refusal::new(StatusCode::PRECONDITION_REQUIRED, "if_match_missing", message, hint));
    };
    let hash = value.to_str().ok().and_then(|text| text.strip_prefix('"')?.strip_suffix('"'));
    match hash {
        Some(hash)
            if hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) =>
        {
            Ok(hash.to_owned())
        }
        _ => Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_if_match", "`If-Match` is no `ETag`", hint)),
    }
}

/// An empty body is more likely a slip than the wish for an empty configuration.
fn utf8(body: Result<Bytes, BytesRejection>) -> Result<String, Refusal> {
    let bytes = whole(body)?;
    if bytes.is_empty() {
        return Err(bad_body("the body is empty; for a configuration without anything send `{}`".into()));
    }
    String::from_utf8(bytes.into()).map_err(|_| bad_body("the body is not UTF-8".into()))
}

fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Refusal> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "the body is too long",
            "configurations may have 16 MiB, other bodies 64 KiB",
        ),
        _ => bad_body("the body broke off".into()),
    })
}

fn bad_body(message: String) -> Refusal {
    Refusal::new(
        StatusCode::BAD_REQUEST,
        "invalid_body",
        message,
        "GET /admin/v1/openapi.json has the form of every body",
    )
}
