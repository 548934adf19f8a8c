//! What is forwarded, what is kept back, and when an answer counts as begun and as whole.

use std::path::Path;

use super::*;
use crate::fuzzing;

const ROLE: &str =
    r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
const TEXT: &str = r#"{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}"#;
const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
const ERROR: &str = r#"{"error":{"message":"broken","type":"server_error"}}"#;

fn rules(strip_usage: bool) -> StreamRules {
    StreamRules { operation: Operation::Chat, strip_usage }
}

fn events(data: &[&str]) -> String {
    data.iter().map(|data| format!("data: {data}\n\n")).collect()
}

/// Pushes all data in one chunk; the observer and what it forwarded.
fn pushed(strip_usage: bool, data: &[&str]) -> (StreamObserver, String) {
    let mut observer = StreamObserver::new(rules(strip_usage));
    let mut out = Vec::new();
    observer.push(events(data).into(), &mut out).unwrap();
    (observer, String::from_utf8(out.concat()).unwrap())
}

#[test]
fn the_first_event_that_says_something_commits() {
    let delta =
        |delta: &str| format!(r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#);
    let held = [
        r#"{"role":"assistant"}"#,
        r#"{"role":"assistant","content":"","refusal":null}"#,
        r#"{"content":null,"reasoning_content":""}"#,
        r#"{"tool_calls":[],"function_call":null,"audio":null}"#,
        r#"{"content":[]}"#,
        r#"{"content":[{"type":"text","text":""}],"reasoning_details":[]}"#,
        r#"{"provider_extra":"text"}"#,
    ];
    for held in held {
        assert!(!pushed(false, &[&delta(held)]).0.observed().committed, "{held}");
    }
    let commits = [
        r#"{"content":"a"}"#,
        r#"{"content":" "}"#,
        r#"{"reasoning_content":"a"}"#,
        r#"{"reasoning":"a"}"#,
        r#"{"refusal":"a"}"#,
        r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}]}"#,
        r#"{"function_call":{"name":"f"}}"#,
        r#"{"audio":{"id":"a"}}"#,
        r#"{"content":[{"type":"text","text":"a"}]}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"a"}]}]}"#,
        r#"{"images":[{"type":"image_url"}]}"#,
    ];
    for commit in commits {
        let (observer, _) = pushed(false, &[ROLE, &delta(commit)]);
        assert!(observer.observed().committed, "{commit}");
        assert_eq!(observer.observed().content_deltas, 1, "{commit}");
    }
    assert!(pushed(false, &[STOP]).0.observed().committed);
    assert!(pushed(false, &[r#"{"choices":[{"index":0,"text":"a"}]}"#]).0.observed().committed);
    let opaque =
        ["{}", USAGE, r#"{"choices":null}"#, r#"{"choices":[],"prompt_filter_results":[]}"#, "[DONE]"];
    for opaque in opaque {
        assert!(!pushed(false, &[opaque]).0.observed().committed, "{opaque}");
    }
}

#[test]
fn the_usage_chunk_is_taken_out_only_where_asked() {
    let all = [ROLE, TEXT, STOP, USAGE, "[DONE]"];
    let (observer, forwarded) = pushed(true, &all);
    assert_eq!(forwarded, events(&[ROLE, TEXT, STOP, "[DONE]"]));
    assert_eq!(observer.observed().usage.map(|usage| usage.total()), Some(2));
    let (observer, forwarded) = pushed(false, &all);
    assert_eq!(forwarded, events(&all));
    assert!(observer.observed().complete());
    // Usage beside choices belongs to an event that the client needs.
    let beside = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
    let (observer, forwarded) = pushed(true, &[beside]);
    assert_eq!(forwarded, events(&[beside]));
    assert_eq!(observer.observed().usage.map(|usage| usage.output), Some(2));
}

#[test]
fn a_carriage_return_of_a_stripped_chunk_leaves_nothing_behind() {
    let text = format!("data: {TEXT}\r\n\r\ndata: {USAGE}\r\n\r\ndata: [DONE]\r\n\r\n");
    let expected = format!("data: {TEXT}\r\n\r\ndata: [DONE]\r\n\r\n");
    for at in 0..text.len() {
        let (head, tail) = text.as_bytes().split_at(at);
        let outcome = fuzzing::observe(rules(true), [head, tail]);
        assert_eq!(String::from_utf8_lossy(&outcome.forwarded), expected, "cut at {at}");
    }
}

#[test]
fn whole_events_leave_as_the_bytes_they_came_in() {
    let mut observer = StreamObserver::new(rules(true));
    let mut out = Vec::new();
    let chunk = Bytes::from(events(&[ROLE, TEXT]));
    observer.push(chunk.clone(), &mut out).unwrap();
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].as_ptr(), chunk.as_ptr());
    out.clear();
    let chunk = Bytes::from(events(&[TEXT, USAGE, "[DONE]"]) + "data: half");
    observer.push(chunk.clone(), &mut out).unwrap();
    assert_eq!(out, [events(&[TEXT]), events(&["[DONE]"])].map(Bytes::from));
    assert_eq!(out[0].as_ptr(), chunk.as_ptr());
}

#[test]
fn half_an_event_is_held_back() {
    let mut observer = StreamObserver::new(rules(false));
    let mut out = Vec::new();
    let text = events(&[TEXT]);
    let (head, tail) = text.split_at(text.len() - 1);
    observer.push(head.to_owned().into(), &mut out).unwrap();
    assert!(out.is_empty());
    assert!(!observer.observed().committed);
    observer.push(tail.to_owned().into(), &mut out).unwrap();
    assert_eq!(out, [text]);
    assert!(observer.observed().committed);
}

#[test]
fn an_error_and_all_behind_it_are_kept_back() {
    for strip_usage in [false, true] {
        let (mut observer, forwarded) = pushed(strip_usage, &[TEXT, ERROR, STOP, "[DONE]"]);
        assert_eq!(forwarded, events(&[TEXT]));
        let mut out = Vec::new();
        observer.push(events(&[STOP, "[DONE]"]).into(), &mut out).unwrap();
        observer.finish(&mut out);
        assert!(out.is_empty());
        let seen = observer.observed();
        assert!(!seen.finished && !seen.done && !seen.complete());
        assert_eq!(seen.error.as_ref().map(|error| error.message.as_str()), Some("broken"));
    }
    // An error in the first event that says something leaves another attempt possible.
    let (observer, forwarded) = pushed(
        false,
        &[ROLE, r#"{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"error"}],"error":"no"}"#],
    );
    assert!(!observer.observed().committed && observer.observed().error.is_some());
    assert_eq!(forwarded, events(&[ROLE]));
    assert!(pushed(false, &[r#"{"error":null,"choices":[]}"#]).0.observed().error.is_none());
}

#[test]
fn events_before_a_fault_still_leave() {
    for broken in ["{\"choices\":[", "oops", "[1]", "\"text\""] {
        let mut observer = StreamObserver::new(rules(false));
        let mut out = Vec::new();
        let fault = observer.push(events(&[TEXT, broken, broken, STOP]).into(), &mut out);
        assert!(matches!(fault, Err(StreamFault::Malformed(_))), "{broken}");
        assert_eq!(out.concat(), events(&[TEXT]).as_bytes());
        assert_eq!(observer.push(events(&[STOP]).into(), &mut out), Ok(()));
        observer.finish(&mut out);
        assert_eq!(out.concat(), events(&[TEXT]).as_bytes(), "nothing leaves after a fault");
        assert!(!observer.observed().complete());
    }
    let mut observer = StreamObserver::new(rules(false));
    let endless = Bytes::from(vec![b'a'; crate::sse::MAX_EVENT_BYTES + 1]);
    assert!(matches!(observer.push(endless, &mut Vec::new()), Err(StreamFault::TooLong(_))));
}

#[test]
fn one_broken_event_that_holds_no_piece_is_passed_over() {
    for size in [1, 7, 10_000] {
        for (broken, passes) in [("oops", true), ("{\"choices\":[{\"delta\":{\"content\":\"lost", false)] {
            let mut observer = StreamObserver::new(rules(false));
            let mut out = Vec::new();
            let bytes = events(&[TEXT, broken, STOP, "[DONE]"]);
            let pushed: Result<(), _> = bytes
                .as_bytes()
                .chunks(size)
                .try_for_each(|chunk| observer.push(Bytes::copy_from_slice(chunk), &mut out));
            assert_eq!(pushed.is_ok(), passes, "{broken}");
            assert_eq!(observer.observed().complete(), passes);
            let shown = if passes { events(&[TEXT, STOP, "[DONE]"]) } else { events(&[TEXT]) };
            assert_eq!(out.concat(), shown.as_bytes());
        }
    }
}

#[test]
fn every_choice_must_finish() {
    let choice = |index: u64, reason: &str| {
        format!(r#"{{"choices":[{{"index":{index},"delta":{{"content":"a"}},"finish_reason":{reason}}}]}}"#)
    };
    let finished = |expected: u64, data: &[String]| {
        let mut observer = StreamObserver::new(rules(false)).expecting(expected);
        let data: Vec<&str> = data.iter().map(String::as_str).collect();
        observer.push(events(&data).into(), &mut Vec::new()).unwrap();
        observer.observed().finished
    };
    let (open, stop) = ("null", "\"stop\"");
    assert!(!finished(1, &[choice(0, open)]));
    assert!(!finished(1, &[choice(0, "\"\"")]), "an empty reason is none");
    assert!(finished(1, &[choice(0, stop)]));
    assert!(!finished(1, &[choice(0, open), choice(1, open), choice(0, stop)]));
    assert!(finished(1, &[choice(0, open), choice(1, open), choice(1, stop), choice(0, stop)]));
    assert!(!finished(2, &[choice(0, stop)]), "the second has not begun");
    assert!(finished(2, &[choice(0, stop), choice(1, stop)]));
    assert!(!finished(1, &[choice(0, stop), choice(127, open)]));
    assert!(finished(1, &[choice(0, stop), choice(127, open), choice(127, stop)]));
    assert!(finished(1, &[choice(u64::MAX, stop)]));
}

#[test]
fn a_cut_stream_is_never_whole() {
    let text = events(&[ROLE, TEXT, STOP, "[DONE]"]);
    let finish_at = text.find(STOP).unwrap() + STOP.len();
    for length in 0..=text.len() {
        let outcome = fuzzing::observe(rules(false), [&text.as_bytes()[..length]]);
        assert_eq!(outcome.observed.complete(), length >= finish_at, "cut at {length}");
        let forwarded = [outcome.forwarded, outcome.flushed].concat();
        let whole = String::from_utf8(forwarded).unwrap();
        assert!(whole.is_empty() || whole.ends_with("}\n\n") || whole.ends_with("[DONE]\n\n"), "{whole}");
    }
}

#[test]
fn the_last_event_is_closed_if_whole_and_dropped_if_not() {
    let flushed = |text: &str| {
        let outcome = fuzzing::observe(rules(true), [text.as_bytes()]);
        String::from_utf8(outcome.flushed).unwrap()
    };
    assert_eq!(flushed("data: [DONE]"), "data: [DONE]\n\n");
    assert_eq!(flushed("data: [DONE]\n"), "data: [DONE]\n\n");
    assert_eq!(flushed(&format!("data: {STOP}")), format!("data: {STOP}\n\n"));
    assert_eq!(flushed(&format!("data: {USAGE}")), "");
    assert_eq!(flushed(&format!("data: {ERROR}")), "");
    assert_eq!(flushed("data: {\"choi"), "");
    assert_eq!(flushed(": comment"), "");
}

#[test]
fn fixtures_read_the_same_however_they_are_cut() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/streams");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read(&path).unwrap();
        for strip_usage in [false, true] {
            let whole = fuzzing::observe(rules(strip_usage), [&text[..]]);
            assert_eq!(fuzzing::observe(rules(strip_usage), text.chunks(1)), whole, "{path:?} by bytes");
            for at in 0..text.len() {
                let (head, tail) = text.split_at(at);
                let cut = fuzzing::observe(rules(strip_usage), [head, tail]);
                assert_eq!(cut, whole, "{path:?} cut at {at}");
            }
        }
        read += 1;
    }
    assert!(read > 30, "{read} fixtures");
}

#[test]
fn small_streams_read_the_same_from_any_three_pieces() {
    let text = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\r\n\r\n: p\n\ndata:{\"choices\":[{\"text\":\"a\",\"finish_reason\":\"x\"}]}\r\rdata: [DONE]";
    let text = text.as_bytes();
    let whole = fuzzing::observe(rules(true), [text]);
    assert!(whole.observed.done && whole.observed.finished && whole.observed.usage.is_some());
    for first in 0..=text.len() {
        for second in first..=text.len() {
            let pieces = [&text[..first], &text[first..second], &text[second..]];
            assert_eq!(fuzzing::observe(rules(true), pieces), whole, "cut at {first} and {second}");
        }
    }
}
