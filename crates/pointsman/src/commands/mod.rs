//! What each command does: a file each. `serve` is the server; the others answer and end.

mod check;
mod completions;
mod cost;
mod health;
mod init;
mod keys;
mod log;
mod man;
mod models;
mod records;
mod schema;
mod serve;
mod world;

use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::failure::Failure;

/// Runs the command.
pub(crate) fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Serve(args) => return serve::run(&args),
        Command::Check(args) => return check::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Schema => schema::run(),
        Command::Models(args) => models::run(&args),
        Command::Keys(command) => keys::run(&command),
        Command::Log(args) => log::run(&args),
        Command::Cost(args) => cost::run(&args),
        Command::Health(args) => health::run(&args),
        Command::Completions { shell } => completions::run(shell),
        Command::Man { folder } => man::run(&folder),
    }?;
    Ok(ExitCode::SUCCESS)
}
