//! Model names as people type them: `Claude 4 Opus` for `claude-opus-4-20250514`.
//!
//! A name becomes keys; two names with a key in common may mean one model. Used where an exact look-up
//! has failed: by the resolver (`config` hands it over) and by [`crate::Catalogue::meant_by`].

/// Keys of a model's listed name, strictest first. A typed name has its own ([`typed`]); it means the
/// models that share the strictest key that any model shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The whole name in small letters and digits: other cases and punctuation.
    pub squeezed: String,
    /// As `squeezed`, without what stands before the last `/`.
    pub bare: String,
    /// Words in any order, numbers in theirs; without maker and `instruct`.
    pub words: String,
    /// As `words`, without a date.
    pub undated: String,
    /// As `undated`, without sizes, precisions and `preview`.
    pub family: String,
}

/// What a person typed, as keys to look for. One that names a path means exactly that path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// Compared with [`Keys::squeezed`] and, without a path, [`Keys::bare`].
    pub squeezed: String,
    /// Compared with [`Keys::words`], then `undated`, then `family`; `None` for a path, or without words.
    pub words: Option<String>,
}

/// Words that say nothing about which model it is.
const NOISE: [&str; 7] = ["instruct", "it", "latest", "hf", "maas", "databricks", "model"];
/// Words that tell apart servings and stages of one model.
const STAGES: [&str; 7] = ["preview", "exp", "experimental", "awq", "gguf", "basic", "default"];
/// With a number behind them they are the precision of weights.
const PRECISIONS: [&str; 5] = ["fp", "bf", "int", "mxfp", "nvfp"];
/// Names of families, with the model that is meant by them.
const SHORTHAND: [(&str, &str); 2] = [("llama 4", "llama maverick 4"), ("gpt omni 4", "gpt 4o")];

/// The keys of a listed name.
#[must_use]
pub fn keys(model: &str) -> Keys {
    let last = model.rsplit('/').next().unwrap_or(model);
    let tokens = tokens(last);
    let undated = undate(&tokens);
    let plain = plainest(&undated);
    let texts = |tokens: &[String]| key(&tokens.iter().map(String::as_str).collect::<Vec<_>>());
    Keys {
        squeezed: squeeze(model),
        bare: squeeze(last),
        words: texts(&tokens),
        undated: key(&undated),
        family: key(&plain),
    }
}

/// The keys of a typed name.
#[must_use]
pub fn typed(name: &str) -> Typed {
    // Nobody types these: such a name is what it is, or nothing.
    if name.chars().any(char::is_control) {
        return Typed { squeezed: String::new(), words: None };
    }
    let words = (!name.contains('/')).then(|| {
        let tokens = tokens(name);
        let key = key(&tokens.iter().map(String::as_str).collect::<Vec<_>>());
        let meant = SHORTHAND.iter().find(|(short, _)| *short == key);
        meant.map_or(key, |(_, meant)| (*meant).to_owned())
    });
    let words = words.filter(|words| !words.is_empty());
    Typed { squeezed: squeeze(name), words }
}

fn squeeze(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Words first, sorted; then numbers in their order.
fn key(tokens: &[&str]) -> String {
    let is_number = |token: &&&str| token.starts_with(|c: char| c.is_ascii_digit());
    let mut words: Vec<&str> = tokens.iter().filter(|token| !is_number(token)).copied().collect();
    words.sort_unstable();
    words.extend(tokens.iter().filter(is_number));
    words.join(" ")
}

/// `Qwen2.5-Coder-32B-Instruct` is `qwen`, `2`, `5`, `coder`, `32b`.
fn tokens(name: &str) -> Vec<String> {
    let name = name.to_ascii_lowercase();
    let name = without_makers(without_revision(&name));
    let bytes = name.as_bytes();
    let mut tokens = vec![String::new()];
    for (at, &byte) in bytes.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| bytes[at]);
        let digit = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_digit());
        // Some vendors write 2.5 as 2p5.
        let point = byte == b'p' && digit(before) && digit(bytes.get(at + 1).copied());
        let splits = byte.is_ascii_digit() && before.is_some_and(|before| before.is_ascii_alphabetic());
        if !byte.is_ascii_alphanumeric() || point || splits {
            tokens.push(String::new());
        }
        if byte.is_ascii_alphanumeric()
            && !point
            && let Some(token) = tokens.last_mut()
        {
            token.push(char::from(byte));
        }
    }
    tokens.retain(|token| !token.is_empty() && !NOISE.contains(&token.as_str()));
    tokens
}

/// Without Bedrock's revision: `-v1:0`.
fn without_revision(name: &str) -> &str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let cut = name.rsplit_once(':').filter(|(_, revision)| digits(revision)).and_then(|(rest, _)| {
        let (plain, version) = rest.rsplit_once("-v")?;
        digits(version).then_some(plain)
    });
    cut.unwrap_or(name)
}

/// Without `anthropic.` and `us.` before the name; `deepseek.v3` needs its maker.
fn without_makers(mut name: &str) -> &str {
    while let Some((maker, rest)) = name.split_once('.') {
        let named = rest.starts_with(|c: char| c.is_ascii_alphabetic());
        let version = rest.starts_with('v') && rest[1..].starts_with(|c: char| c.is_ascii_digit());
        if !named || version || maker.is_empty() || maker.bytes().any(|b| !b.is_ascii_alphabetic()) {
            break;
        }
        name = rest;
    }
    name
}

/// Without `20250514`, or `2025`, `05`, `14` in a row.
fn undate(tokens: &[String]) -> Vec<&str> {
    let year = |token: &str| token.len() == 4 && token.starts_with("20");
    let two = |token: Option<&String>| token.is_some_and(|token| token.len() == 2 && is_digits(token));
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if year(token) && is_digits(token) && two(tokens.get(at + 1)) && two(tokens.get(at + 2)) {
            at += 2;
        } else if !(token.len() == 8 && token.starts_with("20") && is_digits(token)) {
            kept.push(token.as_str());
        }
        at += 1;
    }
    kept
}

/// Without sizes, precisions and stages.
fn plainest<'t>(tokens: &[&'t str]) -> Vec<&'t str> {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut rest = tokens;
    while let [token, tail @ ..] = rest {
        let precision = PRECISIONS.contains(token) && tail.first().is_some_and(|next| is_digits(next));
        rest = if precision { &tail[1..] } else { tail };
        if !precision && !is_size(token) && !STAGES.contains(token) {
            kept.push(*token);
        }
    }
    kept
}

fn is_digits(token: &str) -> bool {
    token.bytes().all(|byte| byte.is_ascii_digit())
}

/// `17b`, `128e`, or the `a` before the active parameters.
fn is_size(token: &str) -> bool {
    token == "a" || token.strip_suffix(['b', 'e']).is_some_and(|size| !size.is_empty() && is_digits(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(typed_name: &str, listed: &str) -> Option<&'static str> {
        let (typed, keys) = (typed(typed_name), keys(listed));
        let words = typed.words.unwrap_or_default();
        let levels = [
            ("squeezed", typed.squeezed == keys.squeezed),
            ("bare", typed.squeezed == keys.bare && !words.is_empty()),
            ("words", words == keys.words),
            ("undated", words == keys.undated),
            ("family", words == keys.family),
        ];
        levels.into_iter().find(|(_, shared)| *shared).map(|(level, _)| level)
    }

    #[test]
    fn names_that_people_type() {
        for (name, listed, level) in [
            ("GPT-5", "gpt-5", "squeezed"),
            ("gpt 5", "gpt-5", "squeezed"),
            ("Claude 4 Opus", "claude-opus-4-20250514", "undated"),
            ("Claude 4 Opus", "anthropic.claude-opus-4-20250514-v1:0", "undated"),
            ("claude opus 4", "us.anthropic.claude-opus-4-20250514-v1:0", "undated"),
            ("Claude Opus 4.1", "claude-opus-4-1", "squeezed"),
            ("Gemini 2.5 Flash Lite", "gemini-2.5-flash-lite", "squeezed"),
            ("Gemini Flash Lite 2.5", "gemini-2.5-flash-lite", "words"),
            ("Llama 4", "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8", "family"),
            ("Llama 4 Scout", "meta-llama/Llama-4-Scout-17B-16E-Instruct", "family"),
            ("llama 4 scout", "meta.llama4-scout-17b-instruct-v1:0", "family"),
            ("DeepSeek V3", "deepseek-ai/DeepSeek-V3", "bare"),
            ("DeepSeek V3", "deepseek.v3-v1:0", "words"),
            ("Qwen2.5-Coder-32B", "Qwen/Qwen2.5-Coder-32B-Instruct", "words"),
            ("Qwen2.5-Coder-32B", "accounts/fireworks/models/qwen2p5-coder-32b-instruct", "words"),
            ("Phi-4", "microsoft/phi-4", "bare"),
            ("phi4", "Phi-4", "squeezed"),
            ("Gemini 3 Pro", "gemini-3-pro-preview", "family"),
        ] {
            assert_eq!(share(name, listed), Some(level), "{name} {listed}");
        }
    }

    #[test]
    fn other_models_stay_other_models() {
        for (name, listed) in [
            ("GPT-5", "gpt-5-mini"),
            ("GPT-5", "gpt-5-chat"),
            ("4o mini", "o4-mini"),
            ("Claude 4 Opus", "claude-opus-4-1"),
            ("DeepSeek V3", "deepseek-ai/DeepSeek-V3.1"),
            ("Phi-4", "Phi-4-mini-instruct"),
            ("gpt-4o-2099-01-01", "gpt-4o"),
            ("Gemini 2.5 Flash", "gemini-2.5-flash-lite"),
            // Somebody's own model of a known name.
            ("myself/DeepSeek-V3", "deepseek-ai/DeepSeek-V3"),
            ("Llama 3 8B", "Llama-3-70B-Instruct"),
        ] {
            assert_eq!(share(name, listed), None, "{name} {listed}");
        }
    }

    #[test]
    fn names_with_control_characters_mean_no_other() {
        for name in ["gpt-5\n", "gpt-5\0", "gpt\u{85}5"] {
            assert_eq!(typed(name), Typed { squeezed: String::new(), words: None }, "{name:?}");
        }
    }

    #[test]
    fn odd_names_have_keys() {
        for name in ["", "/", ":", "-v1:0", "a.b.c", "é", "1.2.3", "p", "2p", "..", "v"] {
            let (keys, typed) = (keys(name), typed(name));
            assert_eq!(typed.squeezed, keys.squeezed, "{name}");
        }
    }
}
