//! Bodies at every cut, and everything that is no body.

use super::*;

/// Feeds `wire` in pieces cut at `cuts`; the body, or the error, and what was left over.
fn read(mut framing: Framing, wire: &[u8], cuts: &[usize]) -> Result<(Vec<u8>, bool, Vec<u8>), String> {
    let (mut buffer, mut body, mut from) = (BytesMut::new(), Vec::new(), 0);
    let ends = cuts.iter().copied().chain([wire.len()]);
    for end in ends {
        buffer.extend_from_slice(&wire[from..end]);
        from = end;
        loop {
            match framing.decode(&mut buffer).map_err(|error| error.to_string())? {
                Decoded::Data(data) => body.extend_from_slice(&data),
                Decoded::More => break,
                Decoded::End => {
                    buffer.extend_from_slice(&wire[from..]);
                    return Ok((body, true, buffer.to_vec()));
                }
            }
        }
    }
    let ended = framing.closed().is_ok();
    Ok((body, ended, buffer.to_vec()))
}

const CHUNKED: Framing = Framing::Chunked(Chunk::Size);

#[test]
fn the_same_body_at_every_two_cuts() {
    let wire = b"5;a=b\r\nhello\r\n0A\r\n 0123\r\n\r\n9\r\n0\r\nx-t: 1\r\n\r\nNEXT";
    for first in 0..=wire.len() {
        for second in first..=wire.len() {
            let (body, ended, rest) = read(CHUNKED, wire, &[first, second]).unwrap();
            assert_eq!(body, b"hello 0123\r\n\r\n9", "{first} {second}");
            assert!(ended);
            assert_eq!(rest, b"NEXT", "{first} {second}");
        }
    }
}

#[test]
fn lengths_and_closes() {
    assert_eq!(read(Framing::Length(3), b"abcdef", &[1]).unwrap(), (b"abc".to_vec(), true, b"def".to_vec()));
    assert_eq!(read(Framing::Length(0), b"x", &[]).unwrap(), (vec![], true, b"x".to_vec()));
    assert!(!read(Framing::Length(9), b"abc", &[]).unwrap().1, "cut off");
    assert_eq!(read(Framing::UntilClose, b"abc", &[2]).unwrap(), (b"abc".to_vec(), true, vec![]));
    assert!(!read(CHUNKED, b"5\r\nhel", &[]).unwrap().1, "cut off");
    assert!(!read(CHUNKED, b"5\r\nhello\r\n", &[]).unwrap().1, "no last chunk");
}

#[test]
fn what_is_no_chunk_is_refused() {
    let long_line = [b"5;".as_slice(), &[b'x'; 2000]].concat();
    let long_trailer = [b"0\r\n".as_slice(), &b"a: b\r\n".repeat(5000)].concat();
    let bad: [&[u8]; 9] = [
        b"\r\n",
        b"g\r\n",
        b"-1\r\nx",
        b"0x5\r\nhello",
        b"1000000000000000\r\n",
        b"5\r\nhelloo\r\n",
        b"5 5\r\nhello",
        &long_line,
        &long_trailer,
    ];
    for wire in bad {
        assert!(
            read(CHUNKED, wire, &[]).is_err(),
            "{:?}",
            String::from_utf8_lossy(&wire[..wire.len().min(30)])
        );
    }
}
