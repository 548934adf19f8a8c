//! What survives a restart: the account's key, and the certificate with its key; in files that only their
//! owner may read, named after what they are for, so that a change of directory or domains mixes nothing.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::AcmeOptions;
use crate::tls::pem::Certificate;

/// Bytes of the hash in a file's name.
const NAME_BYTES: usize = 8;
/// Others may neither read nor write.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;

/// A certificate, those between it and its authority, and its key.
pub(super) struct Pair {
    pub(super) chain: Vec<Certificate>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Pair {
    /// From both in PEM format, in any order. `None`: something is missing, or not for `domains`.
    pub(super) fn parse(pem: &str, domains: &[String]) -> Option<Self> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().ok()?;
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()?;
        let parsed = ParsedCertificate::try_from(chain.first()?).ok()?;
        let holds = |domain: &String| {
            domain
                .as_str()
                .try_into()
                .is_ok_and(|name| rustls::client::verify_server_name(&parsed, &name).is_ok())
        };
        domains.iter().all(holds).then_some(Self { chain, key })
    }
}

/// A file or folder of the cache that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub(super) struct CacheError {
    path: PathBuf,
    problem: String,
}

/// The files of one directory and one set of domains.
pub(super) struct Cache {
    folder: PathBuf,
    account: PathBuf,
    pair: PathBuf,
}

impl Cache {
    pub(super) fn of(options: &AcmeOptions) -> Self {
        let mut domains = options.domains.clone();
        domains.sort();
        let folder = options.cache.clone();
        Self {
            account: folder.join(format!("account-{}.json", hash(&[&options.directory]))),
            pair: folder.join(format!("certificate-{}.pem", hash(&[&options.directory, &domains.join(" ")]))),
            folder,
        }
    }

    /// Makes the folder and tries whether it can be written, before an authority is asked for anything.
    pub(super) fn prepare(&self) -> Result<(), CacheError> {
        let made = DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(&self.folder);
        made.map_err(|error| fault(&self.folder, &error))?;
        let trial = self.folder.join("trial");
        write(&trial, b"")?;
        fs::remove_file(&trial).map_err(|error| fault(&trial, &error))
    }

    /// The account of this directory, if there is one.
    pub(super) fn account(&self) -> Result<Option<AccountCredentials>, CacheError> {
        let Some(text) = read(&self.account)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| fault(&self.account, &error.into()))
    }

    pub(super) fn keep_account(&self, account: &AccountCredentials) -> Result<(), CacheError> {
        let text = serde_json::to_vec(account).map(Zeroizing::new);
        write(&self.account, &text.map_err(|error| fault(&self.account, &error.into()))?)
    }

    /// The directory does not know it any more.
    pub(super) fn forget_account(&self) -> Result<(), CacheError> {
        fs::remove_file(&self.account).map_err(|error| fault(&self.account, &error))
    }

    /// The certificate of these domains, if there is one.
    pub(super) fn pair(&self, domains: &[String]) -> Result<Option<Pair>, CacheError> {
        let Some(text) = read(&self.pair)? else { return Ok(None) };
        match Pair::parse(&text, domains) {
            Some(pair) => Ok(Some(pair)),
            None => Err(fault(
                &self.pair,
                &io::Error::other("holds no certificate for these domains with its key"),
            )),
        }
    }

    pub(super) fn keep_pair(&self, pem: &str) -> Result<(), CacheError> {
        write(&self.pair, pem.as_bytes())
    }
}

fn hash(parts: &[&str]) -> String {
    let digest = Sha256::digest(parts.join("\n"));
    digest.iter().take(NAME_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

fn fault(path: &Path, error: &io::Error) -> CacheError {
    CacheError { path: path.to_owned(), problem: error.to_string() }
}

fn read(path: &Path) -> Result<Option<Zeroizing<String>>, CacheError> {
    let mode = match path.metadata() {
        Ok(metadata) => metadata.permissions().mode(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(path, &error)),
    };
    if mode & 0o077 != 0 {
        let problem = format!("others may read this key (mode {:o})", mode & 0o777);
        return Err(CacheError { path: path.to_owned(), problem });
    }
    fs::read_to_string(path).map(|text| Some(Zeroizing::new(text))).map_err(|error| fault(path, &error))
}

/// Puts `content` in the file's place at once: a crash leaves the old or the new, never a half. Always into a
/// new file: one that lies there may be readable by others, or lead elsewhere.
fn write(path: &Path, content: &[u8]) -> Result<(), CacheError> {
    let beside = path.with_extension("new");
    let written = || {
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE_FILE).open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    written().map_err(|error| fault(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::Egress;
    use crate::tls::testing::Authority;

    fn kept(folder: &Path, directory: &str, domains: &[&str]) -> Cache {
        Cache::of(&AcmeOptions {
            domains: domains.iter().map(ToString::to_string).collect(),
            email: None,
            directory: directory.into(),
            egress: Egress::default(),
            cache: folder.join("acme"),
            client_roots: Vec::new(),
            http2: true,
        })
    }

    #[test]
    fn keys_are_private_and_only_for_what_they_were_made() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let files = authority.sign("a", "gateway.test", 2090);
        let pem = fs::read_to_string(&files.cert).unwrap() + &fs::read_to_string(&files.key).unwrap();
        let domains = ["gateway.test".to_owned()];
        let cache = kept(folder.path(), "https://a.test/", &["gateway.test", "b.test"]);
        assert!(cache.pair(&domains).unwrap().is_none(), "no folder is no error");
        cache.prepare().unwrap();
        cache.keep_pair(&pem).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&cache.folder), mode(&cache.pair)), (0o700, 0o600));
        let names: Vec<_> = fs::read_dir(&cache.folder).unwrap().collect();
        assert_eq!(names.len(), 1, "nothing else is left there");
        assert_eq!(cache.pair(&domains).unwrap().unwrap().chain.len(), 1);

        let same = kept(folder.path(), "https://a.test/", &["b.test", "gateway.test"]);
        assert_eq!(same.pair, cache.pair, "the order of domains says nothing");
        let other = kept(folder.path(), "https://b.test/", &["gateway.test", "b.test"]);
        assert!(other.pair != cache.pair && other.account != cache.account);

        let error = cache.pair(&["c.test".to_owned()]).err().unwrap().to_string();
        assert!(error.ends_with("holds no certificate for these domains with its key"), "{error}");
        fs::set_permissions(&cache.pair, fs::Permissions::from_mode(0o640)).unwrap();
        let error = cache.pair(&domains).err().unwrap().to_string();
        assert!(error.ends_with("others may read this key (mode 640)"), "{error}");
        assert!(!error.contains("BEGIN"));
    }

    #[test]
    fn keys_are_not_written_into_what_lies_there() {
        let folder = tempfile::tempdir().unwrap();
        let cache = kept(folder.path(), "https://a.test/", &["a.test"]);
        cache.prepare().unwrap();
        let (beside, elsewhere) = (cache.pair.with_extension("new"), folder.path().join("elsewhere"));
        fs::write(&beside, "left by a crash, or by somebody").unwrap();
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o666)).unwrap();
        cache.keep_pair("secret").unwrap();
        assert_eq!(cache.pair.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&elsewhere, "untouched").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &beside).unwrap();
        cache.keep_pair("another").unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "untouched");
        assert_eq!(fs::read_to_string(&cache.pair).unwrap(), "another");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told_before_anything_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("acme"), "a file").unwrap();
        let error = kept(folder.path(), "https://a.test/", &["a.test"]).prepare().unwrap_err();
        assert!(error.to_string().contains("/acme"), "{error}");
    }
}
