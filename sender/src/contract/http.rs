//! What protocols over HTTP/1.1 have in common.

use std::fmt::Write;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Longer than an answer of any operator.
const LONGER_THAN_ANY: usize = 2 << 20;

/// Reads a request with its body off a connection; nothing at its end.
pub(crate) async fn next_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    while !is_whole(&octets) {
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(read) if read > 0 => octets.extend_from_slice(&piece[..read]),
            _ => return None,
        }
    }
    Some(octets)
}

fn is_whole(octets: &[u8]) -> bool {
    let Some((head, body)) = parts(octets) else { return false };
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    body.len() >= length.map_or(0, |length| length.trim().parse().unwrap())
}

/// Head, without the empty line, and body.
fn parts(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = octets.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((&octets[..end], &octets[end + 4..]))
}

/// An answer of this status with a JSON body.
pub(crate) fn answer(status: u16, body: &[u8]) -> Vec<u8> {
    with_headers(status, &[("content-type", "application/json")], body)
}

fn with_headers(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// What may come in place of a good answer over HTTP. Most of it has the good body inside,
/// for who would look no further.
pub(crate) fn no_answers(good: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let (_, body) = parts(good).unwrap();
    let html = b"<html><body>Please log in</body></html>";
    let to_elsewhere = |status| with_headers(status, &[("location", "/elsewhere")], body);
    let blank = vec![b' '; LONGER_THAN_ANY];
    let chunk = [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n"].concat();
    let chunked = b"HTTP/1.1 200 Said\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let inverted: Vec<u8> = body.iter().map(|octet| !octet).collect();
    let utf16: Vec<u8> = String::from_utf8_lossy(body).encode_utf16().flat_map(u16::to_be_bytes).collect();
    let mut all = vec![
        ("an empty body", answer(200, b"")),
        ("a page with 200", with_headers(200, &[("content-type", "text/html")], html)),
        ("a page that says it is JSON", answer(200, html)),
        ("half the body", answer(200, &body[..body.len() / 2])),
        ("the body and more", answer(200, &[body, b"}"].concat())),
        ("the body twice", answer(200, &[body, body].concat())),
        ("octets turned over", answer(200, &inverted)),
        ("another encoding", answer(200, &utf16)),
        ("JSON of something else", answer(200, br#"{"status":"OK","result":[]}"#)),
        ("JSON that is no object", answer(200, b"[0,-1]")),
        ("null", answer(200, b"null")),
        ("a body longer than any", answer(200, &[&blank, body].concat())),
        ("a body without an end", [&chunked, chunk.as_slice()].concat()),
        (
            "a body shorter than announced",
            [b"HTTP/1.1 200 Said\r\ncontent-length: 9999\r\n\r\n", body].concat(),
        ),
        ("no HTTP", b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
        ("to go on, and no more", b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
    ];
    all.extend([201, 202, 204, 206].map(|status| ("another success", answer(status, body))));
    all.extend([301, 302, 303, 307, 308].map(|status| ("to another place", to_elsewhere(status))));
    all.extend([400, 405, 408, 413, 415, 422].map(|status| ("a refusal of HTTP", answer(status, body))));
    all.extend([500, 502, 503, 504, 599].map(|status| ("an error of the server", answer(status, body))));
    all
}
