//! Pointsman, an AI model router in one binary. What can be said to it is in [`cli`], what it then does
//! in [`commands`]; nothing is decided here.

mod cli;
mod commands;
mod failure;
mod output;

use std::process::ExitCode;

use clap::Parser as _;
use tikv_jemallocator::Jemalloc;

/// Faster than the system's, and gives memory back after a burst.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    commands::run(cli::Cli::parse()).unwrap_or_else(|failure| {
        failure.print();
        ExitCode::FAILURE
    })
}
