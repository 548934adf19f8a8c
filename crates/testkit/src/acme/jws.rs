//! Signed requests (RFC 8555, 6.2; RFC 7515): ES256 only, the flattened form only.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Problem;

/// Bytes of a coordinate on P-256.
const COORDINATE: usize = 32;

/// A request whose form is right; its signature is not checked yet.
pub(super) struct Signed {
    pub(super) nonce: String,
    pub(super) url: String,
    pub(super) signer: Signer,
    /// Empty: it only asks (POST-as-GET).
    pub(super) payload: Vec<u8>,
    signed: String,
    signature: Vec<u8>,
}

/// Who says to have signed.
pub(super) enum Signer {
    /// With the key in it: a new account.
    Key(Key),
    /// The URL of an account.
    Account(String),
}

/// A public key: an uncompressed point, and its thumbprint (RFC 7638).
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) point: Vec<u8>,
    pub(super) thumbprint: String,
}

impl Signed {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let body: Value = serde_json::from_slice(body).map_err(|_| malformed("the body is no JSON"))?;
        let members = body.as_object().ok_or_else(|| malformed("the body is no object"))?;
        if members.len() != 3 {
            return Err(malformed("not the flattened form: protected, payload, signature"));
        }
        let (protected, payload) = (text(&body, "protected")?, text(&body, "payload")?);
        let header: Value = serde_json::from_slice(&decode(protected)?)
            .map_err(|_| malformed("the protected header is no JSON"))?;
        if header["alg"] != "ES256" {
            return Err(Problem::new(400, "badSignatureAlgorithm", "only ES256"));
        }
        let signer = match (header.get("jwk"), header.get("kid")) {
            (Some(key), None) => Signer::Key(Key::parse(key)?),
            (None, Some(_)) => Signer::Account(text(&header, "kid")?.to_owned()),
            _ => return Err(malformed("exactly one of jwk and kid")),
        };
        Ok(Self {
            nonce: text(&header, "nonce")?.to_owned(),
            url: text(&header, "url")?.to_owned(),
            signer,
            payload: decode(payload)?,
            signed: format!("{protected}.{payload}"),
            signature: decode(text(&body, "signature")?)?,
        })
    }

    /// Whether `key` signed it.
    pub(super) fn verify(&self, key: &Key) -> Result<(), Problem> {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key.point)
            .verify(self.signed.as_bytes(), &self.signature)
            .map_err(|_| malformed("the signature is wrong"))
    }

    /// The payload as JSON.
    pub(super) fn json(&self) -> Result<Value, Problem> {
        serde_json::from_slice(&self.payload).map_err(|_| malformed("the payload is no JSON"))
    }
}

impl Key {
    fn parse(jwk: &Value) -> Result<Self, Problem> {
        if jwk["kty"] != "EC" || jwk["crv"] != "P-256" || jwk.get("d").is_some() {
            return Err(Problem::new(400, "badPublicKey", "only public keys on P-256"));
        }
        let (x, y) = (text(jwk, "x")?, text(jwk, "y")?);
        let mut point = vec![4];
        for coordinate in [decode(x)?, decode(y)?] {
            if coordinate.len() != COORDINATE {
                return Err(Problem::new(400, "badPublicKey", "a coordinate has the wrong length"));
            }
            point.extend(coordinate);
        }
        // The order of the members is fixed by RFC 7638, 3.2.
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        Ok(Self { point, thumbprint: encode(&Sha256::digest(canonical)) })
    }
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn decode(text: &str) -> Result<Vec<u8>, Problem> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed("not base64url without padding"))
}

pub(super) fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, Problem> {
    value.get(name).and_then(Value::as_str).ok_or_else(|| malformed(format!("`{name}` is missing")))
}

pub(super) fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(400, "malformed", detail)
}

/// As the answer's body (RFC 8555, 6.7).
pub(super) fn problem_json(problem: &Problem) -> Value {
    json!({
        "type": format!("urn:ietf:params:acme:error:{}", problem.kind),
        "detail": problem.detail,
        "status": problem.status,
    })
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

    use super::*;

    fn key() -> EcdsaKeyPair {
        let rng = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).unwrap();
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &rng).unwrap()
    }

    fn jwk(key: &EcdsaKeyPair) -> Value {
        let (x, y) = key.public_key().as_ref()[1..].split_at(COORDINATE);
        json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) })
    }

    fn sign(key: &EcdsaKeyPair, header: &Value, payload: &str) -> Value {
        let protected = encode(header.to_string().as_bytes());
        let payload = encode(payload.as_bytes());
        let signature = key.sign(&SystemRandom::new(), format!("{protected}.{payload}").as_bytes()).unwrap();
        json!({ "protected": protected, "payload": payload, "signature": encode(signature.as_ref()) })
    }

    #[test]
    fn a_signature_is_checked_over_header_and_payload() {
        let (key, other) = (key(), key());
        let header = json!({ "alg": "ES256", "jwk": jwk(&key), "nonce": "n", "url": "u" });
        let mut body = sign(&key, &header, "{}");
        let open = |body: &Value| Signed::parse(body.to_string().as_bytes());
        let signed = open(&body).ok().unwrap();
        let Signer::Key(said) = &signed.signer else { panic!("the key is in it") };
        assert!(signed.verify(said).is_ok());
        let stranger = Key::parse(&jwk(&other)).ok().unwrap();
        assert!(signed.verify(&stranger).is_err());
        body["payload"] = encode(b"{\"a\":1}").into();
        assert!(open(&body).ok().unwrap().verify(said).is_err());
    }

    #[test]
    fn what_is_not_flattened_es256_is_refused() {
        let key = key();
        let refused = |header: Value| {
            Signed::parse(sign(&key, &header, "{}").to_string().as_bytes()).err().unwrap().kind
        };
        let both = json!({ "alg": "ES256", "jwk": jwk(&key), "kid": "k", "nonce": "n", "url": "u" });
        assert_eq!(refused(both), "malformed");
        let none = json!({ "alg": "none", "kid": "k", "nonce": "n", "url": "u" });
        assert_eq!(refused(none), "badSignatureAlgorithm");
        let no_nonce = json!({ "alg": "ES256", "kid": "k", "url": "u" });
        assert_eq!(refused(no_nonce), "malformed");
        let mut private = jwk(&key);
        private["d"] = "secret".into();
        let private = json!({ "alg": "ES256", "jwk": private, "nonce": "n", "url": "u" });
        assert_eq!(refused(private), "badPublicKey");
    }
}
