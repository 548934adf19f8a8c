//! Pages, members and what is left out.

use serde_json::{Value, json};

use super::*;

fn model(id: &str) -> ListedModel {
    ListedModel { id: id.to_owned(), created: 1_795_305_600, ..ListedModel::default() }
}

fn models(count: usize) -> Vec<ListedModel> {
    (0..count).map(|at| model(&format!("m/{at}"))).collect()
}

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn query<'q>(pairs: &[(&'q str, &'q str)]) -> Vec<(Cow<'q, str>, Cow<'q, str>)> {
    pairs.iter().map(|&(name, value)| (name.into(), value.into())).collect()
}

fn anthropic_ids(models: &[ListedModel], pairs: &[(&str, &str)]) -> (Vec<String>, bool) {
    let page = value(&anthropic::render_list(models, &query(pairs)).unwrap());
    let ids: Vec<String> =
        page["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().into()).collect();
    assert_eq!(page["first_id"].as_str(), ids.first().map(String::as_str));
    assert_eq!(page["last_id"].as_str(), ids.last().map(String::as_str));
    (ids, page["has_more"].as_bool().unwrap())
}

#[test]
fn anthropics_clients_page_forwards_and_backwards() {
    let all = models(45);
    let (first, more) = anthropic_ids(&all, &[]);
    assert_eq!((first.len(), first[0].as_str(), more), (20, "m/0", true));
    let (last, more) = anthropic_ids(&all, &[("after_id", "m/39"), ("limit", "5")]);
    assert_eq!((last.len(), last[0].as_str(), more), (5, "m/40", false));
    let (none, more) = anthropic_ids(&all, &[("after_id", "m/44")]);
    assert_eq!((none.len(), more), (0, false));
    let (before, more) = anthropic_ids(&all, &[("before_id", "m/3"), ("limit", "2")]);
    assert_eq!((before, more), (vec!["m/1".into(), "m/2".into()], true));
    let (before, more) = anthropic_ids(&all, &[("before_id", "m/2"), ("limit", "2")]);
    assert_eq!((before, more), (vec!["m/0".into(), "m/1".into()], false));
    for (name, wrong) in
        [("limit", "0"), ("limit", "1001"), ("limit", "x"), ("after_id", "no"), ("before_id", "no")]
    {
        let error = anthropic::render_list(&all, &query(&[(name, wrong)])).unwrap_err();
        assert_eq!((error.code, error.param.as_deref()), (ErrorCode::InvalidRequest, Some(name)), "{wrong}");
    }
}

#[test]
fn anthropics_model_says_what_is_known() {
    let known = ListedModel {
        max_input: Some(200_000),
        max_output: Some(64_000),
        retires: Some("2027-03-01".into()),
        ..model("claude-x")
    };
    let expected = json!({
        "type": "model", "id": "claude-x", "display_name": "claude-x", "created_at": "2026-11-22T00:00:00Z",
        "lifecycle": "deprecated", "retires_at": "2027-03-01T00:00:00Z",
        "max_input_tokens": 200_000, "max_tokens": 64_000,
    });
    assert_eq!(value(&anthropic::render_one(&known)), expected);
    let plain = value(&anthropic::render_one(&model("m")));
    assert_eq!(plain["lifecycle"], "active");
    assert!(plain.get("max_tokens").is_none() && plain.get("retires_at").is_none());
    let both = [known, model("m")];
    let ids = |pairs: &[(&str, &str)]| anthropic_ids(&both, pairs).0;
    assert_eq!(ids(&[("lifecycle[]", "active")]), ["m"]);
    assert_eq!(ids(&[("lifecycle", "deprecated,retired")]), ["claude-x"]);
    assert_eq!(ids(&[("lifecycle[]", "active"), ("lifecycle[]", "deprecated")]).len(), 2);
    assert!(ids(&[("lifecycle[]", "retired")]).is_empty());
}

#[test]
fn geminis_clients_follow_tokens_to_the_end() {
    let all = models(7);
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = gemini::render_list(&all, &query(&[("pageSize", "3"), ("pageToken", &token)])).unwrap();
        let page = value(&page);
        let names = page["models"].as_array().unwrap();
        seen.extend(names.iter().map(|model| model["name"].as_str().unwrap().to_owned()));
        match page.get("nextPageToken") {
            Some(next) => token = next.as_str().unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, (0..7).map(|at| format!("models/m/{at}")).collect::<Vec<_>>());
    assert_eq!(
        value(&gemini::render_list(&models(60), &[]).unwrap())["models"].as_array().unwrap().len(),
        50
    );
    let most = gemini::render_list(&models(1_200), &query(&[("pageSize", "5000")])).unwrap();
    assert_eq!(value(&most)["models"].as_array().unwrap().len(), 1_000);
    assert_eq!(value(&gemini::render_list(&[], &[]).unwrap()), json!({"models": []}));
    for (name, wrong) in [("pageSize", "x"), ("pageSize", "-1"), ("pageToken", "bm8"), ("pageToken", "%")] {
        let error = gemini::render_list(&all, &query(&[(name, wrong)])).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(name));
    }
}

#[test]
fn geminis_model_says_what_can_be_called() {
    let known = ListedModel {
        owner: Some("openai".into()),
        max_input: Some(8_191),
        max_output: Some(5),
        reasoning: true,
        ..model("openai/x")
    };
    let expected = json!({
        "name": "models/openai/x", "displayName": "openai/x", "description": "offered by openai",
        "inputTokenLimit": 8_191, "outputTokenLimit": 5, "thinking": true,
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
    });
    assert_eq!(value(&gemini::render_one(&known)), expected);
    let methods = |purpose| {
        value(&gemini::render_one(&ListedModel { purpose, ..model("m") }))["supportedGenerationMethods"]
            .clone()
    };
    assert_eq!(methods(Purpose::Embedding), json!(["embedContent", "batchEmbedContents"]));
    assert_eq!(methods(Purpose::Other), json!([]));
}

#[test]
fn ollamas_list_and_card() {
    let known = ListedModel {
        owner: Some("openai".into()),
        max_input: Some(128_000),
        tools: true,
        vision: true,
        reasoning: true,
        ..model("openai/gpt-x")
    };
    let tags = value(&ollama::render_tags(&[known.clone(), model("other")]));
    let first = &tags["models"][0];
    assert_eq!(
        (first["name"].as_str(), first["model"].as_str()),
        (Some("openai/gpt-x"), Some("openai/gpt-x"))
    );
    assert_eq!((&first["size"], &first["modified_at"]), (&json!(0), &json!("2026-11-22T00:00:00Z")));
    assert_eq!(first["digest"].as_str().unwrap().len(), 64);
    assert_ne!(first["digest"], tags["models"][1]["digest"]);
    assert_eq!(tags["models"][1]["details"]["families"], json!([]));

    let card = value(&ollama::render_show(&known));
    assert_eq!(card["capabilities"], json!(["completion", "tools", "vision", "thinking"]));
    assert_eq!(card["model_info"]["general.architecture"], "openai");
    assert_eq!(card["model_info"]["openai.context_length"], 128_000);
    let embeds = ListedModel { purpose: Purpose::Embedding, tools: true, ..model("e") };
    assert_eq!(value(&ollama::render_show(&embeds))["capabilities"], json!(["embedding"]));
    let other = ListedModel { purpose: Purpose::Other, ..model("o") };
    assert_eq!(value(&ollama::render_show(&other))["capabilities"], json!([]));
}

#[test]
fn ollamas_small_calls() {
    assert_eq!(ollama::shown_model(br#"{"model":"a","name":"b"}"#).unwrap(), "a");
    assert_eq!(ollama::shown_model(br#"{"name":"b\u002f"}"#).unwrap(), "b/");
    for wrong in [&b"{"[..], b"{}", br#"{"model":3}"#, br#"{"model":""}"#, b"[]"] {
        assert!(ollama::shown_model(wrong).is_err());
    }
    assert_eq!(value(&ollama::render_version()), json!({"version": ollama::API_VERSION}));
    assert_eq!(value(&ollama::render_running()), json!({"models": []}));
}
