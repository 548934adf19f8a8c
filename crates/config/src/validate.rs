//! From sections as written to domain types: ranges, addresses, secrets, presets.

mod egress;
mod exporters;
mod keys;
mod pass_through;
mod providers;
mod quirks;
mod resilience;
mod routes;
mod secrets;
mod settings;
mod tls;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::decode::{Context, Span};
use crate::environment::Environment;
use crate::yaml::Spanned;

pub(crate) use egress::Way;
pub(crate) use providers::ProviderSpec;

/// What all checks need.
pub(crate) struct Checker<'a> {
    pub(crate) cx: &'a mut Context,
    pub(crate) environment: &'a Environment,
    /// The folder that paths in the file are relative to.
    pub(crate) base: &'a Path,
}

impl Checker<'_> {
    fn path(&self, text: &str) -> PathBuf {
        self.base.join(text)
    }

    /// A duration that must not be zero, or its default.
    fn duration(&mut self, raw: Option<Spanned<Span>>, default: Duration) -> Duration {
        self.duration_set(raw).unwrap_or(default)
    }

    fn duration_set(&mut self, raw: Option<Spanned<Span>>) -> Option<Duration> {
        let raw = raw?;
        match raw.value.0 {
            Duration::ZERO => self.cx.fail(raw.place, "a limit of 0 would let nothing pass"),
            duration => Some(duration),
        }
    }

    /// A number of at least 1, or its default.
    fn positive<T: From<u8> + PartialEq + Copy>(&mut self, raw: Option<&Spanned<T>>, default: T) -> T {
        let Some(raw) = raw else { return default };
        if raw.value == T::from(0) {
            self.cx.fail::<()>(raw.place, "must be at least 1");
            return default;
        }
        raw.value
    }
}
