//! Places, bounds and what is refused.

use super::*;

fn message(text: &str) -> String {
    let error = parse(text, 0).unwrap_err();
    format!("{}:{}: {}", error.place.line, error.place.column, error.message)
}

fn entry<'n>(node: &'n Node, key: &str) -> &'n Entry {
    let Value::Map(entries) = &node.value else { panic!("not a map: {node:?}") };
    entries.iter().find(|entry| entry.key.value == key).unwrap()
}

fn text(node: &Node) -> &str {
    let Value::Scalar { text, .. } = &node.value else { panic!("not a scalar: {node:?}") };
    text
}

#[test]
fn keys_and_values_know_their_places() {
    let tree = parse("a: 1\nb:\n  - é: [x, \"y\"]\n", 3).unwrap();
    let b = entry(&tree, "b");
    assert_eq!(b.key.place, Place { source: 3, line: 2, column: 1 });
    let Value::List(list) = &b.value.value else { panic!() };
    let e = entry(&list[0], "é");
    assert_eq!((e.key.place.line, e.key.place.column), (3, 5));
    let Value::List(list) = &e.value.value else { panic!() };
    assert_eq!((list[1].place.line, list[1].place.column), (3, 12));
}

#[test]
fn scalars_stay_as_they_were_written() {
    let tree = parse("a: 9007199254740993\nb: 1e5\nc: 'true'\nd: ~\ne: |\n  x\n  y\n", 0).unwrap();
    assert_eq!(text(&entry(&tree, "a").value), "9007199254740993");
    assert_eq!(text(&entry(&tree, "b").value), "1e5");
    assert_eq!(entry(&tree, "c").value.kind(), "a text");
    assert!(entry(&tree, "d").value.is_null());
    assert_eq!(text(&entry(&tree, "e").value), "x\ny\n");
}

#[test]
fn empty_texts_are_empty_maps() {
    for empty in ["", "# nothing\n", "---\n", "\u{feff}"] {
        let tree = parse(empty, 0).unwrap();
        assert!(
            tree.is_null() || matches!(&tree.value, Value::Map(entries) if entries.is_empty()),
            "{empty:?}"
        );
    }
}

#[test]
fn aliases_are_copies() {
    let tree = parse("a: &x { t: 1s }\nb: *x\n", 0).unwrap();
    assert_eq!(text(&entry(&entry(&tree, "b").value, "t").value), "1s");
}

#[test]
fn what_has_no_meaning_is_refused() {
    assert_eq!(message("a: 1\nb: 2\na: 3\n"), "3:1: the key `a` occurs twice");
    assert_eq!(message("a: !secret x\n"), "1:4: tags such as `!secret` have no meaning here");
    assert_eq!(message("a: 1\n---\nb: 1\n"), "2:1: a second document");
    assert_eq!(message("[a, b]: 1\n"), "1:1: a key must be a text");
    assert!(message("a: [1\nb: 2\n").contains("not valid YAML: "));
    assert!(message("a: *none\n").contains("not valid YAML: "));
    let many: String = (0..50).map(|n| format!("k{n}: 1\n")).collect();
    assert_eq!(message(&format!("{many}k7: 2\n")), "51:1: the key `k7` occurs twice");
}

#[test]
fn bombs_are_defused() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs += &format!("a{level}: &a{level} [{below}]\n");
    }
    assert!(message(&laughs).ends_with("expand to more than 50000 values"));
    assert!(message(&"[".repeat(10_000)).contains("recursion limit"));
    assert!(message(&"- ".repeat(10_000)).contains("nested deeper than 64 levels"));
    let anchors: String = (0..60).map(|n| format!("&a{n} [")).collect();
    let (many, ends) = ("x,".repeat(5_000), "]".repeat(60));
    assert!(message(&format!("{anchors}{many}{ends}")).contains("more than 50000 values"));
    assert!(message(&"#".repeat((16 << 20) + 1)).ends_with("longer than 16 MiB"));
}

#[test]
fn overrides_meet_keys_whatever_their_case_and_dashes() {
    let mut tree = parse("server: { listen: a }\nproviders: { My-Box: }\n", 0).unwrap();
    let value = |text: &str| parse(text, 1).unwrap();
    let path = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
    apply(&mut tree, &path("SERVER.LISTEN"), value("b")).unwrap();
    apply(&mut tree, &path("PROVIDERS.MY_BOX.LOCAL"), value("true")).unwrap();
    apply(&mut tree, &path("LOG.LEVEL"), value("debug")).unwrap();
    assert_eq!(text(&entry(&entry(&tree, "server").value, "listen").value), "b");
    let my_box = &entry(&entry(&tree, "providers").value, "My-Box").value;
    assert_eq!(text(&entry(my_box, "local").value), "true");
    assert_eq!(entry(&entry(&tree, "log").value, "level").key.place.source, 1);
    let error = apply(&mut tree, &path("SERVER.LISTEN.X"), value("1")).unwrap_err();
    assert_eq!(error.path, "SERVER.LISTEN");
}
