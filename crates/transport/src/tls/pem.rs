//! Certificates and keys from PEM files, with errors that name the file and never show a key.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

/// A certificate as in a file's PEM section, decoded.
pub type Certificate = CertificateDer<'static>;

/// Longer files are no certificates: the bundle of all public authorities has 230 KiB.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct PemError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

impl PemError {
    pub(super) fn new(path: &Path, problem: impl Into<String>) -> Self {
        Self { path: path.to_owned(), problem: problem.into() }
    }
}

/// All certificates of a file, at least one.
///
/// # Errors
/// Where the file cannot be read or holds none.
pub fn certificates(path: &Path) -> Result<Vec<Certificate>, PemError> {
    let text = read(path)?;
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match list {
        Ok(list) if list.is_empty() => Err(PemError::new(path, "holds no certificate in PEM format")),
        Ok(list) => Ok(list),
        Err(error) => Err(PemError::new(path, format!("not PEM: {error}"))),
    }
}

/// The first private key of a file: PKCS #8, PKCS #1 or SEC1.
///
/// # Errors
/// Where the file cannot be read or holds none.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    let text = read(path)?;
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| PemError::new(path, "holds no private key in PEM format (unencrypted)"))
}

/// The authorities of a file.
///
/// # Errors
/// Where the file cannot be read, holds none, or one that is malformed.
pub fn authorities(path: &Path) -> Result<RootCertStore, PemError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| PemError::new(path, error.to_string()))?;
    }
    Ok(roots)
}

/// Regular files only: a pipe would block, and be empty at the next reload.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, PemError> {
    let mut text = Zeroizing::new(Vec::new());
    let mut read = || {
        if !path.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut text)
    };
    match read() {
        Err(error) => Err(PemError::new(path, error.to_string())),
        Ok(_) if text.len() as u64 > MAX_BYTES => Err(PemError::new(path, "longer than 4 MiB")),
        Ok(_) => Ok(text),
    }
}
