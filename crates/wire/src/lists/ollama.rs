//! Ollama's `GET /api/tags`, `POST /api/show`, `GET /api/ps` and `GET /api/version`.

use std::fmt::Write as _;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{ListedModel, Purpose};
use crate::json::{Document, Node, Writer};
use crate::neutral::DecodeError;
use crate::ollama::timestamp;

/// The release of Ollama whose API is spoken here: clients ask for it to know what they may send.
pub const API_VERSION: &str = "0.12.11";

/// `GET /api/tags`
#[must_use]
pub fn render_tags(models: &[ListedModel]) -> Bytes {
    let mut writer = Writer::with_capacity(384 * models.len() + 16);
    writer.object(|w| {
        w.key("models").array(|w| {
            for model in models {
                w.object(|w| {
                    w.key("name").string(&model.id).key("model").string(&model.id);
                    w.key("modified_at").string(&timestamp(model.created));
                    // Nothing of it is on this machine.
                    w.key("size").count(0).key("digest").string(&digest(&model.id));
                    details(w, model);
                });
            }
        });
    });
    writer.finish().into()
}

/// The model that `POST /api/show` asks for.
///
/// # Errors
/// There is none.
pub fn shown_model(body: &[u8]) -> Result<String, DecodeError> {
    let document = Document::read(body)?;
    let root = document.root();
    // Older clients call it `name`.
    let given = |name| root.get(name).and_then(Node::text).filter(|text| !text.is_empty());
    let model = given("model").or_else(|| given("name"));
    model
        .map(|model| model.into_value().into_owned())
        .ok_or_else(|| DecodeError::Missing { field: "model".to_owned() })
}

/// `POST /api/show`
#[must_use]
pub fn render_show(model: &ListedModel) -> Bytes {
    let mut writer = Writer::with_capacity(512);
    writer.object(|w| {
        for name in ["license", "modelfile", "parameters", "template"] {
            w.key(name).string("");
        }
        details(w, model);
        let architecture = model.owner.as_deref().unwrap_or("unknown");
        w.key("model_info").object(|w| {
            w.key("general.architecture").string(architecture);
            w.key("general.basename").string(&model.id);
            if let Some(length) = model.max_input {
                w.key(&format!("{architecture}.context_length")).count(length);
            }
        });
        w.key("capabilities").array(|w| {
            for word in capabilities(model) {
                w.string(word);
            }
        });
        w.key("modified_at").string(&timestamp(model.created));
    });
    writer.finish().into()
}

/// `GET /api/ps`: no model runs in this process.
#[must_use]
pub const fn render_running() -> Bytes {
    Bytes::from_static(br#"{"models":[]}"#)
}

/// `GET /api/version`
#[must_use]
pub fn render_version() -> Bytes {
    format!(r#"{{"version":"{API_VERSION}"}}"#).into()
}

/// Ollama's words for what a model can do.
fn capabilities(model: &ListedModel) -> impl Iterator<Item = &'static str> {
    let chats = model.purpose == Purpose::Chat;
    let all = [
        ("completion", chats),
        ("embedding", model.purpose == Purpose::Embedding),
        ("tools", chats && model.tools),
        ("vision", chats && model.vision),
        ("thinking", chats && model.reasoning),
    ];
    all.into_iter().filter(|(_, can)| *can).map(|(word, _)| word)
}

/// Clients tell models apart by their digests: here that of the name.
fn digest(id: &str) -> String {
    Sha256::digest(id).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn details(w: &mut Writer, model: &ListedModel) {
    let family = model.owner.as_deref().unwrap_or_default();
    w.key("details").object(|w| {
        w.key("parent_model").string("").key("format").string("").key("family").string(family);
        w.key("families").array(|w| {
            if !family.is_empty() {
                w.string(family);
            }
        });
        w.key("parameter_size").string("").key("quantization_level").string("");
    });
}
