//! The entry of the fuzz target: any bytes, through everything but the network.

use std::path::Path;
use std::sync::Arc;

use pointsman_transport::connect::{Connect, Connecting, Origin};
use pointsman_transport::{ConnectError, Upstreams};

use crate::compose::{ConfigFile, Input, prepare};
use crate::environment::Environment;

/// Never connects: composing a snapshot does not.
struct Nowhere;

impl Connect for Nowhere {
    fn connect<'a>(&'a self, origin: &'a Origin) -> Connecting<'a> {
        Box::pin(async move { Err(ConnectError::Unknown(Arc::clone(&origin.host))) })
    }
}

/// Reads and checks `data` as a configuration, twice, as a reload does; prints what is wrong. Must
/// never panic.
#[doc(hidden)]
pub fn fuzz_parse(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut variables = vec![("HOME", "/home/user"), ("KEY", "secret"), ("POINTSMAN__LOG__LEVEL", "warn")];
    // A vendor brings its whole list of models, which would make every execution slow.
    if text.contains("openai") {
        variables.push(("OPENAI_API_KEY", "sk-a"));
    }
    let environment: Environment = variables.into_iter().collect();
    let file = ConfigFile { path: Path::new("pointsman.yaml"), text };
    let input = Input { file: Some(file), environment: &environment, overrides: &[], engines: &[] };
    let upstreams = Upstreams::new(Arc::new(Nowhere));
    match prepare(&input, &upstreams, None) {
        Ok(first) => {
            for name in ["gpt-4o", "openai/x", "fast"] {
                let _ = first.resolver.resolve(name);
            }
            let _ = prepare(&input, &upstreams, Some(&first));
        }
        Err(errors) => drop(errors.to_string()),
    }
}
