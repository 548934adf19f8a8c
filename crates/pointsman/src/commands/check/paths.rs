//! Can the files be written that `serve` would write? Nothing stays behind: a folder that is missing is not
//! made, and where one is there, a file is made in it and removed.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use pointsman_config::{AccessLog, Settings};
use pointsman_telemetry::export::Target;

use crate::commands::records::DATABASE;
use crate::failure::Failure;

const HINT: &str = "give it to the user that serves, or check as that user: `sudo -u USER pointsman check`";

/// Fails where a path of the settings cannot be written; the failure has all of them.
pub(super) fn check(settings: &Settings) -> Result<(), Failure> {
    let mut wrong = Vec::new();
    let mut note = |what: String, path: &Path, result: io::Result<()>| {
        if let Err(error) = result {
            wrong.push((format!("cannot write {what} {}: {error}", path.display()), Some(HINT.to_owned())));
        }
    };
    let dir = &settings.data.dir;
    note("the data folder".into(), dir, folder(dir));
    let database = dir.join(DATABASE);
    if settings.data.records && database.exists() {
        note("the records".into(), &database, file(&database));
    }
    if let AccessLog::File(path) = &settings.log.access {
        note("the access log".into(), path, file(path));
    }
    for exporter in &settings.exporters {
        if let Target::File { path, .. } = &exporter.target {
            note(format!("the file of the exporter `{}`", exporter.name), path, file(path));
        }
    }
    Failure::of_all(wrong).map_or(Ok(()), Err)
}

/// A file that is there can be opened; one that is not can be made, in a folder that is there.
fn file(path: &Path) -> io::Result<()> {
    match OpenOptions::new().append(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => made_in(parent(path)),
        result => result.map(drop),
    }
}

/// A folder that is there can hold a new file; one that is not can be made, with those above it.
fn folder(path: &Path) -> io::Result<()> {
    let nearest = path.ancestors().find(|folder| folder.symlink_metadata().is_ok());
    made_in(nearest.unwrap_or_else(|| Path::new("")))
}

/// Makes a file in `folder`, and removes it.
fn made_in(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".pointsman-check-{}", std::process::id()));
    OpenOptions::new().write(true).create_new(true).open(&path)?;
    fs::remove_file(path)
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_told_and_nothing_stays_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("plain"), "x").unwrap();
        assert!(file(&path("plain")).is_ok() && file(&path("new.log")).is_ok());
        assert!(folder(dir.path()).is_ok() && folder(&path("a/b/c")).is_ok());
        for result in [file(&path("none/new.log")), file(&path("plain/new.log")), file(dir.path())] {
            assert!(result.is_err());
        }
        for below_a_file in ["plain", "plain/data"] {
            assert_eq!(folder(&path(below_a_file)).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        }
        let names: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["plain"]);
        assert_eq!(fs::read_to_string(path("plain")).unwrap(), "x");
    }
}
