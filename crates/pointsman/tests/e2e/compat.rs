//! Every client SDK against every upstream dialect: the binary between the official SDKs and strict mocks.
//!
//! The programs are in `tests/compat`; they start the mocks and the binary, print what held, and compare that with
//! `docs/COMPATIBILITY.md`. `docs/testing.md` says how to move the table.

use std::process::Command;

use crate::support::parts::{parts, repository};

#[test]
fn clients_and_upstreams_understand_each_other() {
    let parts = parts();
    let mut command = program("run.py");
    command.arg("--llama-index").arg(&parts.compat_llama_index).arg("--node-modules").arg(&parts.compat_node);
    hold(&mut command);
}

#[test]
fn every_field_of_every_request_arrives_or_is_declared() {
    hold(&mut program("fields.py"));
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
