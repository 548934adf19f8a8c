//! Reading secrets from where the file says they are.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use super::Checker;
use crate::raw::Secret;

/// Longer files hold something else than a key.
const MAX_FILE_BYTES: u64 = 64 * 1024;

impl Checker<'_> {
    /// The value, without white space around it. Errors never repeat it.
    pub(crate) fn secret(&mut self, secret: &Secret) -> Option<Zeroizing<String>> {
        match secret {
            Secret::Env { name, place } => match self.environment.get(name).map(str::trim) {
                Some(value) if !value.is_empty() => Some(Zeroizing::new(value.to_owned())),
                _ => {
                    let hint =
                        format!("set {name}, in the environment or in `.env` beside the configuration");
                    self.cx.fail_hint(*place, format!("the environment variable {name} is not set"), hint)
                }
            },
            Secret::File { path, place } => {
                let path = self.path(path);
                let mut text = Zeroizing::new(String::new());
                let problem = match read(&path, &mut text) {
                    Err(error) => error.to_string(),
                    Ok(_) if text.len() as u64 > MAX_FILE_BYTES => "longer than 64 KiB".to_owned(),
                    Ok(_) if text.trim().is_empty() => "empty".to_owned(),
                    Ok(_) => return Some(Zeroizing::new(text.trim().to_owned())),
                };
                self.cx.fail(*place, format!("the secret file {}: {problem}", path.display()))
            }
        }
    }
}

/// Regular files only: a pipe would block, and be empty at the next reload.
fn read(path: &Path, text: &mut String) -> io::Result<usize> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(text)
}
