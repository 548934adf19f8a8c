//! How much a request or an answer says: for estimates where nobody counted, and for the room that it
//! takes when it is written.

use super::{Answer, Arguments, Block, Content, Media, Reasoning, Request, Source, Tool, ToolKind};
use crate::json::Text;

/// Characters that are taken for one token.
pub const CHARS_PER_TOKEN: u64 = 4;
/// What a picture, document, sound or film is taken for: the most that Anthropic counts for a picture.
const MEDIUM_TOKENS: u64 = 1_600;

impl Answer<'_> {
    /// Characters of text, reasoning and calls over all choices.
    #[must_use]
    pub fn chars(&self) -> u64 {
        self.choices.iter().flat_map(|choice| &choice.blocks).map(|block| size(block).chars).sum()
    }
}

impl Request<'_> {
    /// Tokens of the prompt: four characters of text, calls, results and tools each, and a fixed number for
    /// each medium, whose length says little.
    #[must_use]
    pub fn estimated_tokens(&self) -> u64 {
        let blocks = self.messages.iter().flat_map(|message| &message.blocks).map(size);
        let said = blocks.fold(Size::default(), Size::plus);
        let tools: u64 = self.tools.iter().map(tool).sum();
        (said.chars + tools).div_ceil(CHARS_PER_TOKEN) + said.media * MEDIUM_TOKENS
    }

    /// Bytes of it when it is written in any dialect: rather a few more than it takes, because one more than
    /// there is room for means room for twice as many. Media that are fetched are not counted.
    pub(crate) fn room(&self) -> usize {
        let turns: usize =
            self.messages.iter().map(|turn| AROUND + turn.blocks.iter().map(room).sum::<usize>()).sum();
        let tools: usize = self.tools.iter().map(|tool| 2 * AROUND + tool_room(tool)).sum();
        let rest: usize = self.rest.iter().map(|extension| AROUND + extension.raw.len()).sum();
        turns + tools + rest + OPTIONS
    }
}

/// Names of members, quotes and brackets around a turn, and around a block; calls and tools have twice as many.
const AROUND: usize = 40;
/// Everything else that a request may say.
const OPTIONS: usize = 1_024;

#[derive(Clone, Copy, Default)]
struct Size {
    chars: u64,
    media: u64,
}

impl Size {
    const fn of(chars: u64) -> Self {
        Self { chars, media: 0 }
    }

    const fn plus(self, other: Self) -> Self {
        Self { chars: self.chars + other.chars, media: self.media + other.media }
    }
}

fn size(block: &Block<'_>) -> Size {
    match &block.content {
        Content::Text { text, .. } | Content::Refusal(text) => Size::of(text.chars()),
        Content::Image(media) | Content::Document(media) | Content::Audio(media) | Content::Video(media) => {
            medium(media)
        }
        Content::ToolCall(call) => {
            let arguments = match &call.arguments {
                Arguments::Object(raw) => raw.chars().count() as u64,
                Arguments::Quoted(text) | Arguments::Free(text) => text.chars(),
            };
            Size::of(call.name.chars() + arguments)
        }
        Content::ToolResult(result) => {
            let object = result.object.map_or(0, |raw| raw.chars().count() as u64);
            result.content.iter().map(size).fold(Size::of(object), Size::plus)
        }
        Content::Reasoning(Reasoning { text, summary, .. }) => {
            Size::of(text.iter().chain(summary).map(Text::chars).sum())
        }
        Content::Opaque(raw) => Size::of(raw.chars().count() as u64),
    }
}

fn room(block: &Block<'_>) -> usize {
    let own = match &block.content {
        Content::Text { text, .. } | Content::Refusal(text) => text.byte_len(),
        Content::Image(media) | Content::Document(media) | Content::Audio(media) | Content::Video(media) => {
            match &media.source {
                Source::Base64(text) | Source::PlainText(text) | Source::Url(text) | Source::File(text) => {
                    text.byte_len()
                }
            }
        }
        Content::ToolCall(call) => {
            let arguments = match &call.arguments {
                // As a string, its quotes are escaped.
                Arguments::Object(raw) => raw.len() + raw.len() / 4,
                Arguments::Quoted(text) | Arguments::Free(text) => text.byte_len(),
            };
            AROUND + call.id.byte_len() + call.name.byte_len() + arguments
        }
        Content::ToolResult(result) => {
            let object = result.object.map_or(0, |raw| raw.len() + raw.len() / 4);
            result.id.byte_len() + object + result.content.iter().map(room).sum::<usize>()
        }
        Content::Reasoning(Reasoning { text, summary, seal, .. }) => {
            let sealed = seal.as_ref().map_or(0, |seal| seal.data.byte_len());
            sealed + text.iter().chain(summary).map(Text::byte_len).sum::<usize>()
        }
        Content::Opaque(raw) => raw.len(),
    };
    own + block.cache.map_or(0, |raw| AROUND + raw.len()) + AROUND
}

fn tool_room(tool: &Tool<'_>) -> usize {
    let definition = match &tool.kind {
        ToolKind::Function { schema, .. } => schema.as_deref(),
        ToolKind::Custom { format } => *format,
        ToolKind::Server(raw) => Some(*raw),
    };
    let description = tool.description.as_ref().map_or(0, Text::byte_len);
    tool.name.byte_len() + description + definition.map_or(0, str::len) + tool.cache.map_or(0, str::len)
}

fn medium(media: &Media<'_>) -> Size {
    match &media.source {
        Source::PlainText(text) => Size::of(text.chars()),
        Source::Base64(_) | Source::Url(_) | Source::File(_) => Size { chars: 0, media: 1 },
    }
}

fn tool(tool: &Tool<'_>) -> u64 {
    let definition = match &tool.kind {
        ToolKind::Function { schema, .. } => schema.as_deref(),
        ToolKind::Custom { format } => *format,
        ToolKind::Server(raw) => Some(*raw),
    };
    let description = tool.description.as_ref().map_or(0, Text::chars);
    tool.name.chars() + description + definition.map_or(0, |raw| raw.chars().count() as u64)
}

#[cfg(test)]
mod tests {
    use pointsman_core::Dialect;

    use crate::json::Document;

    #[test]
    fn a_prompt_is_its_characters_and_its_media() {
        let body = br#"{"model":"m","max_tokens":9,"system":"12345678",
            "tools":[{"name":"abcd","description":"abcd","input_schema":{"a":1}}],
            "messages":[
                {"role":"user","content":[
                    {"type":"text","text":"\u00e9234"},
                    {"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAAAAAAAAAA"}}]},
                {"role":"assistant","content":[{"type":"tool_use","id":"x","name":"abcd","input":{"b":2}}]},
                {"role":"user","content":[{"type":"tool_result","tool_use_id":"x","content":"1234"}]}]}"#;
        let document = Document::read(body).unwrap();
        let request = crate::anthropic::decode_request(&document).unwrap();
        // 8 of the instructions, 15 of the tool, 4 of the text, 11 of the call, 4 of its result.
        assert_eq!(request.estimated_tokens(), 42_u64.div_ceil(4) + 1_600);
    }

    #[test]
    fn a_request_has_room_in_every_dialect_and_not_twice() {
        let text = r#"Say \"it\" again.\n"#.repeat(40);
        let turn = format!(
            r#"{{"role":"user","content":"{text}"}},
            {{"role":"assistant","content":null,"tool_calls":[{{"id":"call_1","type":"function","function":
                {{"name":"look","arguments":"{{\"a\":\"b\",\"c\":[1,2,3]}}"}}}}]}},
            {{"role":"tool","tool_call_id":"call_1","content":"{text}"}},"#
        );
        let body = format!(
            r#"{{"model":"m","tools":[{{"type":"function","function":{{"name":"look","description":"{text}",
            "parameters":{{"type":"object","properties":{{"a":{{"type":"string"}}}}}}}}}}],
            "messages":[{}{{"role":"user","content":"x"}}]}}"#,
            turn.repeat(30)
        );
        let document = Document::read(body.as_bytes()).unwrap();
        let request = crate::openai::chat::decode_request(&document).unwrap();
        for dialect in [Dialect::OpenAiChat, Dialect::Anthropic, Dialect::Gemini] {
            let codec = crate::convert::codec(dialect).unwrap();
            let target = crate::neutral::Target::new(dialect, "p", "m");
            let written = codec.encode_request(&request, &target).unwrap().body.len();
            let room = request.room();
            assert!(written <= room && room < written * 4 / 3, "{dialect}: {written} in {room}");
        }
    }

    #[test]
    fn an_answer_is_its_characters() {
        let body = br#"{"choices":[{"index":0,"message":{"role":"assistant","content":"12\n4","tool_calls":[
            {"id":"c","type":"function","function":{"name":"ab","arguments":"{\"a\":1}"}}]}}]}"#;
        let document = Document::read(body).unwrap();
        let origin = crate::neutral::Origin { provider: "p", id: "r" };
        let answer = crate::openai::chat::decode_answer(&document, &origin).unwrap();
        assert_eq!(answer.chars(), 4 + 2 + 7);
    }
}
