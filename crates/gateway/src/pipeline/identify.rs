//! Stage 3: a key leads to a principal. Without any key, only this machine's own programs are served.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::request;
use pointsman_config::Snapshot;
use pointsman_core::{ErrorCode, Principal, PublicError};
use pointsman_resilience::FailureVerdict;
use sha2::{Digest, Sha256};

use crate::Gateway;
use crate::{headers, origin};

/// How vendors' keys begin. One of these sent to a server that ignores keys is worth a word.
const VENDOR_KEY_PREFIXES: [&[u8]; 6] = [b"sk-", b"gsk_", b"xai-", b"AIza", b"fw_", b"csk-"];

/// Who calls, or why that caller is refused.
pub(crate) fn identify(
    gateway: &Gateway,
    snapshot: &Snapshot,
    peer: IpAddr,
    head: &request::Parts,
) -> Result<Arc<Principal>, PublicError> {
    let credential = headers::credential(&head.headers, &head.uri);
    if snapshot.keys.is_empty() {
        origin::check(peer, &head.headers, &head.uri)?;
        warn_of_vendor_key(gateway, credential.as_deref());
        return Ok(gateway.local.clone());
    }
    let Some(credential) = credential else {
        return Err(PublicError::new(
            ErrorCode::InvalidApiKey,
            "no key was sent; send one of this server's keys as `Authorization: Bearer <key>`",
        ));
    };
    // The directory is asked for the hash: what it compares tells nothing about a key.
    let hash = Sha256::digest(credential);
    snapshot.keys.find(&hash.into()).ok_or_else(|| wrong_key(gateway, snapshot, peer))
}

/// A key that is not known: refused as such, until its address has sent too many.
fn wrong_key(gateway: &Gateway, snapshot: &Snapshot, peer: IpAddr) -> PublicError {
    let policy = snapshot.settings.server.auth_failures;
    let now = gateway.clock.now().saturating_duration_since(gateway.started);
    let FailureVerdict::Limited { retry_after, first } = gateway.failures.failed(policy, peer, now) else {
        return PublicError::new(
            ErrorCode::InvalidApiKey,
            "this key is not known here; `pointsman keys new` makes one, and the configuration lists them under `keys`",
        );
    };
    if first {
        tracing::warn!(%peer, max = policy.max, window_s = policy.window.as_secs(),
            "too many wrong keys from one address; further ones get 429");
    }
    let mut error = PublicError::new(
        ErrorCode::TooManyAuthFailures,
        "too many wrong keys came from this address; send a right one, or try again later",
    );
    error.retry_after = Some(retry_after);
    error
}

fn warn_of_vendor_key(gateway: &Gateway, credential: Option<&[u8]>) {
    if let Some(key) = credential
        && VENDOR_KEY_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
        && !gateway.warned_of_vendor_key.swap(true, Ordering::Relaxed)
    {
        tracing::warn!(
            "a client sends what looks like a vendor's key; it is ignored and goes nowhere: \
             providers' keys belong into Pointsman's environment, and clients can send anything"
        );
    }
}
