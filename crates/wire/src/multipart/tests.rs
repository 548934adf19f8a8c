//! Forms at every cut, and everything that is no form.

use super::*;

const TYPE: &str = "multipart/form-data; boundary=XyZ";

/// A form as clients write it: a field, `model`, a file that nearly holds the boundary.
const FORM: &[u8] = b"--XyZ\r\nContent-Disposition: form-data; name=\"language\"\r\n\r\nen\r\n\
--XyZ\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nalpha/whisper\r\n\
--XyZ\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\
Content-Type: audio/mpeg\r\n\r\n\x00\xff\r\n--Xy\r\n--XyY\r\n\r\n--XyZ--\r\n";

fn joined(pieces: &[Piece]) -> (Vec<u8>, usize) {
    let mut bytes = Vec::new();
    let mut models = 0;
    for piece in pieces {
        match piece {
            Piece::Bytes(part) => bytes.extend_from_slice(part),
            Piece::Model => {
                bytes.extend_from_slice(b"NEW");
                models += 1;
            }
        }
    }
    (bytes, models)
}

fn scan(parts: &[&[u8]]) -> Result<(Vec<u8>, Option<String>), FormError> {
    let mut scanner = FormScanner::new(TYPE)?;
    let mut out = Vec::new();
    for part in parts {
        scanner.push(part, &mut out)?;
    }
    scanner.finish()?;
    assert_eq!(scanner.held(), 0);
    let (bytes, models) = joined(&out);
    assert_eq!(models, usize::from(scanner.model().is_some()));
    Ok((bytes, scanner.model().map(str::to_owned)))
}

/// A form of one part with these headers, and a second part.
fn one(headers: &str, content: &str) -> Result<(Vec<u8>, Option<String>), FormError> {
    let form = format!(
        "--XyZ\r\n{headers}\r\n\r\n{content}\r\n--XyZ\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n--XyZ--"
    );
    scan(&[form.as_bytes()])
}

#[test]
fn every_split_gives_the_same_form() {
    let expected = String::from_utf8_lossy(FORM).replace("alpha/whisper", "NEW");
    for first in 0..=FORM.len() {
        let (a, b) = FORM.split_at(first);
        let (bytes, model) = scan(&[a, b]).unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes), expected, "cut at {first}");
        assert_eq!(model.as_deref(), Some("alpha/whisper"));
        for second in 0..=b.len() {
            let (b, c) = b.split_at(second);
            assert_eq!(scan(&[a, b, c]).unwrap().0, bytes, "cut at {first} and {second} later");
        }
    }
    let single: Vec<&[u8]> = FORM.chunks(1).collect();
    assert_eq!(String::from_utf8_lossy(&scan(&single).unwrap().0), expected);
}

#[test]
fn every_cut_is_broken_off_until_the_last_boundary() {
    let complete = FORM.len() - 2;
    for end in 0..complete {
        assert_eq!(scan(&[&FORM[..end]]), Err(FormError::BrokenOff), "{end}");
    }
    assert!(scan(&[&FORM[..complete]]).is_ok());
}

#[test]
fn little_is_held_back() {
    let mut scanner = FormScanner::new(TYPE).unwrap();
    let mut out = Vec::new();
    scanner.push(b"--XyZ\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n", &mut out).unwrap();
    for _ in 0..100 {
        scanner.push(&[b'\r'; 10_000], &mut out).unwrap();
        assert!(scanner.held() < "\r\n--XyZ".len());
    }
}

#[test]
fn names_in_all_spellings() {
    for headers in [
        "Content-Disposition: form-data; name=\"model\"",
        "content-disposition:form-data;name=model",
        "CONTENT-DISPOSITION:\tForm-Data ; Name=\"model\"",
        "Content-Type: text/plain\r\nContent-Disposition: form-data; name=\"model\"",
        "Content-Disposition: form-data; name=\"model\"\r\nContent-Transfer-Encoding: 8bit",
    ] {
        assert_eq!(one(headers, "m").unwrap().1.as_deref(), Some("m"), "{headers}");
    }
    for headers in [
        "Content-Disposition: form-data; name=\"models\"",
        "Content-Disposition: form-data; name=\"file\"; filename=\"; name=model\"",
        "Content-Disposition: form-data; name=\"file\"; filename=\"model\"; filename*=UTF-8''model",
    ] {
        assert_eq!(one(headers, "m").unwrap().1, None, "{headers}");
    }
    assert_eq!(one("Content-Disposition: form-data; name=model", "").unwrap().1.as_deref(), Some(""));
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let refused = |headers: &str| match one(headers, "m") {
        Err(FormError::Malformed(why)) => why,
        other => panic!("{headers}: {other:?}"),
    };
    for headers in [
        "Content-Type: text/plain",
        "Content-Disposition: form-data",
        "Content-Disposition: attachment; name=\"model\"",
        "Content-Disposition: form-data; name=\"x\"; name=\"model\"",
        "Content-Disposition: form-data; name=\"x\"\r\nContent-Disposition: form-data; name=\"model\"",
        "Content-Disposition: form-data; name=\"x\\\"; name=\"model\"",
        "Content-Disposition: form-data; name=\"mo\\del\"",
        "Content-Disposition: form-data; name=\"mod%65l\"",
        "Content-Disposition: form-data; name*=UTF-8''model",
        "Content-Disposition: form-data; name=\"x",
        "Content-Disposition: form-data; name=\"x\" y",
        "Content-Disposition: form-data; name=\"\"",
        "Content-Disposition: form-data;\r\n name=\"model\"",
        "Content-Disposition : form-data; name=\"model\"",
        "Content-Disposition: form-data; name=\"x\"\nContent-Disposition: form-data; name=\"model\"",
        "Content-Disposition: form-data; name=\"x\0\"",
        "no colon",
        "",
    ] {
        refused(headers);
    }
    let long = format!("Content-Disposition: form-data; name=\"x\"\r\nA: {}", "a".repeat(MAX_PART_HEADERS));
    assert!(refused(&long).contains("too long"));
}

#[test]
fn models_that_are_none() {
    let model = "Content-Disposition: form-data; name=\"model\"";
    for content in ["a\nb", "a\0", "a\r\nb", &"m".repeat(MAX_MODEL_BYTES + 1)] {
        assert_eq!(one(model, content), Err(FormError::BadModel), "{content:?}");
    }
    assert!(one(model, &"m".repeat(MAX_MODEL_BYTES)).is_ok());
    assert_eq!(one(&format!("{model}; filename=\"x\""), "m"), Err(FormError::BadModel));
    assert_eq!(
        one(&format!("{model}\r\nContent-Transfer-Encoding: base64"), "bQ=="),
        Err(FormError::BadModel)
    );
    assert_eq!(one("Content-Disposition: form-data; name=\"Model\"", "m"), Err(FormError::DuplicateModel));
    let twice = format!("--XyZ\r\n{model}\r\n\r\na\r\n--XyZ\r\n{model}\r\n\r\nb\r\n--XyZ--");
    assert_eq!(scan(&[twice.as_bytes()]), Err(FormError::DuplicateModel));
}

#[test]
fn a_second_model_is_never_let_through() {
    let model = "--XyZ\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n";
    let twice = format!("{model}a\r\n{model}b\r\n--XyZ--");
    let mut scanner = FormScanner::new(TYPE).unwrap();
    let mut out = Vec::new();
    let result = twice.as_bytes().chunks(1).try_for_each(|byte| scanner.push(byte, &mut out));
    assert_eq!(result, Err(FormError::DuplicateModel));
    let sent = String::from_utf8(joined(&out).0).unwrap();
    assert_eq!(sent, format!("{model}NEW\r\n--XyZ\r\n"));
}

#[test]
fn boundaries_and_what_stands_around_them() {
    for bad in [
        &b"preamble\r\n--XyZ--"[..],
        b"\r\n--XyZ--",
        b"--XyZ --",
        b"--XyZ\n--",
        b"--XyZA\r\n",
        b"--XyZ--\r\n--XyZ\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--XyZ--",
        b"--XyZ--trailing",
    ] {
        assert!(matches!(scan(&[bad]), Err(FormError::Malformed(_))), "{:?}", String::from_utf8_lossy(bad));
    }
    assert_eq!(scan(&[b"--XyZ--\r\n"]).unwrap().1, None);
}

#[test]
fn content_types() {
    for (text, expected) in [
        ("multipart/form-data; boundary=a", Some("a")),
        ("Multipart/Form-Data;BOUNDARY=\"a=b\"; charset=utf-8", Some("a=b")),
        (
            "multipart/form-data; charset=utf-8; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
            Some("----WebKitFormBoundary7MA4YWxkTrZu0gW"),
        ),
    ] {
        assert_eq!(boundary(text), expected, "{text}");
    }
    for text in [
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=\"a",
        "multipart/form-data; boundary=\"a\" b",
        "multipart/form-data; boundary=a b",
        "multipart/form-data; boundary=\"a\\\"b\"",
        "multipart/mixed; boundary=a",
    ] {
        assert_eq!(boundary(text), None, "{text}");
    }
    assert_eq!(boundary(&format!("multipart/form-data; boundary={}", "a".repeat(71))), None);
    let scanner = FormScanner::new("multipart/form-data; boundary=a=b; x=y").unwrap();
    assert_eq!(scanner.content_type(), "multipart/form-data; boundary=\"a=b\"");
}
