//! The program's own log, on standard error. Standard output stays free for what a command prints
//! and for the access log.

use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = LoggingError;

    fn from_str(text: &str) -> Result<Self, LoggingError> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(LoggingError::Format(text.to_owned())),
        }
    }
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter is not one.
    #[error(
        "log level `{filter}` is not understood: use error, warn, info, debug, trace, or module=level pairs"
    )]
    Filter {
        /// As given.
        filter: String,
        /// What is wrong with it.
        #[source]
        source: ParseError,
    },
    /// Neither `text` nor `json`.
    #[error("log format `{0}` is not known: use text or json")]
    Format(String),
    /// Something else set a log up before.
    #[error("the log is set up already")]
    Twice,
}

/// Sets the process's log up. `filter` is a level or a list of `module=level`
/// (the syntax of `RUST_LOG`).
///
/// # Errors
/// Where the filter cannot be read, or a log is set up already.
pub fn init_logging(filter: &str, format: LogFormat) -> Result<(), LoggingError> {
    let builder = tracing_subscriber::fmt().with_env_filter(parse(filter)?).with_writer(std::io::stderr);
    let done = match format {
        LogFormat::Text => builder.with_ansi(colours()).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    done.map_err(|_| LoggingError::Twice)
}

fn parse(filter: &str) -> Result<EnvFilter, LoggingError> {
    let refused = |source| LoggingError::Filter { filter: filter.to_owned(), source };
    EnvFilter::builder().parse(filter).map_err(refused)
}

/// Only on a terminal, and not against the user's wish (<https://no-color.org>).
fn colours() -> bool {
    use std::io::IsTerminal;

    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_checked() {
        for good in ["info", "warn,pointsman_gateway=debug", "off"] {
            parse(good).unwrap();
        }
        for bad in ["pointsman=loud", "a=b=c", "info,,=x=debug"] {
            let error = parse(bad).unwrap_err().to_string();
            assert!(error.starts_with(&format!("log level `{bad}` is not understood")), "{error}");
        }
    }

    #[test]
    fn a_second_log_is_refused() {
        init_logging("off", LogFormat::Json).unwrap();
        assert!(matches!(init_logging("off", LogFormat::Text), Err(LoggingError::Twice)));
        assert!(matches!(init_logging("x=y", LogFormat::Text), Err(LoggingError::Filter { .. })));
    }

    #[test]
    fn formats_have_names() {
        assert_eq!("text".parse::<LogFormat>().unwrap(), LogFormat::Text);
        assert_eq!("json".parse::<LogFormat>().unwrap(), LogFormat::Json);
        assert!("JSON".parse::<LogFormat>().unwrap_err().to_string().contains("use text or json"));
    }
}
