//! Why a command ends without success, as it is told on standard error.

use std::fmt;
use std::io::{self, Write as _};

use pointsman_config::ConfigErrors;
use pointsman_core::store::StoreError;

/// What went wrong, and how to mend it. Several where a configuration is wrong in several places.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    further: Vec<(String, Option<String>)>,
}

impl Failure {
    /// `message` is lower case, without a full stop.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, further: Vec::new() }
    }

    /// All of these, message and hint; `None` where there is none.
    pub(crate) fn of_all(problems: impl IntoIterator<Item = (String, Option<String>)>) -> Option<Self> {
        let mut problems = problems.into_iter();
        let (message, hint) = problems.next()?;
        Some(Self { message, hint, further: problems.collect() })
    }

    /// How to mend it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What went wrong first, in one line.
    pub(crate) fn first(&self) -> &str {
        &self.message
    }

    /// Tells it on standard error.
    pub(crate) fn print(&self) {
        // Where standard error is closed there is nobody to tell.
        let _ = writeln!(io::stderr(), "{self}");
    }
}

/// `error: …` and `hint: …` lines, without the last line's end.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        problem(f, &self.message, self.hint.as_deref())?;
        for (message, hint) in &self.further {
            f.write_str("\n")?;
            problem(f, message, hint.as_deref())?;
        }
        Ok(())
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        let problems = errors.0.into_iter().map(|error| {
            let place = error.location.map(|place| format!("{place}: ")).unwrap_or_default();
            (format!("{place}{}", error.message), error.hint)
        });
        Self::of_all(problems).unwrap_or_else(|| Self::new("the configuration is wrong"))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(error.to_string())
    }
}

fn problem(f: &mut fmt::Formatter<'_>, message: &str, hint: Option<&str>) -> fmt::Result {
    write!(f, "error: {message}")?;
    match hint {
        Some(hint) => write!(f, "\n  hint: {hint}"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use pointsman_config::{ConfigError, Location};

    use super::*;

    #[test]
    fn every_error_of_a_configuration_is_told_with_its_place_and_hint() {
        let at = |line| Some(Location { source: "p.yaml".into(), position: Some((line, 3)) });
        let errors = ConfigErrors(vec![
            ConfigError {
                location: at(2),
                message: "unknown key `a`".into(),
                hint: Some("remove it".into()),
            },
            ConfigError { location: None, message: "no key".into(), hint: None },
        ]);
        let text = Failure::from(errors).to_string();
        assert_eq!(text, "error: p.yaml:2:3: unknown key `a`\n  hint: remove it\nerror: no key");
    }
}
