//! Reports as people see them, compared as text.

use std::time::Duration;

use pointsman_core::responses::ResponseLimits;

use super::World;

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let world = World::new(&[("GROQ_API_KEY", "gsk-secret")]);
    let report = world.errors(include_str!("all_errors.yaml"));
    assert_eq!(report + "\n", include_str!("all_errors.txt"));
}

#[test]
fn secrets_are_never_repeated() {
    let world = World::new(&[("BAD", "line\nbreak-secret")]);
    let report = world.errors(
        "providers:
  openai: { keys: [sk-secret, { env: 'BAD' }, { file: /nonexistent/x }, {}, { env: A, file: B }] }
  a: { base_url: 'http://a/v1', keys: { env: BAD }, headers: { authorization: Bearer-secret, host: a, 'x y': b } }
  b: { base_url: 'http://user:secret@b/v1' }
  c: { base_url: 'http://c/v1', keys: { file: /dev/zero } }
keys:
  - { id: mine, sha256: pm-secret }
",
    );
    assert_eq!(
        report,
        "\
pointsman.yaml:2:20: a secret must not be written into the configuration
  hint: write `{ env: NAME }` or `{ file: PATH }` instead, and put the value there
pointsman.yaml:2:73: expected either `env` or `file`
  hint: write `{ env: NAME }` or `{ file: PATH }` instead, and put the value there
pointsman.yaml:2:77: expected either `env` or `file`
  hint: write `{ env: NAME }` or `{ file: PATH }` instead, and put the value there
pointsman.yaml:3:39: the key holds characters that no header can carry
pointsman.yaml:3:79: a secret must not be written into the configuration
  hint: use `keys`, or write `{ env: NAME }` or `{ file: PATH }` here
pointsman.yaml:3:94: the header `host` is set by Pointsman itself
pointsman.yaml:3:103: `x y` cannot be the name of a header
pointsman.yaml:4:18: a base URL must not hold credentials
  hint: write them as `keys`
pointsman.yaml:5:39: the secret file /dev/zero: not a regular file
pointsman.yaml:7:25: expected the SHA-256 of a key, 64 hexadecimal digits
  hint: `pointsman keys hash` prints it"
    );
    assert!(!report.contains("secret\n"), "{report}");
}

#[test]
fn beyond_loopback_needs_keys() {
    let hint =
        "run `pointsman keys new` and add the key it prints, or stay on this machine: `pointsman serve";
    let open = World::new(&[]).errors("server: { listen: ['127.0.0.1:1', '0.0.0.0:4180', '[::]:9'] }");
    assert_eq!(
        open,
        format!(
            "\
pointsman.yaml:1:35: listening on 0.0.0.0:4180 without keys would let everyone spend your money
  hint: {hint} --listen 127.0.0.1:4180`
pointsman.yaml:1:51: listening on [::]:9 without keys would let everyone spend your money
  hint: {hint} --listen [::1]:9`"
        )
    );
    let option = World::new(&[]).over("--listen", "server.listen", &["10.0.0.1:80"]);
    assert!(option.errors("").starts_with("--listen: listening on 10.0.0.1:80 without keys"));
    let mapped = World::new(&[]).over("--listen", "server.listen", &["[::ffff:127.0.0.1]:80"]);
    mapped.sound("");
    let key = "keys: [{ id: a, sha256: '1111111111111111111111111111111111111111111111111111111111111111' }]";
    let keyed = World::new(&[]).over("--listen", "server.listen", &["10.0.0.1:80", "127.0.0.1:80"]);
    assert_eq!(keyed.sound(key).settings.server.listen.len(), 2);
}

#[test]
fn errors_of_overrides_name_the_variable() {
    let world = World::new(&[
        ("POINTSMAN__SERVER__LISTEN", "nowhere"),
        ("POINTSMAN__SERVER__MAX_BODI", "1MiB"),
        ("POINTSMAN__DATA__RECORDS__X", "1"),
        ("POINTSMAN__LOG__", "1"),
        ("POINTSMAN__PROVIDERS__MY_BOX__BASE_URL", "ftp://x"),
    ]);
    let report = world.errors("data: { records: true }\nproviders: { My-box: { base_url: 'http://x/v1' } }");
    assert_eq!(
        report,
        "\
POINTSMAN__DATA__RECORDS__X: `data.records` is no map that could hold this
POINTSMAN__LOG__: a part of the name is empty
  hint: sections and keys are separated by two underscores: `POINTSMAN__SERVER__LISTEN`
POINTSMAN__PROVIDERS__MY_BOX__BASE_URL: `ftp://x` must begin with http:// or https://
POINTSMAN__SERVER__LISTEN: `nowhere` is no address and port
  hint: write `127.0.0.1:4180`, or `\"[::1]:4180\"` in quotes
POINTSMAN__SERVER__MAX_BODI: unknown key `max_bodi`
  hint: did you mean `max_body`?"
    );
}

#[test]
fn long_reports_end() {
    let text: String = (0..200).map(|n| format!("x{n}: 1\n")).collect();
    let report = World::new(&[]).errors(&text);
    assert_eq!(report.lines().count(), 101);
    assert!(report.ends_with("\nand 150 more"));
}

#[test]
fn values_are_checked_against_each_other() {
    let report = World::new(&[]).errors(
        "server: { max_body: 64MiB, max_in_flight: 1MiB, max_connections: 0, listen: ['127.0.0.1:1', '127.0.0.1:1'] }
log: { level: 'info,a=loud', format: yaml }
data: { retention_days: -1 }
routes:
  a: { model: sim/x, retry: { attempts: 5, total_attempts: 2, base: 2s, cap: 1s } }
  b: { model: sim/x, timeouts: { total: 0s }, on_disconnect: canel }
  sim/c: sim/x
keys:
  - { id: a, sha256: '1111111111111111111111111111111111111111111111111111111111111111' }
  - { id: b, sha256: '1111111111111111111111111111111111111111111111111111111111111111' }
",
    );
    assert_eq!(
        report,
        "\
pointsman.yaml:1:43: less than `max_body` (67108864 bytes), so that no such body is ever accepted
pointsman.yaml:1:66: must be at least 1
pointsman.yaml:1:93: 127.0.0.1:1 is there twice
pointsman.yaml:2:15: `info,a=loud` is no log level
  hint: write error, warn, info, debug or trace, or `info,pointsman_gateway=debug`
pointsman.yaml:2:38: `yaml` is none of text, json
pointsman.yaml:3:25: expected a whole number from 0 to 4294967295, found `-1`
pointsman.yaml:5:60: less than `attempts`, so that those are never reached
pointsman.yaml:5:78: shorter than `base`
pointsman.yaml:6:62: `canel` is none of cancel, finish
  hint: did you mean `cancel`?
pointsman.yaml:7:3: the name `sim/c` would be read as a model of provider `sim`
  hint: choose a name whose first segment is no provider
pointsman.yaml:10:22: another key has the same hash"
    );
}

#[test]
fn the_two_planes_need_an_address_each() {
    let world = World::new(&[]);
    for (text, at) in [
        ("server: { listen: '127.0.0.1:4181' }", "1:19"),
        ("server: { listen: '127.0.0.1:5000', admin: '127.0.0.1:5000' }", "1:44"),
        ("server: { listen: ['[::1]:5000', '127.0.0.1:5000'], admin: '0.0.0.0:5000' }", "1:60"),
        ("server: { admin: '127.0.0.1:4180' }", "1:18"),
    ] {
        let errors = world.errors(text);
        assert!(errors.contains(&format!("{at}: the data plane (127.0.0.1:")), "{text}: {errors}");
        assert!(errors.contains("cannot share an address"), "{text}: {errors}");
    }
    world.sound("server: { listen: '127.0.0.1:0', admin: '127.0.0.1:0' }");
    world.sound("server: { listen: '[::1]:5000', admin: '127.0.0.1:5000' }");
}

#[test]
fn answers_that_are_kept_have_limits() {
    let world = World::new(&[]);
    let data = world
        .sound("data: { responses: { keep: false, max_count: 5, max_size: 2MiB, max_age: 3d } }")
        .settings
        .data
        .clone();
    let limits = ResponseLimits { count: 5, bytes: 2 << 20, age: Duration::from_secs(3 * 24 * 3600) };
    assert_eq!((data.keep_responses, data.responses), (false, limits));
    let data = world.sound("data: { responses: {} }").settings.data.clone();
    assert_eq!((data.keep_responses, data.responses), (true, ResponseLimits::default()));
    let errors = world.errors("data: { responses: { max_count: 0, max_size: 0, max_age: 0s, kept: 1 } }");
    for expected in ["must be at least 1", "would keep nothing", "`kept`"] {
        assert!(errors.contains(expected), "{errors}");
    }
    assert_eq!(errors.lines().filter(|line| line.starts_with("pointsman.yaml:1:")).count(), 4, "{errors}");
}
