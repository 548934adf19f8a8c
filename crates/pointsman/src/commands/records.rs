//! What `log` and `cost` share: opening the record store beside a running server, time, money.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use pointsman_core::{Money, RequestId};
use pointsman_store::SqliteReader;
use serde_json::{Number, Value};

use crate::cli::ConfigArgs;
use crate::commands::world;
use crate::failure::Failure;

/// The database in the data folder.
pub(crate) const DATABASE: &str = "pointsman.db";
/// What an amount is called where no price is known: never 0.
pub(crate) const UNKNOWN: &str = "unknown";

/// Stands before numbers that were counted or estimated instead of reported.
pub(crate) const ESTIMATE: &str = "~";

const SINCE_HINT: &str = "write a number and a unit, such as 30m, 24h, 7d or 2w";

/// Opens the records that `args` lead to.
pub(crate) fn open(args: &ConfigArgs) -> Result<SqliteReader, Failure> {
    open_in(&world::data_dir(args)?)
}

fn open_in(dir: &Path) -> Result<SqliteReader, Failure> {
    let path = dir.join(DATABASE);
    if !path.exists() {
        let message = format!("there are no records yet: {} does not exist", path.display());
        return Err(Failure::new(message).hint(
            "records begin with the first request to `pointsman serve`; name another folder with --data-dir",
        ));
    }
    Ok(SqliteReader::open(path)?)
}

/// The first id of the last `duration`, if one is given: `30m`, `24h`, `7d`.
pub(crate) fn since(duration: Option<&str>) -> Result<Option<RequestId>, Failure> {
    let Some(text) = duration else { return Ok(None) };
    let back = parse_duration(text)
        .ok_or_else(|| Failure::new(format!("`{text}` is not a duration")).hint(SINCE_HINT))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let from_ms = now.saturating_sub(back).as_millis();
    Ok(Some(RequestId::first_at(u64::try_from(from_ms).unwrap_or_default())))
}

fn parse_duration(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
    count.checked_mul(seconds).map(Duration::from_secs)
}

/// RFC 3339 in UTC with `decimals` of a second.
pub(crate) fn time(unix_us: i64, decimals: usize) -> String {
    match Timestamp::from_microsecond(unix_us) {
        Ok(time) => format!("{time:.decimals$}"),
        Err(_) => unix_us.to_string(),
    }
}

/// An exact JSON number with nine decimals.
pub(crate) fn dollars(amount: Money) -> Value {
    amount.to_string().parse::<Number>().map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(parse_duration("30m"), Some(Duration::from_secs(1_800)));
        assert_eq!(parse_duration("24h"), Some(Duration::from_secs(86_400)));
        assert_eq!(parse_duration("2w"), parse_duration("14d"));
        for wrong in
            ["", "h", "24", "1.5h", "-1h", "1é", "24 h", "99999999999999999999d", "18446744073709551615w"]
        {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
        let failure = since(Some("yesterday")).unwrap_err().to_string();
        assert!(failure.starts_with("error: `yesterday` is not a duration\n  hint: "), "{failure}");
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(time(1_795_337_748_123_456, 0), "2026-11-22T08:55:48Z");
        assert_eq!(time(1_795_337_748_123_456, 6), "2026-11-22T08:55:48.123456Z");
    }

    #[test]
    fn amounts_stay_exact_in_json() {
        assert_eq!(dollars(Money(123_456_789_000_000_001)).to_string(), "123456789.000000001");
    }

    #[test]
    fn without_a_database_the_failure_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let failure = open_in(dir.path()).unwrap_err().to_string();
        assert!(failure.contains("no records yet") && failure.contains("--data-dir"), "{failure}");
        assert!(!dir.path().join(DATABASE).exists());
    }
}
