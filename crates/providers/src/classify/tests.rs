//! The tables, row by row, with answers as vendors send them.

use super::*;

const NOW: u64 = 1_700_000_000;
const NOTHING: ErrorInfo<'_> = ErrorInfo { type_: None, code: None, message: None };

fn plain(status: u16) -> Outcome {
    classify(status, None, NOW, &NOTHING)
}

#[test]
fn statuses() {
    for status in [400, 404, 405, 411, 413, 414, 415, 422, 431, 451] {
        assert_eq!(plain(status), Outcome::ClientFault, "{status}");
    }
    for status in [401, 402, 403] {
        assert_eq!(plain(status), Outcome::Unauthorized, "{status}");
    }
    for status in [408, 504, 524] {
        assert_eq!(plain(status), Outcome::Timeout(Phase::FirstByte), "{status}");
    }
    assert_eq!(plain(429), Outcome::RateLimited { retry_after: None });
    for status in [498, 499, 503, 529] {
        assert_eq!(plain(status), Outcome::Overloaded { retry_after: None }, "{status}");
    }
    for status in [409, 425, 500, 501, 502, 505, 520, 599] {
        assert_eq!(plain(status), Outcome::UpstreamFault, "{status}");
    }
    // A redirect is not followed, and a status that does not exist is not the client's fault.
    for status in [0, 100, 301, 307, 600, u16::MAX] {
        assert_eq!(plain(status), Outcome::UpstreamFault, "{status}");
    }
    assert_eq!(plain(200), Outcome::Success);
}

#[test]
fn words_say_more_than_the_status() {
    let said = |status, type_, code| {
        classify(status, None, NOW, &ErrorInfo { type_: Some(type_), code: Some(code), message: None })
    };
    assert_eq!(said(429, "insufficient_quota", "insufficient_quota"), Outcome::Unauthorized);
    assert_eq!(said(429, "requests", "rate_limit_exceeded"), Outcome::RateLimited { retry_after: None });
    assert_eq!(said(500, "overloaded_error", ""), Outcome::Overloaded { retry_after: None });
    assert_eq!(said(400, "invalid_request_error", "context_length_exceeded"), Outcome::ClientFault);
    assert_eq!(said(500, "server_error", ""), Outcome::UpstreamFault);
}

#[test]
fn a_wrong_key_or_an_empty_account_is_ours_even_as_a_400() {
    let said =
        |status, message| classify(status, None, NOW, &ErrorInfo { message: Some(message), ..NOTHING });
    let google = "API key not valid. Please pass a valid API key.";
    assert_eq!(said(400, google), Outcome::Unauthorized);
    assert_eq!(said(400, "Incorrect API key provided: xa***key"), Outcome::Unauthorized);
    assert_eq!(said(400, "Your credit balance is too low to access the API."), Outcome::Unauthorized);
    assert_eq!(said(400, "messages must not be empty"), Outcome::ClientFault);
    assert_eq!(said(500, google), Outcome::UpstreamFault, "only a 400 is ambiguous");
}

#[test]
fn retry_after_comes_with_the_outcome() {
    let wait = |status, value| classify(status, Some(value), NOW, &NOTHING).retry_after();
    assert_eq!(wait(429, "7"), Some(Duration::from_secs(7)));
    assert_eq!(wait(503, "2"), Some(Duration::from_secs(2)));
    assert_eq!(wait(529, "1.5"), Some(Duration::from_millis(1500)));
    assert_eq!(wait(500, "7"), None, "no outcome that carries it");
}

#[test]
fn reads_seconds_and_dates() {
    let at = |value| parse_retry_after(value, NOW);
    assert_eq!(at("0"), Some(Duration::ZERO));
    assert_eq!(at(" 30 "), Some(Duration::from_secs(30)));
    // 1,700,000,000 is 2023-11-14 22:13:20 UTC.
    assert_eq!(at("Tue, 14 Nov 2023 22:13:50 GMT"), Some(Duration::from_secs(30)));
    assert_eq!(at("Tue, 14 Nov 2023 22:00:00 GMT"), Some(Duration::ZERO), "in the past");
    for value in ["", ".", "soon", "-1", "1e3", "1.2.3", "99999999999999999999", "1700000060"] {
        assert_eq!(at(value), None, "{value:?}");
    }
}

#[test]
fn an_error_inside_an_answer_is_not_a_success() {
    let code = |code| classify_body_error(&ErrorInfo { code: Some(code), ..NOTHING });
    assert_eq!(classify_body_error(&NOTHING), Outcome::UpstreamFault);
    assert_eq!(code("429"), Outcome::RateLimited { retry_after: None });
    assert_eq!(code("200"), Outcome::UpstreamFault);
    assert_eq!(code("context_length_exceeded"), Outcome::ClientFault);
}
