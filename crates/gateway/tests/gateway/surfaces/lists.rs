//! Lists of models and single ones, as each dialect's clients ask.

use serde_json::{Value, json};

use super::*;

fn ids(list: &Value, name: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|model| model[name].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn anthropics_clients_ask_with_their_header() {
    let world = start(KINDS);
    let list = |path: &str| with(get(path), "anthropic-version", "2023-06-01");
    let page = world.send(list("/v1/models?limit=2")).await;
    assert_eq!(page.status, 200, "{:?}", page.body);
    let page = page.json();
    let first = ids(&page["data"], "id");
    assert_eq!((first.len(), page["has_more"].as_bool()), (2, Some(true)));
    assert_eq!(page["data"][0]["type"], "model");
    let next = world.send(list(&format!("/v1/models?limit=100&after_id={}", first[1]))).await.json();
    assert_eq!(next["has_more"], false);
    let all: Vec<_> = first.into_iter().chain(ids(&next["data"], "id")).collect();
    assert!(all.contains(&"claude/c".into()) && all.contains(&"both".into()), "{all:?}");

    let one = world.send(list("/v1/models/claude%2Fc")).await.json();
    assert_eq!((&one["type"], &one["id"]), (&json!("model"), &json!("claude/c")));
    let none = world.send(list("/v1/models/nobody/x")).await;
    assert_eq!((none.status, &none.json()["error"]["type"]), (404, &json!("not_found_error")));
    let wrong = world.send(list("/v1/models?limit=0")).await;
    assert_eq!((wrong.status, &wrong.json()["type"]), (400, &json!("error")));
    // The place of the key says it as well, but only where nothing says otherwise.
    let keyed = with(get("/v1/models"), "x-api-key", "any");
    assert_eq!(world.send(keyed).await.json()["data"][0]["type"], "model");
    for other in [("authorization", "Bearer any"), ("x-goog-api-key", "any"), ("api-key", "any")] {
        let both = with(with(get("/v1/models"), "x-api-key", "any"), other.0, other.1);
        assert_eq!(world.send(both).await.json()["object"], "list", "{}", other.0);
    }
    // Google's newer clients ask here, too.
    let google = |path: &str| with(get(path), "x-goog-api-key", "any");
    let page = world.send(google("/v1/models?pageSize=2")).await.json();
    assert_eq!(page["models"].as_array().map(Vec::len), Some(2), "{page}");
    assert_eq!(world.send(google("/v1/models/olla/l")).await.json()["name"], "models/olla/l");
    let page = world.send(get("/v1/models?pageSize=2")).await.json();
    assert_eq!(page["models"].as_array().map(Vec::len), Some(2), "{page}");
    // Without any of it, it is OpenAI's.
    assert_eq!(world.send(get("/v1/models")).await.json()["object"], "list");
}

#[tokio::test(start_paused = true)]
async fn geminis_clients_page_and_find() {
    let world = start(KINDS);
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let page = world.send(get(&format!("/v1beta/models?pageSize=3&pageToken={token}"))).await.json();
        seen.extend(ids(&page["models"], "name"));
        match page["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert!(seen.contains(&"models/gem/e".into()) && seen.contains(&"models/any".into()), "{seen:?}");
    let one = world.send(get("/v1beta/models/olla/l")).await.json();
    assert_eq!(one["name"], "models/olla/l");
    assert_eq!(one["supportedGenerationMethods"][0], "generateContent");
    let none = world.send(get("/v1beta/models/nobody/x")).await;
    assert_eq!((none.status, &none.json()["error"]["status"]), (404, &json!("NOT_FOUND")));
    let method = world.send(post("/v1beta/models/olla/l:predict", "{}")).await;
    assert_eq!((method.status, &method.json()["error"]["status"]), (404, &json!("NOT_FOUND")));
    assert_eq!(world.send(call("DELETE", "/v1beta/models")).await.status, 405);
}

#[tokio::test(start_paused = true)]
async fn ollamas_clients_see_names_cards_and_a_version() {
    let world = start(KINDS);
    let tags = world.send(get("/api/tags")).await.json();
    let names = ids(&tags["models"], "name");
    assert!(names.contains(&"gpt/g".into()) && names.contains(&"both".into()), "{names:?}");
    let card = world.send(ask("/api/show", &json!({ "model": "gpt/g" }))).await.json();
    assert_eq!(card["capabilities"], json!(["completion"]));
    assert_eq!(card["model_info"]["general.architecture"], "gpt");
    let none = world.send(ask("/api/show", &json!({ "model": "nobody/x" }))).await;
    assert_eq!(none.status, 404);
    assert!(none.json()["error"].as_str().unwrap().contains("nobody"), "{:?}", none.body);
    let wrong = world.send(ask("/api/show", &json!({}))).await;
    assert_eq!((wrong.status, &wrong.json()["param"]), (400, &json!("model")));
    assert_eq!(world.send(get("/api/show")).await.status, 405);
    assert_eq!(world.send(get("/api/ps")).await.json(), json!({ "models": [] }));
    assert!(world.send(get("/api/version")).await.json()["version"].as_str().unwrap().starts_with("0."));
}

#[tokio::test(start_paused = true)]
async fn a_restricted_key_sees_what_it_may_use() {
    let world = start(&keyed());
    let names = |reply: &Reply, list: &str, name: &str| ids(&reply.json()[list], name);
    let tags = world.send(by(get("/api/tags"), "bob")).await;
    assert_eq!(names(&tags, "models", "name"), ["gpt/g"]);
    let page = with(get("/v1/models"), "anthropic-version", "2023-06-01");
    assert_eq!(names(&world.send(with(page, "x-api-key", "pm-bob")).await, "data", "id"), ["gpt/g"]);
    let models = world.send(get("/v1beta/models?key=pm-bob")).await;
    assert_eq!(names(&models, "models", "name"), ["models/gpt/g"]);
    let denied = world.send(get("/v1beta/models/olla/l?key=pm-bob")).await;
    assert_eq!((denied.status, &denied.json()["error"]["status"]), (403, &json!("PERMISSION_DENIED")));
    assert_eq!(world.send(by(ask("/api/show", &json!({ "model": "olla/l" })), "bob")).await.status, 403);
    for path in ["/api/tags", "/api/version", "/api/ps", "/v1beta/models", "/v1/models"] {
        assert_eq!(world.send(get(path)).await.status, 401, "{path}");
    }
    world.assert_at_rest();
}
