//! `server.tls.acme`: what an authority will be asked for, checked before it is asked.

use std::net::IpAddr;
use std::path::PathBuf;

use http::Uri;
use pointsman_transport::Http2;
use pointsman_transport::acme::{AcmeOptions, LETS_ENCRYPT};
use pointsman_transport::connect::Origin;
use pointsman_transport::tls::Trust;
use pointsman_transport::tls::pem::{self, Certificate as Authority};

use super::{Checker, Encrypted, Way};
use crate::domain::{Certificate, Settings};
use crate::raw;
use crate::yaml::{Place, Spanned, shorten};

/// Names in one certificate: as many as Let's Encrypt takes.
const MAX_DOMAINS: usize = 100;
/// Of a name (RFC 1035, 2.3.4).
const MAX_NAME: usize = 253;
/// Of a label in it.
const MAX_LABEL: usize = 63;
/// The folder of keys and certificates, in the data folder.
const CACHE: &str = "acme";

impl Checker<'_> {
    pub(super) fn acme(
        &mut self,
        written: Spanned<raw::Acme>,
        client_ca: Option<&Spanned<String>>,
        settings: &Settings,
        way: &Way,
    ) -> Encrypted<Certificate> {
        let Spanned { value: written, place } = written;
        self.terms(written.agree_to_terms.as_ref(), place);
        let own = self.way(written.ca.as_ref(), None, Trust::Only);
        let mut files = own.files.clone();
        let options = AcmeOptions {
            domains: self.domains(&written.domains),
            email: written.email.and_then(|email| self.email(email)),
            directory: self.directory(written.directory.as_ref()),
            egress: own.or(way),
            cache: match &written.cache {
                Some(folder) => self.path(&folder.value),
                None => settings.data.dir.join(CACHE),
            },
            client_roots: client_ca.map(|file| self.client_roots(file, &mut files)).unwrap_or_default(),
            http2: settings.server.http2 != Http2::Off,
        };
        Encrypted { certificate: Some(Certificate::Acme(options)), identity: None, files }
    }

    fn terms(&mut self, written: Option<&Spanned<bool>>, place: Place) {
        let place = match written {
            Some(Spanned { value: true, .. }) => return,
            Some(Spanned { place, .. }) => *place,
            None => place,
        };
        let hint = "read them (Let's Encrypt: https://letsencrypt.org/repository/), then write `agree_to_terms: true`";
        self.cx.fail_hint::<()>(place, "the authority's terms must be agreed to", hint);
    }

    /// In lower case.
    fn domains(&mut self, written: &Spanned<raw::Domains>) -> Vec<String> {
        let names = &written.value.0;
        if names.is_empty() || names.len() > MAX_DOMAINS {
            self.cx
                .fail::<()>(written.place, format!("between 1 and {MAX_DOMAINS} names, not {}", names.len()));
        }
        let mut domains: Vec<String> = Vec::new();
        for name in names {
            let domain = name.value.to_ascii_lowercase();
            let shown = shorten(&name.value);
            if domain.starts_with("*.") {
                let hint = "write each name: without access to the DNS only those can be proven";
                self.cx.fail_hint::<()>(name.place, format!("`{shown}` is a wildcard"), hint);
            } else if domain.parse::<IpAddr>().is_ok() || !is_domain(&domain) {
                let hint = "write a name such as `gateway.example.com`, without scheme and port";
                self.cx.fail_hint::<()>(name.place, format!("`{shown}` is no domain name"), hint);
            } else if domains.contains(&domain) {
                self.cx.fail::<()>(name.place, format!("`{shown}` is there twice"));
            }
            domains.push(domain);
        }
        domains
    }

    fn email(&mut self, written: Spanned<String>) -> Option<String> {
        let sound = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic() && !b"@,?&<>".contains(&b))
        };
        match written.value.split_once('@') {
            Some((user, host)) if sound(user) && sound(host) => Some(written.value),
            _ => self.cx.fail(written.place, format!("`{}` is no e-mail address", shorten(&written.value))),
        }
    }

    fn directory(&mut self, written: Option<&Spanned<String>>) -> String {
        let Some(written) = written else { return LETS_ENCRYPT.to_owned() };
        let url = &written.value;
        let origin = url.parse::<Uri>().ok().and_then(|url| Origin::of(&url));
        if !origin.is_some_and(|origin| origin.tls) || url.contains('@') {
            let hint = format!("write an https URL such as `{LETS_ENCRYPT}`");
            let message = format!("`{}` is no URL of a directory", shorten(url));
            self.cx.fail_hint::<()>(written.place, message, hint);
        }
        url.clone()
    }

    fn client_roots(&mut self, file: &Spanned<String>, files: &mut Vec<PathBuf>) -> Vec<Authority> {
        let path = self.path(&file.value);
        let roots = pem::authorities(&path).and_then(|_sound| pem::certificates(&path));
        files.push(path);
        roots.unwrap_or_else(|error| {
            self.cx.fail::<()>(file.place, error.to_string());
            Vec::new()
        })
    }
}

/// Letters, digits and hyphens (RFC 1123, 2.1); other scripts as `xn--`.
fn is_domain(name: &str) -> bool {
    let label = |label: &str| {
        let bytes = label.as_bytes();
        (1..=MAX_LABEL).contains(&bytes.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
    };
    name.len() <= MAX_NAME && name.split('.').all(label)
}
