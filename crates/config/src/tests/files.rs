//! Files that people copy must work as they are.

use std::path::Path;

use pointsman_core::Rng;

use super::World;

/// Every variable that an example names is set; nothing else is.
fn world_for(text: &str) -> World {
    let names = text.split("env: ").skip(1).filter_map(|rest| rest.split([' ', '}', ',', '\n']).next());
    let vendors = pointsman_providers::vendors().iter().filter_map(|vendor| vendor.env.first().copied());
    let variables: Vec<(&str, &str)> = names.chain(vendors).map(|name| (name, "k")).collect();
    World::new(&variables)
}

#[test]
fn every_example_is_sound() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let snapshot = world_for(&text).prepare(&text, None);
            let snapshot = snapshot.unwrap_or_else(|errors| panic!("{}: {errors}", path.display()));
            assert_eq!(snapshot.warnings, Vec::<String>::new(), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 5, "only {seen} examples in {}", dir.display());
}

/// A small part of what the fuzz target does, in every test run: slips and cuts of real files.
#[test]
fn mutated_examples_never_panic() {
    let examples = [
        crate::init_text(),
        include_str!("../../../../examples/fallback.yaml"),
        include_str!("../../../../examples/split.yaml"),
        include_str!("../../../../examples/vendors.yaml"),
        include_str!("../../../../examples/resilience.yaml"),
        include_str!("all_errors.yaml"),
    ];
    let pieces = [
        ": ", "- ", "{", "}", "[", "]", "&a ", "*a", "\n", "  ", "'", "|\n", "é", "\0", "!t ", "openai/",
        "0", "-1", "~",
    ];
    let mut rng = Rng::new(7);
    for _ in 0..400 {
        let mut text = examples[rng.below(examples.len() as u64) as usize].as_bytes().to_vec();
        for _ in 0..=rng.below(6) {
            let at = rng.below(text.len() as u64) as usize;
            let end = (at + rng.below(20) as usize).min(text.len());
            let piece = pieces[rng.below(pieces.len() as u64) as usize];
            text.splice(at..end, piece.bytes());
        }
        crate::fuzz_parse(&text);
    }
}

/// The file as it is, and with all that is commented out.
#[test]
fn the_initial_file_is_sound_and_says_the_defaults() {
    let plain = World::new(&[]);
    assert_eq!(plain.sound(crate::init_text()).settings, plain.sound("").settings);

    let uncommented: String = crate::init_text()
        .lines()
        .map(|line| match line.strip_prefix("# ").or_else(|| line.strip_prefix("#")) {
            Some(rest) if rest.starts_with(|c: char| c.is_lowercase() || c == ' ') && is_yaml(rest) => {
                rest.to_owned()
            }
            _ => line
                .replacen("  # max", "  max", 1)
                .replacen("  # header", "  header", 1)
                .replacen("  # body", "  body", 1)
                .replacen("  # drain", "  drain", 1),
        })
        .map(|line| line + "\n")
        .collect();
    let world = World::new(&[("OPENAI_API_KEY", "a"), ("WORK_OPENAI_KEY", "b")]);
    let text = uncommented.replace(", { file: /run/secrets/openai }", "");
    let snapshot = world.sound(&text);
    // Examples, unlike the other settings, which are the defaults.
    let mut settings = crate::Settings::clone(&snapshot.settings);
    assert_eq!(settings.exporters.drain(..).len(), 3);
    assert_eq!(settings, *world.sound("").settings);
    assert_eq!(super::candidates(&snapshot, "gpt-4"), ["gpu-box/qwen3-32b", "openai/gpt-4o-mini"]);
    assert!(!snapshot.keys.is_empty());
}

/// Prose of the first lines is no YAML.
fn is_yaml(line: &str) -> bool {
    line.starts_with(' ') || line.split_once(':').is_some_and(|(key, _)| !key.contains(' '))
}

#[test]
fn the_schema_describes_every_key_and_is_closed() {
    let schema: serde_json::Value = serde_json::from_str(&crate::schema()).unwrap();
    assert_eq!(schema["title"], "Pointsman configuration");
    assert_eq!(schema["additionalProperties"], false);
    let keys: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
    let wanted = [
        "server",
        "data",
        "log",
        "telemetry",
        "exporters",
        "discovery",
        "upstreams",
        "providers",
        "routes",
        "aliases",
        "keys",
    ];
    assert_eq!(keys, wanted);
    let definitions = schema["$defs"].as_object().unwrap();
    for (name, definition) in definitions {
        for (key, value) in definition["properties"].as_object().into_iter().flatten() {
            assert!(!value["description"].is_null(), "{name}.{key} has no description");
        }
    }
    assert!(definitions["Key"]["required"].as_array().unwrap().contains(&"sha256".into()));
    assert!(definitions["Route"]["oneOf"][1]["properties"]["on_disconnect"].is_object());
    assert!(schema.get("required").is_none());
}
