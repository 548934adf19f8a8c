//! What a request's head must not leave open: two readings of one request are how requests are smuggled
//! past a proxy and how one caller is taken for another.

use http::{Request, Version, header};
use pointsman_core::{ErrorCode, PublicError};
use pointsman_transport::TwoFramings;

use crate::headers::{KEY_FIELDS, query_keys};

/// Refuses a head that can be read in two ways: RFC 9110 7.2 (`Host`), RFC 9112 6.1 (`Transfer-Encoding`).
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), PublicError> {
    if request.extensions().get::<TwoFramings>().is_some() {
        return Err(invalid("`Content-Length` was sent beside `Transfer-Encoding`; send one of them"));
    }
    let [mut hosts, mut credentials, mut encodings] = [0_u32; 3];
    let mut keys = KEY_FIELDS.map(|_| 0_u32);
    for (name, value) in request.headers() {
        if *name == header::HOST {
            hosts += 1;
        } else if *name == header::AUTHORIZATION {
            credentials += 1;
        } else if *name == header::TRANSFER_ENCODING {
            encodings += 1;
            if encodings == 1 && value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                continue;
            }
            return Err(invalid("the only transfer encoding that is understood is `chunked`"));
        } else if let Some(place) = KEY_FIELDS.iter().position(|field| field == name) {
            keys[place] += 1;
        }
    }
    if hosts > 1 {
        return Err(invalid("`Host` was sent more than once"));
    }
    if hosts == 0 && request.version() == Version::HTTP_11 && request.uri().authority().is_none() {
        return Err(invalid("`Host` is missing"));
    }
    if credentials > 1 || keys.iter().any(|&count| count > 1) || query_keys(request.uri()).nth(1).is_some() {
        return Err(invalid("a credential was sent more than once in the same field; send one"));
    }
    Ok(())
}

fn invalid(message: &'static str) -> PublicError {
    PublicError::new(ErrorCode::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn verdict(fields: &[(&str, &str)]) -> Result<(), String> {
        let mut request = Request::new(());
        for (name, value) in fields {
            request.headers_mut().append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        check(&request).map_err(|error| error.message.into_owned())
    }

    #[test]
    fn one_host_one_credential_one_encoding() {
        assert_eq!(verdict(&[("host", "a"), ("x-api-key", "k"), ("authorization", "b")]), Ok(()));
        assert_eq!(verdict(&[("host", "a"), ("transfer-encoding", "Chunked")]), Ok(()));
        let says = |fields: &[(&str, &str)], part: &str| verdict(fields).unwrap_err().contains(part);
        assert!(says(&[], "missing"));
        assert!(says(&[("host", "a"), ("host", "a")], "`Host`"));
        for name in ["authorization", "x-api-key", "api-key", "x-goog-api-key"] {
            assert!(says(&[("host", "a"), (name, "k"), (name, "k")], "credential"));
        }
        let chunks = ("transfer-encoding", "chunked");
        assert!(says(&[("host", "a"), chunks, chunks], "encoding"));
        assert!(says(&[("host", "a"), ("transfer-encoding", "gzip, chunked")], "encoding"));
    }

    #[test]
    fn one_framing() {
        let mut request = Request::new(());
        request.headers_mut().insert(header::HOST, http::HeaderValue::from_static("a"));
        assert_eq!(check(&request), Ok(()));
        request.extensions_mut().insert(TwoFramings);
        assert_eq!(check(&request).unwrap_err().code, ErrorCode::InvalidRequest);
    }

    #[test]
    fn one_key_in_a_query() {
        let verdict = |target: &'static str| {
            let mut request = Request::new(());
            request.headers_mut().insert(header::HOST, http::HeaderValue::from_static("a"));
            *request.uri_mut() = http::Uri::from_static(target);
            check(&request).is_ok()
        };
        assert!(verdict("/v1beta/models/m:generateContent?key=a&alt=sse"));
        assert!(!verdict("/v1beta/models/m:generateContent?key=a&key=b"));
        assert!(verdict("/v1/files?key=a&key=b"), "no credential is looked for there");
    }

    #[test]
    fn http_1_0_and_whole_urls_may_leave_the_host_out() {
        let mut request = Request::new(());
        *request.version_mut() = Version::HTTP_10;
        assert_eq!(check(&request), Ok(()));
        *request.version_mut() = Version::HTTP_11;
        *request.uri_mut() = http::Uri::from_static("http://a/b");
        assert_eq!(check(&request), Ok(()));
    }
}
