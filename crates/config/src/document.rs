//! The configuration described: JSON Schema, and the commented file that `pointsman init` writes.

use crate::raw::Root;

/// The JSON Schema of the configuration file, for editors: pretty-printed, with descriptions.
#[must_use]
pub fn schema() -> String {
    let schema = schemars::SchemaGenerator::default().into_root_schema_for::<Root>();
    // A schema is JSON already: printing it cannot fail.
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

/// A configuration with every default written out and explained. Valid as it is.
#[must_use]
pub const fn init_text() -> &'static str {
    include_str!("init.yaml")
}
