//! The gate against a decoder that holds everything, at every cut; and what it refuses.

use proptest::prelude::*;

use super::*;

/// Keys that tests can foresee.
fn keys() -> impl FnMut() -> [u8; 4] {
    let mut next = 0_u32;
    move || {
        next += 1;
        next.wrapping_mul(0x9E37_79B9).to_be_bytes()
    }
}

/// What came out of a gate.
#[derive(Debug, Default, PartialEq, Eq)]
struct Out {
    bytes: Vec<u8>,
    /// Messages that ended, with whether they are text.
    messages: Vec<(bool, Vec<u8>)>,
    heartbeats: usize,
    close: Option<Option<u16>>,
    violation: Option<Violation>,
}

fn run<'a>(side: Side, limit: u64, pieces: impl IntoIterator<Item = &'a [u8]>) -> Out {
    let mut gate = Gate::new(side, limit);
    let (mut out, mut buffer, mut message, mut fresh) = (Out::default(), Vec::new(), Vec::new(), keys());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        let Out { messages, heartbeats, close, .. } = &mut out;
        let passed = gate.pass(&mut buffer, &mut fresh, &mut |seen| match seen {
            Seen::Data { text, piece, last } => {
                message.extend_from_slice(piece);
                if last {
                    messages.push((text, std::mem::take(&mut message)));
                }
            }
            Seen::Heartbeat => *heartbeats += 1,
            Seen::Close(code) => *close = Some(code),
        });
        out.bytes.extend(buffer.drain(..passed.forward + passed.close));
        out.violation = passed.violation;
        if passed.violation.is_some() || gate.closed() {
            break;
        }
    }
    out
}

fn once(side: Side, bytes: &[u8]) -> Out {
    run(side, 1 << 20, [bytes])
}

/// A frame as the tests want it, right or wrong.
fn raw(first: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = frame(first & 0x0F, payload, key);
    bytes[0] = first;
    bytes
}

const KEY: Option<[u8; 4]> = Some([1, 2, 3, 250]);

#[derive(Clone, Debug)]
struct Message {
    text: bool,
    payload: Vec<u8>,
    cuts: Vec<usize>,
    ping: bool,
}

impl Message {
    fn frames(&self, key: &mut impl FnMut() -> Option<[u8; 4]>) -> Vec<u8> {
        let mut ends: Vec<_> = self.cuts.iter().map(|cut| cut % (self.payload.len() + 1)).collect();
        ends.sort_unstable();
        ends.push(self.payload.len());
        let (mut out, mut from) = (Vec::new(), 0);
        for (number, &end) in ends.iter().enumerate() {
            let opcode = match (number, self.text) {
                (0, true) => TEXT,
                (0, false) => BINARY,
                _ => CONTINUATION,
            };
            let last = if number + 1 == ends.len() { 0x80 } else { 0 };
            out.extend(raw(last | opcode, &self.payload[from..end], key()));
            if self.ping {
                out.extend(raw(0x80 | PING, b"still there", key()));
            }
            from = end;
        }
        out
    }
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let payload = prop_oneof![
        4 => (Just(true), ".{0,200}".prop_map(String::into_bytes)),
        1 => (Just(true), Just("äöü€".repeat(9000).into_bytes())),
        2 => (Just(false), prop::collection::vec(any::<u8>(), 0..300)),
    ];
    let message = (payload, prop::collection::vec(any::<usize>(), 0..3), any::<bool>());
    let message = message.prop_map(|((text, payload), cuts, ping)| Message { text, payload, cuts, ping });
    prop::collection::vec(message, 0..6)
}

proptest! {
    #[test]
    fn what_goes_in_comes_out_with_other_keys(
        messages in messages(), client in any::<bool>(), cuts in prop::collection::vec(1_usize..700, 1..40),
    ) {
        let side = if client { Side::Client } else { Side::Server };
        let mut sent = keys();
        let mut sent = || client.then(|| sent().map(|byte| !byte));
        let mut wire: Vec<u8> = messages.iter().flat_map(|message| message.frames(&mut sent)).collect();
        wire.extend(close_frame(Some(1000), "bye", sent()));
        let whole = once(side, &wire);
        let expected: Vec<_> = messages.iter().map(|message| (message.text, message.payload.clone())).collect();
        prop_assert_eq!(&whole.messages, &expected);
        prop_assert_eq!((whole.close, whole.violation), (Some(Some(1000)), None));
        // Lengths are the same, and what is behind the masks is, too.
        prop_assert_eq!(whole.bytes.len(), wire.len());
        if client {
            prop_assert_ne!(&whole.bytes, &wire);
        } else {
            prop_assert_eq!(&whole.bytes, &wire);
        }
        let again = once(side, &whole.bytes);
        prop_assert_eq!(&again.messages, &expected);
        let (mut pieces, mut from, mut cuts) = (Vec::new(), 0, cuts.into_iter().cycle());
        while from < wire.len() {
            let end = (from + cuts.next().unwrap()).min(wire.len());
            pieces.push(&wire[from..end]);
            from = end;
        }
        prop_assert_eq!(&run(side, 1 << 20, pieces), &whole);
    }
}

#[test]
fn single_bytes_say_the_same() {
    let message = Message { text: true, payload: "ä€".into(), cuts: vec![1, 3], ping: true };
    let mut wire = message.frames(&mut || KEY);
    wire.extend(raw(0x80 | BINARY, &[7; 70_000], KEY));
    let whole = once(Side::Client, &wire);
    assert_eq!((whole.messages.len(), whole.heartbeats, whole.violation), (2, 3, None));
    assert_eq!(run(Side::Client, 1 << 20, wire.chunks(1)), whole);
}

#[test]
fn hostile_frames() {
    let client = |bytes: &[u8]| once(Side::Client, bytes).violation;
    for bit in [0x40, 0x20, 0x10] {
        assert_eq!(client(&raw(0x80 | bit | TEXT, b"x", KEY)), Some(Violation::ReservedBit));
        assert_eq!(client(&[0x80 | bit | TEXT]), Some(Violation::ReservedBit), "the first byte is enough");
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        assert_eq!(client(&raw(0x80 | opcode, b"", KEY)), Some(Violation::Opcode), "{opcode}");
    }
    assert_eq!(client(&raw(0x80 | TEXT, b"x", None)), Some(Violation::Mask));
    assert_eq!(once(Side::Server, &raw(0x80 | TEXT, b"x", KEY)).violation, Some(Violation::Mask));
    for control in [CLOSE, PING, PONG] {
        assert_eq!(client(&raw(control, b"", KEY)), Some(Violation::Control), "in fragments");
        assert_eq!(client(&raw(0x80 | control, &[b'x'; 126], KEY)), Some(Violation::Control), "too long");
    }
    for (payload, violation) in [
        (&b"x"[..], Violation::CloseCode),
        (&[3, 0xEC], Violation::CloseCode), // 1004
        (&[3, 0xED], Violation::CloseCode), // 1005
        (&[3, 0xEE], Violation::CloseCode), // 1006
        (&[3, 0xF7], Violation::CloseCode), // 1015
        (&[0, 0], Violation::CloseCode),
        (&[0x0B, 0xB7], Violation::CloseCode), // 2999
        (&[0x13, 0x88], Violation::CloseCode), // 5000
        (&[3, 0xE8, 0xFF], Violation::NotUtf8),
    ] {
        assert_eq!(client(&raw(0x80 | CLOSE, payload, KEY)), Some(violation), "{payload:?}");
    }
    assert_eq!(client(&raw(0x80 | CONTINUATION, b"", KEY)), Some(Violation::Fragment));
    let twice = [raw(TEXT, b"a", KEY), raw(0x80 | TEXT, b"b", KEY)].concat();
    assert_eq!(client(&twice), Some(Violation::Fragment));
    assert_eq!(client(&raw(0x80 | TEXT, b"\xff", KEY)), Some(Violation::NotUtf8));
    let half = [raw(TEXT, b"\xe2\x82", KEY), raw(0x80 | CONTINUATION, b"", KEY)].concat();
    assert_eq!(client(&half), Some(Violation::NotUtf8), "a text that ends within a character");
    assert_eq!(client(&raw(0x80 | BINARY, b"\xff", KEY)), None);
}

#[test]
fn lengths_are_written_one_way_and_bounded() {
    let server = |bytes: &[u8]| once(Side::Server, bytes).violation;
    assert_eq!(server(&[0x82, 126, 0, 125]), Some(Violation::Length));
    assert_eq!(server(&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]), Some(Violation::Length));
    assert_eq!(server(&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]), Some(Violation::Length));
    assert_eq!(server(&[0x82, 127, 0x7F, 255, 255, 255, 255, 255, 255, 255]), Some(Violation::TooLong));
    let limited = |bytes: &[u8]| run(Side::Server, 10, [bytes]).violation;
    assert_eq!(limited(&raw(0x80 | BINARY, &[0; 10], None)), None);
    assert_eq!(limited(&raw(0x80 | BINARY, &[0; 11], None)), Some(Violation::TooLong));
    let sum = [raw(BINARY, &[0; 6], None), raw(0x80 | CONTINUATION, &[0; 5], None)].concat();
    assert_eq!(limited(&sum), Some(Violation::TooLong), "fragments add up");
    let each = [raw(0x80 | BINARY, &[0; 6], None), raw(0x80 | BINARY, &[0; 6], None)].concat();
    assert_eq!(limited(&each), None, "messages do not");
}

#[test]
fn nothing_passes_behind_the_end() {
    let good = raw(0x80 | TEXT, b"good", None);
    let close = close_frame(None, "", None);
    let out = once(Side::Server, &[&good[..], &close, &good].concat());
    assert_eq!((out.bytes.len(), out.messages.len()), (good.len() + close.len(), 1));
    let bad = raw(0x83, b"", None);
    let out = once(Side::Server, &[&good[..], &bad, &good].concat());
    assert_eq!((out.bytes, out.violation), (good, Some(Violation::Opcode)));
}

#[test]
fn where_frames_of_ours_may_stand() {
    let mut gate = Gate::new(Side::Server, 100);
    let mut look = |bytes: &[u8]| {
        let passed = gate.pass(&mut bytes.to_vec(), &mut keys(), &mut |_| {});
        assert_eq!((passed.forward, passed.violation), (bytes.len(), None));
        (gate.between_frames(), gate.between_messages())
    };
    assert_eq!(look(b""), (true, true));
    assert_eq!(look(&[TEXT, 3, b'a']), (false, false));
    assert_eq!(look(b"bc"), (true, false));
    assert_eq!(look(&[0x80, 0]), (true, true));
}

#[test]
fn frames_of_ours_are_right() {
    for length in [0, 125, 126, 0xFFFF, 0x1_0000] {
        let text = "x".repeat(length);
        assert_eq!(once(Side::Client, &text_frame(&text, KEY)).messages, [(true, text.clone().into_bytes())]);
        assert_eq!(once(Side::Server, &text_frame(&text, None)).messages, [(true, text.into_bytes())]);
    }
    let close = close_frame(Some(1001), &"ä".repeat(100), KEY);
    assert_eq!(once(Side::Client, &close).close, Some(Some(1001)), "the reason is cut at a character");
    assert_eq!(once(Side::Server, &close_frame(None, "", None)).close, Some(None));
}
