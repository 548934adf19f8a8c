//! Variables: the process's own and those of a `.env` file, which never enter the process.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

/// Variables with this prefix override the file: `POINTSMAN__SERVER__LISTEN`.
const PREFIX: &str = "POINTSMAN__";

/// All variables that configuration may read.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: HashMap<String, String>,
}

/// A `.env` that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct DotenvError {
    path: String,
    reason: String,
}

impl Environment {
    /// The process's variables; names and values that are not UTF-8 are left out.
    #[must_use]
    pub fn of_process() -> Self {
        let text = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self { variables: text.collect() }
    }

    /// Adds the variables of a file, if it exists; those that are set already stay as they are.
    ///
    /// # Errors
    /// Where the file cannot be read or a line is no assignment. Values are not repeated.
    pub fn with_dotenv(mut self, path: &Path) -> Result<Self, DotenvError> {
        let error = |reason: String| DotenvError { path: path.display().to_string(), reason };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(self),
            Err(other) => return Err(error(other.to_string())),
        };
        for (number, line) in dotenvy::from_read_iter(file).enumerate() {
            let (name, value) =
                line.map_err(|_| error(format!("assignment {} is not of the form NAME=value", number + 1)))?;
            self.variables.entry(name).or_insert(value);
        }
        Ok(self)
    }

    /// The value of a variable; empty ones count as not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The variables that override the file, sorted by name: name, path and value.
    pub(crate) fn overrides(&self) -> Vec<(&str, Vec<String>, &str)> {
        let mut found: Vec<_> = self
            .variables
            .iter()
            .filter_map(|(name, value)| {
                let path = name.strip_prefix(PREFIX)?;
                Some((name.as_str(), path.split("__").map(str::to_owned).collect(), value.as_str()))
            })
            .collect();
        found.sort_unstable();
        found
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self { variables: pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.variables.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_wins_over_the_file_and_nothing_is_printed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        std::fs::write(&path, "# keys\nA=from_file\nexport B=\"quoted # value\"\nC=\n").unwrap();
        let environment: Environment = [("A", "from-process")].into_iter().collect();
        let environment = environment.with_dotenv(&path).unwrap();
        assert_eq!(environment.get("A"), Some("from-process"));
        assert_eq!(environment.get("B"), Some("quoted # value"));
        assert_eq!(environment.get("C"), None);
        assert!(std::env::var("B").is_err());
        assert!(!format!("{environment:?}").contains("from-process"));

        std::fs::write(&path, "A=1\nsk-secret without assignment\n").unwrap();
        let text = Environment::default().with_dotenv(&path).unwrap_err().to_string();
        assert!(text.ends_with("assignment 2 is not of the form NAME=value"), "{text}");
        assert!(Environment::default().with_dotenv(&dir.path().join("none")).is_ok());
    }
}
