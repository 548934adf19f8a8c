//! The configuration file: read, named by its hash, and replaced as a whole.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use axum::http::StatusCode;
use sha2::{Digest as _, Sha256};

use crate::limits::CONFIG_BODY;
use crate::reply::Refusal;

/// Of a file that is made: it may hold hashes of keys.
const NEW_MODE: u32 = 0o600;

/// SHA-256 in hexadecimal digits. A file that does not exist is an empty one.
pub(super) fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// The file's text; empty where there is no file.
pub(super) fn read(path: &Path) -> Result<String, Refusal> {
    match fs::metadata(path) {
        Ok(data) if data.len() > CONFIG_BODY as u64 => {
            return Err(failed("read", path, &io::ErrorKind::FileTooLarge.into()));
        }
        _ => {}
    }
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(failed("read", path, &error)),
    }
}

/// Puts `next` in the place of `current`, which is kept beside it as `NAME.bak`. Readers see the one
/// or the other. Refused where the file is not `current` any more.
pub(super) fn replace(path: &Path, current: &str, next: &str) -> Result<(), Refusal> {
    // Through links: a link stays one.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let mode = fs::metadata(path).map_or(NEW_MODE, |data| data.permissions().mode() & 0o777);
    let existed = path.exists();
    if existed {
        write(&beside(path, "bak"), current, mode).map_err(|error| failed("back up", path, &error))?;
    }
    let draft = beside(path, "new");
    write(&draft, next, mode).map_err(|error| failed("write beside", path, &error))?;
    let same = read(path)? == current && path.exists() == existed;
    let renamed = if same { fs::rename(&draft, path) } else { fs::remove_file(&draft) };
    renamed.and_then(|()| sync_folder(path)).map_err(|error| failed("replace", path, &error))?;
    if same {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::PRECONDITION_FAILED,
        "config_changed",
        "somebody else changed the file at the same time",
        "read GET /admin/v1/config again, and repeat the change on what it is now",
    ))
}

/// Writes a whole new file to the disk.
pub(super) fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// `pointsman.yaml` → `pointsman.yaml.bak`
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// A rename lasts through a loss of power only then.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}

fn failed(action: &str, path: &Path, error: &io::Error) -> Refusal {
    tracing::error!(path = %path.display(), %error, "cannot {action} the configuration");
    Refusal::new(
        StatusCode::CONFLICT,
        "config_not_writable",
        format!("cannot {action} the configuration: {}", error.kind()),
        "the server needs to read and write the file and its folder; a file that is mounted by itself, or \
         read-only, has to be changed where it comes from",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_keeps_mode_and_link() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("real.yaml"), folder.path().join("p.yaml"));
        fs::write(&path, "a").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace(&link, "a", "b").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "b");
        assert_eq!(fs::read_to_string(folder.path().join("real.yaml.bak")).unwrap(), "a");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(replace(&path, "a", "c").unwrap_err().code, "config_changed");
        assert_eq!(fs::read_to_string(&path).unwrap(), "b");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "no draft is left");
    }

    #[test]
    fn a_new_file_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.yaml");
        replace(&path, "", "b").unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!folder.path().join("p.yaml.bak").exists());
    }
}
