//! The layer check finds a forbidden edge. The check itself is `scripts/check_layers.py`.
//!
//! Each test copies the workspace's manifests (source files as empty stubs), so that the real ones
//! are never touched, adds an edge to the copy and runs the real check on it.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Copies manifests, and an empty file for each source file: cargo wants targets to exist.
fn copy_manifests(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            copy_manifests(&source, &target);
        } else if entry.file_name() == "Cargo.toml" {
            fs::copy(&source, &target).unwrap();
        } else if source.extension().is_some_and(|extension| extension == "rs") {
            fs::write(&target, "").unwrap();
        }
    }
}

fn copied_workspace() -> TempDir {
    let copy = TempDir::new().unwrap();
    let root = workspace();
    fs::copy(root.join("Cargo.toml"), copy.path().join("Cargo.toml")).unwrap();
    copy_manifests(&root.join("crates"), &copy.path().join("crates"));
    copy
}

/// Adds an edge in a table that no manifest uses, so that the text stays valid TOML.
fn add_edge(copy: &TempDir, from: &str, to: &str) {
    let manifest = copy.path().join("crates").join(from).join("Cargo.toml");
    let mut text = fs::read_to_string(&manifest).unwrap();
    text.push_str(&format!("\n[target.'cfg(all())'.dependencies]\n{to}.workspace = true\n"));
    fs::write(manifest, text).unwrap();
}

fn check(root: &Path) -> Output {
    Command::new("python3")
        .arg(workspace().join("scripts/check_layers.py"))
        .arg("--root")
        .arg(root)
        .output()
        .unwrap()
}

fn assert_refused(from: &str, to: &str, reason: &str) {
    let copy = copied_workspace();
    add_edge(&copy, from, to);
    let output = check(copy.path());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let edge = format!("{from} → {}", to.trim_start_matches("pointsman-"));
    assert!(errors.contains(&edge), "{edge} not named in: {errors}");
    assert!(errors.contains(reason), "{reason} not given in: {errors}");
    assert_eq!(errors.lines().count(), 1, "more than that edge: {errors}");
}

#[test]
fn the_workspace_passes_and_so_does_an_unchanged_copy() {
    let copy = copied_workspace();
    for root in [workspace().as_path(), copy.path()] {
        let output = check(root);
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn an_upward_edge_is_refused() {
    assert_refused("wire", "pointsman-gateway", "layer 1 may not see layer 4");
}

#[test]
fn an_edge_inside_a_layer_is_refused() {
    assert_refused("routing", "pointsman-store", "both are in layer 2");
}

#[test]
fn a_shipped_crate_may_not_depend_on_testkit() {
    assert_refused("gateway", "pointsman-testkit", "never ships");
}

#[test]
fn a_pure_crate_may_not_open_sockets() {
    assert_refused("resilience", "hyper", "is pure");
}
