//! The set-up: the configuration file, its history, client keys, and the trail of every change.
//!
//! There is one way to change anything: `change` in here edits the file's text, checks it, notes it in
//! the audit trail, replaces the file and has it loaded. What the text means is known to the
//! [`ConfigWorld`], which goes the same way as for an edit by hand.

pub(crate) mod audit;
pub(crate) mod config;
mod diff;
mod file;
mod history;
pub(crate) mod keys;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use axum::http::request::Parts;
use pointsman_config::ConfigErrors;
use pointsman_core::Clock;
use pointsman_core::store::{AuditTrail, Change, ChangeState, StoreError};
use serde_json::Value;

use crate::reply::Refusal;
use crate::routes::Peer;
use crate::state::AdminState;

use self::history::History;

/// What a configuration comes to.
#[derive(Clone, Debug)]
pub struct Checked {
    /// File and overrides, secrets as references.
    pub effective: Value,
    /// What is odd but no error.
    pub warnings: Vec<String>,
}

/// The configuration in force, and how another comes into force.
pub trait ConfigWorld: Send + Sync {
    /// The file that holds the configuration, or would if there was one.
    fn file(&self) -> PathBuf;

    /// Checks `text` as that file's content; nothing changes.
    ///
    /// # Errors
    /// Everything that is wrong, with places.
    fn check(&self, text: &str) -> Result<Checked, ConfigErrors>;

    /// Loads the file as it is now; answers the generation.
    ///
    /// # Errors
    /// Why the old configuration stays, for people.
    fn load(&self, why: &str) -> Result<u64, String>;

    /// The generation in force.
    fn generation(&self) -> u64;
}

/// Changes the set-up, one change at a time.
pub struct SetUp {
    world: Arc<dyn ConfigWorld>,
    audit: Mutex<Box<dyn AuditTrail>>,
    history: History,
    clock: Clock,
    /// Held from reading the file to having it loaded.
    gate: Mutex<()>,
}

/// Who changes something.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    name: String,
    address: Option<String>,
}

/// What a change is called in the trail.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    pub(crate) name: &'static str,
    pub(crate) target: Option<String>,
}

/// What became of a change.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    pub(crate) sha256: String,
    pub(crate) generation: u64,
    pub(crate) warnings: Vec<String>,
}

impl SetUp {
    /// Versions of the configuration are kept in `data`, changes in `audit`.
    #[must_use]
    pub fn new(world: Arc<dyn ConfigWorld>, audit: Box<dyn AuditTrail>, data: &Path, clock: Clock) -> Self {
        let history = History::new(data);
        Self { world, audit: Mutex::new(audit), history, clock, gate: Mutex::new(()) }
    }

    /// Changes the file from the version with the hash `expected` (`None`: whichever it is) to what
    /// `edit` makes of it. Blocks.
    pub(crate) fn change(
        &self,
        actor: Actor,
        action: Action,
        expected: Option<&str>,
        edit: impl FnOnce(&str) -> Result<String, Refusal>,
    ) -> Result<Changed, Refusal> {
        let _one_at_a_time = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.world.file();
        let current = file::read(&path)?;
        let before = file::hash(&current);
        if expected.is_some_and(|expected| expected != before) {
            return Err(Refusal::new(
                StatusCode::PRECONDITION_FAILED,
                "config_changed",
                "the file is not the version that `If-Match` names",
                "read GET /admin/v1/config again, and repeat the change on what it is now",
            ));
        }
        let next = edit(&current)?;
        let after = file::hash(&next);
        let checked = self.world.check(&next).map_err(|errors| invalid(&errors))?;
        let generation = self.world.generation();
        let unchanged = Changed { sha256: after.clone(), generation, warnings: checked.warnings };
        if before == after {
            return Ok(unchanged);
        }
        let (entry, change) = self.begin(actor, action, Some(before), Some(after))?;
        let swapped = self.swap(&path, &current, &next);
        // The change is as it is; that its end could not be noted shows in the trail as well.
        let (state, noted) = self.finish(entry, &swapped);
        let Change { actor, action, target, .. } = change;
        tracing::info!(actor, action, target, state = state.as_str(), "the set-up was changed");
        let generation = swapped?;
        noted?;
        Ok(Changed { generation, ..unchanged })
    }

    /// Makes a change that no file holds, with its entry in the trail. Blocks.
    pub(crate) fn note<T>(
        &self,
        actor: Actor,
        action: Action,
        make: impl FnOnce() -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let _one_at_a_time = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let (entry, _) = self.begin(actor, action, None, None)?;
        let made = make();
        self.finish(entry, &made).1?;
        made
    }

    /// Replaces the file and has it loaded; puts the old one back where that fails.
    fn swap(&self, path: &Path, current: &str, next: &str) -> Result<u64, Refusal> {
        self.history.keep(self.now_us(), current)?;
        file::replace(path, current, next)?;
        match self.world.load("changed through the admin API") {
            Ok(generation) => {
                self.history.keep(self.now_us(), next)?;
                Ok(generation)
            }
            Err(reason) => {
                tracing::error!(reason, "a configuration that was checked could not be loaded; going back");
                file::replace(path, next, current)?;
                let _ = self.world.load("the file is as it was before");
                Err(Refusal::new(
                    StatusCode::CONFLICT,
                    "config_not_loaded",
                    "the configuration could not be loaded, the old one is back",
                    "the server's log says why",
                ))
            }
        }
    }

    /// Begins the entry of a change between two versions of the file, by their hashes.
    fn begin(
        &self,
        actor: Actor,
        action: Action,
        before: Option<String>,
        after: Option<String>,
    ) -> Result<(i64, Change), Refusal> {
        let Actor { name: actor, address } = actor;
        let Action { name, target } = action;
        let at_unix_us = self.now_us();
        let change = Change { at_unix_us, actor, address, action: name.to_owned(), target, before, after };
        Ok((self.with_audit(|audit| audit.begin(&change))?, change))
    }

    /// Ends the entry with what came of the change.
    fn finish<T>(&self, entry: i64, made: &Result<T, Refusal>) -> (ChangeState, Result<(), Refusal>) {
        let (state, detail) = match made {
            Ok(_) => (ChangeState::Done, None),
            Err(refusal) => (ChangeState::Failed, Some(&*refusal.message)),
        };
        (state, self.with_audit(|audit| audit.finish(entry, state, detail)))
    }

    fn with_audit<T>(
        &self,
        ask: impl FnOnce(&mut dyn AuditTrail) -> Result<T, StoreError>,
    ) -> Result<T, Refusal> {
        let mut audit = self.audit.lock().unwrap_or_else(PoisonError::into_inner);
        ask(&mut **audit).map_err(|error| {
            tracing::error!(%error, "the audit trail does not work");
            Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "audit_failed",
                "the audit trail cannot be used, and nothing is changed without it",
                "the server's log says why",
            )
        })
    }

    fn now_us(&self) -> i64 {
        self.clock.unix_us(self.clock.now())
    }
}

impl fmt::Debug for SetUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetUp").field("file", &self.world.file()).finish_non_exhaustive()
    }
}

impl Actor {
    /// The credential's public name, and where the request came from.
    pub(crate) fn of(state: &AdminState, parts: &Parts) -> Self {
        let address = parts.extensions.get::<Peer>().map(|peer| peer.0.to_string());
        Self { name: format!("admin-token {}", state.token.fingerprint()), address }
    }
}

/// Runs `work` on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    state: &AdminState,
    work: impl FnOnce(&SetUp) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let Some(setup) = state.setup.clone() else {
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "no_setup",
            "the set-up cannot be seen here",
            "start the server with `pointsman serve`",
        ));
    };
    let done = tokio::task::spawn_blocking(move || work(&setup)).await;
    done.unwrap_or_else(|error| {
        tracing::error!(%error, "a change of the set-up ended abnormally");
        Err(Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "internal_error",
            "the work ended abnormally",
            "the server's log says why",
        ))
    })
}

/// A configuration that does not hold.
pub(crate) fn invalid(errors: &ConfigErrors) -> Refusal {
    Refusal::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "config_invalid",
        "the configuration is wrong",
        "`problems` has every error with its place",
    )
    .because(errors)
}
