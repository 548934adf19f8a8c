//! Texts that break off behind every byte.

use pointsman_core::Dialect;

use super::looks::assert_of_one_piece;
use super::*;
use crate::rescue::{Obstacle, Way};

const PIECES: [&str; 8] = [
    "Once upon",
    " a time, in Z\u{fc}rich",
    ",\n\nthere was \u{1f642}",
    " a \"king\"",
    ".\n",
    "\nHe",
    " slept",
    " long.",
];

/// Where the pieces that were not said begin.
fn rest_of<'s>(whole: &'s [&'s str], said: &str) -> Vec<&'s str> {
    let mut at = 0;
    let mut rest = Vec::new();
    for piece in whole {
        if at >= said.len() {
            rest.push(*piece);
        }
        at += piece.len();
    }
    rest
}

/// Cuts behind each byte (or each `step` bytes) and checks what the client gets in the end.
fn every_cut(client: Dialect, first: Dialect, second: Dialect, step: usize) {
    let bytes = stream(first, "one", &Script::text(&PIECES));
    let whole = PIECES.concat();
    for cut in (0..=bytes.len()).step_by(step) {
        let (shown, complete) = shown_of(client, first, &bytes[..cut]);
        if complete {
            continue;
        }
        let read = read_back(client, &shown);
        let said = read.said().text().to_owned();
        assert!(whole.starts_with(&said));
        let rest = rest_of(&PIECES, &said);
        let way = read.said().way(1, false, &Terms::default());
        let (manner, script) = match way {
            Way::Anew => (None, Script::text(&PIECES)),
            Way::GoOn if rest.is_empty() => (Some(Manner::Instructed), Script::text(&["He slept long."])),
            Way::GoOn => (Some(Manner::Prefill { trimmed: false }), Script::text(&rest)),
            Way::None(obstacle) => panic!("{obstacle:?}"),
        };
        let more = stream(second, "two", &script);
        let (more, rejoin) = rejoined(second, &read, manner, &more);
        let all = [shown, more].concat();
        let answer = understood(client, &all);
        assert_eq!(answer.text, whole, "{client} {first} {second} cut behind {cut}");
        assert_of_one_piece(client, &all);
        let usage = rejoin.usage();
        if !rest.is_empty() {
            assert_eq!(usage.output, PIECES.len() as u64, "{client} {first} {second} cut behind {cut}");
            assert_eq!((answer.output, answer.input), (usage.output, usage.input));
        }
    }
}

#[test]
fn a_cut_behind_any_byte_is_not_seen_in_the_same_dialect() {
    for client in CLIENTS {
        every_cut(client, client, client, 7);
    }
    for client in [Dialect::Gemini, Dialect::Ollama] {
        every_cut(client, client, client, 23);
    }
}

#[test]
fn a_cut_is_not_seen_whatever_the_providers_speak() {
    for client in CLIENTS {
        for first in CLIENTS {
            for second in Dialect::ALL {
                every_cut(client, first, second, 37);
            }
        }
    }
}

#[test]
fn an_answer_may_break_off_twice() {
    for client in CLIENTS {
        let whole = PIECES.concat();
        let first = stream(client, "one", &Script::text(&PIECES));
        let (mut shown, _) = shown_of(client, client, &first[..first.len() * 2 / 5]);
        let mut read = read_back(client, &shown);
        let rest = rest_of(&PIECES, read.said().text());
        let second = stream(Dialect::Anthropic, "two", &Script::text(&rest));
        let terms = Terms::default();
        let manner = Some(Manner::Prefill { trimmed: false });
        let plan = Plan { manner, terms: &terms, choices: 1, before: Before::default() };
        let mut rejoin = Rejoin::new((known(Dialect::Anthropic), "b", "req2"), &read, &plan);
        let mut out = Vec::new();
        rejoin.push(&Bytes::from(second[..second.len() * 3 / 5].to_vec()), &mut out).unwrap();
        read.read(&out.concat()).unwrap();
        shown.extend(out.concat());
        let rest = rest_of(&PIECES, read.said().text());
        assert!((1..PIECES.len() - 1).contains(&rest.len()), "{client}: {rest:?}");
        let (more, _) = rejoined(
            Dialect::OpenAiChat,
            &read,
            manner,
            &stream(Dialect::OpenAiChat, "three", &Script::text(&rest)),
        );
        shown.extend(more);
        assert_eq!(understood(client, &shown).text, whole);
        assert_of_one_piece(client, &shown);
    }
}

#[test]
fn what_is_said_twice_is_told_once() {
    let said = ["The king slept", " until noon"];
    for client in CLIENTS {
        let (shown, _) = shown_of(client, client, &cut_behind(client, &said, " until noon"));
        let read = read_back(client, &shown);
        for rest in [
            vec!["Sure, continuing:", " until noon", " and longer."],
            vec!["slept", " until noon", " and longer."],
            vec!["The king slept", "\nuntil noon", " and longer."],
            vec!["Sure, continuing:\n\n", "The king", " slept until noon and longer."],
        ] {
            let bytes = stream(Dialect::OpenAiChat, "two", &Script::text(&rest));
            let (more, rejoin) = rejoined(Dialect::OpenAiChat, &read, Some(Manner::Instructed), &bytes);
            let all = [shown.clone(), more].concat();
            assert_eq!(
                understood(client, &all).text,
                "The king slept until noon and longer.",
                "{client} {rest:?}"
            );
            assert_of_one_piece(client, &all);
            assert!(rejoin.dropped().chars >= 15);
        }
    }
}

/// A stream that is cut behind a piece.
fn cut_behind(dialect: Dialect, pieces: &[&str], last: &str) -> Vec<u8> {
    let bytes = stream(dialect, "one", &Script::text(pieces));
    let at = bytes.windows(last.len()).position(|window| window == last.as_bytes()).unwrap();
    let end = bytes[at..].windows(2).position(|pair| pair == b"\n\n").unwrap();
    bytes[..at + end + 2].to_vec()
}

#[test]
fn thoughts_that_broke_off_are_thought_anew_and_later_ones_are_not_shown() {
    let script = Script { thoughts: &["Hm, ", "well"], ..Script::text(&["Yes, ", "because it is."]) };
    for client in CLIENTS {
        let bytes = stream(client, "one", &script);
        let at = bytes.windows(4).position(|window| window == b"well").unwrap();
        let (shown, _) = shown_of(client, client, &bytes[..at]);
        let read = read_back(client, &shown);
        assert_eq!(read.said().way(1, false, &Terms::default()), Way::Anew);
        assert_eq!(read.said().way(1, true, &Terms::default()), Way::None(Obstacle::Shown));
        let (more, _) = rejoined(client, &read, None, &stream(client, "two", &script));
        let all = [shown, more].concat();
        let answer = understood(client, &all);
        assert_eq!((&*answer.thoughts, &*answer.text), ("Hm, Hm, well", "Yes, because it is."), "{client}");
        assert_of_one_piece(client, &all);

        let at = bytes.windows(7).position(|window| window == b"because").unwrap();
        let (shown, _) = shown_of(client, client, &bytes[..at]);
        let read = read_back(client, &shown);
        let rest = Script { thoughts: &["Where was I?"], ..Script::text(&["because it is."]) };
        let manner = Some(Manner::Prefill { trimmed: false });
        let (more, _) = rejoined(client, &read, manner, &stream(client, "two", &rest));
        let all = [shown, more].concat();
        let answer = understood(client, &all);
        assert_eq!((&*answer.thoughts, &*answer.text), ("Hm, well", "Yes, because it is."), "{client}");
        assert_of_one_piece(client, &all);
    }
}

#[test]
fn a_character_in_two_halves_stays_whole() {
    let chunk = |text: &str| {
        format!(
            "data: {{\"id\":\"c\",\"model\":\"m\",\"created\":1,\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
        )
    };
    let shown = [chunk("It is a "), chunk("smile \\ud83d")].concat();
    let read = read_back(Dialect::OpenAiChat, shown.as_bytes());
    assert_eq!(read.said().text(), "It is a smile ");
    for pieces in [
        vec!["\\ud83d\\ude42 indeed"],
        vec!["\\ud83d", "\\ude42 indeed"],
        vec!["\\ude42 indeed"],
        vec!["\u{1f642} indeed"],
        vec!["\\ud83d", "\\ude42\\ud83d", "\\ude42 indeed"],
    ] {
        let end =
            "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        let bytes: String = pieces.iter().map(|piece| chunk(piece)).chain([end.to_owned()]).collect();
        let manner = Some(Manner::Prefill { trimmed: false });
        let (more, _) = rejoined(Dialect::OpenAiChat, &read, manner, bytes.as_bytes());
        let all = format!("{shown}{}", String::from_utf8(more).unwrap());
        // As a client whose strings are made of 16-bit units puts it together.
        let texts = all.split("\"content\":\"").skip(1).filter_map(|rest| rest.split('"').next());
        let joined: String = texts.collect();
        let value: String = serde_json::from_str(&format!("\"{joined}\"")).unwrap();
        let smiles = "\u{1f642}".repeat(pieces.len().div_ceil(2));
        assert_eq!(value, format!("It is a smile {smiles} indeed"), "{pieces:?}");
    }
}

#[test]
fn a_stop_sequence_across_the_joint_ends_the_answer() {
    let (shown, _) = shown_of(
        Dialect::OpenAiChat,
        Dialect::OpenAiChat,
        &cut_behind(Dialect::OpenAiChat, &["The story: EN"], "EN"),
    );
    let read = read_back(Dialect::OpenAiChat, &shown);
    let terms = Terms { stops: vec!["END".to_owned()], ..Terms::default() };
    let plan =
        Plan { manner: Some(Manner::Instructed), terms: &terms, choices: 1, before: Before::default() };
    let bytes = stream(Dialect::OpenAiChat, "two", &Script::text(&["D", " of it"]));
    let (more, _) = rejoined_by(Dialect::OpenAiChat, &read, &plan, &bytes);
    let all = [shown, more].concat();
    assert_eq!(understood(Dialect::OpenAiChat, &all).text, "The story: EN");
    assert!(events(&all).iter().any(|event| event["choices"][0]["stop_reason"] == "END"));
}

#[test]
fn a_structured_answer_is_held_against_its_schema() {
    let terms =
        Terms { schema: Some(r#"{"type":"object","required":["a"]}"#.to_owned()), ..Terms::default() };
    let start = "{\"a";
    let chunk = |text: &str| {
        let delta = serde_json::json!({"choices": [{"index": 0, "delta": {"content": text}}]});
        format!("data: {delta}\n\n")
    };
    let end =
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let read = read_back(Dialect::OpenAiChat, chunk(start).as_bytes());
    let manner = Some(Manner::Prefill { trimmed: false });
    let plan = Plan { manner, terms: &terms, choices: 1, before: Before::default() };
    let good = [chunk("\":").as_str(), &chunk("1}"), end].concat();
    let (more, _) = rejoined_by(Dialect::OpenAiChat, &read, &plan, good.as_bytes());
    assert!(String::from_utf8(more).unwrap().contains("[DONE]"));
    for bad in ["\": 1", "b\": 1}", "\": 1} "] {
        let bytes = [chunk(bad).as_str(), if bad.ends_with(' ') { "data: [DONE]\n\n" } else { end }].concat();
        let mut rejoin = Rejoin::new((known(Dialect::OpenAiChat), "b", "req2"), &read, &plan);
        let mut out = Vec::new();
        let pushed = rejoin.push(&Bytes::from(bytes), &mut out);
        let told = String::from_utf8(out.concat()).unwrap();
        if bad.ends_with(' ') {
            assert!(pushed.is_ok() && told.contains("[DONE]"), "whole, with a space behind");
        } else {
            assert!(pushed.unwrap_err().to_string().contains("schema"), "{bad}");
            assert!(!told.contains("finish_reason\":\"stop"), "{told}");
        }
    }
}

#[test]
fn what_cannot_be_gone_on_with_is_said() {
    let of = |shown: &str| read_back(Dialect::OpenAiChat, shown.as_bytes());
    let chunk = |delta: &str| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n");
    let text = chunk(r#"{"role":"assistant","content":"Hello"}"#);
    let none = Terms::default();
    let way = |shown: &str, choices, restart, terms: &Terms| of(shown).said().way(choices, restart, terms);
    assert_eq!(way(&text, 1, false, &none), Way::GoOn);
    assert_eq!(way(&text, 2, false, &none), Way::None(Obstacle::Choices));
    assert_eq!(way(&text, 1, true, &none), Way::None(Obstacle::Shown));
    assert_eq!(
        way(&text, 1, false, &Terms { logprobs: true, ..Terms::default() }),
        Way::None(Obstacle::Logprobs)
    );
    assert_eq!(way(&text, 1, false, &Terms { audio: true, ..Terms::default() }), Way::None(Obstacle::Audio));
    let role = chunk(r#"{"role":"assistant","content":""}"#);
    assert_eq!(way(&role, 3, true, &Terms { logprobs: true, ..Terms::default() }), Way::Anew);
    assert_eq!(way("", 1, true, &none), Way::Anew);
    let sound = chunk(r#"{"audio":{"id":"a","data":"AAAA","transcript":"Hel"}}"#);
    assert_eq!(way(&sound, 1, false, &none), Way::None(Obstacle::Audio));
    assert_eq!(way(&chunk(r#"{"refusal":"No"}"#), 1, false, &none), Way::None(Obstacle::Refusal));
    let picture =
        chunk(r#"{"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}"#);
    assert_eq!(way(&picture, 1, false, &none), Way::None(Obstacle::Media));
    let weighed =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"logprobs\":{\"content\":[]}}]}\n\n";
    assert_eq!(way(weighed, 1, false, &none), Way::None(Obstacle::Logprobs));
    let call = chunk(r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{\"a\""}}]}"#);
    assert_eq!(way(&call, 1, false, &none), Way::None(Obstacle::CallInPart));
    let rest = chunk(r#"{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#);
    assert_eq!(way(&[call, rest].concat(), 1, false, &none), Way::Anew);
}

#[test]
fn a_continuation_that_is_refused_is_none() {
    let (shown, _) = shown_of(
        Dialect::OpenAiChat,
        Dialect::OpenAiChat,
        &cut_behind(Dialect::OpenAiChat, &["Well, ", "yes"], "yes"),
    );
    let read = read_back(Dialect::OpenAiChat, &shown);
    let terms = Terms::default();
    let plan =
        Plan { manner: Some(Manner::Instructed), terms: &terms, choices: 1, before: Before::default() };
    let mut rejoin = Rejoin::new((known(Dialect::OpenAiChat), "b", "req2"), &read, &plan);
    let bytes =
        Bytes::from_static(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"refusal\":\"I will not\"}}]}\n\n");
    let mut out = Vec::new();
    assert!(rejoin.push(&bytes, &mut out).unwrap_err().to_string().contains("refused"));
}
