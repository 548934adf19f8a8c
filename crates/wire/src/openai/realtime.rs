//! Events of realtime sessions, as far as money depends on them
//! (<https://platform.openai.com/docs/api-reference/realtime-server-events>).

use pointsman_core::Usage;

use super::usage;
use crate::json::{JsonError, Kind, Scanner};

/// What a client sends to end an answer that nobody waits for: its `response.done` then says what it used.
pub const CANCEL: &str = r#"{"type":"response.cancel"}"#;

const CREATED: &str = "response.created";
const DONE: &str = "response.done";
const COMMITTED: &str = "input_audio_buffer.committed";
const TRANSCRIBED: &str = "conversation.item.input_audio_transcription.completed";
const UNTRANSCRIBED: &str = "conversation.item.input_audio_transcription.failed";
/// Both of plain and of transcription sessions, old and new.
const SESSIONS: [&str; 4] =
    ["session.created", "session.updated", "transcription_session.created", "transcription_session.updated"];

/// A server's event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The model begins an answer, which will be billed.
    Begun,
    /// The answer is over. `None`: it does not say what it used.
    Done(Option<Usage>),
    /// The caller's audio is taken: where somebody transcribes it, that begins.
    Committed,
    /// The caller's audio was transcribed. `None`: it does not say what it used.
    Transcribed(Option<Usage>),
    /// It could not be.
    Untranscribed,
    /// The session as it is now: the model that transcribes the caller's audio, if one does.
    Session(Option<Box<str>>),
    /// Anything else.
    Other,
}

/// Whether an event that begins with `start` may be one that counts: most are audio, and need not be held.
#[must_use]
pub fn may_count(start: &[u8]) -> bool {
    let Some(name) = start.strip_prefix(br#"{"type":""#) else { return true };
    let Some(end) = memchr::memchr(b'"', name) else { return true };
    let name = &name[..end];
    let counting = [CREATED, DONE, COMMITTED, TRANSCRIBED, UNTRANSCRIBED];
    counting.iter().chain(&SESSIONS).any(|known| known.as_bytes() == name) || name.contains(&b'\\')
}

/// Reads one event; what is no event is [`Event::Other`].
#[must_use]
pub fn event(text: &[u8]) -> Event {
    let mut read = Read::default();
    match read.all(text) {
        Ok(()) => read.event(),
        Err(_) => Event::Other,
    }
}

#[derive(Default)]
struct Read {
    name: Box<str>,
    response: Option<Usage>,
    own: Option<Usage>,
    transcriber: Option<Box<str>>,
}

impl Read {
    fn all(&mut self, text: &[u8]) -> Result<(), JsonError> {
        let mut scanner = Scanner::new(text)?;
        scanner.object(|scanner, key| match &*key.name() {
            "type" => {
                if let Some(name) = scanner.string_or_skip()? {
                    self.name = (&*name.name()).into();
                }
                Ok(())
            }
            "usage" => usage::read(scanner).map(|found| self.own = found),
            "response" => inside(scanner, |scanner, key| match key {
                "usage" => usage::read(scanner).map(|found| self.response = found),
                _ => scanner.skip(),
            }),
            "session" => inside(scanner, |scanner, key| match key {
                "input_audio_transcription" => self.transcription(scanner),
                "audio" => inside(scanner, |scanner, key| match key {
                    "input" => inside(scanner, |scanner, key| match key {
                        "transcription" => self.transcription(scanner),
                        _ => scanner.skip(),
                    }),
                    _ => scanner.skip(),
                }),
                _ => scanner.skip(),
            }),
            _ => scanner.skip(),
        })?;
        scanner.end()
    }

    fn transcription(&mut self, scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        inside(scanner, |scanner, key| match key {
            "model" => {
                self.transcriber = scanner.string_or_skip()?.map(|name| (&*name.name()).into());
                Ok(())
            }
            _ => scanner.skip(),
        })
    }

    fn event(self) -> Event {
        match &*self.name {
            CREATED => Event::Begun,
            DONE => Event::Done(self.response),
            COMMITTED => Event::Committed,
            TRANSCRIBED => Event::Transcribed(self.own),
            UNTRANSCRIBED => Event::Untranscribed,
            name if SESSIONS.contains(&name) => Event::Session(self.transcriber),
            _ => Event::Other,
        }
    }
}

/// Walks an object; another value is passed over.
fn inside(
    scanner: &mut Scanner<'_>,
    mut member: impl FnMut(&mut Scanner<'_>, &str) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    if scanner.kind()? != Kind::Object {
        return scanner.skip();
    }
    scanner.object(|scanner, key| member(scanner, &key.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USED: &str = r#"{"total_tokens":253,"input_tokens":132,"output_tokens":121,
        "input_token_details":{"text_tokens":119,"audio_tokens":13,"cached_tokens":64,
        "cached_tokens_details":{"text_tokens":62,"audio_tokens":2}},
        "output_token_details":{"text_tokens":30,"audio_tokens":91}}"#;

    #[test]
    fn only_a_finished_answer_reports() {
        let of = |kind: &str| {
            let text = format!(r#"{{"type":"{kind}","response":{{"id":"r","usage":{USED}}}}}"#);
            event(text.as_bytes())
        };
        let Event::Done(Some(usage)) = of("response.done") else { panic!("usage") };
        assert_eq!((usage.input, usage.cached_input, usage.input_audio), (132, 64, 13));
        assert_eq!(usage.detail.cached_audio, 2);
        assert_eq!((usage.output, usage.output_audio), (121, 91));
        assert_eq!(of("response.created"), Event::Begun);
        assert_eq!(of("response.output_item.done"), Event::Other);
        assert_eq!(event(br#"{"type":"response.done","response":{"usage":null}}"#), Event::Done(None));
        for no_event in [&b"{"[..], b"", b"[]", b"\"response.done\"", b"\xff"] {
            assert_eq!(event(no_event), Event::Other);
        }
    }

    #[test]
    fn transcriptions_report_tokens_or_seconds() {
        let of = |usage: &str| {
            let name = "conversation.item.input_audio_transcription.completed";
            event(format!(r#"{{"usage":{usage},"type":"{name}","transcript":"hi"}}"#).as_bytes())
        };
        let tokens = r#"{"type":"tokens","total_tokens":22,"input_tokens":13,
            "input_token_details":{"text_tokens":0,"audio_tokens":13},"output_tokens":9}"#;
        let Event::Transcribed(Some(usage)) = of(tokens) else { panic!("usage") };
        assert_eq!((usage.input, usage.input_audio, usage.output), (13, 13, 9));
        let Event::Transcribed(Some(usage)) = of(r#"{"type":"duration","seconds":3}"#) else {
            panic!("usage")
        };
        assert_eq!((usage.total(), usage.detail.heard_ms), (0, 3_000));
        assert_eq!(of(r#"{"type":"duration","seconds":-3}"#), Event::Transcribed(None));
        assert_eq!(event(br#"{"type":"input_audio_buffer.committed","item_id":"i"}"#), Event::Committed);
        let failed = br#"{"type":"conversation.item.input_audio_transcription.failed","error":{}}"#;
        assert_eq!(event(failed), Event::Untranscribed);
        assert!(may_count(failed) && may_count(br#"{"type":"input_audio_buffer.committed","#));
    }

    #[test]
    fn who_transcribes() {
        let of = |text: &str| event(text.as_bytes());
        let whisper = Event::Session(Some("whisper-1".into()));
        assert_eq!(
            of(
                r#"{"type":"session.updated","session":{"audio":{"output":{},"input":{"transcription":{"model":"whisper-1"}}}}}"#
            ),
            whisper
        );
        assert_eq!(
            of(r#"{"type":"session.created","session":{"input_audio_transcription":{"model":"whisper-1"}}}"#),
            whisper
        );
        assert_eq!(
            of(r#"{"type":"session.created","session":{"audio":{"input":{"transcription":null}}}}"#),
            Event::Session(None)
        );
    }

    #[test]
    fn most_events_need_not_be_held() {
        assert!(!may_count(br#"{"type":"response.output_audio.delta","delta":"AAAA"#));
        assert!(!may_count(br#"{"type":"response.done.not","#));
        for start in [
            &br#"{"type":"response.done","#[..],
            br#"{"type":"response.cr"#,
            br#"{"event_id":"e","#,
            br#"{"type":"response\u002edone""#,
            br#"{"ty"#,
            b"",
        ] {
            assert!(may_count(start), "{}", String::from_utf8_lossy(start));
        }
    }
}
