//! Formats one line by hand into a buffer that is reused. Absent fields are left out, except
//! `cost_usd`, which is `null` where no price is known.

use pointsman_core::{Money, RequestRecord, calendar};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The longest text that is taken from a caller, in bytes; the rest is cut.
const MAX_TEXT: usize = 512;

/// `2026-11-22T08:55:48.` of the second that was shown last: most lines share it with the one before.
#[derive(Debug, Default)]
pub(super) struct Stamp {
    second: Option<i64>,
    text: [u8; 20],
}

/// Appends the line of one request, with its line feed.
pub(super) fn push(out: &mut Vec<u8>, stamp: &mut Stamp, record: &RequestRecord) {
    out.extend_from_slice(b"{\"ts\":\"");
    stamp.push(out, record.started_unix_us);
    out.extend_from_slice(b"\",\"request_id\":\"");
    out.extend_from_slice(&record.id.to_ascii());
    out.extend_from_slice(b"\",\"operation\":\"");
    out.extend_from_slice(record.operation.as_str().as_bytes());
    out.extend_from_slice(if record.streamed { b"\",\"stream\":true" } else { b"\",\"stream\":false" });
    text(out, b",\"requested_model\":\"", Some(&record.requested_model));
    text(out, b",\"route\":\"", record.route.as_deref());
    let last = record.last_attempt();
    text(out, b",\"provider\":\"", last.map(|attempt| &*attempt.provider));
    text(out, b",\"model\":\"", last.map(|attempt| &*attempt.model));
    text(out, b",\"key\":\"", record.principal.key.as_deref());
    number(out, b",\"status\":", u64::from(record.status));
    word(out, b",\"outcome\":\"", record.outcome.as_str());
    if let Some(error) = record.error {
        word(out, b",\"error\":\"", error.as_str());
    }
    number(out, b",\"attempts\":", record.attempts.len() as u64);
    let usage = &record.usage;
    number(out, b",\"input_tokens\":", usage.input);
    number(out, b",\"cached_input_tokens\":", usage.cached_input);
    number(out, b",\"output_tokens\":", usage.output);
    number(out, b",\"reasoning_tokens\":", usage.reasoning);
    word(out, b",\"usage\":\"", usage.source.as_str());
    match record.cost {
        Some(cost) => dollars(out, cost.total()),
        None => out.extend_from_slice(b",\"cost_usd\":null"),
    }
    number(out, b",\"duration_us\":", record.duration_us);
    if let Some(first_token_us) = record.first_token_us {
        number(out, b",\"first_token_us\":", first_token_us);
    }
    number(out, b",\"overhead_us\":", record.overhead_us);
    number(out, b",\"request_bytes\":", record.request_bytes);
    number(out, b",\"response_bytes\":", record.response_bytes);
    trace(out, record.trace.trace_id);
    text(out, b",\"agent\":\"", record.agent.as_deref());
    text(out, b",\"session\":\"", record.session.as_deref());
    text(out, b",\"dropped\":\"", record.dropped.as_deref());
    out.extend_from_slice(if record.simulated { b",\"simulated\":true}\n" } else { b"}\n" });
}

/// RFC 3339 in UTC with microseconds.
pub(crate) fn timestamp(unix_us: i64) -> String {
    let mut text = Vec::with_capacity(27);
    Stamp::default().push(&mut text, unix_us);
    String::from_utf8(text).unwrap_or_default()
}

impl Stamp {
    /// RFC 3339 in UTC with microseconds.
    fn push(&mut self, out: &mut Vec<u8>, unix_us: i64) {
        let second = unix_us.div_euclid(1_000_000);
        if self.second != Some(second) {
            self.second = Some(second);
            self.text = date_time(second);
        }
        out.extend_from_slice(&self.text);
        let mut micros = [b'0'; 7];
        micros[6] = b'Z';
        digits(&mut micros[..6], unix_us.rem_euclid(1_000_000));
        out.extend_from_slice(&micros);
    }
}

fn date_time(unix_second: i64) -> [u8; 20] {
    let (days, second) = (unix_second.div_euclid(86_400), unix_second.rem_euclid(86_400));
    let (year, month, day) = calendar::date(days);
    let mut text = *b"0000-00-00T00:00:00.";
    digits(&mut text[..4], year);
    digits(&mut text[5..7], month);
    digits(&mut text[8..10], day);
    digits(&mut text[11..13], second / 3_600);
    digits(&mut text[14..16], second / 60 % 60);
    digits(&mut text[17..19], second % 60);
    text
}

/// The last digits of `value`, with zeros in front.
fn digits(slots: &mut [u8], mut value: i64) {
    for slot in slots.iter_mut().rev() {
        *slot = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

fn number(out: &mut Vec<u8>, name: &[u8], value: u64) {
    out.extend_from_slice(name);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// All nine decimals, as a JSON number: exact for a reader that keeps decimals.
fn dollars(out: &mut Vec<u8>, cost: Money) {
    out.extend_from_slice(b",\"cost_usd\":");
    let nanos = cost.nanos();
    if nanos < 0 {
        out.push(b'-');
    }
    let nanos = nanos.unsigned_abs();
    out.extend_from_slice(itoa::Buffer::new().format(nanos / 1_000_000_000).as_bytes());
    let mut decimals = *b".000000000";
    digits(&mut decimals[1..], (nanos % 1_000_000_000) as i64);
    out.extend_from_slice(&decimals);
}

fn trace(out: &mut Vec<u8>, trace_id: u128) {
    if trace_id != 0 {
        out.extend_from_slice(b",\"trace_id\":\"");
        for byte in trace_id.to_be_bytes() {
            out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        out.push(b'"');
    }
}

/// A word of our own: needs no escapes. `name` ends in the opening quote.
fn word(out: &mut Vec<u8>, name: &[u8], value: &str) {
    out.extend_from_slice(name);
    out.extend_from_slice(value.as_bytes());
    out.push(b'"');
}

/// A text from elsewhere, cut and escaped (RFC 8259, section 7).
fn text(out: &mut Vec<u8>, name: &[u8], value: Option<&str>) {
    let Some(value) = value else { return };
    out.extend_from_slice(name);
    let value = &value[..value.floor_char_boundary(MAX_TEXT)];
    let mut plain = 0;
    for (at, &byte) in value.as_bytes().iter().enumerate() {
        // DEL and the C1 controls are legal in JSON; terminals are no concern of a JSON line.
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&value.as_bytes()[plain..at]);
        plain = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            _ => {
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        }
    }
    out.extend_from_slice(&value.as_bytes()[plain..]);
    out.push(b'"');
}
