//! Every client SDK against every upstream dialect: the binary between the official SDKs and strict mocks.
//!
//! The programs are in `tests/compat`; they start the mocks and the binary, print what held, and compare that with
//! `docs/COMPATIBILITY.md`. `docs/testing.md` says how to move the table.

use std::process::Command;

use crate::support::engine::Engine;
use crate::support::parts::{parts, repository};

#[test]
fn clients_and_upstreams_understand_each_other() {
    hold(&mut every_client());
}

/// By the two dialects that llama.cpp's server speaks.
#[test]
fn every_client_reaches_a_real_engine() {
    let engine = Engine::chat();
    hold(every_client().arg("--engine").arg(format!("http://{}", engine.address)));
}

#[test]
fn every_field_of_every_request_arrives_or_is_declared() {
    hold(&mut program("fields.py"));
}

fn every_client() -> Command {
    let parts = parts();
    let mut command = program("run.py");
    command.arg("--llama-index").arg(&parts.compat_llama_index).arg("--node-modules").arg(&parts.compat_node);
    command
}

/// A program of `tests/compat` with the binary under test and the interpreter that has the SDKs.
fn program(name: &str) -> Command {
    let python = &parts().compat_python;
    let mut command = Command::new(python);
    command
        .arg("-B")
        .arg(repository().join("tests/compat").join(name))
        .arg("--binary")
        .arg(env!("CARGO_BIN_EXE_pointsman"))
        .arg("--python")
        .arg(python);
    command
}

fn hold(command: &mut Command) {
    let output = command.output().unwrap();
    let (said, faults) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success(), "{faults}");
}
