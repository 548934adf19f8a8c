//! What clients call things that a target may have no place for, so that a loss is told in their own words.

use pointsman_core::Dialect;

use super::SealKind;

/// The conversation.
pub(crate) const fn conversation(client: Dialect) -> &'static str {
    match client {
        Dialect::OpenAiChat | Dialect::Anthropic | Dialect::Ollama => "messages",
        Dialect::OpenAiResponses => "input",
        Dialect::Gemini => "contents",
    }
}

/// The name of a file.
pub(crate) const fn file_name(client: Dialect) -> &'static str {
    match client {
        Dialect::OpenAiChat => "file.filename",
        Dialect::Anthropic => "title",
        Dialect::Gemini => "inlineData.displayName",
        Dialect::OpenAiResponses | Dialect::Ollama => "filename",
    }
}

/// The type of a medium.
pub(crate) const fn media_type(client: Dialect) -> &'static str {
    match client {
        Dialect::OpenAiChat => "image_url.url",
        Dialect::OpenAiResponses => "image_url",
        Dialect::Anthropic => "media_type",
        Dialect::Gemini => "inlineData.mimeType",
        Dialect::Ollama => "images",
    }
}

/// The type of a medium at an address: only Gemini's clients give one.
pub(crate) const ADDRESS_TYPE: &str = "fileData.mimeType";

/// How closely to look at a picture.
pub(crate) const fn detail(client: Dialect) -> &'static str {
    match client {
        Dialect::OpenAiChat => "image_url.detail",
        _ => "detail",
    }
}

/// What the text of a tool of free text looks like.
pub(crate) const fn grammar(client: Dialect) -> &'static str {
    match client {
        Dialect::OpenAiChat => "custom.format",
        _ => "format",
    }
}

/// Whether a tool's input is to be obeyed to the letter.
pub(crate) const fn strict(client: Dialect) -> &'static str {
    match client {
        Dialect::OpenAiChat => "function.strict",
        _ => "strict",
    }
}

/// What a tool's input looks like.
pub(crate) const fn parameters(client: Dialect) -> &'static str {
    match client {
        Dialect::OpenAiChat | Dialect::Ollama => "function.parameters",
        Dialect::OpenAiResponses | Dialect::Gemini => "parameters",
        Dialect::Anthropic => "input_schema",
    }
}

/// The tool that a result is of.
pub(crate) const fn result_name(client: Dialect) -> &'static str {
    match client {
        Dialect::Gemini => "functionResponse.name",
        Dialect::Ollama => "tool_name",
        _ => "name",
    }
}

/// A proof or cipher.
pub(crate) const fn seal(client: Dialect, kind: SealKind) -> &'static str {
    match (client, kind) {
        (Dialect::Gemini, _) => "thoughtSignature",
        (Dialect::OpenAiResponses, _) => "encrypted_content",
        (_, SealKind::Encrypted) => "data",
        (_, SealKind::Signature) => "signature",
    }
}

/// Where the name of an answer's schema stands, and whether it is to be obeyed. `field` holds the format.
pub(crate) fn schema_place(client: Dialect, field: &str) -> String {
    match client {
        Dialect::OpenAiChat => format!("{field}.json_schema"),
        _ => field.to_owned(),
    }
}

/// Where an answer's schema itself stands.
pub(crate) fn schema(client: Dialect, field: &str) -> String {
    match client {
        Dialect::OpenAiChat => format!("{field}.json_schema.schema"),
        Dialect::OpenAiResponses | Dialect::Anthropic => format!("{field}.schema"),
        Dialect::Gemini | Dialect::Ollama => field.to_owned(),
    }
}
