//! Certificates of both listeners: read and checked here, so that a bad one keeps the old world. Those that
//! are obtained have their terms checked in `acme`.

mod acme;

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use pointsman_transport::Http2;
use pointsman_transport::tls::server::{ServerFiles, ServerIdentity, ServerTlsError};
use pointsman_transport::tls::validity::Moment;

use super::{Checker, Way};
use crate::domain::{Certificate, Settings};
use crate::raw;
use crate::snapshot::Snapshot;
use crate::yaml::Spanned;

/// From so many seconds before its end on, a certificate is warned of: those that renew themselves are
/// replaced earlier.
const WARN_BEFORE: i64 = 7 * 24 * 60 * 60;

/// What encrypts a listener.
#[derive(Debug)]
pub(crate) struct Encrypted<C> {
    /// Where its certificate comes from.
    pub(crate) certificate: Option<C>,
    /// What the files hold.
    pub(crate) identity: Option<ServerIdentity>,
    /// Whatever was read.
    pub(crate) files: Vec<PathBuf>,
}

impl<C> Default for Encrypted<C> {
    fn default() -> Self {
        Self { certificate: None, identity: None, files: Vec::new() }
    }
}

impl Checker<'_> {
    /// What `server.tls` leads to. `way`: to an authority, where it does not say otherwise.
    pub(crate) fn data_plane(
        &mut self,
        written: Option<Spanned<raw::Tls>>,
        settings: &Settings,
        way: &Way,
        previous: Option<&Snapshot>,
        warnings: &mut Vec<String>,
    ) -> Encrypted<Certificate> {
        let Some(Spanned { value: written, place }) = written else { return Encrypted::default() };
        let http2 = settings.server.http2 != Http2::Off;
        let raw::Tls { cert, key, client_ca, acme } = written;
        let (cert, key) = match (cert, key, acme) {
            (None, None, Some(acme)) => return self.acme(acme, client_ca.as_ref(), settings, way),
            (Some(cert), Some(key), None) => (cert, key),
            (cert, key, Some(acme)) => {
                let hint =
                    "write either `cert` and `key`, for a pair of your own, or `acme`, which obtains one";
                let other = cert.or(key).map_or(acme.place, |file| file.place);
                let message = format!("`server.tls` has `acme` (line {}) and files as well", acme.place.line);
                self.cx.fail_hint::<()>(other, message, hint);
                return Encrypted::default();
            }
            (cert, key, None) => {
                let missing = match (cert, key) {
                    (Some(_), None) => "`key` is missing",
                    (None, Some(_)) => "`cert` is missing",
                    _ => "`cert` and `key` are missing",
                };
                self.cx.fail_hint::<()>(place, missing, "write both, or `acme` to obtain a certificate");
                return Encrypted::default();
            }
        };
        let files = raw::TlsFiles { cert, key, client_ca };
        let served = previous.and_then(|previous| previous.tls.as_ref());
        self.files(&files, http2, served, warnings).map(Certificate::Files)
    }

    /// What `server.admin_tls` leads to. The control plane speaks HTTP/1.1.
    pub(crate) fn control_plane(
        &mut self,
        written: Option<&raw::TlsFiles>,
        previous: Option<&Snapshot>,
        warnings: &mut Vec<String>,
    ) -> Encrypted<ServerFiles> {
        let Some(written) = written else { return Encrypted::default() };
        let served = previous.and_then(|previous| previous.admin_tls.as_ref());
        self.files(written, false, served, warnings)
    }

    /// A pair in files. One that ran out is refused, unless it is the one that is served anyway: then the
    /// rest of a reload must not wait for its renewal.
    fn files(
        &mut self,
        written: &raw::TlsFiles,
        http2: bool,
        served: Option<&ServerIdentity>,
        warnings: &mut Vec<String>,
    ) -> Encrypted<ServerFiles> {
        let files = ServerFiles {
            cert: self.path(&written.cert.value),
            key: self.path(&written.key.value),
            client_ca: written.client_ca.as_ref().map(|file| self.path(&file.value)),
        };
        let identity = self.identity(written, &files, http2, served, warnings);
        Encrypted { identity, files: files.paths().cloned().collect(), certificate: Some(files) }
    }

    fn identity(
        &mut self,
        written: &raw::TlsFiles,
        files: &ServerFiles,
        http2: bool,
        served: Option<&ServerIdentity>,
        warnings: &mut Vec<String>,
    ) -> Option<ServerIdentity> {
        let identity = match ServerIdentity::load(files, http2) {
            Ok(identity) => identity,
            Err(error) => {
                let file = match &error {
                    ServerTlsError::Key(_) => &written.key,
                    ServerTlsError::ClientCa(_) => written.client_ca.as_ref().unwrap_or(&written.cert),
                    ServerTlsError::Cert(_) | ServerTlsError::Setup(_) => &written.cert,
                };
                return self.cx.fail(file.place, error.to_string());
            }
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let name = written.cert.value.as_str();
        if let Some(problem) = identity.problem(now) {
            if !served.is_some_and(|served| served.same_certificate(&identity)) {
                let hint = "renew it, or correct the clock of this machine";
                return self.cx.fail_hint(written.cert.place, format!("{name}: {problem}"), hint);
            }
            warnings.push(format!("{name}: {problem}, and clients refuse it"));
        } else if identity.validity().not_after.saturating_sub(now) < WARN_BEFORE {
            warnings.push(format!(
                "{name}: the certificate runs out on {}",
                Moment(identity.validity().not_after)
            ));
        }
        Some(identity)
    }
}

impl<C> Encrypted<C> {
    fn map<D>(self, change: impl FnOnce(C) -> D) -> Encrypted<D> {
        Encrypted { certificate: self.certificate.map(change), identity: self.identity, files: self.files }
    }
}

pub(super) const fn http2(written: raw::Http2) -> Http2 {
    match written {
        raw::Http2::Off => Http2::Off,
        raw::Http2::Tls => Http2::Tls,
        raw::Http2::Always => Http2::Always,
    }
}
