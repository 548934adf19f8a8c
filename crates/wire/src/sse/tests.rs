//! Events by the standard, whatever the line ends and however the bytes are cut.

use super::*;

fn event(name: &str, data: &str) -> Event {
    Event { name: name.into(), data: data.into() }
}

/// Events and all frame bytes put together, from these chunks.
fn run<'a>(limit: usize, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, Vec<u8>, bool) {
    let mut framer = Framer::with_limit(limit);
    let (mut events, mut bytes) = (Vec::new(), Vec::new());
    for chunk in chunks {
        loop {
            match framer.next(chunk) {
                Ok(Some(frame)) => {
                    events.extend(framer.event(chunk, &frame));
                    if frame.carried {
                        bytes.extend(framer.take_carried());
                    } else {
                        bytes.extend_from_slice(&chunk[frame.range]);
                    }
                }
                Ok(None) => break,
                Err(_) => return (events, bytes, false),
            }
        }
    }
    if let Some(frame) = framer.finish() {
        events.extend(framer.event(&[], &frame));
        bytes.extend(framer.take_carried());
    }
    (events, bytes, true)
}

/// The same from every split in two and three pieces, and byte by byte.
fn run_all_ways(text: &[u8]) -> Vec<Event> {
    let whole = run(MAX_EVENT_BYTES, [text]);
    assert_eq!(whole.1, text, "bytes got lost");
    assert_eq!(run(MAX_EVENT_BYTES, text.chunks(1)), whole);
    for first in 0..=text.len() {
        for second in first..=text.len() {
            let pieces = [&text[..first], &text[first..second], &text[second..]];
            assert_eq!(run(MAX_EVENT_BYTES, pieces), whole, "cut at {first} and {second}");
        }
    }
    whole.0
}

#[test]
fn every_line_end_and_every_field() {
    for end in ["\n", "\r\n", "\r"] {
        let lines = [
            ": a comment",
            "event: greet",
            "id: 7",
            "data: hello",
            "",
            "",
            "data:no space",
            "retry: 10",
            "data:  two",
            "data",
            "",
            "event: only a name",
            "",
            "dataset: no",
            "",
            "data:",
            "",
        ];
        let text: String = lines.iter().flat_map(|line| [*line, end]).collect();
        let expected = [event("greet", "hello"), event("", "no space\n two\n"), event("", "")];
        assert_eq!(run_all_ways(text.as_bytes()), expected, "{end:?}");
    }
}

#[test]
fn mixed_line_ends() {
    let text = b"data: a\r\n\ndata: b\r\rdata: c\n\r\ndata: d\r\n\r\n\r\n\rdata: e\n\n";
    let names: Vec<_> = run_all_ways(text).into_iter().map(|event| event.data).collect();
    assert_eq!(names, [b"a", b"b", b"c", b"d", b"e"]);
}

#[test]
fn a_byte_order_mark_is_passed_over_at_the_start_only() {
    let text = "\u{feff}data: a\n\n\u{feff}data: b\n\n".as_bytes();
    assert_eq!(run_all_ways(text), [event("", "a")]);
    assert_eq!(run_all_ways("\u{feff}\ndata: a\n\n".as_bytes()), [event("", "a")]);
}

#[test]
fn what_no_blank_line_closed_comes_at_the_end() {
    assert_eq!(run_all_ways(b"data: a\n\ndata: b"), [event("", "a"), event("", "b")]);
    assert_eq!(run_all_ways(b"data: a\n"), [event("", "a")]);
    assert_eq!(run_all_ways(b"data: a\r"), [event("", "a")]);
    assert_eq!(run_all_ways(b""), []);
}

#[test]
fn an_error_field_is_an_error_event() {
    assert_eq!(run_all_ways(b"data: a\ndata: b\nerror: {}\n\n"), [event("error", "{}")]);
}

#[test]
fn the_limit_holds_whatever_the_cuts() {
    let fits = b"data: 0123456789\n\ndata: 012345678\r\n\r\n";
    assert!(run(17, [&fits[..]]).2);
    assert!(run(17, fits.chunks(1)).2);
    for text in [
        "data: a\n\ndata: 0123456789a\n\n",
        "data: a\n\ndata: 01234\ndata: 56\n\n",
        "data: a\n\n:0123456789 0123456789",
    ] {
        for size in 1..=text.len() {
            let (events, _, within) = run(17, text.as_bytes().chunks(size));
            assert!(!within, "{text:?} by {size}");
            assert_eq!(events, [event("", "a")], "{text:?} by {size}");
        }
    }
}

#[test]
fn whole_events_are_not_copied() {
    let chunk = b"data: a\n\ndata: b\n\ndata: c";
    let mut framer = Framer::default();
    let first = framer.next(chunk).unwrap().unwrap();
    let second = framer.next(chunk).unwrap().unwrap();
    assert!(!first.carried && !second.carried);
    assert_eq!((first.range, second.range.clone()), (0..9, 9..18));
    assert_eq!(framer.data(chunk, &second).as_ptr(), chunk[15..].as_ptr());
    assert!(framer.next(chunk).unwrap().is_none());
    let third = framer.next(b"\n\n").unwrap().unwrap();
    assert!(third.carried);
    assert_eq!(framer.take_carried(), &b"data: c\n\n"[..]);
}
