//! `/admin/v1/keys`: client keys. They live in the configuration file like those written by hand; a key
//! itself is shown once, when it is made.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use pointsman_config::{EditError, NewKey, add_key, remove_key};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::config::{Applied, json_body};
use super::{Action, Actor, Changed, SetUp, blocking, file, invalid};
use crate::records::bad_query;
use crate::reply::Refusal;
use crate::state::AdminState;

/// Tells our keys from vendors' keys.
const PREFIX: &str = "pk-";

/// 256 bits.
const KEY_BYTES: usize = 32;

/// Characters of the hash that are shown.
const FINGERPRINT: usize = 8;

/// Ids that need no escapes in YAML, in a shell or in a URL.
const ID_PATTERN: &str = "^[A-Za-z][A-Za-z0-9_.-]{0,99}$";

/// Body of `POST /admin/v1/keys`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRequest {
    /// The key's name in records.
    #[schemars(extend("pattern" = ID_PATTERN))]
    id: String,
    /// Models, routes and aliases that it may name; absent: all.
    models: Option<Vec<String>>,
    /// Who pays.
    organisation: Option<String>,
    /// Who pays, more closely.
    project: Option<String>,
    /// Whose work it is.
    team: Option<String>,
    /// Whose key it is.
    user: Option<String>,
}

/// The key that a path names.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct KeyPath {
    /// The key's id.
    #[schemars(length(min = 1))]
    id: String,
}

/// All client keys.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct KeyList {
    /// In the order of the file.
    keys: Vec<KeyView>,
}

/// One client key. The key itself is not known to the server.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct KeyView {
    /// Its name in records.
    id: String,
    /// The begin of its SHA-256.
    fingerprint: String,
    /// What it may name; null: everything.
    models: Option<Vec<String>>,
    /// Who pays.
    organisation: Option<String>,
    /// Who pays, more closely.
    project: Option<String>,
    /// Whose work it is.
    team: Option<String>,
    /// Whose key it is.
    user: Option<String>,
}

/// A new key.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct KeyMade {
    /// Its name in records.
    id: String,
    /// The key: shown only now, and stored nowhere.
    key: String,
    /// The begin of its SHA-256.
    fingerprint: String,
    #[serde(flatten)]
    applied: Applied,
}

pub(crate) async fn list(State(state): State<AdminState>) -> Result<Json<KeyList>, Refusal> {
    Ok(Json(blocking(&state, |setup| Ok(KeyList { keys: setup.keys()? })).await?))
}

pub(crate) async fn create(
    State(state): State<AdminState>,
    parts: Parts,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<KeyMade>), Refusal> {
    let wanted: KeyRequest = json_body(body)?;
    if !is_id(&wanted.id) {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "invalid_key_id",
            "this cannot be the id of a key",
            "begin with a letter and use up to 100 letters, digits, `-`, `_` and `.`",
        ));
    }
    let key = draw()?;
    let sha256 = hex::encode(Sha256::digest(key.as_bytes()));
    let fingerprint = sha256.chars().take(FINGERPRINT).collect();
    let KeyRequest { id, models, organisation, project, team, user } = wanted;
    let new = NewKey { id: id.clone(), sha256, models, organisation, project, team, user };
    let actor = Actor::of(&state, &parts);
    let action = Action { name: "key.create", target: Some(id.clone()) };
    let changed = blocking(&state, move |setup| {
        setup.change(actor, action, None, |text| add_key(text, &new).map_err(refuse))
    });
    let Changed { sha256, generation, warnings } = changed.await?;
    let applied = Applied { sha256, generation, warnings };
    Ok((StatusCode::CREATED, Json(KeyMade { id, key, fingerprint, applied })))
}

/// In force for requests that begin afterwards.
pub(crate) async fn revoke(
    State(state): State<AdminState>,
    parts: Parts,
    path: Result<Path<KeyPath>, PathRejection>,
) -> Result<Json<Applied>, Refusal> {
    let Path(KeyPath { id }) = path.map_err(|rejection| bad_query(rejection.body_text()))?;
    let actor = Actor::of(&state, &parts);
    let action = Action { name: "key.revoke", target: Some(id.clone()) };
    let changed = blocking(&state, move |setup| {
        // The gateway asks for no key where there is none: that is not for a revocation to bring about.
        if setup.keys()?.iter().all(|key| key.id == id) {
            return Err(match setup.keys()?.is_empty() {
                true => refuse(EditError::Unknown),
                false => Refusal::new(
                    StatusCode::CONFLICT,
                    "last_key",
                    "this is the last key: without it, nobody would need one",
                    "create another key first; or, to serve this machine without keys, remove the section \
                     `keys` with PUT /admin/v1/config",
                ),
            });
        }
        setup.change(actor, action, None, |text| remove_key(text, &id).map_err(refuse))
    });
    let Changed { sha256, generation, warnings } = changed.await?;
    Ok(Json(Applied { sha256, generation, warnings }))
}

impl SetUp {
    fn keys(&self) -> Result<Vec<KeyView>, Refusal> {
        let text = file::read(&self.world.file())?;
        let checked = self.world.check(&text).map_err(|errors| invalid(&errors))?;
        let keys = checked.effective.get("keys").and_then(Value::as_array);
        Ok(keys.into_iter().flatten().map(key).collect())
    }
}

fn key(written: &Value) -> KeyView {
    // Plain scalars such as `id: 7` are texts as well.
    let text = |name: &str| match written.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    };
    let models = written.get("models").and_then(Value::as_array);
    let fingerprint = text("sha256").unwrap_or_default();
    KeyView {
        id: text("id").unwrap_or_default(),
        fingerprint: fingerprint.chars().take(FINGERPRINT).collect(),
        models: models.map(|models| models.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        organisation: text("organisation"),
        project: text("project"),
        team: text("team"),
        user: text("user"),
    }
}

fn draw() -> Result<String, Refusal> {
    let mut secret = [0; KEY_BYTES];
    getrandom::fill(&mut secret).map_err(|error| {
        tracing::error!(%error, "the system gave no random bytes");
        Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no_randomness",
            "the system gave no random bytes",
            "the server's log says why",
        )
    })?;
    Ok(format!("{PREFIX}{}", hex::encode(secret)))
}

fn is_id(id: &str) -> bool {
    id.len() <= 100
        && id.starts_with(|first: char| first.is_ascii_alphabetic())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn refuse(error: EditError) -> Refusal {
    let (status, code, hint) = match error {
        EditError::Taken => {
            (StatusCode::CONFLICT, "key_exists", "choose another id, or revoke that key first")
        }
        EditError::Unknown => {
            (StatusCode::NOT_FOUND, "unknown_key", "GET /admin/v1/keys lists those that there are")
        }
        EditError::Unusual => (
            StatusCode::CONFLICT,
            "keys_not_editable",
            "write `keys` as a list with one `- id: …` a key, or change the text with PUT /admin/v1/config",
        ),
        EditError::Unreadable => {
            (StatusCode::CONFLICT, "config_invalid", "POST /admin/v1/config/validate says what is wrong")
        }
    };
    Refusal::new(status, code, error.to_string(), hint)
}
