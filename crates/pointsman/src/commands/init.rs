//! `pointsman init`: a commented configuration to start from.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};

use crate::cli::Init;
use crate::failure::Failure;
use crate::output;

/// Writes the file and says what next.
pub(crate) fn run(args: &Init) -> Result<(), Failure> {
    let shown = args.file.display();
    let mut options = OpenOptions::new();
    options.write(true);
    // Without --force the check and the creation are one step: nothing is ever overwritten by chance.
    if args.force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let mut file = options.open(&args.file).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::new(format!("{shown} exists already"))
            .hint(format!("`pointsman init --force {shown}` replaces it")),
        _ => Failure::new(format!("cannot write {shown}: {error}")),
    })?;
    file.write_all(pointsman_config::init_text().as_bytes())
        .map_err(|error| Failure::new(format!("cannot write {shown}: {error}")))?;
    let flag = if args.file.as_os_str() == "pointsman.yaml" { String::new() } else { format!(" -c {shown}") };
    output::print(&format!(
        "Wrote {shown}: the defaults, explained, and examples that are commented out.\n\n\
         Next:\n  \
           pointsman check{flag}         is it right?\n  \
           pointsman check --live{flag}  do the providers' keys work?\n  \
           pointsman serve{flag}         run it\n"
    ))
}
