//! What a model's name leads to.

use pointsman_core::ErrorCode;

use crate::harness::*;

const MANY: &str = r"
providers:
  alpha: { base_url: http://alpha.test/v1, models: [llama3:8b, shared, org/deep/model] }
  beta: { base_url: http://beta.test/v1, models: [shared, qwen] }
  open: { base_url: http://open.test/v1 }
routes:
  nested: { first: [{ route: inner }, beta/qwen] }
  inner: { model: alpha/llama3:8b }
aliases:
  fast: beta/qwen
";

#[tokio::test(start_paused = true)]
async fn names_lead_where_they_should() {
    let world = start(MANY);
    let mocks = ["alpha", "beta", "open"].map(|name| world.upstream(name));
    for (name, provider, model, route) in [
        ("alpha/llama3:8b", "alpha", "llama3:8b", None),
        ("llama3:8b", "alpha", "llama3:8b", None),
        ("alpha/org/deep/model", "alpha", "org/deep/model", None),
        ("org/deep/model", "alpha", "org/deep/model", None),
        ("beta/shared", "beta", "shared", None),
        ("fast", "beta", "qwen", None),
        ("nested", "alpha", "llama3:8b", Some("nested")),
        ("open/any/thing:x", "open", "any/thing:x", None),
    ] {
        let reply = world.chat(name).await;
        assert_eq!(reply.status, 200, "{name}: {:?}", reply.body);
        assert_eq!(reply.header("x-pointsman-provider"), Some(provider), "{name}");
        assert_eq!(reply.header("x-pointsman-model"), Some(model), "{name}");
        let mock = mocks.iter().zip(["alpha", "beta", "open"]).find(|(_, name)| *name == provider).unwrap().0;
        assert_eq!(mock.received().last().unwrap().model(), model, "{name}");
        let number = mocks.iter().map(|mock| mock.received().len()).sum::<usize>();
        let record = world.records(number).await.remove(number - 1);
        assert_eq!((&*record.requested_model, record.route.as_deref()), (name, route));
    }
}

#[tokio::test(start_paused = true)]
async fn an_ambiguous_name_lists_its_choices() {
    let world = start(MANY);
    let reply = world.chat("shared").await;
    reply.assert_error(400, "model_ambiguous", Some("model"));
    let message = reply.message();
    assert!(message.contains("`alpha/shared`") && message.contains("`beta/shared`"), "{message}");
    assert_eq!(world.record().await.error, Some(ErrorCode::ModelAmbiguous));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_name_is_told_what_is_close_and_what_would_enable_it() {
    let world = start(MANY);
    let reply = world.chat("beta/qwne").await;
    reply.assert_error(404, "model_not_found", Some("model"));
    assert!(reply.message().contains("`beta/qwen`"), "{}", reply.message());
    let closest = reply.message().matches('`').count() / 2 - 1;
    assert!((1..=3).contains(&closest), "{}", reply.message());

    let reply = world.chat("anthropic/claude-sonnet-4-5").await;
    reply.assert_error(404, "model_not_found", Some("model"));
    assert!(reply.message().contains("setting ANTHROPIC_API_KEY would enable it"), "{}", reply.message());
    let reply = world.chat("gpt-4o-mini").await;
    assert!(reply.message().contains("OPENAI_API_KEY"), "{}", reply.message());

    let reply = world.chat(&"\u{e9}".repeat(900)).await;
    reply.assert_error(404, "model_not_found", Some("model"));
    assert!(reply.message().len() < 600, "{}", reply.message().len());
    let records = world.records(4).await;
    assert_eq!(&*records[0].requested_model, "beta/qwne");
    assert_eq!(records[3].requested_model.chars().count(), 200);
}
