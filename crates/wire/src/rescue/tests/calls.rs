//! Calls of tools: held back, begun again, compared.

use pointsman_core::Dialect;

use super::looks::assert_of_one_piece;
use super::*;
use crate::rescue::{Hold, Way};

const CALLS: [(&str, &[&str]); 2] =
    [("weather", &["{\"city\": ", "\"Z\u{fc}rich\"", "}"]), ("time", &["{}"])];

fn script<'s>(text: &[&'s str], calls: &'s [(&'s str, &'s [&'s str])]) -> Script<'s> {
    Script { calls, ..Script::text(text) }
}

/// What is shown of a stream that is cut behind `bytes`, with calls held back.
fn held_back(client: Dialect, bytes: &[u8]) -> (Vec<u8>, Hold, bool) {
    let mut relay = relay(client, client);
    let mut hold = Hold::new(client, known(client));
    let mut shown = Vec::new();
    for chunk in bytes.chunks(53) {
        let mut out = Vec::new();
        relay.push(Bytes::copy_from_slice(chunk), &mut out).unwrap();
        hold.filter(&mut out);
        shown.extend(out);
    }
    (shown.concat(), hold, relay.observed().complete())
}

#[test]
fn a_cut_within_a_call_is_not_seen() {
    for client in CLIENTS {
        for text in [&["Let me", " see."][..], &[]] {
            let bytes = stream(client, "one", &script(text, &CALLS));
            for cut in (0..bytes.len()).step_by(9) {
                let (shown, hold, complete) = held_back(client, &bytes[..cut]);
                if complete {
                    continue;
                }
                let read = read_back(client, &shown);
                let said = read.said().text().to_owned();
                let way = read.said().way(1, false, &Terms::default());
                let manner = match way {
                    Way::Anew => None,
                    Way::GoOn => Some(Manner::Prefill { trimmed: false }),
                    Way::None(obstacle) => panic!("{client} behind {cut}: {obstacle:?}"),
                };
                let rest: Vec<&str> = if said.is_empty() {
                    text.to_vec()
                } else {
                    text.iter().skip(if said.len() > 6 { 2 } else { 1 }).copied().collect()
                };
                let (more, _) =
                    rejoined(client, &read, manner, &stream(client, "two", &script(&rest, &CALLS)));
                let all = [shown, more].concat();
                let answer = understood(client, &all);
                assert_eq!(answer.text, text.concat(), "{client} behind {cut}");
                let calls: Vec<_> =
                    answer.calls.iter().map(|(name, input)| (name.as_str(), input.as_str())).collect();
                assert_eq!(
                    calls,
                    [("weather", "{\"city\": \"Z\u{fc}rich\"}"), ("time", "{}")],
                    "{client} behind {cut}"
                );
                assert_of_one_piece(client, &all);
                drop(hold);
            }
        }
    }
}

#[test]
fn what_is_held_is_shown_in_the_end_as_it_came() {
    for client in CLIENTS {
        let bytes = stream(client, "one", &script(&["Let me", " see."], &CALLS));
        let (mut shown, mut hold, complete) = held_back(client, &bytes);
        assert!(complete);
        let mut out = Vec::new();
        hold.release(&mut out);
        shown.extend(out.concat());
        assert_eq!(String::from_utf8(shown).unwrap(), String::from_utf8(bytes).unwrap(), "{client}");
    }
}

#[test]
fn nothing_but_calls_is_held() {
    let chunk =
        |delta: &str| Bytes::from(format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n"));
    let mut hold = Hold::new(Dialect::OpenAiChat, known(Dialect::OpenAiChat));
    for delta in [
        r#"{"content":"say \"tool_calls\": [1]"}"#,
        r#"{"content":"x","tool_calls":null,"function_call": null}"#,
        r#"{"content":"x","tool_calls" : [ ]}"#,
    ] {
        let mut out = vec![chunk(delta)];
        hold.filter(&mut out);
        assert_eq!((out.len(), hold.is_holding()), (1, false), "{delta}");
    }
    // An id and no name yet: it is a call all the same.
    let mut out = vec![chunk(r#"{"tool_calls":[{"index":0,"id":"c"}]}"#)];
    hold.filter(&mut out);
    assert!(out.is_empty() && hold.is_holding());
    out.push(chunk(r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{\"a\":"}}]}"#));
    hold.filter(&mut out);
    assert!(out.is_empty());
    out.push(chunk(r#"{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}"#));
    hold.filter(&mut out);
    assert_eq!((out.len(), hold.is_holding()), (3, false), "whole");
}

#[test]
fn a_call_that_is_too_long_is_shown_as_it_comes() {
    let mut hold = Hold::new(Dialect::OpenAiChat, known(Dialect::OpenAiChat));
    let piece = "x".repeat(60_000);
    let chunk = |arguments: &str| {
        let call =
            serde_json::json!([{"index": 0, "id": "c", "function": {"name": "f", "arguments": arguments}}]);
        Bytes::from(format!(
            "data: {}\n\n",
            serde_json::json!({"choices": [{"index": 0, "delta": {"tool_calls": call}}]})
        ))
    };
    let mut shown = 0;
    for at in 0..8 {
        let mut out = vec![chunk(&if at == 0 { "{\"a\":\"".to_owned() } else { piece.clone() })];
        hold.filter(&mut out);
        shown += out.len();
        assert_eq!(shown > 0, at >= 5, "after {at}");
    }
    assert_eq!(shown, 8);
}

#[test]
fn calls_that_the_client_has_come_once() {
    for client in CLIENTS {
        let bytes = stream(client, "one", &script(&["Let me see."], &CALLS));
        // Cut behind the first call.
        let cut = (0..bytes.len()).find(|cut| {
            let (shown, _, _) = held_back(client, &bytes[..*cut]);
            !read_back(client, &shown).said().calls().is_empty()
        });
        let (shown, _, _) = held_back(client, &bytes[..cut.unwrap()]);
        let read = read_back(client, &shown);
        assert_eq!(read.said().way(1, false, &Terms::default()), Way::GoOn);
        let manner = Some(Manner::Prefill { trimmed: false });
        let whole = |second: &[u8]| {
            let (more, _) = rejoined(client, &read, manner, second);
            let all = [shown.clone(), more].concat();
            assert_of_one_piece(client, &all);
            understood(client, &all).calls.len()
        };
        assert_eq!(whole(&stream(client, "two", &script(&[], &CALLS))), 2, "{client}");
        let spaced: &[(&str, &[&str])] = &[("weather", &["{ \"city\":\"Z\\u00fcrich\" }"])];
        assert_eq!(whole(&stream(client, "two", &script(&[], spaced))), 1, "{client}: the same call");
        assert_eq!(whole(&stream(client, "two", &script(&[], &[]))), 1, "{client}: it had been all");
        let other: &[(&str, &[&str])] = &[("weather", &["{\"city\":\"Bern\"}"])];
        let terms = Terms::default();
        let plan = Plan { manner, terms: &terms, choices: 1, before: Before::default() };
        let mut rejoin = Rejoin::new((known(client), "b", "req2"), &read, &plan);
        let mut out = Vec::new();
        let error =
            rejoin.push(&Bytes::from(stream(client, "two", &script(&[], other))), &mut out).unwrap_err();
        assert!(error.to_string().contains("another tool"), "{client}: {error}");
    }
}
