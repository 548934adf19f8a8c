//! docs/limits.md against the code: defaults, keys of the configuration, constants, statuses and codes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pointsman_config::{ServerSettings, Timeouts};
use pointsman_core::ErrorCode;
use pointsman_core::responses::ResponseLimits;

use super::status;

/// Fewer rows than this mean that the page was not understood.
const ROWS: usize = 35;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The cells of every row, headings left out.
fn rows() -> Vec<[String; 4]> {
    let page = std::fs::read_to_string(root().join("docs/limits.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| limit |"));
    rows.map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        <[String; 4]>::try_from(cells).unwrap_or_else(|cells| panic!("four cells: {cells:?}"))
    })
    .collect()
}

/// `32 KiB` in bytes, `60 s` in milliseconds, `100` as it is.
fn number(text: &str) -> u128 {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let factor = match unit {
        "" | "B" | "ms" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "s" => 1000,
        "d" => 24 * 3600 * 1000,
        _ => panic!("a unit in {text:?}"),
    };
    number.parse::<u128>().unwrap_or_else(|_| panic!("a number in {text:?}")) * factor
}

/// The defaults behind the keys.
fn settings() -> Vec<(&'static str, u128)> {
    let server = ServerSettings::default();
    let timeouts = Timeouts::default();
    let responses = ResponseLimits::default();
    let time = |duration: Duration| duration.as_millis();
    vec![
        ("server.max_connections", server.max_connections as u128),
        ("server.header_timeout", time(server.header_timeout)),
        ("server.body_timeout", time(server.body_timeout)),
        ("server.drain_timeout", time(server.drain_timeout)),
        ("server.realtime_idle_timeout", time(server.realtime_idle_timeout)),
        ("server.max_realtime_session", time(server.max_realtime_session)),
        ("server.max_body", server.max_body_bytes.into()),
        ("server.max_upload", server.max_upload_bytes.into()),
        ("server.max_in_flight", server.max_bytes_in_flight.into()),
        ("server.auth_failures.max", server.auth_failures.max.into()),
        ("server.auth_failures.window", time(server.auth_failures.window)),
        ("data.responses.max_count", responses.count.into()),
        ("data.responses.max_size", responses.bytes.into()),
        ("data.responses.max_age", time(responses.age)),
        ("timeouts.connect", time(timeouts.connect)),
        ("timeouts.first_byte", time(timeouts.first_byte)),
        ("timeouts.first_token", time(timeouts.first_token)),
        ("timeouts.between_chunks", time(timeouts.between_chunks)),
        ("timeouts.total", time(timeouts.total)),
    ]
}

/// The value of a constant in a file: a product or a shift of whole numbers, or a duration.
fn constant(name: &str, file: &str) -> u128 {
    let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let declared = format!("const {name}: ");
    let line = text.lines().find(|line| line.contains(&declared));
    let line = line.unwrap_or_else(|| panic!("{file} has no constant {name}"));
    let value = line.split_once(" = ").unwrap().1.trim_end_matches(';').replace('_', "");
    let product = |text: &str| -> u128 {
        if let Some((number, bits)) = text.split_once(" << ") {
            return number.parse::<u128>().unwrap() << bits.parse::<u32>().unwrap();
        }
        text.split(" * ").map(|factor| factor.parse::<u128>().unwrap()).product()
    };
    if let Some(seconds) = value.strip_prefix("Duration::fromsecs(") {
        return product(seconds.trim_end_matches(')')) * 1000;
    }
    match value.strip_prefix("Duration::frommillis(") {
        Some(millis) => product(millis.trim_end_matches(')')),
        None => product(&value),
    }
}

#[test]
fn defaults_are_those_of_the_code() {
    let rows = rows();
    assert!(rows.len() >= ROWS, "{} rows", rows.len());
    let settings = settings();
    for [limit, default, set_by, _] in &rows {
        let names: Vec<_> = set_by.split('`').skip(1).step_by(2).collect();
        let value = match names[..] {
            [key] => {
                let known = settings.iter().find(|(known, _)| *known == key);
                known.unwrap_or_else(|| panic!("{limit}: {key} is no key that this test knows")).1
            }
            [name, file] => constant(name, file),
            _ => panic!("{limit}: a key, or a constant and its file: {set_by}"),
        };
        assert_eq!(number(default), value, "{limit}: {set_by}");
    }
    for (key, _) in settings {
        let shown = rows.iter().filter(|[_, _, set_by, _]| set_by == &format!("`{key}`")).count();
        assert_eq!(shown, 1, "{key} has one row");
    }
}

/// A limit that the configuration can set cannot be left out of the page.
#[test]
fn every_limit_of_the_server_section_is_there() {
    let schema: serde_json::Value = serde_json::from_str(&pointsman_config::schema()).unwrap();
    let server = &schema["$defs"]["Server"]["properties"];
    let keys = server.as_object().unwrap_or_else(|| panic!("the section's properties: {server}")).keys();
    let limits =
        keys.filter(|key| key.starts_with("max_") || key.ends_with("_timeout") || key.ends_with("_failures"));
    let mut count = 0;
    for key in limits {
        count += 1;
        let prefix = format!("server.{key}");
        assert!(
            settings().iter().any(|(known, _)| known.starts_with(&prefix)),
            "{prefix} is not in docs/limits.md"
        );
    }
    assert!(count >= 7, "{count} limits in the schema");
}

#[test]
fn statuses_and_codes_are_those_of_the_code() {
    let page = std::fs::read_to_string(root().join("docs/limits.md")).unwrap();
    let words: Vec<_> = page.split_ascii_whitespace().collect();
    let mut seen = 0;
    for pair in words.windows(2) {
        let &[before, word] = pair else { continue };
        let Some(name) = word.strip_prefix('`').and_then(|word| word.split('`').next()) else { continue };
        let Some(code) = ErrorCode::ALL.iter().find(|code| code.as_str() == name) else { continue };
        seen += 1;
        if let Ok(number) = before.parse::<u16>() {
            assert_eq!(number, status(*code).as_u16(), "{name}");
        } else {
            assert_eq!((before, *code), ("event", ErrorCode::StreamInterrupted), "{name} without a status");
        }
    }
    assert!(seen >= 20, "{seen} codes");
}
