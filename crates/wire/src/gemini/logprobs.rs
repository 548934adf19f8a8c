//! Log probabilities: Google's `logprobsResult`, and OpenAI chat's form, which the neutral one is.

use super::read;
use crate::json::{Document, Node, Writer};

/// In the neutral form; `None` where it names no tokens.
pub(super) fn read(node: Node<'_, '_>) -> Option<String> {
    let list = |name| read::get(node, name).into_iter().flat_map(Node::elements);
    let mut tops = list("topCandidates");
    let mut writer = Writer::with_capacity(node.raw().len());
    let mut tokens = 0;
    writer.object(|w| {
        w.key("content").array(|w| {
            for chosen in list("chosenCandidates") {
                tokens += 1;
                let top = tops.next();
                w.object(|w| {
                    write_token(w, chosen, "logProbability", "logprob");
                    w.key("bytes").null().key("top_logprobs").array(|w| {
                        let top = top.and_then(|top| top.get("candidates"));
                        for candidate in top.into_iter().flat_map(Node::elements) {
                            w.object(|w| {
                                write_token(w, candidate, "logProbability", "logprob");
                                w.key("bytes").null();
                            });
                        }
                    });
                });
            }
        });
    });
    (tokens > 0).then(|| String::from_utf8(writer.finish()).unwrap_or_default())
}

/// Writes `logprobsResult` from the neutral form; false if there is nothing to write.
pub(super) fn write(w: &mut Writer, raw: &str) -> bool {
    let Ok(document) = Document::read(raw.as_bytes()) else { return false };
    let Some(content) = document.root().get("content") else { return false };
    w.object(|w| {
        w.key("topCandidates").array(|w| {
            for token in content.elements() {
                w.object(|w| {
                    w.key("candidates").array(|w| {
                        for top in token.get("top_logprobs").into_iter().flat_map(Node::elements) {
                            w.object(|w| write_token(w, top, "logprob", "logProbability"));
                        }
                    });
                });
            }
        });
        w.key("chosenCandidates").array(|w| {
            for token in content.elements() {
                w.object(|w| write_token(w, token, "logprob", "logProbability"));
            }
        });
    });
    true
}

fn write_token(w: &mut Writer, token: Node<'_, '_>, from: &str, to: &str) {
    w.key("token").text(&token.get("token").and_then(Node::text).unwrap_or_default());
    let number = read::get(token, from).and_then(Node::number);
    w.key(to).raw(number.unwrap_or("0"));
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn probabilities_go_there_and_back() {
        let google = json!({
            "topCandidates": [
                { "candidates": [{ "token": "A", "logProbability": -0.1 }, { "token": "B", "logProbability": -2.5 }] },
                { "candidates": [] },
            ],
            "chosenCandidates": [
                { "token": "A", "logProbability": -0.1 }, { "token": "\"", "logProbability": -1.0 },
            ],
        });
        let text = google.to_string();
        let document = Document::read(text.as_bytes()).unwrap();
        let neutral = read(document.root()).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&neutral).unwrap(),
            json!({ "content": [
                { "token": "A", "logprob": -0.1, "bytes": null, "top_logprobs": [
                    { "token": "A", "logprob": -0.1, "bytes": null },
                    { "token": "B", "logprob": -2.5, "bytes": null },
                ] },
                { "token": "\"", "logprob": -1.0, "bytes": null, "top_logprobs": [] },
            ] })
        );
        let mut writer = Writer::default();
        assert!(write(&mut writer, &neutral));
        assert_eq!(serde_json::from_slice::<Value>(&writer.finish()).unwrap(), google);
    }

    #[test]
    fn nothing_is_made_of_nothing() {
        for text in ["{}", "[]", r#"{"chosenCandidates":3}"#] {
            let document = Document::read(text.as_bytes()).unwrap();
            assert_eq!(read(document.root()), None);
        }
        let mut writer = Writer::default();
        assert!(!write(&mut writer, "{}") && !write(&mut writer, "x"));
        assert!(writer.finish().is_empty());
    }
}
