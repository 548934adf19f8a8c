//! Conversations that come back whole, items that have ids, and answers found in streams.

use serde_json::{Value, json};

use super::*;
use crate::testing::with_anything;

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn asked(body: &Value) -> KeptRequest {
    KeptRequest::read(body.to_string().as_bytes()).unwrap()
}

#[test]
fn requests_say_what_they_go_on_from() {
    assert_eq!(asked(&json!({ "input": "x" })), KeptRequest { store: true, ..KeptRequest::default() });
    let body = json!({ "previous_response_id": "resp_1", "store": false, "input": [] });
    let expected = KeptRequest { previous: Some("resp_1".into()), ..KeptRequest::default() };
    assert_eq!(asked(&body), expected);
    let odd = json!({ "previous_response_id": 3, "store": "no" });
    assert_eq!(asked(&odd), KeptRequest { store: true, ..KeptRequest::default() });
    let named = json!({ "input": [
        { "type": "item_reference", "id": "msg_pm1_r1_0" },
        { "id": "fc_pm1_r1_1" },
        { "role": "user", "id": "msg_pm1_r1_2", "content": "not named" },
        "text",
    ] });
    assert_eq!(asked(&named).references, ["msg_pm1_r1_0", "fc_pm1_r1_1"]);
    let foreign = json!({ "input": [{ "type": "item_reference", "id": "msg_1" }] });
    assert!(asked(&foreign).references.is_empty(), "the provider's own are its own affair");
    let many = json!({ "input": vec![json!({ "id": "msg_pm1_r_0" }); 2_000] });
    assert_eq!(asked(&many).references.len(), MAX_REFERENCES);
    assert!(KeptRequest::read(b"{").is_err());
}

#[test]
fn answers_say_whether_they_are_kept() {
    let read = |body: Value| KeptAnswer::read(body.to_string().as_bytes());
    let kept = |stored, whole| Some(KeptAnswer { id: "resp_1".into(), stored, whole });
    assert_eq!(read(json!({ "id": "resp_1", "store": true, "status": "completed" })), kept(true, true));
    assert_eq!(read(json!({ "id": "resp_1", "status": "incomplete" })), kept(false, true));
    assert_eq!(read(json!({ "id": "resp_1", "store": true, "status": "queued" })), kept(true, false));
    assert_eq!(read(json!({ "id": "resp_1", "store": null, "status": "failed" })), kept(false, false));
    assert_eq!((read(json!({ "id": "" })), read(json!([])), KeptAnswer::read(b"x")), (None, None, None));
}

#[test]
fn a_text_is_kept_as_an_item() {
    let body = json!({ "model": "m", "input": "a \"text\"\n" }).to_string();
    let items = value(&input_items(body.as_bytes(), "resp_r1").unwrap());
    let expected = json!([{
        "type": "message", "id": "msg_pm1_r1_in0", "status": "completed", "role": "user",
        "content": [{ "type": "input_text", "text": "a \"text\"\n" }],
    }]);
    assert_eq!(items, expected);
    assert_eq!(value(&input_items(b"{}", "resp_r1").unwrap()), json!([]));
    assert!(input_items(b"{", "resp_r1").is_err());
}

#[test]
fn items_are_kept_with_types_and_ids() {
    let body = json!({ "input": [
        { "role": "developer", "content": "d" },
        { "role": "assistant", "content": "a", "id": "msg_own" },
        { "type": "message", "role": "user", "content": [{ "type": "input_image", "image_url": "u" }], "status": null },
        { "type": "function_call_output", "call_id": "c", "output": "o" },
        { "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x", "status": "in_progress" },
        { "type": "local_shell_call", "action": { "n": 12_345_678_901_234_567_890_u64 } },
    ] });
    let items = value(&input_items(body.to_string().as_bytes(), "resp_r1").unwrap());
    let expected = json!([
        { "type": "message", "id": "msg_pm1_r1_in0", "status": "completed", "role": "developer",
          "content": [{ "type": "input_text", "text": "d" }] },
        { "type": "message", "status": "completed", "role": "assistant", "id": "msg_own",
          "content": [{ "type": "output_text", "text": "a", "annotations": [] }] },
        { "type": "message", "id": "msg_pm1_r1_in2", "status": "completed", "role": "user",
          "content": [{ "type": "input_image", "image_url": "u" }] },
        { "type": "function_call_output", "id": "fc_pm1_r1_in3", "status": "completed", "call_id": "c", "output": "o" },
        { "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x", "status": "in_progress" },
        { "type": "local_shell_call", "id": "item_pm1_r1_in5", "action": { "n": 12_345_678_901_234_567_890_u64 } },
    ]);
    assert_eq!(items, expected);
}

#[test]
fn ids_lead_back_to_their_answer() {
    assert_eq!(made_by("msg_pm1_abc_12").as_deref(), Some("resp_abc"));
    assert_eq!(made_by("fc_pm1_abc_in0").as_deref(), Some("resp_abc"));
    for other in ["msg_abc", "msg_pm1_", "msg_pm1_abc", "msg", "", "msg_xpm1_a_0"] {
        assert_eq!(made_by(other), None, "{other}");
    }
}

fn turn(number: usize) -> (Vec<u8>, Vec<u8>) {
    let body = json!({ "input": format!("question {number}") }).to_string();
    let answer = json!({ "id": format!("resp_r{number}"), "output": [
        { "type": "message", "id": format!("msg_pm1_r{number}_0"), "role": "assistant", "content": [] },
        { "type": "function_call", "id": format!("fc_pm1_r{number}_1"), "call_id": "c", "name": "f", "arguments": "{}" },
    ] });
    (input_items(body.as_bytes(), &format!("resp_r{number}")).unwrap(), answer.to_string().into_bytes())
}

fn slices(turns: &[(Vec<u8>, Vec<u8>)]) -> Vec<(&[u8], &[u8])> {
    turns.iter().map(|(input, answer)| (&input[..], &answer[..])).collect()
}

#[test]
fn a_conversation_comes_back_whole_and_in_order() {
    let turns = [turn(1), turn(2)];
    let body =
        json!({ "model": "m", "previous_response_id": "resp_r2", "input": "and then?", "stream": true });
    let resumed = value(&resumed(body.to_string().as_bytes(), &slices(&turns), &[]).unwrap());
    let ids: Vec<_> = resumed["input"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap_or("new"))
        .collect();
    let expected = [
        "msg_pm1_r1_in0",
        "msg_pm1_r1_0",
        "fc_pm1_r1_1",
        "msg_pm1_r2_in0",
        "msg_pm1_r2_0",
        "fc_pm1_r2_1",
        "new",
    ];
    assert_eq!(ids, expected);
    assert_eq!(resumed["input"][6], json!({ "role": "user", "content": "and then?" }));
    assert_eq!((&resumed["model"], &resumed["stream"]), (&json!("m"), &json!(true)));
    assert!(resumed.get("previous_response_id").is_none());
    let list = json!({ "previous_response_id": "resp_r2", "input": [{ "type": "function_call_output", "call_id": "c" }] });
    let resumed = super::resumed(list.to_string().as_bytes(), &slices(&turns), &[]).unwrap();
    assert_eq!(value(&resumed)["input"][6], list["input"][0]);
    let none = json!({ "previous_response_id": "resp_r2" }).to_string();
    let resumed = super::resumed(none.as_bytes(), &slices(&turns), &[]).unwrap();
    assert_eq!(value(&resumed)["input"].as_array().unwrap().len(), 6);
}

#[test]
fn items_that_are_only_named_are_filled_in() {
    let turns = [turn(1)];
    let body = json!({ "input": [
        { "type": "item_reference", "id": "fc_pm1_r1_1" }, { "role": "user", "content": "x" },
        { "type": "item_reference", "id": "msg_theirs" },
    ], "previous_response_id": "resp_theirs" });
    let resumed = value(&resumed(body.to_string().as_bytes(), &[], &slices(&turns)).unwrap());
    assert_eq!(resumed["input"][0]["name"], "f");
    assert_eq!(resumed["input"][1], body["input"][1]);
    assert_eq!(resumed["input"][2], body["input"][2]);
    assert_eq!(resumed["previous_response_id"], "resp_theirs", "whose conversation is not here");
    let unknown = json!({ "input": [{ "type": "item_reference", "id": "rs_pm1_call_9" }] }).to_string();
    let error = super::resumed(unknown.as_bytes(), &slices(&turns), &[]).unwrap_err();
    assert_eq!(error.to_string(), "Item with id 'rs_pm1_call_9' not found.");
    assert!(super::resumed(b"[", &[], &[]).is_err());
}

fn page(parts: &[(Vec<u8>, Vec<u8>)], parameters: &[(&str, &str)]) -> Result<(Vec<String>, bool), String> {
    let query = ItemQuery::read(parameters.iter().copied()).map_err(|error| error.to_string_for_test())?;
    let parts: Vec<&[u8]> = parts.iter().flat_map(|(input, answer)| [&input[..], &answer[..]]).collect();
    let page = render_items(&parts, &query).map_err(|error| error.to_string_for_test())?;
    let page = value(&page);
    let ids: Vec<String> =
        page["data"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().into()).collect();
    assert_eq!(
        (page["first_id"].as_str(), page["last_id"].as_str()),
        (ids.first().map(|id| &**id), ids.last().map(|id| &**id))
    );
    assert_eq!(page["object"], "list");
    Ok((ids, page["has_more"].as_bool().unwrap()))
}

trait ForTest {
    fn to_string_for_test(&self) -> String;
}

impl ForTest for pointsman_core::PublicError {
    fn to_string_for_test(&self) -> String {
        format!("{} {}", self.code.as_str(), self.param.as_deref().unwrap_or_default())
    }
}

#[test]
fn items_are_listed_in_pages() {
    let turns = [turn(1), turn(2)];
    let all =
        ["msg_pm1_r1_in0", "msg_pm1_r1_0", "fc_pm1_r1_1", "msg_pm1_r2_in0", "msg_pm1_r2_0", "fc_pm1_r2_1"];
    let (ids, more) = page(&turns, &[("order", "asc")]).unwrap();
    assert_eq!((ids, more), (all.map(String::from).to_vec(), false));
    let (newest, more) = page(&turns, &[("limit", "2")]).unwrap();
    assert_eq!((newest, more), (vec![all[5].into(), all[4].into()], true));
    let (next, more) = page(&turns, &[("limit", "4"), ("after", all[4]), ("include", "x")]).unwrap();
    assert_eq!((next, more), (vec![all[3].into(), all[2].into(), all[1].into(), all[0].into()], false));
    let (none, more) = page(&turns, &[("after", all[5]), ("order", "asc")]).unwrap();
    assert_eq!((none, more), (vec![], false));
    for (parameter, expected) in [
        (("limit", "0"), "invalid_request limit"),
        (("limit", "101"), "invalid_request limit"),
        (("order", "up"), "invalid_request order"),
        (("after", "msg_no"), "object_not_found after"),
    ] {
        assert_eq!(page(&turns, &[parameter]).unwrap_err(), expected);
    }
}

#[test]
fn streams_tell_the_answer_at_their_beginning_and_end() {
    let event = |kind: &str, status: &str| {
        let data = json!({ "type": kind, "response": { "id": "resp_1", "status": status, "store": true } });
        format!("event: {kind}\ndata: {data}\n\n")
    };
    let delta = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"response.completed\"}\n\n";
    let mut watch = AnswerWatch::default();
    let begun = watch.look(event("response.created", "in_progress").as_bytes()).unwrap().unwrap();
    assert_eq!(begun.answer, KeptAnswer { id: "resp_1".into(), stored: true, whole: false });
    assert_eq!(watch.look(delta.as_bytes()).unwrap(), None, "words of the model are no event");
    let end = format!("{delta}{}", event("response.completed", "completed"));
    let done = watch.look(end.as_bytes()).unwrap().unwrap();
    assert!(done.answer.whole);
    assert_eq!(value(&done.body), json!({ "id": "resp_1", "status": "completed", "store": true }));
    let cut = watch.look(event("response.incomplete", "incomplete").as_bytes()).unwrap().unwrap();
    assert!(cut.answer.whole);
    for none in [
        event("response.failed", "failed"),
        "data: response.completed\n\n".into(),
        "data: {\"type\":\"response.completed\"}\n\n".into(),
        "data: {\"type\":\"response.completed\",\"response\":{}}\n\n".into(),
    ] {
        assert_eq!(watch.look(none.as_bytes()).unwrap(), None, "{none}");
    }
}

#[test]
fn what_was_deleted_is_said() {
    let expected = json!({ "id": "resp_1", "object": "response", "deleted": true });
    assert_eq!(value(&render_deleted("resp_1")), expected);
}

#[test]
fn anything_in_the_place_of_anything_is_read_or_refused() {
    let body = json!({
        "model": "m", "previous_response_id": "resp_r1", "store": true, "input": [
            { "role": "user", "content": "x" }, { "type": "item_reference", "id": "fc_pm1_r1_1" },
            { "type": "function_call_output", "call_id": "c", "output": "o" },
        ],
    });
    let turns = [turn(1)];
    with_anything(&body, &mut |body, place| {
        let text = body.to_string();
        assert!(KeptRequest::read(text.as_bytes()).is_ok());
        let items = input_items(text.as_bytes(), "resp_r1").unwrap();
        assert!(value(&items).is_array(), "{place}");
        if let Ok(resumed) = resumed(text.as_bytes(), &slices(&turns), &[]) {
            // What is no object has no input either.
            assert!(value(&resumed)["input"].as_array().unwrap().len() >= 3, "{place}");
        }
    });
    let answer: Value = value(&turn(1).1);
    with_anything(&answer, &mut |answer, place| {
        let text = answer.to_string();
        let _ = KeptAnswer::read(text.as_bytes());
        let damaged = [(&b"[]"[..], text.as_bytes())];
        let resumed = resumed(br#"{"input": "x"}"#, &damaged, &[]).unwrap();
        assert!(value(&resumed)["input"].is_array(), "{place}");
        let page = render_items(&[text.as_bytes()], &ItemQuery::read([]).unwrap()).unwrap();
        assert!(value(&page)["data"].is_array(), "{place}");
    });
}
