//! The authority's own keys: one certificate for the directory's listener, and those that it issues.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, PublicKeyData, SanType, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateSigningRequestDer, PrivateKeyDer};

use super::Problem;
use super::jws::Key;

/// The directory's own certificate is valid until then.
const LAST_YEAR: i32 = 2090;

/// Two authorities: clients of the directory trust the first, clients of the certificates the second.
pub(super) struct Authority {
    https: CertifiedIssuer<'static, KeyPair>,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Result<Self, rcgen::Error> {
        let authority = |name: &str| {
            let mut params = CertificateParams::new(Vec::new())?;
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, name);
            CertifiedIssuer::self_signed(params, KeyPair::generate()?)
        };
        Ok(Self { https: authority("Directory Authority")?, issuer: authority("Issuing Authority")? })
    }

    /// PEM of who vouches for the directory.
    pub(super) fn https_pem(&self) -> String {
        self.https.pem()
    }

    /// PEM of who vouches for what is issued.
    pub(super) fn issuer_pem(&self) -> String {
        self.issuer.pem()
    }

    /// The identity of the directory at `host`, which may be an address.
    pub(super) fn listener(&self, host: &str) -> Result<Arc<ServerConfig>, rcgen::Error> {
        let mut params = CertificateParams::new([host.to_owned()])?;
        params.not_after = date_time_ymd(LAST_YEAR, 12, 31);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.https)?;
        let secret =
            PrivateKeyDer::try_from(key.serialize_der()).map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                let chain = vec![certificate.der().clone()];
                builder.with_no_client_auth().with_single_cert(chain, secret)
            });
        config.map(Arc::new).map_err(|_| rcgen::Error::CouldNotParseKeyPair)
    }

    /// The chain for a request that names exactly `names`, valid from an hour before `now` (seconds since
    /// 1970) for `lifetime`.
    pub(super) fn issue(
        &self,
        request: Vec<u8>,
        names: &[String],
        account: &Key,
        (now, lifetime): (u64, Duration),
    ) -> Result<String, Problem> {
        let bad = |detail: String| Problem::new(400, "badCSR", detail);
        // Also checks that the request's key signed it.
        let mut request =
            CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(request))
                .map_err(|error| bad(error.to_string()))?;
        let mut asked = Vec::new();
        for name in &request.params.subject_alt_names {
            match name {
                SanType::DnsName(name) => asked.push(name.as_str().to_owned()),
                other => return Err(bad(format!("{other:?} was not ordered"))),
            }
        }
        asked.sort();
        let mut ordered = names.to_vec();
        ordered.sort();
        if asked != ordered {
            return Err(bad(format!("for {asked:?}, but {ordered:?} were ordered")));
        }
        if request.public_key.der_bytes() == account.point {
            return Err(bad("the account's key must not be the certificate's".into()));
        }
        let start = date_time_ymd(1970, 1, 1) + Duration::from_secs(now) - Duration::from_secs(3_600);
        request.params.not_before = start;
        request.params.not_after = start + lifetime;
        request.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = request.signed_by(&self.issuer).map_err(|error| bad(error.to_string()))?;
        Ok(format!("{}{}", certificate.pem(), self.issuer.pem()))
    }
}
