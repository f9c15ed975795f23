//! Lines of a head: how they are written, how many and how long they are, what they try to do to each other.

use picloud::limits;

use super::*;

fn with(headers: &str) -> String {
    format!("GET /in HTTP/1.1\r\nhost: shop.localhost\r\n{headers}\r\n\r\n")
}

#[tokio::test]
async fn a_header_is_a_name_a_colon_and_a_value() {
    let wire = Wire::start().await;
    let mut refused = Vec::new();
    for headers in [
        "x: y\r\n folded: z",
        "x: y\r\n\tfolded",
        "x:\r\n y",
        " x: y",
        "content-length : 5",
        "transfer-encoding : chunked",
        "transfer-encoding\t: chunked",
        "x",
        "x y: z",
        ": x",
        "x(y): z",
        "x\u{e9}: z",
        "x\0: y",
        "x: a\rb",
        "x: a\r\rb",
        "x: a\rtransfer-encoding: chunked",
        "x: a\0b",
        "x: a\u{7f}b",
        "x: a\u{1}b",
        "x: a\r\r\nb: c",
        "\"x\": y",
    ] {
        refused.push(case(with(headers), &MALFORMED));
    }
    refused.push(case("GET /in HTTP/1.1\r\n host: shop.localhost\r\n\r\n", &MALFORMED));
    refused.push(case("GET /in HTTP/1.1\r\n\thost: shop.localhost\r\n\r\n", &MALFORMED));
    refused.push(case("\rGET /in HTTP/1.1\r\nhost: shop.localhost\r\n\r\n", &MALFORMED));
    wire.hold_on_both(refused).await;

    let mut read = Vec::new();
    for (headers, value) in [
        ("x:y", "y"),
        ("X: y", "y"),
        ("x: \t y \t ", "y"),
        ("x:", ""),
        ("x: y\r\nX: z", "y, z"),
        ("x: a b\tc", "a b\tc"),
        ("x: ü", "ü"),
    ] {
        read.push(case(with(headers), &ANSWERED).seen("/headers/x", value));
    }
    let odd = b"GET /in HTTP/1.1\r\nhost: shop.localhost\r\nx: a\xff\r\n\r\n".as_slice();
    read.push(case(odd, &ANSWERED).seen("/headers/x", "a\u{fffd}"));
    // A line may end in LF alone (RFC 9112, 2.2): it is the same line to whoever reads it so.
    read.push(case("GET /in HTTP/1.1\nhost: shop.localhost\nx: y\n\n", &ANSWERED).seen("/headers/x", "y"));
    let mixed = "POST /in HTTP/1.1\r\nhost: shop.localhost\r\nx: a\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    read.push(case(mixed, &ANSWERED).seen("/headers/x", "a"));
    read.push(case(with("x: y").replacen("GET", "\r\n\n\r\nGET", 1), &ANSWERED));
    wire.hold(read).await;
}

#[tokio::test]
async fn heads_are_bounded_in_headers_bytes_and_target() {
    let wire = Wire::start().await;
    let lines = |n: usize| with(&(1..n).map(|n| format!("x-{n}: y")).collect::<Vec<_>>().join("\r\n"));
    let bytes = |n: usize| {
        let others = "hostshop.localhost".len();
        let each = (n - others) / 2;
        with(&format!("x: {}\r\ny: {}", "a".repeat(each - 1), "b".repeat(n - others - each - 1)))
    };
    let named = |n: usize| with(&format!("{}: y", "n".repeat(n - "hostshop.localhosty".len())));
    let target = |n: usize| with("x: y").replacen("/in", &format!("/in?{}", "q".repeat(n - "/in".len())), 1);
    let (count, most, longest) =
        (limits::REQUEST_HEADERS_MAX, limits::REQUEST_HEADER_BYTES_MAX, limits::REQUEST_TARGET_BYTES_MAX);
    wire.hold(vec![
        case(lines(count), &ANSWERED),
        case(lines(count + 1), &TOO_LARGE),
        case(lines(10 * count), &TOO_LARGE),
        // Who sends a large head is answered, and has to come again.
        case(bytes(most), &LAST),
        case(bytes(most + 1), &TOO_LARGE),
        case(bytes(2 * most), &TOO_LARGE),
        case(named(most), &LAST),
        case(named(most + 1), &TOO_LARGE),
        case(target(longest), &ANSWERED),
        case(target(longest + 1), &[414, 200]),
        case(target(4 * longest), &[414]),
        case(target(16 * longest), &TOO_LARGE),
        case(with(&format!("x: {}", "a".repeat(4 << 20))), &TOO_LARGE),
        case("a".repeat(2 * limits::REQUEST_HEAD_BYTES_MAX), &TOO_LARGE),
    ])
    .await;
}

#[tokio::test]
async fn a_connection_header_takes_nothing_from_the_platform() {
    let wire = Wire::start().await;
    let naming = |named: &str, headers: &str| with(&format!("connection: {named}\r\n{headers}"));
    let mut cases = vec![
        case(naming("host", "x: y"), &ANSWERED).seen("/headers/host", "shop.localhost"),
        // What a client takes from its own request is its own affair.
        case(naming("authorization, cookie", "authorization: a\r\ncookie: b\r\nx: y"), &ANSWERED)
            .seen("/headers/authorization", Value::Null)
            .seen("/headers/cookie", Value::Null)
            .seen("/headers/x", "y"),
        // The platform has read them before.
        case(naming("x-forwarded-for", "x-forwarded-for: 203.0.113.9"), &ANSWERED).seen("/from", "203.0.113.9"),
        case(naming("close, host", "x: y"), &LAST).seen("/headers/host", "shop.localhost"),
    ];
    let body = "POST /in HTTP/1.1\r\nhost: shop.localhost\r\ncontent-type: text/plain\r\n\
        connection: content-length, transfer-encoding\r\n";
    cases.push(case(format!("{body}content-length: 5\r\n\r\nabcde"), &ANSWERED).seen("/body", "abcde"));
    cases
        .push(case(format!("{body}transfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"), &ANSWERED).seen("/body", "abcde"));
    wire.hold(cases).await;
}

#[tokio::test]
async fn what_a_client_says_of_itself_does_no_harm() {
    let wire = Wire::start().await;
    let mut cases = Vec::new();
    // This test comes from the same machine, like a proxy: that is believed, as far as it names an address, and the last one.
    for (forwarded, from) in [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 198.51.100.4", "198.51.100.4"),
        ("203.0.113.9\r\nx-forwarded-for: 198.51.100.4", "198.51.100.4"),
        ("198.51.100.4:99", "198.51.100.4"),
        ("203.0.113.9,", "127.0.0.1"),
        ("unknown", "127.0.0.1"),
        ("' OR 1=1 --", "127.0.0.1"),
        ("", "127.0.0.1"),
        (",".repeat(8 << 10).as_str(), "127.0.0.1"),
    ] {
        cases.push(case(with(&format!("x-forwarded-for: {forwarded}")), &ANSWERED).seen("/from", from));
    }
    for headers in ["x-real-ip: 203.0.113.9", "forwarded: for=203.0.113.9", "true-client-ip: 203.0.113.9", "via: 1.1 a"] {
        cases.push(case(with(headers), &ANSWERED).seen("/from", "127.0.0.1"));
    }
    let crumbs: Vec<_> = (0..1_000).map(|n| format!("c{n}={n}")).collect();
    cases.push(case(with(&format!("cookie: {}", crumbs.join("; "))), &ANSWERED).seen("/headers/cookie", crumbs.join("; ")));
    cases.push(case(with(&vec!["cookie: a=1"; 90].join("\r\n")), &ANSWERED).seen("/headers/cookie", vec!["a=1"; 90].join("; ")));
    for cookie in ["picloud_session=x", "__Host-picloud_session=x", "=picloud_session=x", "a=1\r\ncookie: picloud_session=x"] {
        let left = if cookie.starts_with("a=1") { Value::from("a=1") } else { Value::Null };
        cases.push(case(with(&format!("cookie: {cookie}")), &ANSWERED).seen("/headers/cookie", left));
    }
    cases.push(case(with(&format!("cookie: {}", ";".repeat(60 << 10))), &LAST));
    wire.hold(cases).await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_until_one_is_refused() {
    let wire = Wire::start().await;
    let get = |n: usize| format!("GET /in/{n} HTTP/1.1\r\nhost: shop.localhost\r\n\r\n");
    let post = "POST /in/body HTTP/1.1\r\nhost: shop.localhost\r\ncontent-length: 40\r\n\r\n";
    let many: String = (0..40).map(get).collect();
    let answered = follow(&wire.server.client.data, many.as_bytes()).await;
    let paths: Vec<_> = answered.iter().map(|answer| answer.json()["path"].clone()).collect();
    let expected: Vec<_> = (0..40).map(|n| Value::from(format!("/in/{n}"))).chain(["/follower".into()]).collect();
    assert_eq!(paths, expected);
    assert_eq!(wire.asked().await, 41);

    wire.hold(vec![
        case([get(1), with("x y: z"), get(2)].concat(), &[200, 400]),
        case([get(1), with("host: b"), get(2)].concat(), &[200, 400]),
        case([get(1), "CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), get(2)].concat(), &[200, 501]),
        // A body that looks like a request is a body.
        case([post, &get(1)[..40]].concat(), &ANSWERED),
        case([post, &SMUGGLED[..40]].concat(), &ANSWERED),
    ])
    .await;
}
