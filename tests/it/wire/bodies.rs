//! Where a body ends.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

/// A request with such framing and such bytes after its head.
fn framed(framing: &str, body: &str) -> String {
    format!("POST /in HTTP/1.1\r\nhost: shop.localhost\r\ncontent-type: text/plain\r\n{framing}\r\n\r\n{body}")
}

fn chunked(body: &str) -> String {
    framed("transfer-encoding: chunked", body)
}

#[tokio::test]
async fn a_length_is_one_number() {
    let wire = Wire::start().await;
    let mut refused = Vec::new();
    for length in [
        "+5",
        "-5",
        "5, 5",
        "5 , 5",
        "5,6",
        "0x5",
        "5.0",
        "5e0",
        "5 5",
        "",
        "a",
        "\"5\"",
        "5;",
        "٥",
        "18446744073709551616",
        "99999999999999999999999999",
    ] {
        refused.push(case(framed(&format!("content-length: {length}"), SMUGGLED), &MALFORMED));
    }
    for lengths in [["5", "6"], ["6", "5"], ["5", ""], ["5", "+5"], ["0", "5"]] {
        let framing = format!("content-length: {}\r\nContent-Length: {}", lengths[0], lengths[1]);
        refused.push(case(framed(&framing, SMUGGLED), &MALFORMED));
    }
    // A number that hyper keeps for itself.
    refused.push(case(framed("content-length: 18446744073709551615", SMUGGLED), &TOO_LARGE));
    wire.hold_on_both(refused).await;

    let mut read = Vec::new();
    for length in ["5", "005", "\t5 ", "00000000000000000000000005", "5\r\ncontent-length: 5"] {
        read.push(case(framed(&format!("content-length: {length}"), "abcde"), &ANSWERED).seen("/body", "abcde"));
    }
    // GET may have a body, too; what has no length has none.
    read.push(case("GET /in HTTP/1.1\r\nhost: shop.localhost\r\ncontent-length: 5\r\n\r\nabcde", &ANSWERED));
    read.push(case("POST /in HTTP/1.1\r\nhost: shop.localhost\r\n\r\n", &ANSWERED));
    read.push(case(framed("content-length: 18446744073709551613", "abcde"), &[413]));
    read.push(case(framed(&format!("content-length: {}", (1 << 20) + 1), &"a".repeat((1 << 20) + 1)), &[413]));
    wire.hold(read).await;
}

#[tokio::test]
async fn a_coding_is_chunked_and_nothing_else() {
    let wire = Wire::start().await;
    let mut refused = Vec::new();
    for (coding, statuses) in [
        ("xchunked", MALFORMED),
        ("chunkedx", MALFORMED),
        ("identity", MALFORMED),
        ("gzip", MALFORMED),
        ("", MALFORMED),
        ("chunked, identity", MALFORMED),
        ("chunked,", MALFORMED),
        ("chunked;q=1", MALFORMED),
        ("\"chunked\"", MALFORMED),
        ("\u{b}chunked", MALFORMED),
        ("chunked\u{b}", MALFORMED),
        ("chunked\u{a0}", MALFORMED),
        ("chunked\r\ntransfer-encoding: identity", MALFORMED),
        ("chunked\r\ntransfer-encoding:", MALFORMED),
        ("identity, chunked", UNKNOWN),
        ("gzip, chunked", UNKNOWN),
        ("chunked, chunked", UNKNOWN),
        (",chunked", UNKNOWN),
        ("chunked\r\ntransfer-encoding: chunked", UNKNOWN),
        ("identity\r\ntransfer-encoding: chunked", UNKNOWN),
    ] {
        refused.push(case(framed(&format!("transfer-encoding: {coding}"), &format!("0\r\n\r\n{SMUGGLED}")), &statuses));
    }
    let of_1_0 = "POST /in HTTP/1.0\r\nhost: shop.localhost\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    refused.push(case(of_1_0, &MALFORMED));
    wire.hold_on_both(refused).await;

    let mut read = Vec::new();
    for coding in ["chunked", "CHUNKED", "\tchunked\t", " chunked "] {
        let framing = format!("transfer-encoding:{coding}");
        read.push(case(framed(&framing, "5\r\nabcde\r\n0\r\n\r\n"), &ANSWERED).seen("/body", "abcde"));
    }
    // With both, the coding counts, and nothing after that request is read (RFC 9112, 6.3).
    for framing in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "content-length: 5\r\ncontent-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\nconnection: keep-alive",
    ] {
        let body = format!("3\r\nabc\r\n0\r\n\r\n{SMUGGLED}");
        read.push(case(framed(framing, &body), &LAST).seen("/body", "abc").seen("/headers/content-length", Value::Null));
    }
    // A name is not a name with an underscore.
    read.push(case(framed("transfer_encoding: chunked\r\ncontent-length: 5", "abcde"), &ANSWERED).seen("/body", "abcde"));
    wire.hold(read).await;
}

#[tokio::test]
async fn a_chunk_is_as_long_as_it_says() {
    let wire = Wire::start().await;
    let mut cases = Vec::new();
    for body in [
        "5\r\nabcde\r\n0\r\n\r\n",
        "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",
        "0005\r\nabcde\r\n000\r\n\r\n",
        "5 \t\r\nabcde\r\n0\r\n\r\n",
        "5;a=b;c=\"d\"\r\nabcde\r\n0;e\r\n\r\n",
        "5\r\nabcde\r\n0\r\ncontent-length: 99\r\nhost: evil\r\ntransfer-encoding: gzip\r\nx-evil: 1\r\n\r\n",
    ] {
        cases.push(case(chunked(body), &ANSWERED).seen("/body", "abcde").seen("/headers/x-evil", Value::Null));
    }
    cases.push(case(chunked("A\r\n0123456789\r\n0\r\n\r\n"), &ANSWERED).seen("/body", "0123456789"));
    for body in [
        "-5\r\nabcde\r\n0\r\n\r\n",
        "+5\r\nabcde\r\n0\r\n\r\n",
        "0x5\r\nabcde\r\n0\r\n\r\n",
        " 5\r\nabcde\r\n0\r\n\r\n",
        "5 5\r\nabcde\r\n0\r\n\r\n",
        "\r\nabcde\r\n0\r\n\r\n",
        ";a\r\nabcde\r\n0\r\n\r\n",
        "g\r\nabcde\r\n0\r\n\r\n",
        "5\nabcde\r\n0\r\n\r\n",
        "5\rabcde\r\n0\r\n\r\n",
        "5;a\nabcde\r\n0\r\n\r\n",
        "5\r\nabcdef\r\n0\r\n\r\n",
        "5\r\nabcde0\r\n\r\n",
        "5\r\nabcde\n0\r\n\r\n",
        "5\r\nabcde\r\n0\r\nx\r\n\r\n",
        "5\r\nabcde\r\n0\r\nx: a\0\r\n\r\n",
        "10000000000000000\r\nabcde",
        "FFFFFFFFFFFFFFFFF\r\nabcde",
        "5\r\nabcde\r\n-0\r\n\r\n",
    ] {
        cases.push(case(chunked(&format!("{body}{SMUGGLED}")), &MALFORMED));
    }
    let extension = |bytes: usize| format!("5;{}\r\nabcde\r\n0\r\n\r\n", "e".repeat(bytes));
    cases.push(case(chunked(&extension(16_000)), &ANSWERED).seen("/body", "abcde"));
    cases.push(case(chunked(&extension(16 << 10)), &MALFORMED));
    let trailers = |n: usize| format!("5\r\nabcde\r\n0\r\n{}\r\n", "x: y\r\n".repeat(n));
    cases.push(case(chunked(&trailers(100)), &ANSWERED).seen("/body", "abcde"));
    cases.push(case(chunked(&trailers(101)), &MALFORMED));
    cases.push(case(chunked(&format!("5\r\nabcde\r\n0\r\nx: {}\r\n\r\n", "y".repeat(16 << 10))), &MALFORMED));
    wire.hold(cases).await;
}

#[tokio::test]
async fn a_body_that_is_cut_short_runs_nothing() {
    let wire = Wire::start().await;
    let address = wire.server.client.data.strip_prefix("http://").expect("a plain URL");
    for request in [
        framed("content-length: 9", "abc"),
        chunked("5\r\nabc"),
        chunked("7FFFFFFFFFFFFFFF\r\nabc"),
        chunked("FFFFFFFFFFFFFFFF\r\nabc"),
        chunked("5\r\nabcde\r\n0\r\n"),
        chunked("5\r\nabcde\r\n0\r\nx: y"),
        chunked("5;"),
    ] {
        let mut stream = TcpStream::connect(address).await.expect("the server listens");
        stream.write_all(request.as_bytes()).await.expect("sent");
        stream.shutdown().await.expect("closed");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answers(&answer).iter().all(|answer| answer.status == 400), "{request:?}: {answer:?}");
        assert_eq!(wire.asked().await, 0, "{request:?}");
    }
}

#[tokio::test]
async fn who_waits_to_be_told_to_go_on_is_told() {
    let wire = Wire::start().await;
    let expecting = |expect: &str| framed(&format!("expect: {expect}\r\ncontent-length: 5"), "abcde");
    let mut cases = Vec::new();
    for expect in ["100-continue", "100-Continue", "other\r\nexpect: 100-continue"] {
        cases.push(case(expecting(expect), &[100, 200, 200]).seen("/body", "abcde"));
    }
    // Other expectations are none.
    for expect in ["100", "200-ok", "", "100-continue, x", "100-continue\r\nexpect: other"] {
        cases.push(case(expecting(expect), &ANSWERED).seen("/body", "abcde"));
    }
    cases.push(case("GET /in HTTP/1.1\r\nhost: shop.localhost\r\nexpect: 100-continue\r\n\r\n", &ANSWERED));
    let of_1_0 = "POST /in HTTP/1.0\r\nhost: shop.localhost\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\nabcde";
    cases.push(case(of_1_0, &LAST));
    cases.push(case(framed("expect: 100-continue\r\ncontent-length: 99999999", SMUGGLED), &[413]));
    wire.hold(cases).await;
}
