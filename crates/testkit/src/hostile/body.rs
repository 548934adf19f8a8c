//! Bodies: JSON in every state, compressed, too long.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::{BODY, Case, Expect, MAX_BODY, Step, forwarded, head, post, with_length};

const INVALID: Expect = Expect::Error(400, "invalid_request", None);
const UNREADABLE: Expect = Expect::Error(400, "body_unreadable", None);
const TOO_LARGE: Expect = Expect::Error(413, "body_too_large", None);

const fn wrong(param: &'static str) -> Expect {
    Expect::Error(400, "invalid_request", Some(param))
}

const fn twice(param: &'static str) -> Expect {
    Expect::Error(400, "duplicate_key", Some(param))
}

pub(super) fn cases() -> Vec<Case> {
    [shapes(), values(), text(), fields(), keys(), long(), compressed()].concat()
}

fn refused(cases: &[(&'static str, &[u8])], expect: &Expect) -> Vec<Case> {
    cases.iter().map(|(name, body)| Case::new(name, post(body), expect.clone())).collect()
}

/// Members after `model` that go through byte for byte.
fn through(cases: &[(&'static str, &[u8])]) -> Vec<Case> {
    cases.iter().map(|(name, members)| pass(name, members)).collect()
}

fn pass(name: &'static str, members: &[u8]) -> Case {
    let with = |model: &str| [format!("{{\"model\":\"{model}\",").as_bytes(), members, b"}"].concat();
    Case::new(name, post(&with("alpha/m")), Expect::Forwarded(with("m").into()))
}

fn shapes() -> Vec<Case> {
    refused(
        &[
            ("no body", b""),
            ("blanks only", b" \t\r\n "),
            ("an array", b"[]"),
            ("an array of the right thing", b"[{\"model\":\"alpha/m\"}]"),
            ("a string", b"\"model\""),
            ("a number", b"7"),
            ("true", b"true"),
            ("null", b"null"),
            ("a word", b"nonsense"),
            ("a form", b"model=alpha/m&stream=true"),
            ("an object that does not end", b"{\"model\":\"alpha/m\""),
            ("a string that does not end", b"{\"model\":\"alpha/m"),
            ("a brace too many", b"{\"model\":\"alpha/m\"}}"),
            ("a second object", b"{\"model\":\"alpha/m\"}{\"model\":\"alpha/x\"}"),
            ("a NUL behind the end", b"{\"model\":\"alpha/m\"}\0"),
            ("a comma behind the last member", b"{\"model\":\"alpha/m\",}"),
            ("a comma before the first member", b"{,\"model\":\"alpha/m\"}"),
            ("single quotes", b"{'model':'alpha/m'}"),
            ("a key without quotes", b"{model:\"alpha/m\"}"),
            ("a comment", b"{/*x*/\"model\":\"alpha/m\"}"),
            ("a line comment", b"{\"model\":\"alpha/m\"//x\n}"),
            ("a missing colon", b"{\"model\" \"alpha/m\"}"),
            ("a number as a key", b"{1:2,\"model\":\"alpha/m\"}"),
            ("a byte order mark", b"\xef\xbb\xbf{\"model\":\"alpha/m\"}"),
            ("UTF-16", b"\xff\xfe{\0\"\0m\0"),
            ("a form feed between tokens", b"{\x0c\"model\":\"alpha/m\"}"),
            ("a no-break space between tokens", b"{\xc2\xa0\"model\":\"alpha/m\"}"),
        ],
        &INVALID,
    )
}

fn values() -> Vec<Case> {
    let mut cases = through(&[
        ("minus zero", b"\"x\":-0"),
        ("a number beyond f64", b"\"x\":1e999"),
        ("a number of 40 digits", b"\"x\":1234567890123456789012345678901234567890"),
        ("a fraction that f64 cannot hold", b"\"x\":0.1000000000000000055511151231257827"),
        ("an exponent of 30 digits", b"\"x\":1e-123456789012345678901234567890"),
        ("a choice count beyond u64", b"\"n\":99999999999999999999999"),
        ("a choice count that is a text", b"\"n\":\"two\""),
        ("blanks everywhere", b" \"x\" :\t[ 1 ,\r\n2 ] "),
        ("unknown members", b"\"x_y\":{\"model\":\"other\",\"stream\":1,\"a\":[null,true]}"),
    ]);
    cases.push(pass("a number of 100,000 digits", format!("\"x\":{}", "9".repeat(100_000)).as_bytes()));
    cases.push(pass("a string of a megabyte", format!("\"x\":\"{}\"", "y".repeat(1 << 20)).as_bytes()));
    cases.push(pass("an array of 100,000 members", format!("\"x\":[0{}]", ",0".repeat(100_000)).as_bytes()));
    let many: String = (0..50_000).map(|n| format!("\"k{n}\":0,")).collect();
    cases.push(pass("50,000 keys", format!("{many}\"x\":0").as_bytes()));
    // The body itself is the first level.
    for (name, depth, good) in [
        ("nesting of 127", 126, true),
        ("nesting of 128", 127, true),
        ("nesting of 129", 128, false),
        ("nesting of a million", 999_999, false),
    ] {
        let nested = format!("\"x\":{}{}", "[".repeat(depth), "]".repeat(depth));
        let case = pass(name, nested.as_bytes());
        cases.push(if good { case } else { Case { expect: vec![INVALID], ..case } });
    }
    let objects =
        format!("{{\"model\":\"alpha/m\",\"x\":{}1{}}}", "{\"a\":".repeat(500_000), "}".repeat(500_000));
    cases.push(Case::new("half a million objects in each other", post(objects.as_bytes()), INVALID));
    cases.push(Case::new("a million open brackets", post("[".repeat(1_000_000).as_bytes()), INVALID));
    cases.extend(refused(
        &[
            ("not a number", b"{\"model\":\"alpha/m\",\"x\":NaN}"),
            ("infinity", b"{\"model\":\"alpha/m\",\"x\":-Infinity}"),
            ("a leading zero", b"{\"model\":\"alpha/m\",\"x\":01}"),
            ("a leading plus", b"{\"model\":\"alpha/m\",\"x\":+1}"),
            ("a hexadecimal number", b"{\"model\":\"alpha/m\",\"x\":0x10}"),
            ("a point without digits", b"{\"model\":\"alpha/m\",\"x\":1.}"),
            ("an exponent without digits", b"{\"model\":\"alpha/m\",\"x\":1e}"),
            ("a minus alone", b"{\"model\":\"alpha/m\",\"x\":-}"),
            ("undefined", b"{\"model\":\"alpha/m\",\"x\":undefined}"),
            ("a word in capitals", b"{\"model\":\"alpha/m\",\"x\":TRUE}"),
        ],
        &INVALID,
    ));
    cases
}

fn text() -> Vec<Case> {
    let mut cases = refused(
        &[
            ("a continuation byte alone", b"{\"model\":\"alpha/m\",\"x\":\"\x80\"}"),
            ("an overlong slash", b"{\"model\":\"alpha/m\",\"x\":\"\xc0\xaf\"}"),
            ("an overlong NUL", b"{\"model\":\"alpha/m\",\"x\":\"\xe0\x80\x80\"}"),
            ("a surrogate in UTF-8", b"{\"model\":\"alpha/m\",\"x\":\"\xed\xa0\x80\"}"),
            ("beyond Unicode", b"{\"model\":\"alpha/m\",\"x\":\"\xf4\x90\x80\x80\"}"),
            ("five bytes", b"{\"model\":\"alpha/m\",\"x\":\"\xf8\x88\x80\x80\x80\"}"),
            ("a sequence that is cut", b"{\"model\":\"alpha/m\",\"x\":\"\xe2\x82\"}"),
            ("0xFF", b"{\"model\":\"alpha/m\",\"x\":\"\xff\"}"),
            ("Latin-1 in a key", b"{\"model\":\"alpha/m\",\"\xe9\":1}"),
            ("a bad byte behind the end", b"{\"model\":\"alpha/m\"}\xff"),
            ("a raw NUL", b"{\"model\":\"alpha/m\",\"x\":\"\0\"}"),
            ("a raw line feed", b"{\"model\":\"alpha/m\",\"x\":\"\n\"}"),
            ("a raw control character", b"{\"model\":\"alpha/m\",\"x\":\"\x1f\"}"),
            ("an unknown escape", b"{\"model\":\"alpha/m\",\"x\":\"\\x41\"}"),
            ("an escape that is cut", b"{\"model\":\"alpha/m\",\"x\":\"\\u00\"}"),
            ("an escape with a sign", b"{\"model\":\"alpha/m\",\"x\":\"\\u+041\"}"),
            ("a backslash at the end", b"{\"model\":\"alpha/m\",\"x\":\"\\"),
        ],
        &INVALID,
    );
    cases.extend(through(&[
        ("an escaped NUL", b"\"x\":\"\\u0000\""),
        ("a pair of surrogates", b"\"x\":\"\\ud83d\\ude00\""),
        ("half a pair of surrogates", b"\"x\":\"\\ud800\""),
        ("a pair the wrong way round", b"\"x\":\"\\ude00\\ud83d\""),
        ("noncharacters", b"\"x\":\"\xef\xbf\xbf\\uffff\""),
        ("the delete character", b"\"x\":\"\x7f\""),
        ("text from right to left", b"\"x\":\"\xe2\x80\xae\""),
        ("every escape", b"\"x\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\""),
    ]));
    cases
}

fn fields() -> Vec<Case> {
    let body = |name, text: &'static str, expect| Case::new(name, post(text.as_bytes()), expect);
    vec![
        body("no model", "{}", wrong("model")),
        body("an empty model", r#"{"model":""}"#, wrong("model")),
        body("a null model", r#"{"model":null}"#, wrong("model")),
        body("a number as the model", r#"{"model":7}"#, wrong("model")),
        body("an array as the model", r#"{"model":["alpha/m"]}"#, wrong("model")),
        body("an object as the model", r#"{"model":{"id":"alpha/m"}}"#, wrong("model")),
        body("a boolean as the model", r#"{"model":true}"#, wrong("model")),
        body("half a surrogate pair as the model", r#"{"model":"\ud800"}"#, wrong("model")),
        body("the model nested", r#"{"x":{"model":"alpha/m"}}"#, wrong("model")),
        body(
            "a model with a NUL",
            r#"{"model":"alpha/m\u0000"}"#,
            Expect::Error(404, "model_not_found", Some("model")),
        ),
        body(
            "a model with a line feed",
            r#"{"model":"alpha/m\n"}"#,
            Expect::Error(404, "model_not_found", Some("model")),
        ),
        body(
            "a model as a path",
            r#"{"model":"../../etc/passwd"}"#,
            Expect::Error(404, "model_not_found", Some("model")),
        ),
        Case::new(
            "a model of a megabyte",
            post(format!("{{\"model\":\"{}\"}}", "m".repeat(1 << 20)).as_bytes()),
            Expect::Error(404, "model_not_found", Some("model")),
        ),
        Case::new("an escaped model", post(br#"{"model":"alpha\u002fm"}"#), forwarded()),
        body("stream as a text", r#"{"model":"alpha/m","stream":"true"}"#, wrong("stream")),
        body("stream as a number", r#"{"model":"alpha/m","stream":1}"#, wrong("stream")),
        body("stream as an array", r#"{"model":"alpha/m","stream":[true]}"#, wrong("stream")),
        body(
            "stream options as a boolean",
            r#"{"model":"alpha/m","stream_options":true}"#,
            wrong("stream_options"),
        ),
        body(
            "stream options as an array",
            r#"{"model":"alpha/m","stream_options":[]}"#,
            wrong("stream_options"),
        ),
        body(
            "include_usage as a number",
            r#"{"model":"alpha/m","stream_options":{"include_usage":1}}"#,
            wrong("stream_options.include_usage"),
        ),
        pass("stream as null", b"\"stream\":null"),
        pass("stream options as null", b"\"stream_options\":null"),
    ]
}

fn keys() -> Vec<Case> {
    let body = |name, text: &'static str, expect| Case::new(name, post(text.as_bytes()), expect);
    vec![
        body("two models", r#"{"model":"alpha/m","model":"alpha/m"}"#, twice("model")),
        body("two models, one escaped", r#"{"model":"alpha/m","\u006dodel":"x"}"#, twice("model")),
        body("two models, both escaped", r#"{"mo\u0064el":"alpha/m","m\u006fdel":"x"}"#, twice("model")),
        body("two models, one null", r#"{"model":null,"model":"alpha/m"}"#, wrong("model")),
        body("a model in capitals", r#"{"MODEL":"alpha/m"}"#, wrong("model")),
        body("a model and one in capitals", r#"{"model":"alpha/m","Model":"x"}"#, wrong("model")),
        body("two streams", r#"{"model":"alpha/m","stream":false,"stream":true}"#, twice("stream")),
        body("a stream with a long s", r#"{"model":"alpha/m","ſtream":true}"#, wrong("stream")),
        body(
            "two stream options",
            r#"{"model":"alpha/m","stream_options":{},"stream_options":{}}"#,
            twice("stream_options"),
        ),
        body(
            "two include_usage",
            r#"{"model":"alpha/m","stream_options":{"include_usage":true,"include\u005fusage":false}}"#,
            twice("stream_options.include_usage"),
        ),
        pass("two of a key that nobody acts on", b"\"messages\":[],\"messages\":[{}]"),
        pass("an empty key", b"\"\":1"),
        pass("a key with a NUL", b"\"model\\u0000\":\"x\""),
        pass("a key with a blank", b"\"model \":\"x\""),
        pass("a prototype", b"\"__proto__\":{\"model\":\"x\"}"),
    ]
}

fn long() -> Vec<Case> {
    let megabyte = Bytes::from(vec![b' '; 1 << 20]);
    let chunk = [b"100000\r\n", &megabyte[..], b"\r\n"].concat();
    let mut exact = BODY.as_bytes().to_vec();
    exact.resize(MAX_BODY, b' ');
    let mut sent = super::SENT.as_bytes().to_vec();
    sent.resize(MAX_BODY - 6, b' ');
    let mut over = exact.clone();
    over.push(b' ');
    vec![
        Case::new("exactly the limit", post(&exact), Expect::Forwarded(sent.into())),
        Case::new("one byte more than the limit", post(&over), TOO_LARGE),
        Case::new("100 MB, declared", head("content-length: 104857600\r\n"), TOO_LARGE)
            .then(Step::Repeat(megabyte.clone(), 100)),
        Case::new("100 MB, declared and not sent", head("content-length: 104857600\r\n"), TOO_LARGE),
        Case::new("100 MB in chunks", head("transfer-encoding: chunked\r\n"), TOO_LARGE)
            .then(Step::Repeat(chunk.into(), 100)),
        Case::new("100 MB in one chunk", head("transfer-encoding: chunked\r\n") + "6400000\r\n", TOO_LARGE)
            .then(Step::Repeat(megabyte, 100)),
        Case::new("an exabyte, declared", head("content-length: 1000000000000000000\r\n"), TOO_LARGE),
    ]
}

fn encoded(name: &'static str, encoding: &str, body: &[u8], expect: Expect) -> Case {
    Case::new(name, with_length(&format!("content-encoding: {encoding}\r\n"), body), expect)
}

fn compressed() -> Vec<Case> {
    let bomb = vec![b' '; 16 << 20];
    let zip = gzip(BODY.as_bytes());
    vec![
        encoded("gzip", "gzip", &zip, forwarded()),
        encoded("deflate", "deflate", &zlib(BODY.as_bytes()), forwarded()),
        encoded("an identity", "identity", BODY.as_bytes(), forwarded()),
        encoded(
            "gzip in two members",
            "GZIP",
            &[gzip(b"{\"model\":"), gzip(b"\"alpha/m\"}")].concat(),
            forwarded(),
        ),
        encoded("a gzip bomb", "gzip", &gzip(&bomb), TOO_LARGE),
        encoded("a deflate bomb", "deflate", &zlib(&bomb), TOO_LARGE),
        encoded("a bomb in a bomb", "gzip", &gzip(&gzip(&bomb)), INVALID),
        encoded("a bomb of many members", "gzip", &gzip(&vec![b' '; 1 << 20]).repeat(100), TOO_LARGE),
        encoded("gzip that is cut", "gzip", &zip[..zip.len() - 5], UNREADABLE),
        encoded("gzip with a wrong checksum", "gzip", &damaged(&zip), UNREADABLE),
        encoded("gzip and garbage", "gzip", &[&zip[..], b"garbage"].concat(), UNREADABLE),
        encoded("no gzip at all", "gzip", BODY.as_bytes(), UNREADABLE),
        encoded("empty gzip", "gzip", b"", UNREADABLE),
        encoded("deflate without its frame", "deflate", &raw_deflate(BODY.as_bytes()), UNREADABLE),
        encoded("gzip twice", "gzip, gzip", &gzip(&zip), UNREADABLE),
        encoded("gzip and then brotli", "gzip\r\ncontent-encoding: br", &zip, UNREADABLE),
        encoded("brotli", "br", b"\x0b\x02\x80{}\x03", UNREADABLE),
        encoded("zstd", "zstd", b"\x28\xb5\x2f\xfd", UNREADABLE),
        encoded("an encoding that is no text", "\u{e9}", BODY.as_bytes(), UNREADABLE),
        encoded("gzip that says nothing of itself", "identity", &zip, INVALID),
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to a Vec cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// With another checksum than its own.
fn damaged(zip: &[u8]) -> Vec<u8> {
    let mut zip = zip.to_vec();
    let place = zip.len() - 6;
    zip[place] ^= 0xff;
    zip
}
