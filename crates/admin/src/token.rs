//! The admin credential: 256 random bits in a file that only its owner may read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// The file's name in the data folder.
const FILE: &str = "admin.token";

/// Random bytes of a new token; the text is twice as long.
const BYTES: usize = 32;

/// A token that somebody wrote by hand has to be at least this long, in bytes of text.
const MIN_LENGTH: usize = 32;

/// Permissions that anybody but the owner has.
const OTHERS: u32 = 0o077;

/// Why there is no credential.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("cannot {action} the admin token at {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others may read the file.
    #[error("the admin token at {0} may be read by others (mode {mode:04o}); hint: `chmod 600 {0}` if nobody has \
             read it, else delete it and start again", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file holds no usable token.
    #[error("the admin token at {} is shorter than {MIN_LENGTH} characters or not plain text; hint: delete the file \
             and a new one is made", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
    },
    /// The system has no randomness.
    #[error("cannot draw an admin token: {0}")]
    Random(getrandom::Error),
}

/// The credential of the control plane. Never shown by `Debug`.
pub struct AdminToken {
    text: Vec<u8>,
    path: PathBuf,
}

impl AdminToken {
    /// Reads `<folder>/admin.token`, or makes it (mode 0600) where there is none. Of two processes
    /// that do so at one time both get the same token.
    ///
    /// # Errors
    /// Where the file cannot be read or made, others may read it, or it holds no usable token.
    pub fn load_or_create(folder: &Path) -> Result<Self, TokenError> {
        let path = folder.join(FILE);
        if !path.try_exists().map_err(failed("look for", &path))? {
            create(folder, &path)?;
        }
        Self::load(path)
    }

    fn load(path: PathBuf) -> Result<Self, TokenError> {
        let mode = path.metadata().map_err(failed("look at", &path))?.permissions().mode() & 0o777;
        if mode & OTHERS != 0 {
            return Err(TokenError::Exposed { path, mode });
        }
        let text = fs::read(&path).map_err(failed("read", &path))?;
        let text = text.trim_ascii();
        if text.len() < MIN_LENGTH || !text.iter().all(u8::is_ascii_graphic) {
            return Err(TokenError::Unusable { path });
        }
        Ok(Self { text: text.to_vec(), path })
    }

    /// Where the token can be read.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The begin of its SHA-256: names the credential in the audit trail, and is no use for guessing it.
    pub(crate) fn fingerprint(&self) -> String {
        hex::encode(&Sha256::digest(&self.text)[..4])
    }

    /// Compares in a time that does not depend on where the two differ.
    #[must_use]
    pub fn matches(&self, given: &[u8]) -> bool {
        self.text.ct_eq(given).into()
    }
}

impl std::fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminToken").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A whole file appears under its name at once, or not at all.
fn create(folder: &Path, path: &Path) -> Result<(), TokenError> {
    fs::create_dir_all(folder).map_err(failed("make a folder for", path))?;
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(TokenError::Random)?;
    let token = hex::encode(bytes);
    let mut suffix = [0; 8];
    getrandom::fill(&mut suffix).map_err(TokenError::Random)?;
    let draft = folder.join(format!(".{FILE}.{}", hex::encode(suffix)));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| {
            file.write_all(token.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        })
        // Unlike a rename, a link never replaces the token that another process made meanwhile.
        .and_then(|()| match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
    let removed = fs::remove_file(&draft);
    written.and(removed).map_err(failed("write", path))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TokenError {
    let path = path.to_owned();
    move |source| TokenError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn is_made_once_private_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("new/data");
        let token = AdminToken::load_or_create(&data).unwrap();
        assert_eq!(token.path(), data.join("admin.token"));
        assert_eq!(token.path().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(token.text.len(), 2 * BYTES);
        assert_eq!(AdminToken::load_or_create(&data).unwrap().text, token.text);
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "no draft is left");
        assert!(!format!("{token:?}").contains(std::str::from_utf8(&token.text).unwrap()));
        let other = AdminToken::load_or_create(folder.path()).unwrap();
        assert_ne!(other.text, token.text);
    }

    #[test]
    fn processes_that_start_together_agree() {
        let folder = tempfile::tempdir().unwrap();
        let tokens: HashSet<Vec<u8>> = thread::scope(|scope| {
            let make = || AdminToken::load_or_create(folder.path()).unwrap().text;
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(tokens.len(), 1);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = AdminToken::load_or_create(folder.path()).unwrap().path().to_owned();
        for exposed in [0o640, 0o604, 0o620, 0o666] {
            mode(&path, exposed);
            let error = AdminToken::load_or_create(folder.path()).unwrap_err().to_string();
            assert!(error.contains(&format!("(mode {exposed:04o}); hint: `chmod 600 ")), "{error}");
        }
        mode(&path, 0o400);
        AdminToken::load_or_create(folder.path()).unwrap();
    }

    #[test]
    fn a_file_without_a_token_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        for text in ["", "\n", "short", &"two words ".repeat(8), &"é".repeat(40)] {
            fs::write(&path, text).unwrap();
            mode(&path, 0o600);
            let error = AdminToken::load_or_create(folder.path()).unwrap_err();
            assert!(matches!(error, TokenError::Unusable { .. }), "{error}");
        }
        fs::write(&path, format!("{}\r\n", "x".repeat(32))).unwrap();
        assert!(AdminToken::load_or_create(folder.path()).unwrap().matches("x".repeat(32).as_bytes()));
    }

    #[test]
    fn only_the_whole_token_matches() {
        let folder = tempfile::tempdir().unwrap();
        let token = AdminToken::load_or_create(folder.path()).unwrap();
        let text = token.text.clone();
        assert!(token.matches(&text));
        assert!(!token.matches(&text[1..]));
        assert!(!token.matches(&[&text[..], b"0"].concat()));
        assert!(!token.matches(b""));
    }
}
