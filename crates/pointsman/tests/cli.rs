//! The commands other than `serve`, run as a user runs them: the real binary, a folder of its own, no
//! inherited environment. `serve` itself is tested in `tests/e2e`.

#![cfg(test)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use pointsman_core::record::TraceContext;
use pointsman_core::store::RecordSink as _;
use pointsman_core::{
    AttemptRecord, Cost, Money, Operation, Outcome, Principal, RequestId, RequestRecord, Usage, UsageSource,
};
use pointsman_store::{SqliteSink, StoreOptions};
use pointsman_testkit::mock::{Answer, Mock, Received};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// 2026-11-22T08:55:48.123Z
const START_MS: u64 = 1_795_337_748_123;
const SECRET: &str = "sk-live-0123456789abcdef";

/// A folder to run in, and variables.
struct Place {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

/// What came of a run.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
        command.args(args).current_dir(self.folder.path()).env_clear();
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, "")
    }

    fn run_with(&self, args: &[&str], input: &str) -> Ran {
        let mut command = self.command(args);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that does not read is no failure here.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The output of a run that succeeds and says nothing on standard error.
    fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{args:?}: {}", ran.out);
        ran.out
    }

    /// The standard error of a run that fails and says nothing on standard output.
    fn fails(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!((ran.code, &*ran.out), (Some(1), ""), "{args:?}: {}", ran.err);
        ran.err
    }
}

#[test]
fn init_writes_a_configuration_that_is_right_and_overwrites_nothing() {
    let place = Place::new();
    let said = place.ok(&["init"]);
    assert_eq!(
        said,
        "Wrote pointsman.yaml: the defaults, explained, and examples that are commented out.\n\
         \n\
         Next:\n\
         \x20 pointsman check         is it right?\n\
         \x20 pointsman check --live  do the providers' keys work?\n\
         \x20 pointsman serve         run it\n"
    );
    assert!(place.ok(&["check"]).starts_with("pointsman.yaml is valid\n"));

    place.write("pointsman.yaml", "# mine\n");
    let refused = place.fails(&["init"]);
    assert_eq!(
        refused,
        "error: pointsman.yaml exists already\n  hint: `pointsman init --force pointsman.yaml` replaces it\n"
    );
    assert_eq!(fs::read_to_string(place.path("pointsman.yaml")).unwrap(), "# mine\n");
    place.ok(&["init", "--force"]);
    assert_eq!(fs::read_to_string(place.path("pointsman.yaml")).unwrap(), pointsman_config::init_text());
    assert!(place.ok(&["init", "other.yaml"]).contains("pointsman serve -c other.yaml"));
}

#[test]
fn check_tells_all_errors_with_places_and_hints() {
    let place = Place::new();
    place.write(
        "bad.yaml",
        "server:\n  lisen: 127.0.0.1:4180\n  listen: \"0.0.0.0:4180\"\nproviders:\n  openai:\n    keys: sk-live-0123456789abcdef\n  \
         work:\n    vendor: openai\n    keys: { env: WORK_KEY }\nroutes:\n  fast:\n    first: [openai/gpt-4o-mini]\n\
         aliases:\n  quick: fats\n",
    );
    let errors = place.fails(&["check", "--config", "bad.yaml"]);
    assert_eq!(
        errors,
        "error: bad.yaml:2:3: unknown key `lisen`\n  \
           hint: did you mean `listen`?\n\
         error: bad.yaml:3:11: listening on 0.0.0.0:4180 without keys would let everyone spend your money\n  \
           hint: run `pointsman keys new` and add the key it prints, or stay on this machine: \
                 `pointsman serve --listen 127.0.0.1:4180`\n\
         error: bad.yaml:6:11: a secret must not be written into the configuration\n  \
           hint: write `{ env: NAME }` or `{ file: PATH }` instead, and put the value there\n\
         error: bad.yaml:9:11: the environment variable WORK_KEY is not set\n  \
           hint: set WORK_KEY, in the environment or in `.env` beside the configuration\n\
         error: bad.yaml:14:10: no model, route or alias is named `fats`\n  \
           hint: did you mean `fast`?\n"
    );
    assert_eq!(
        place.fails(&["check", "-c", "none.yaml"]),
        "error: cannot read none.yaml: No such file or directory (os error 2)\n  \
           hint: `pointsman init none.yaml` writes one to start from\n"
    );
    let place = Place::new().with("POINTSMAN__SERVER__LISTEN", "nonsense");
    let error = place.fails(&["check"]);
    assert!(error.starts_with("error: POINTSMAN__SERVER__LISTEN: "), "{error}");
}

#[test]
fn check_tells_what_cannot_be_written_and_leaves_nothing_behind() {
    let place = Place::new();
    place.write("plain", "x");
    let exporter = "exporters: { out: { kind: file, path: none/out.jsonl } }";
    let data = "data: { dir: plain/data }\nlog: { access: none/access.log }";
    place.write("pointsman.yaml", &format!("{data}\n{exporter}\n"));
    let errors = place.fails(&["check"]);
    for wanted in [
        "error: cannot write the data folder plain/data: Not a directory",
        "error: cannot write the access log none/access.log: No such file or directory",
        "error: cannot write the file of the exporter `out` none/out.jsonl: No such file or directory",
    ] {
        assert!(errors.contains(wanted), "{wanted}\n{errors}");
    }
    assert_eq!(errors.matches("hint: give it to the user that serves").count(), 3, "{errors}");
    place.write("pointsman.yaml", "data: { dir: new/data }\nlog: { access: access.log }\n");
    assert!(place.ok(&["check"]).starts_with("pointsman.yaml is valid\n"));
    assert!(!place.path("new").exists() && !place.path("access.log").exists());
}

#[test]
fn check_says_what_the_configuration_comes_to() {
    let place = Place::new().with("REPLICATE_API_TOKEN", SECRET);
    place.write(".env", &format!("GROQ_API_KEY={SECRET}\n"));
    place.write(
        "pointsman.yaml",
        "data: { dir: records }\nproviders:\n  box: { base_url: \"http://127.0.0.1:9/v1\", local: true, models: [m] }\n\
         routes:\n  fast: { first: [box/m] }\naliases:\n  quick: fast\n",
    );
    let said = place.ok(&["check"]);
    let groq = said.lines().find(|line| line.starts_with("groq")).unwrap();
    // The number of Groq's models changes with the catalogue, and with it the width of a column.
    let rest = said.lines().filter(|line| *line != groq && !line.starts_with("  models"));
    let rest: Vec<String> = rest.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        rest,
        [
            "pointsman.yaml is valid",
            "listen 127.0.0.1:4180, [::1]:4180",
            "admin 127.0.0.1:4181",
            "keys none: only this machine is served",
            "records records",
            "routes 1: fast",
            "aliases 1: quick",
            "",
            "PROVIDER FROM KEYS MODELS BASE URL",
            "box configuration 0 1 http://127.0.0.1:9/v1",
            "sim built in 0 0, any none: answers are made up",
            "Replicate (REPLICATE_API_TOKEN) is found but cannot be used yet",
        ]
    );
    assert!(groq.contains("GROQ_API_KEY") && groq.ends_with("https://api.groq.com/openai/v1"), "{groq}");
    assert!(!said.contains(SECRET));
}

#[test]
fn check_warns_of_deprecated_models() {
    let place = Place::new().with("KEY", SECRET);
    let dated = |entry: &pointsman_providers::CatalogueEntry| entry.deprecated.is_some();
    let old = pointsman_providers::catalogue().of("anthropic").find(dated).unwrap();
    let (model, off) = (old.model, old.deprecated.unwrap());
    place.write(
        "pointsman.yaml",
        &format!("providers: {{ work: {{ vendor: anthropic, keys: {{ env: KEY }} }} }}\nroutes: {{ fast: work/{model} }}\n"),
    );
    let said = place.ok(&["check"]);
    let warning =
        format!("\nwarning: `work/{model}` (route `fast`) is deprecated: off at its provider as of {off}\n");
    assert!(said.contains(&warning), "{said}");
    let note = format!("deprecated: off as of {off}\n");
    let listed = place.ok(&["models", "--provider", "work"]);
    let line = listed.lines().find(|line| line.starts_with(&format!("work/{model} "))).unwrap();
    assert!(line.ends_with(note.trim_end()), "{line}");
}

#[test]
fn a_class_that_nobody_here_has_is_told() {
    let place = Place::new().with("KEY", SECRET);
    place.write("pointsman.yaml", "providers: { work: { vendor: anthropic, keys: { env: KEY } } }\n");
    let said = place.ok(&["models", "--class", "embedding"]);
    assert!(said.contains("`pointsman models --all --class embedding`"), "{said}");
    assert!(place.ok(&["models", "--class", "frontier"]).starts_with("NAME"));
}

#[test]
fn schema_is_that_of_the_configuration() {
    let schema = Place::new().ok(&["schema"]);
    assert_eq!(schema, pointsman_config::schema());
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(schema["title"], "Pointsman configuration");
    assert_eq!(schema["additionalProperties"], false);
    assert!(schema["properties"]["providers"].is_object());
}

#[test]
fn a_new_key_opens_what_its_snippet_guards() {
    let place = Place::new();
    let said = place.ok(&["keys", "new", "--id", "ci"]);
    let key = said.split_whitespace().find(|word| word.starts_with("pk-")).unwrap();
    assert_eq!(key.len(), "pk-".len() + 64);
    assert_eq!(said.matches(key).count(), 1);
    let snippet = &said[said.find("keys:\n").unwrap()..];
    let hash = hex::encode(Sha256::digest(key));
    assert_eq!(snippet, format!("keys:\n  - id: \"ci\"\n    sha256: \"{hash}\"\n"));
    assert_eq!(place.run_with(&["keys", "hash"], &format!("{key}\n")).out, format!("{hash}\n"));

    // With it, the world may be served.
    place.write("pointsman.yaml", &format!("server: {{ listen: \"0.0.0.0:4180\" }}\n{snippet}"));
    assert!(place.ok(&["check"]).contains("keys      required"));
    assert_ne!(place.ok(&["keys", "new"]), place.ok(&["keys", "new"]));
    assert!(place.fails(&["keys", "new", "--id", "a: b"]).contains("hint: "));
    assert!(place.fails(&["keys", "hash"]).contains("no key on standard input"));
}

#[test]
fn models_have_exact_prices_and_the_unknown_is_not_free() {
    let place = Place::new();
    place.write(
        "pointsman.yaml",
        "discovery: { env: false, engines: false }\nproviders:\n  \
           box: { base_url: \"http://127.0.0.1:9/v1\", local: true, models: [tiny] }\n  \
           far: { base_url: \"http://127.0.0.1:9/v1\", models: [huge] }\n  \
           work: { vendor: openai, keys: { env: KEY }, models: [gpt-4o-mini] }\n\
         routes:\n  fast: { first: [box/tiny, far/huge] }\naliases:\n  quick: fast\n",
    );
    let place = place.with("KEY", SECRET);
    assert_eq!(
        place.ok(&["models"]),
        "NAME              CLASS  CONTEXT  USD/M IN  CACHED IN  USD/M OUT  NOTE\n\
         fast                                                              route\n\
         quick                                                             alias of fast\n\
         box/tiny                              free                  free\n\
         far/huge                           unknown               unknown\n\
         work/gpt-4o-mini  flash   128000      0.15      0.075        0.6  other prices for batch, priority\n\
         \n\
         sim/...  made-up answers, free\n"
    );
    let models: Value = serde_json::from_str(&place.ok(&["models", "--json", "--provider", "work"])).unwrap();
    assert_eq!(
        models,
        json!([{
            "name": "work/gpt-4o-mini", "type": "model", "provider": "work", "model": "gpt-4o-mini",
            "class": "flash", "mode": "chat", "context_length": 128_000, "max_output": 16_384,
            "input_modalities": ["text", "image", "file"], "output_modalities": ["text"],
            "capabilities": ["tools", "parallel_tools", "vision", "pdf", "response_schema", "prompt_caching"],
            "deprecated": null,
            "usd_per_million_tokens": {
                "input": 0.15, "cached_input": 0.075, "output": 0.6,
                "batch": { "input": 0.075, "cached_input": 0.075, "output": 0.3 },
                "priority": { "input": 0.25, "cached_input": 0.125, "output": 1 },
            },
            "usd_per_piece": {},
        }])
    );
    let none = place.ok(&["models", "--class", "coder"]);
    assert!(none.starts_with("No model of the configured providers is in the class coder; "), "{none}");
    assert!(place.ok(&["models", "--class", "flash"]).contains("\nwork/gpt-4o-mini  flash"));
    let coders: Value =
        serde_json::from_str(&place.ok(&["models", "--all", "--class", "coder", "--json"])).unwrap();
    assert!(coders.as_array().unwrap().len() > 20);
    assert!(coders.as_array().unwrap().iter().all(|model| model["class"] == "coder"));
    assert!(place.run(&["models", "--class", "coders"]).err.contains("possible values: frontier, standard"));
    place.write("none.yaml", "discovery: { env: false, engines: false }\n");
    assert_eq!(
        place.ok(&["models", "-c", "none.yaml"]),
        "sim/...  made-up answers, free\nThere is no real provider: the simulated one answers to every name.\n"
    );
    let own: Value = serde_json::from_str(&place.ok(&["models", "--json"])).unwrap();
    assert_eq!(own[1], json!({ "name": "quick", "type": "alias", "target": "fast" }));
    assert_eq!(own[3]["usd_per_million_tokens"], Value::Null);
    assert_eq!(
        place.fails(&["models", "--provider", "wrok"]),
        "error: there is no provider `wrok`\n  hint: there are: box, far, work, sim\n"
    );
}

#[test]
fn cost_and_log_read_while_a_server_writes() {
    let place = Place::new();
    place.write("pointsman.yaml", "data: { dir: data }\n");
    let missing = place.fails(&["cost", "--by", "model"]);
    assert!(
        missing.starts_with("error: there are no records yet: data/pointsman.db does not exist\n  hint: ")
    );

    // The writer stays open, as it does in a server.
    let mut sink = SqliteSink::open(place.path("data/pointsman.db"), StoreOptions::default()).unwrap();
    let priced = record(0, "openai", "gpt-4o-mini", Some(Money(4_200)), Some("ci"));
    let unpriced = record(1, "far", "huge", None, None);
    let local = record(2, "box", "tiny", Some(Money::ZERO), Some("ci"));
    sink.write(&[Box::new(priced), Box::new(unpriced), Box::new(local)]).unwrap();

    assert_eq!(
        place.ok(&["cost", "--by", "model"]),
        "MODEL               REQUESTS  IN  OUT               COST USD  UNPRICED\n\
         openai/gpt-4o-mini         1  12    3            0.000004200         0\n\
         box/tiny                   1  12    3            0.000000000         0\n\
         far/huge                   1  12    3                unknown         1\n\
         total                      3  36    9  0.000004200 + unknown         1\n"
    );
    assert_eq!(
        place.ok(&["cost", "--by", "key"]),
        "KEY       REQUESTS  IN  OUT               COST USD  UNPRICED\n\
         ci               2  24    6            0.000004200         0\n\
         (no key)         1  12    3                unknown         1\n\
         total            3  36    9  0.000004200 + unknown         1\n"
    );
    assert!(place.ok(&["cost", "--by", "day"]).contains("\n2026-11-22 "));
    let total = place.ok(&["cost", "--json"]);
    assert!(total.contains("\"cost_usd\": 0.000004200"), "{total}");

    let lines: Vec<String> = place.ok(&["log"]).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 4);
    assert!(
        lines[1].starts_with("2026-11-22 08:55:50  req_") && lines[1].contains("box/tiny"),
        "{}",
        lines[1]
    );
    assert!(lines[2].contains(" unknown "), "{}", lines[2]);
    let newest = place.ok(&["log", "--json", "-n", "1", "--model", "far/huge"]);
    let newest: Value = serde_json::from_str(&newest).unwrap();
    assert_eq!(newest["requested_model"], "far/huge");
    assert_eq!(newest["cost_usd"], Value::Null);
    assert_eq!(place.ok(&["log", "--failed"]), "no such requests\n");

    // Another folder needs no configuration, not even a sound one.
    place.write("pointsman.yaml", "nonsense: 1\n");
    assert!(place.fails(&["log"]).contains("hint: `--data-dir DIR`"));
    assert_eq!(place.ok(&["log", "--data-dir", "data"]).lines().count(), 4);
}

#[test]
fn since_counts_back_from_now() {
    let place = Place::new();
    let mut sink = SqliteSink::open(place.path("pointsman.db"), StoreOptions::default()).unwrap();
    let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let mut records: Vec<Box<RequestRecord>> = Vec::new();
    for hours_ago in [47, 1] {
        let mut record = record(0, "box", "tiny", Some(Money(1)), None);
        record.id = RequestId::first_at(now - hours_ago * 3_600_000);
        records.push(Box::new(record));
    }
    sink.write(&records).unwrap();
    let requests = |since: &str| {
        let rows = place.ok(&["cost", "--json", "--data-dir", ".", "--since", since]);
        serde_json::from_str::<Value>(&rows).unwrap()[0]["requests"].clone()
    };
    assert_eq!((requests("90m"), requests("24h"), requests("2d")), (json!(1), json!(1), json!(2)));
    assert!(place.fails(&["log", "--data-dir", ".", "--since", "soon"]).contains("`soon` is not a duration"));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_live_tells_good_keys_from_bad_ones_and_never_shows_them() {
    let mock = Mock::new();
    mock.otherwise(answer);
    let server = mock.serve_tcp().await.unwrap();
    let place = Place::new()
        .with("GOOD", SECRET)
        .with("WRONG", "sk-wrong-0123456789")
        .with("EMPTY", "sk-empty-0123456789");
    let url = server.base_url();
    let gone = "http://127.0.0.1:1/v1";
    place.write(
        "pointsman.yaml",
        &format!(
            "discovery: {{ env: false, engines: false }}\nproviders:\n  \
               good: {{ vendor: openai, base_url: \"{url}\", keys: {{ env: GOOD }} }}\n  \
               two: {{ base_url: \"{url}\", keys: [{{ env: GOOD }}, {{ env: WRONG }}], models: [small] }}\n  \
               empty: {{ vendor: openai, base_url: \"{url}\", keys: {{ env: EMPTY }} }}\n  \
               claude: {{ vendor: anthropic, base_url: \"{url}\", keys: {{ env: GOOD }} }}\n  \
               box: {{ base_url: \"{url}\", local: true, models: [m] }}\n  \
               gone: {{ base_url: \"{gone}\", local: true, models: [m] }}\n",
        ),
    );
    let (place, ran) = tokio::task::spawn_blocking(move || {
        let ran = place.run(&["check", "--live"]);
        (place, ran)
    })
    .await
    .unwrap();
    assert_eq!((ran.code, &*ran.err), (Some(1), ""), "{}", ran.out);
    let table = &ran.out[ran.out.find("PROVIDER  KEY").unwrap()..];
    let model = pointsman_providers::vendor("openai").unwrap().check_model.unwrap();
    let claude = pointsman_providers::vendor("anthropic").unwrap().check_model.unwrap();
    let [chat, message] = [model, claude].map(|model| format!("GET /models, then 1 token of {model}"));
    let width = chat.len().max(message.len());
    let list = "GET /models";
    assert_eq!(
        table,
        format!(
            "PROVIDER  KEY     RESULT       {:width$}  ANSWER\n\
             good      1 of 1  ok           {chat}\n\
             two       1 of 2  ok           GET /models, then 1 token of small\n\
             two       2 of 2  rejected     {list:width$}  401 invalid_api_key\n\
             empty     1 of 1  no quota     {chat:width$}  429: no money for [key]\n\
             claude    1 of 1  ok           {message}\n\
             box       none    ok           {list}\n\
             gone      none    unreachable  {list:width$}  Connection refused (os error 111)\n",
            "SENT"
        )
    );
    for secret in [SECRET, "sk-wrong", "sk-empty"] {
        assert!(!ran.out.contains(secret), "{}", ran.out);
    }
    let mut sent: Vec<(String, String)> =
        mock.received().iter().map(|request| (request.model(), request.target.clone())).collect();
    sent.sort();
    let chat = |model: &str| (model.to_owned(), "/v1/chat/completions".to_owned());
    let list = || (String::new(), "/v1/models".to_owned());
    let lists = [list(), list(), list(), list(), list(), list()];
    let message = (claude.to_owned(), "/v1/messages".to_owned());
    let mut expected = [&lists[..], &[chat(model), chat(model), chat("small"), message]].concat();
    expected.sort();
    assert_eq!(sent, expected);

    place.write(
        "pointsman.yaml",
        &format!("discovery: {{ engines: false }}\nproviders: {{ box: {{ base_url: \"{url}\", local: true, models: [m] }} }}"),
    );
    let ran = tokio::task::spawn_blocking(move || place.run(&["check", "--live"])).await.unwrap();
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let place = Place::new();
    let mut child = place.command(&["schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
}

#[test]
fn completions_and_version() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.ok(&["completions", shell]);
        assert!(script.contains("pointsman") && script.contains("completions"), "{shell}");
    }
    assert_eq!(place.ok(&["--version"]), format!("pointsman {}\n", env!("CARGO_PKG_VERSION")));
}

/// What answers, for `health`: a server of one answer on a free port.
fn one_answer(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 1024];
        let asked = stream.read(&mut head).unwrap();
        assert!(head[..asked].starts_with(b"GET /readyz HTTP/1.1\r\n"));
        stream.write_all(answer.as_bytes()).unwrap();
    });
    address
}

#[test]
fn health_says_what_the_server_says() {
    let place = Place::new();
    let ready = one_answer("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nready\n");
    assert_eq!(place.ok(&["health", "--admin", &ready.to_string()]), "ready\n");

    let draining = one_answer("HTTP/1.1 503 Service Unavailable\r\n\r\ndraining\n").to_string();
    let said = place.fails(&["health", "--admin", &draining]);
    assert_eq!(said, format!("error: the server at {draining} says: draining\n"));

    // The address is the configuration's, and all addresses are this machine's.
    let port = one_answer("HTTP/1.1 200 OK\r\n\r\nready\n").port();
    place.write("pointsman.yaml", &format!("server: {{ admin: '0.0.0.0:{port}' }}\n"));
    assert_eq!(place.ok(&["health"]), "ready\n");

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let said = place.fails(&["health", "--admin", &closed]);
    assert!(said.starts_with(&format!("error: nobody answers at {closed}: ")), "{said}");
    assert!(said.contains("\n  hint: is the server running"), "{said}");

    let other = one_answer("SSH-2.0-OpenSSH\r\n").to_string();
    let said = place.fails(&["health", "--admin", &other]);
    assert_eq!(said, format!("error: what answers at {other} is not pointsman\n"));
}

#[test]
fn every_command_has_a_manual_page() {
    let place = Place::new();
    let folder = place.path("man");
    let refused = place.fails(&["man", folder.to_str().unwrap()]);
    assert!(refused.ends_with("hint: make the folder first\n"), "{refused}");
    fs::create_dir(&folder).unwrap();
    assert_eq!(place.ok(&["man", folder.to_str().unwrap()]), "");
    let page = fs::read_to_string(folder.join("pointsman-serve.1")).unwrap();
    assert!(page.contains(".TH pointsman") && page.contains("\\-\\-listen"), "{page}");
    let help = place.ok(&["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    for command in commands.map_while(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        assert!(folder.join(format!("pointsman-{command}.1")).exists(), "{command} has no page");
    }
    assert!(!help.contains("\n  man "), "{help}");
}

/// The documentation names every command.
#[test]
fn every_command_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let text = fs::read_to_string(path).unwrap();
    let help = Place::new().ok(&["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<&str> = commands.map_while(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() >= 10, "{help}");
    for command in commands.iter().filter(|command| **command != "help") {
        assert!(text.contains(&format!("## pointsman {command}\n")), "{command} is not in docs/cli.md");
    }
}

/// A vendor that takes one key, knows another one whose account is empty, and repeats what it is sent.
fn answer(request: &Received) -> Answer {
    let key = request.header("authorization").unwrap_or_default().trim_start_matches("Bearer ").to_owned();
    let error = |status, code: &str, message: String| {
        Answer::status(status, &json!({ "error": { "message": message, "type": "mock", "code": code } }))
    };
    match (&*key, request.path()) {
        // Anthropic's own way of asking.
        (_, "/v1/messages") => match request.header("x-api-key") {
            Some(SECRET) if request.header("anthropic-version").is_some() => Answer::json(&json!({})),
            _ => error(401, "authentication_error", "no key".to_owned()),
        },
        ("sk-wrong-0123456789", _) => error(401, "invalid_api_key", format!("wrong key: {key}")),
        ("sk-empty-0123456789", "/v1/chat/completions") => {
            error(429, "insufficient_quota", format!("no money for {key}"))
        }
        _ => Answer::fitting(request),
    }
}

/// A request of one attempt that began `n` seconds after [`START_MS`].
fn record(n: u64, provider: &str, model: &str, cost: Option<Money>, key: Option<&str>) -> RequestRecord {
    let usage = Usage { input: 12, output: 3, source: UsageSource::Reported, ..Usage::default() };
    let cost = cost.map(|cost| Cost { input: cost, ..Cost::default() });
    let started_ms = START_MS + n * 1_000;
    let attempt = AttemptRecord {
        provider: provider.into(),
        model: model.into(),
        outcome: Outcome::Success,
        status: Some(200),
        started_us: 20,
        first_byte_us: Some(900),
        duration_us: 1_000,
        usage,
        cost,
        detail: None,
        joint: None,
    };
    RequestRecord {
        id: RequestId::first_at(started_ms),
        started_unix_us: i64::try_from(started_ms * 1_000).unwrap(),
        principal: Arc::new(Principal { key: key.map(Into::into), ..Principal::default() }),
        agent: None,
        session: None,
        trace: TraceContext::default(),
        tags: None,
        operation: Operation::Chat,
        streamed: false,
        requested_model: format!("{provider}/{model}").into(),
        route: None,
        attempts: [attempt].into_iter().collect(),
        usage,
        cost,
        price_version: 1,
        config_generation: 1,
        status: 200,
        outcome: Outcome::Success,
        error: None,
        duration_us: 1_500,
        first_token_us: Some(1_000),
        overhead_us: 40,
        request_bytes: 100,
        response_bytes: 200,
        simulated: false,
        dropped: None,
        bodies: None,
    }
}
