//! `pointsman man`: manual pages made from the command line's own definition. Hidden: packages run it.

use std::path::Path;

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::failure::Failure;

/// Writes `pointsman.1` and a page for every command into `folder`.
pub(crate) fn run(folder: &Path) -> Result<(), Failure> {
    clap_mangen::generate_to(Cli::command(), folder).map_err(|error| {
        Failure::new(format!("cannot write manual pages into {}: {error}", folder.display()))
            .hint("make the folder first")
    })
}
