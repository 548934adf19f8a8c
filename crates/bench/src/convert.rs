//! One long prompt converted in this very process: how long it takes, and how much memory.
//!
//! The measuring program is one of its own (`pointsman-bench-convert`), because its allocator counts.

use std::hint::black_box;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use pointsman_core::Dialect;
use pointsman_wire::convert::{Called, codec};
use pointsman_wire::json::Document;
use pointsman_wire::neutral::Target;

/// What was found, once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conversion {
    /// The prompt's length.
    pub prompt_bytes: u64,
    /// The converted body's.
    pub body_bytes: u64,
    /// The most memory that was allocated at any time, the prompt and the converted body included.
    pub peak_bytes: u64,
    /// Milliseconds: the median of all calls.
    pub ms: f64,
}

/// How long is measured, after one call that is not.
const MEASURE: Duration = Duration::from_secs(1);

/// The request in `from`'s dialect as one in `to`'s.
///
/// # Errors
/// It is no request, cannot be said, or one of the dialects is not served.
pub fn convert(from: Dialect, to: Dialect, body: &[u8]) -> io::Result<Vec<u8>> {
    let unknown = || io::Error::other("this dialect is not served");
    let (source, sink) = (codec(from).ok_or_else(unknown)?, codec(to).ok_or_else(unknown)?);
    let document = Document::read(body).map_err(io::Error::other)?;
    let request = source.decode_request(&document, Called::default()).map_err(io::Error::other)?;
    let target = Target { stream: true, ..Target::new(to, "bench", "bench") };
    sink.needs(&request, &target);
    let encoded = sink.encode_request(&request, &target).map_err(io::Error::other)?;
    Ok(encoded.body)
}

/// Converts the prompt again and again. `most` tells the most bytes that were ever allocated at one time: the
/// first conversion must be what needs the most of all that this process has done.
///
/// # Errors
/// As [`convert`].
pub fn measure(
    from: Dialect,
    to: Dialect,
    prompt: &[u8],
    most: impl Fn() -> usize,
) -> io::Result<Conversion> {
    let before = most();
    let body = convert(from, to, black_box(prompt))?;
    let peak_bytes = most();
    let least = prompt.len() + body.len();
    if peak_bytes <= before || peak_bytes < least {
        return Err(io::Error::other(format!("{peak_bytes} bytes cannot be the most: {before} before")));
    }
    let (start, mut times) = (Instant::now(), Vec::new());
    while start.elapsed() < MEASURE {
        let call = Instant::now();
        black_box(convert(from, to, black_box(prompt))?);
        times.push(call.elapsed());
    }
    times.sort();
    let ms = times[times.len() / 2].as_secs_f64() * 1e3;
    Ok(Conversion {
        prompt_bytes: prompt.len() as u64,
        body_bytes: body.len() as u64,
        peak_bytes: peak_bytes as u64,
        ms,
    })
}

impl Conversion {
    /// Runs `program` (`pointsman-bench-convert`) on the prompt in `file`.
    ///
    /// # Errors
    /// Where it fails or says something else than expected.
    pub fn by(program: &Path, from: Dialect, to: Dialect, file: &Path) -> io::Result<Self> {
        let output = Command::new(program).args([from.as_str(), to.as_str()]).arg(file).output()?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(io::Error::other(format!("{}: {told}", program.display())));
        }
        Self::from_line(&String::from_utf8_lossy(&output.stdout))
    }

    /// As [`Conversion::from_line`] reads it.
    #[must_use]
    pub fn to_line(self) -> String {
        let Self { prompt_bytes, body_bytes, peak_bytes, ms } = self;
        format!("{prompt_bytes} {body_bytes} {peak_bytes} {ms:.4}\n")
    }

    fn from_line(line: &str) -> io::Result<Self> {
        let read = || -> Option<Self> {
            let mut words = line.split_whitespace();
            let mut count = || words.next()?.parse().ok();
            let (prompt_bytes, body_bytes, peak_bytes) = (count()?, count()?, count()?);
            Some(Self { prompt_bytes, body_bytes, peak_bytes, ms: words.next()?.parse().ok()? })
        };
        read().ok_or_else(|| io::Error::other(format!("not a measurement: {line}")))
    }

    /// The most memory, as a multiple of the prompt.
    #[must_use]
    pub fn times(self) -> f64 {
        self.peak_bytes as f64 / self.prompt_bytes as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::prompt;

    #[test]
    fn a_prompt_keeps_its_turns() {
        let prompt = prompt(Dialect::OpenAiChat, 20_000);
        let body = convert(Dialect::OpenAiChat, Dialect::Anthropic, &prompt).unwrap();
        let (prompt, body): (serde_json::Value, serde_json::Value) =
            (serde_json::from_slice(&prompt).unwrap(), serde_json::from_slice(&body).unwrap());
        let turns = |value: &serde_json::Value| value["messages"].as_array().unwrap().len();
        // The instructions stand apart.
        assert_eq!(turns(&body), turns(&prompt) - 1);
        assert_eq!(body["messages"][1]["content"][1]["input"]["lines"], serde_json::json!([1, 80]));
    }

    #[test]
    fn a_line_reads_back() {
        let one = Conversion { prompt_bytes: 400_000, body_bytes: 380_000, peak_bytes: 1_000_000, ms: 0.75 };
        assert_eq!(Conversion::from_line(&one.to_line()).unwrap(), one);
        assert_eq!(one.times(), 2.5);
        assert!(Conversion::from_line("1 2 3").is_err());
    }

    #[test]
    fn a_peak_from_before_is_no_measurement() {
        let prompt = prompt(Dialect::OpenAiChat, 10_000);
        assert!(measure(Dialect::OpenAiChat, Dialect::Anthropic, &prompt, || 1 << 30).is_err());
    }
}
