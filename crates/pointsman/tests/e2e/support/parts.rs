//! Where the pinned parts are. `scripts/parts.py` knows, and installs what is absent; what cannot be
//! installed fails the test that needs it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

/// The parts of the end-to-end tests.
#[derive(Debug)]
pub(crate) struct Parts {
    /// llama.cpp's server.
    pub(crate) llama_server: PathBuf,
    /// The chat model's GGUF file.
    pub(crate) model: PathBuf,
    /// A Python with the OpenAI SDK.
    pub(crate) python: PathBuf,
    /// The folder with the OpenAI SDK for Node.
    pub(crate) node_modules: PathBuf,
    /// Schemathesis, which checks an API against its OpenAPI document.
    pub(crate) schemathesis: PathBuf,
    /// A Python with the SDKs of every dialect.
    pub(crate) compat_python: PathBuf,
    /// A Python with LlamaIndex.
    pub(crate) compat_llama_index: PathBuf,
    /// The folder with the SDKs of every dialect for Node.
    pub(crate) compat_node: PathBuf,
}

/// The parts, installed on the first call where they are absent.
pub(crate) fn parts() -> &'static Parts {
    static PARTS: OnceLock<Parts> = OnceLock::new();
    PARTS.get_or_init(|| {
        let output = Command::new("python3")
            .arg(repository().join("scripts/parts.py"))
            .arg("--json")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let places: Value = serde_json::from_slice(&output.stdout).unwrap();
        let place = |name: &str| PathBuf::from(places[name].as_str().unwrap());
        Parts {
            llama_server: place("llama_server"),
            model: place("model"),
            python: place("python"),
            node_modules: place("node_modules"),
            schemathesis: place("schemathesis"),
            compat_python: place("compat_python"),
            compat_llama_index: place("compat_llama_index"),
            compat_node: place("compat_node"),
        }
    })
}

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
