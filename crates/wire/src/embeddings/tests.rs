//! Every way to ask, of every provider; what is lost, what is refused, and vectors that stay what they are.

use pointsman_core::UsageSource;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::neutral::Quirks;
use crate::testing::with_anything;

const TEXTS: [&str; 2] = ["a \"first\" text\n", "второй 😀"];

fn document(value: &Value) -> String {
    value.to_string()
}

fn encoded(shape: Shape, body: &Value, dialect: Dialect) -> Result<(Value, Vec<String>), EncodeError> {
    let body = document(body);
    let document = Document::read(body.as_bytes()).unwrap();
    let request = decode_request(shape, &document).unwrap();
    let encoded = encode_request(&request, &Target::new(dialect, "p", "up/m"))?;
    let losses = encoded.losses.iter().map(str::to_owned).collect();
    Ok((serde_json::from_slice(&encoded.body).unwrap(), losses))
}

fn refused(shape: Shape, body: &str) -> String {
    match Document::read(body.as_bytes()) {
        Ok(document) => decode_request(shape, &document).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    }
}

/// Two texts (or one, where there is room for one only), and a length.
fn plain(shape: Shape) -> Value {
    let content = |text: &str| json!({ "parts": [{ "text": text }] });
    match shape {
        Shape::OpenAi | Shape::Ollama => json!({ "model": "m", "input": TEXTS, "dimensions": 64 }),
        Shape::OllamaOne => json!({ "model": "m", "prompt": TEXTS[0] }),
        Shape::GeminiOne => json!({ "content": content(TEXTS[0]), "outputDimensionality": 64 }),
        Shape::GeminiBatch => {
            let one =
                |text| json!({ "model": "models/m", "content": content(text), "outputDimensionality": 64 });
            json!({ "requests": TEXTS.map(one) })
        }
    }
}

#[test]
fn what_all_have_goes_from_everyone_to_everyone() {
    for shape in Shape::ALL {
        let one = matches!(shape, Shape::GeminiOne | Shape::OllamaOne);
        let texts = if one { &TEXTS[..1] } else { &TEXTS[..] };
        let length = (shape != Shape::OllamaOne).then_some(64);
        for dialect in [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Gemini, Dialect::Ollama] {
            let (sent, losses) = encoded(shape, &plain(shape), dialect).unwrap();
            assert_eq!(losses, [""; 0], "{shape:?} {dialect}");
            let mut expected = match dialect {
                Dialect::Gemini => {
                    let request = |text: &&str| {
                        let mut one =
                            json!({ "model": "models/up/m", "content": { "parts": [{ "text": text }] } });
                        if let Some(length) = length {
                            one["outputDimensionality"] = json!(length);
                        }
                        one
                    };
                    json!({ "requests": texts.iter().map(request).collect::<Vec<_>>() })
                }
                _ => json!({ "model": "up/m", "input": texts }),
            };
            if dialect != Dialect::Gemini
                && let Some(length) = length
            {
                expected["dimensions"] = json!(length);
            }
            assert_eq!(sent, expected, "{shape:?} {dialect}");
        }
        let error = encoded(shape, &plain(shape), Dialect::Anthropic).unwrap_err();
        assert_eq!(error.field, "model");
    }
}

#[test]
fn a_single_text_is_a_list_of_one() {
    for (shape, body) in [
        (Shape::OpenAi, json!({ "model": "m", "input": "x" })),
        (Shape::Ollama, json!({ "model": "m", "input": "x" })),
    ] {
        assert_eq!(encoded(shape, &body, Dialect::OpenAiChat).unwrap().0["input"], json!(["x"]));
    }
    let none = json!({ "model": "m", "input": [] });
    assert_eq!(encoded(Shape::Ollama, &none, Dialect::Ollama).unwrap().0["input"], json!([]));
}

#[test]
fn openais_own_words_elsewhere() {
    let body = json!({
        "model": "m", "input": ["x"], "encoding_format": "base64", "user": "u-1", "input_type": "query",
    });
    for dialect in [Dialect::Gemini, Dialect::Ollama] {
        let (sent, losses) = encoded(Shape::OpenAi, &body, dialect).unwrap();
        assert_eq!(losses, ["user", "input_type"]);
        assert!(!sent.to_string().contains("base64"), "the answer is encoded here");
    }
    let mut same = body.clone();
    same["model"] = json!("up/m");
    assert_eq!(encoded(Shape::OpenAi, &body, Dialect::OpenAiChat).unwrap(), (same, vec![]));
}

#[test]
fn tokens_are_for_openais_only() {
    for (input, field) in [(json!([1, 2]), "input"), (json!(["x", [3]]), "input[1]")] {
        let body = json!({ "model": "m", "input": input });
        let (sent, _) = encoded(Shape::OpenAi, &body, Dialect::OpenAiChat).unwrap();
        assert!(sent["input"].as_array().unwrap().iter().any(Value::is_array), "{sent}");
        for dialect in [Dialect::Gemini, Dialect::Ollama] {
            let error = encoded(Shape::OpenAi, &body, dialect).unwrap_err();
            assert_eq!(error.field, field);
            assert!(error.problem.contains("tokens"), "{error}");
        }
    }
}

#[test]
fn geminis_purposes_are_lost_elsewhere_and_kept_at_home() {
    let one = json!({
        "content": { "role": "user", "parts": [{ "text": "a" }, { "text": "b" }] },
        "task_type": "RETRIEVAL_DOCUMENT", "title": "T", "embedContentConfig": { "x": 1 },
    });
    for dialect in [Dialect::OpenAiChat, Dialect::Ollama] {
        let (sent, losses) = encoded(Shape::GeminiOne, &one, dialect).unwrap();
        assert_eq!(sent["input"], json!(["ab"]), "pieces of one content are one text");
        assert_eq!(losses, ["taskType", "title", "embedContentConfig"]);
    }
    let (sent, losses) = encoded(Shape::GeminiOne, &one, Dialect::Gemini).unwrap();
    let expected = json!({ "requests": [{
        "model": "models/up/m", "content": one["content"], "taskType": "RETRIEVAL_DOCUMENT", "title": "T",
        "embedContentConfig": { "x": 1 },
    }] });
    assert_eq!((sent, losses), (expected, vec![]));
    let batch = json!({ "requests": [{ "content": { "parts": [] }, "taskType": "X" }], "labels": {} });
    let (sent, losses) = encoded(Shape::GeminiBatch, &batch, Dialect::Ollama).unwrap();
    assert_eq!(
        (sent["input"][0].as_str(), losses),
        (Some(""), vec!["requests[0].taskType".into(), "labels".into()])
    );
}

#[test]
fn what_is_no_text_stays_with_gemini() {
    let part = json!({ "inlineData": { "mimeType": "image/png", "data": "AAAA" } });
    let one = json!({ "content": { "parts": [{ "text": "a" }, part] } });
    let batch = json!({ "requests": [{ "content": { "parts": [{ "text": "a" }] } }, { "content": { "parts": [part] } }] });
    for (shape, body, field) in [
        (Shape::GeminiOne, &one, "content.parts[1]"),
        (Shape::GeminiBatch, &batch, "requests[1].content.parts[0]"),
    ] {
        for dialect in [Dialect::OpenAiChat, Dialect::Ollama] {
            assert_eq!(encoded(shape, body, dialect).unwrap_err().field, field);
        }
        let (sent, _) = encoded(shape, body, Dialect::Gemini).unwrap();
        assert!(sent.to_string().contains("image/png"));
    }
}

#[test]
fn lengths_that_differ_are_geminis_only() {
    let content = json!({ "parts": [{ "text": "a" }] });
    let body = json!({ "requests": [
        { "content": content, "outputDimensionality": 8 }, { "content": content, "output_dimensionality": 9 },
    ] });
    for dialect in [Dialect::OpenAiChat, Dialect::Ollama] {
        let error = encoded(Shape::GeminiBatch, &body, dialect).unwrap_err();
        assert_eq!(error.field, "requests[1].outputDimensionality");
    }
    let (sent, _) = encoded(Shape::GeminiBatch, &body, Dialect::Gemini).unwrap();
    assert_eq!(sent["requests"][1]["outputDimensionality"], 9);
}

#[test]
fn ollamas_own_words() {
    let body = json!({
        "model": "m", "input": ["x"], "truncate": false, "keep_alive": "5m", "options": { "num_ctx": 1.50 },
    });
    for dialect in [Dialect::OpenAiChat, Dialect::Gemini] {
        let mut losses = encoded(Shape::Ollama, &body, dialect).unwrap().1;
        losses.sort();
        assert_eq!(losses, ["keep_alive", "options", "truncate"]);
    }
    let mut same = body.clone();
    same["model"] = json!("up/m");
    assert_eq!(encoded(Shape::Ollama, &body, Dialect::Ollama).unwrap(), (same, vec![]));
}

#[test]
fn a_vendor_that_refuses_or_renames_the_length() {
    let body = r#"{"model":"m","input":"x","dimensions":5}"#;
    let document = Document::read(body.as_bytes()).unwrap();
    let request = decode_request(Shape::Ollama, &document).unwrap();
    let with = |quirks: &Quirks| {
        let target = Target { quirks, ..Target::new(Dialect::OpenAiChat, "p", "m") };
        let encoded = encode_request(&request, &target).unwrap();
        (String::from_utf8(encoded.body).unwrap(), encoded.losses.iter().count())
    };
    let drops = Quirks { drops: vec!["dimensions".into()], ..Quirks::NONE };
    assert_eq!(with(&drops), (r#"{"model":"m","input":["x"]}"#.into(), 1));
    let renames = Quirks { renames: vec![("dimensions".into(), "output_dimension".into())], ..Quirks::NONE };
    assert_eq!(with(&renames), (r#"{"model":"m","input":["x"],"output_dimension":5}"#.into(), 0));
}

#[test]
fn requests_that_are_none() {
    for (shape, body, field) in [
        (Shape::OpenAi, "{}", "model"),
        (Shape::OpenAi, r#"{"model":"m"}"#, "input"),
        (Shape::OpenAi, r#"{"model":"m","input":[]}"#, "input"),
        (Shape::OpenAi, r#"{"model":"m","input":[[]]}"#, "input[0]"),
        (Shape::OpenAi, r#"{"model":"m","input":["x",null]}"#, "input[1]"),
        (Shape::OpenAi, r#"{"model":"m","input":{}}"#, "input"),
        (Shape::OpenAi, r#"{"model":"m","input":"x","encoding_format":"int8"}"#, "encoding_format"),
        (Shape::OpenAi, r#"{"model":"m","input":"x","dimensions":-1}"#, "dimensions"),
        (Shape::GeminiOne, "[]", "body"),
        (Shape::GeminiOne, "{}", "content"),
        (Shape::GeminiOne, r#"{"content":"x"}"#, "content"),
        (Shape::GeminiOne, r#"{"content":{"parts":[]},"outputDimensionality":"x"}"#, "outputDimensionality"),
        (Shape::GeminiBatch, r#"{"requests":{}}"#, "requests"),
        (Shape::GeminiBatch, r#"{"requests":[3]}"#, "requests[0]"),
        (Shape::GeminiBatch, r#"{"requests":[{}]}"#, "requests[0].content"),
        (Shape::Ollama, r#"{"model":"m"}"#, "input"),
        (Shape::Ollama, r#"{"model":"m","input":[3]}"#, "input[0]"),
        (Shape::Ollama, r#"{"model":"m","input":"x","truncate":1}"#, "truncate"),
        (Shape::OllamaOne, r#"{"model":"m"}"#, "prompt"),
    ] {
        let error = refused(shape, body);
        assert!(error.contains(&format!("`{field}`")), "{body}: {error}");
    }
}

/// A provider's answer with these vectors and 7 tokens.
fn answer(shape: Shape, vectors: &[Vec<f32>]) -> Value {
    let values = |vector: &Vec<f32>| json!({ "values": vector });
    match shape {
        Shape::OpenAi => {
            // In the other order: the index counts.
            let data = vectors.iter().enumerate().rev();
            let data: Vec<_> = data.map(|(at, vector)| json!({ "index": at, "embedding": vector })).collect();
            json!({ "object": "list", "data": data, "model": "told", "usage": { "prompt_tokens": 7, "total_tokens": 7 } })
        }
        Shape::GeminiOne => {
            json!({ "embedding": values(&vectors[0]), "usageMetadata": { "promptTokenCount": 7 } })
        }
        Shape::GeminiBatch => {
            let embeddings: Vec<_> = vectors.iter().map(values).collect();
            json!({ "embeddings": embeddings, "usageMetadata": { "promptTokenCount": 7 } })
        }
        Shape::Ollama => {
            json!({ "model": "told", "embeddings": vectors, "total_duration": 5, "prompt_eval_count": 7 })
        }
        Shape::OllamaOne => json!({ "embedding": vectors[0] }),
    }
}

fn told(from: Shape, to: Shape, base64: bool, vectors: &[Vec<f32>]) -> (Value, Vec<String>) {
    let body = answer(from, vectors).to_string();
    let document = Document::read(body.as_bytes()).unwrap();
    let answer = decode_answer(from, &document, vectors.len()).unwrap();
    let usage =
        answer.usage.unwrap_or(Usage { input: 3, source: UsageSource::Estimated, ..Usage::default() });
    let encoded = encode_answer(&answer, &Reply { shape: to, base64, model: "asked", usage });
    (serde_json::from_slice(&encoded.body).unwrap(), encoded.losses.iter().map(str::to_owned).collect())
}

/// The vectors in a client's answer, in order.
fn read(shape: Shape, answer: &Value) -> Vec<Vec<f32>> {
    let floats = |value: &Value| -> Vec<f32> { serde_json::from_value(value.clone()).unwrap() };
    match shape {
        Shape::OpenAi => {
            answer["data"].as_array().unwrap().iter().map(|one| floats(&one["embedding"])).collect()
        }
        Shape::GeminiOne => vec![floats(&answer["embedding"]["values"])],
        Shape::GeminiBatch => {
            answer["embeddings"].as_array().unwrap().iter().map(|one| floats(&one["values"])).collect()
        }
        Shape::Ollama => answer["embeddings"].as_array().unwrap().iter().map(floats).collect(),
        Shape::OllamaOne => vec![floats(&answer["embedding"])],
    }
}

proptest! {
    #[test]
    fn vectors_stay_what_they_are(
        first in prop::collection::vec(any::<f32>().prop_filter("a number", |f| f.is_finite()), 0..9),
        second in prop::collection::vec(-1.0f32..1.0, 0..9),
    ) {
        for from in Shape::ALL {
            for to in Shape::ALL {
                let one = [from, to].iter().any(|shape| matches!(shape, Shape::GeminiOne | Shape::OllamaOne));
                let vectors = if one { vec![first.clone()] } else { vec![first.clone(), second.clone()] };
                let (answer, losses) = told(from, to, false, &vectors);
                prop_assert!(losses.is_empty());
                prop_assert_eq!(read(to, &answer), vectors.clone());
                // There and back as base64.
                let (packed, _) = told(from, Shape::OpenAi, true, &vectors);
                let text = packed.to_string();
                let document = Document::read(text.as_bytes()).unwrap();
                let unpacked = decode_answer(Shape::OpenAi, &document, vectors.len()).unwrap();
                let expected: Vec<_> = vectors.iter().cloned().map(Vector::Floats).collect();
                prop_assert_eq!(&unpacked.vectors, &expected);
                let reply = Reply { shape: to, base64: false, model: "m", usage: Usage::default() };
                let answer = serde_json::from_slice(&encode_answer(&unpacked, &reply).body).unwrap();
                prop_assert_eq!(read(to, &answer), vectors);
            }
        }
    }
}

#[test]
fn answers_have_the_clients_shape() {
    let vectors = [vec![0.5, -1.0]];
    let (openai, _) = told(Shape::Ollama, Shape::OpenAi, false, &vectors);
    let expected = json!({
        "object": "list", "model": "told", "usage": { "prompt_tokens": 7, "total_tokens": 7 },
        "data": [{ "object": "embedding", "index": 0, "embedding": [0.5, -1.0] }],
    });
    assert_eq!(openai, expected);
    let (openai, _) = told(Shape::GeminiBatch, Shape::OpenAi, true, &vectors);
    assert_eq!(
        (&openai["model"], &openai["data"][0]["embedding"]),
        (&json!("asked"), &json!("AAAAPwAAgL8="))
    );
    let (ollama, _) = told(Shape::GeminiBatch, Shape::Ollama, false, &vectors);
    assert_eq!(ollama, json!({ "model": "asked", "embeddings": [[0.5, -1.0]], "prompt_eval_count": 7 }));
    let (old, _) = told(Shape::OpenAi, Shape::OllamaOne, false, &vectors);
    assert_eq!(old, json!({ "embedding": [0.5, -1.0] }));
    let (gemini, _) = told(Shape::OpenAi, Shape::GeminiOne, false, &vectors);
    let expected =
        json!({ "embedding": { "values": [0.5, -1.0] }, "usageMetadata": { "promptTokenCount": 7 } });
    assert_eq!(gemini, expected);
    let (gemini, _) = told(Shape::OllamaOne, Shape::GeminiBatch, false, &vectors);
    assert_eq!(gemini, json!({ "embeddings": [{ "values": [0.5, -1.0] }] }), "estimates are no counts");
}

#[test]
fn what_an_answer_says_beyond_is_named() {
    let body = r#"{"data":[{"embedding":[1]}],"x_extra":{"a":1},"usage":{"total_tokens":4}}"#;
    let document = Document::read(body.as_bytes()).unwrap();
    let answer = decode_answer(Shape::OpenAi, &document, 1).unwrap();
    assert_eq!(answer.usage.unwrap().input, 4);
    let reply = Reply { shape: Shape::Ollama, base64: false, model: "m", usage: Usage::default() };
    assert_eq!(encode_answer(&answer, &reply).losses.iter().collect::<Vec<_>>(), ["x_extra"]);
}

#[test]
fn answers_that_are_none() {
    for (shape, body, field) in [
        (Shape::OpenAi, "[]", "body"),
        (Shape::OpenAi, "{}", "data"),
        (Shape::OpenAi, r#"{"data":[{}]}"#, "data[0].embedding"),
        (Shape::OpenAi, r#"{"data":[{"embedding":["x"]}]}"#, "data[0].embedding"),
        (Shape::OpenAi, r#"{"data":[{"embedding":"!!"}]}"#, "data[0].embedding"),
        (Shape::OpenAi, r#"{"data":[{"embedding":"AAA="}]}"#, "data[0].embedding"),
        // Not a number.
        (Shape::OpenAi, r#"{"data":[{"embedding":"AADAfw=="}]}"#, "data[0].embedding"),
        (Shape::OpenAi, r#"{"data":[{"embedding":[],"index":1}]}"#, "data[0].index"),
        (Shape::OpenAi, r#"{"data":[{"embedding":[],"index":"0"}]}"#, "data[0].index"),
        (Shape::OpenAi, r#"{"data":[]}"#, "data"),
        (Shape::OpenAi, r#"{"data":[{"embedding":[]},{"embedding":[],"index":0}]}"#, "data[1].index"),
        (Shape::OpenAi, r#"{"data":[{"embedding":[]},{"embedding":[]}]}"#, "data"),
        (Shape::GeminiBatch, r#"{"embeddings":[{"value":[]}]}"#, "embeddings[0].values"),
        (Shape::GeminiBatch, r#"{"embedding":{"values":[]}}"#, "embeddings"),
        (Shape::GeminiOne, "{}", "embedding"),
        (Shape::Ollama, r#"{"embeddings":[[1,null]]}"#, "embeddings[0]"),
        (Shape::Ollama, r#"{"embeddings":[]}"#, "embeddings"),
        (Shape::OllamaOne, r#"{"embedding":[[]]}"#, "embedding"),
    ] {
        let document = Document::read(body.as_bytes()).unwrap();
        let error = decode_answer(shape, &document, 1).unwrap_err().to_string();
        assert!(error.contains(&format!("`{field}`")), "{body}: {error}");
    }
}

#[test]
fn anything_in_the_place_of_anything_is_read_or_refused() {
    let mut read = 0;
    for shape in Shape::ALL {
        let mut full = plain(shape);
        full["more"] = json!({ "a": [1] });
        with_anything(&full, &mut |body, place| {
            let text = body.to_string();
            let document = Document::read(text.as_bytes()).unwrap();
            let Ok(request) = decode_request(shape, &document) else { return };
            read += 1;
            for dialect in Dialect::ALL {
                if let Ok(encoded) = encode_request(&request, &Target::new(dialect, "p", "m")) {
                    assert!(Document::read(&encoded.body).is_ok(), "{shape:?} {place} for {dialect}");
                }
            }
        });
        with_anything(&answer(shape, &[vec![0.5, -1.0], vec![]]), &mut |body, place| {
            let text = body.to_string();
            let document = Document::read(text.as_bytes()).unwrap();
            for expected in 1..=2 {
                let Ok(answer) = decode_answer(shape, &document, expected) else { continue };
                read += 1;
                for to in Shape::ALL {
                    let reply =
                        Reply { shape: to, base64: read % 2 == 0, model: "m", usage: Usage::default() };
                    let encoded = encode_answer(&answer, &reply);
                    assert!(Document::read(&encoded.body).is_ok(), "{shape:?} {place} for {to:?}");
                }
            }
        });
    }
    assert!(read > 100, "{read}");
}
