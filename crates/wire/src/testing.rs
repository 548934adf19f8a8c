//! Generated request bodies for the property tests, with a note of what each contains; and documents with
//! anything in the place of anything.

use serde_json::{Value, json};

/// Bytes that a test framework may shrink, read as a stream of choices; zeros at the end.
pub(crate) struct Source<'a>(std::slice::Iter<'a, u8>);

impl<'a> Source<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes.iter())
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % bound
    }

    pub(crate) fn pick<'b>(&mut self, choices: &[&'b str]) -> &'b str {
        choices[self.below(choices.len())]
    }
}

/// A request body and what is in it.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) text: String,
    pub(crate) escaped_key: bool,
    pub(crate) nested_model: bool,
    pub(crate) duplicate_key: bool,
    pub(crate) odd_space: bool,
    pub(crate) huge_number: bool,
    pub(crate) models: usize,
}

const SPACES: [&str; 6] = ["", "", "", " ", "\n\t  ", "\r\n"];
const STRINGS: [&str; 8] = [
    r#""""#,
    r#""plain""#,
    r#""a \"quoted\" word \\""#,
    r#""\ud83d\ude00 😀 \u0000\n""#,
    r#""\"model\": \"inner\"""#,
    r#""{\"stream\":true}""#,
    r#""模型 — модель""#,
    r#""a string long enough for more than one block of the search, with an end: \/""#,
];
const NUMBERS: [&str; 4] = ["0", "-12", "0.5", "1.5e-3"];
const HUGE: [&str; 4] = ["1e999", "123456789012345678901234567890.5", "-0.1E-4000", "99999999999999999999"];
const MODEL_KEYS: [&str; 4] =
    [r#""model""#, r#""\u006dodel""#, r#""mode\u006C""#, r#""\u006d\u006f\u0064\u0065\u006c""#];
const STREAM_KEYS: [&str; 2] = [r#""stream""#, r#""str\u0065am""#];
const OPTIONS_KEYS: [&str; 2] = [r#""stream_options""#, r#""stream\u005foptions""#];
const USAGE_KEYS: [&str; 2] = [r#""include_usage""#, r#""include_us\u0061ge""#];
const OTHER_KEYS: [&str; 5] = [r#""messages""#, r#""x""#, r#""""#, r#""модель""#, r#""tools""#];
const MODELS: [&str; 4] = [r#""gpt-4o""#, r#""gp\u0074-4o""#, r#""vendor\/模型:8b""#, r#""""#];
const DEPTH: usize = 4;

/// One body, as the source decides.
pub(crate) fn body(source: &mut Source<'_>) -> Body {
    let mut body = Body::default();
    let mut members: Vec<String> = Vec::new();
    let models = [1, 1, 1, 1, 0, 2][source.below(6)];
    for _ in 0..models {
        members.push(member(source, &mut body, &MODEL_KEYS, |source, _| source.pick(&MODELS).to_owned()));
    }
    body.models = models;
    let streams = [0, 1, 1, 1, 1, 2][source.below(6)];
    for _ in 0..streams {
        members.push(member(source, &mut body, &STREAM_KEYS, |source, _| {
            source.pick(&["true", "false", "null"]).to_owned()
        }));
    }
    let options = [0, 1, 1, 1, 1, 2][source.below(6)];
    for _ in 0..options {
        members.push(member(source, &mut body, &OPTIONS_KEYS, stream_options));
    }
    body.duplicate_key |= models > 1 || streams > 1 || options > 1;
    for _ in 0..source.below(4) {
        members.push(member(source, &mut body, &OTHER_KEYS, |source, body| value(source, body, DEPTH)));
    }
    for at in (1..members.len()).rev() {
        members.swap(at, source.below(at + 1));
    }
    let (before, after) = (space(source, &mut body), space(source, &mut body));
    body.text = format!("{before}{{{}}}{after}", members.join(","));
    body
}

/// Any JSON value.
pub(crate) fn value(source: &mut Source<'_>, body: &mut Body, depth: usize) -> String {
    let kinds = if depth == 0 { 4 } else { 7 };
    match source.below(kinds) {
        0 => source.pick(&STRINGS).to_owned(),
        1 => source.pick(&["true", "false", "null"]).to_owned(),
        2 => source.pick(&NUMBERS).to_owned(),
        3 => {
            body.huge_number = true;
            source.pick(&HUGE).to_owned()
        }
        4 => {
            let items: Vec<_> = (0..source.below(4)).map(|_| value(source, body, depth - 1)).collect();
            format!("[{}{}]", space(source, body), items.join(","))
        }
        5 => {
            body.nested_model = true;
            let inner = member(source, body, &MODEL_KEYS, |s, b| value(s, b, depth - 1));
            format!("{{{inner}}}")
        }
        _ => {
            let count = source.below(3);
            let items: Vec<_> = (0..count)
                .map(|_| member(source, body, &OTHER_KEYS, |s, b| value(s, b, depth - 1)))
                .collect();
            format!("{{{}}}", items.join(","))
        }
    }
}

fn stream_options(source: &mut Source<'_>, body: &mut Body) -> String {
    if source.below(4) == 0 {
        return "null".to_owned();
    }
    let usages = [0, 1, 1, 1, 1, 2][source.below(6)];
    body.duplicate_key |= usages > 1;
    let mut members: Vec<_> = (0..usages)
        .map(|_| member(source, body, &USAGE_KEYS, |s, _| s.pick(&["true", "false", "null"]).to_owned()))
        .collect();
    if source.below(2) == 0 {
        members.push(member(source, body, &OTHER_KEYS, |s, b| value(s, b, 1)));
    }
    format!("{{{}{}}}", space(source, body), members.join(","))
}

fn member(
    source: &mut Source<'_>,
    body: &mut Body,
    keys: &[&str],
    value: impl FnOnce(&mut Source<'_>, &mut Body) -> String,
) -> String {
    let key = source.pick(keys);
    body.escaped_key |= key.contains('\\');
    let spaces = [(); 4].map(|()| space(source, body));
    let value = value(source, body);
    format!("{}{key}{}:{}{value}{}", spaces[0], spaces[1], spaces[2], spaces[3])
}

fn space(source: &mut Source<'_>, body: &mut Body) -> &'static str {
    let space = SPACES[source.below(SPACES.len())];
    body.odd_space |= !space.is_empty() && space != " ";
    space
}

/// Calls `check` with the document for each value in it replaced by each of a few others.
pub(crate) fn with_anything(document: &Value, check: &mut impl FnMut(&Value, &str)) {
    let mut places = Vec::new();
    collect(document, String::new(), &mut places);
    for place in places {
        for other in [json!(null), json!(-1.5), json!("x"), json!({}), json!([{ "a": true }])] {
            let mut changed = document.clone();
            *changed.pointer_mut(&place).unwrap() = other;
            check(&changed, &place);
        }
    }
}

fn collect(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Array(list) => {
            for (at, inner) in list.iter().enumerate() {
                collect(inner, format!("{place}/{at}"), places);
            }
        }
        Value::Object(members) => {
            for (name, inner) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                collect(inner, format!("{place}/{name}"), places);
            }
        }
        _ => {}
    }
    places.push(place);
}
