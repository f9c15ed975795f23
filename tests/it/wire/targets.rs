//! Whom and what a request is for.

use super::*;

const OWN: &str = "host: shop.localhost\r\n";

fn target(line: &str) -> String {
    format!("{line} HTTP/1.1\r\n{OWN}\r\n")
}

fn hosts(headers: &str) -> String {
    format!("GET /in HTTP/1.1\r\n{headers}\r\n")
}

#[tokio::test]
async fn a_request_names_one_host() {
    let wire = Wire::start().await;
    let mut refused = vec![
        case(hosts(""), &MALFORMED),
        case(hosts("host: shop.localhost\r\nhost: shop.localhost\r\n"), &MALFORMED),
        case(hosts("host: shop.localhost\r\nHost: evil.localhost\r\n"), &MALFORMED),
        case("GET http://shop.localhost/in HTTP/1.1\r\n\r\n", &MALFORMED),
        case("GET http://shop.localhost/in HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", &MALFORMED),
        case("GET /in HTTP/1.0\r\nhost: shop.localhost\r\nhost: b\r\n\r\n", &MALFORMED),
    ];
    for host in [
        "shop.localhost evil.localhost",
        "shop.localhost\tevil",
        "evil@shop.localhost",
        "shop.localhost@evil",
        "u:p@shop.localhost",
        "shop.localhost:8o",
        "shop.localhost:80:80",
        "shop.localhost:-1",
        "shop.localhost/in",
        "shop.localhost?",
        "shop.localhost#",
        "shop.localhost\\evil",
        "http://shop.localhost",
        "shop.localhost, evil.localhost",
        "[shop.localhost",
        "[::1]evil",
        "::1",
        "<shop.localhost>",
        "shöp.localhost",
    ] {
        refused.push(case(hosts(&format!("host: {host}\r\n")), &MALFORMED));
    }
    wire.hold_on_both(refused).await;

    let mut read = Vec::new();
    for host in ["shop.localhost", "SHOP.localhost:1", "a.b.shop.localhost.", "\tshop.localhost \t", "shop.localhost:"] {
        read.push(case(hosts(&format!("host: {host}\r\n")), &ANSWERED));
    }
    // These are hosts, and nobody's.
    for host in ["", "evil.localhost", "shop.localhost.evil", "shop.localhost,evil.localhost", "[::1]:80", ":80"] {
        read.push(case(hosts(&format!("host: {host}\r\n")), &[404, 200]));
    }
    read.push(case("GET /in HTTP/1.0\r\n\r\n", &[404]));
    for said in
        ["x-forwarded-host: evil.localhost", "forwarded: host=evil.localhost", "x-host: evil", "x-original-url: /smuggled"]
    {
        read.push(case(hosts(&format!("{OWN}{said}\r\n")), &ANSWERED).seen("/path", "/in"));
    }
    wire.hold(read).await;
}

#[tokio::test]
async fn a_target_is_a_path_or_a_whole_url() {
    let wire = Wire::start().await;
    let mut refused = Vec::new();
    for line in [
        "GET shop.localhost",
        "GET shop.localhost:80",
        "GET in",
        "GET *",
        "POST *",
        "GET ftp://shop.localhost/in",
        "GET http://u:p@shop.localhost/in",
        "GET http://u@shop.localhost/in",
        "GET http:///in",
        "GET http:/in",
        "GET http://",
        "GET http://shop.localhost:8o/in",
        "GET /in\u{7f}",
        "GET /in\0",
        "GET /i n",
        "GET /in\t",
        "GET",
        "GET ",
        " GET /in",
        "GET  /in",
        "GET\t/in",
        "(GET) /in",
    ] {
        refused.push(case(target(line), &MALFORMED));
    }
    refused.push(case(b"GET /in\xff HTTP/1.1\r\nhost: shop.localhost\r\n\r\n".as_slice(), &MALFORMED));
    for line in [
        "CONNECT shop.localhost:443",
        "CONNECT http://shop.localhost/in",
        "CONNECT /in",
        &format!("{} /in", "M".repeat(33)),
        &format!("{} /in", "M".repeat(1 << 10)),
    ] {
        refused.push(case(target(line), &UNKNOWN));
    }
    wire.hold_on_both(refused).await;

    let mut read = Vec::new();
    for (line, path) in [
        ("GET /in", "/in"),
        ("GET /in#fragment", "/in"),
        ("GET http://shop.localhost/in", "/in"),
        ("GET HTTP://SHOP.localhost:99/in", "/in"),
        ("GET https://shop.localhost/in", "/in"),
        ("get /in", "/in"),
        (format!("{} /in", "M".repeat(32)).as_str(), "/in"),
    ] {
        read.push(case(target(line), &ANSWERED).seen("/path", path));
    }
    // The host of a whole URL counts, whatever the header says.
    let other = |url: &str, host: &str| format!("GET {url} HTTP/1.1\r\nhost: {host}\r\n\r\n");
    read.push(case(other("http://shop.localhost/in", "evil.localhost"), &ANSWERED).seen("/path", "/in"));
    read.push(case(other("http://evil.localhost/in", "shop.localhost"), &[404, 200]));
    for path in ["/in/%zz", "/in/%", "/in/%00", "/in/%0d%0ax", "/in/%ff", "/in/../x", "/in/%2e%2e/x", "/in/./x"] {
        read.push(case(target(&format!("GET {path}")), &[400, 200]));
    }
    read.push(case(target("OPTIONS *"), &[400, 200]));
    // No route takes it: it would hand a browser the headers that scripts may not read.
    read.push(case(target("TRACE /in"), &[405, 200]));
    wire.hold(read).await;
}

#[tokio::test]
async fn a_version_is_1_0_or_1_1() {
    let wire = Wire::start().await;
    let mut refused = Vec::new();
    for line in [
        "GET /in",
        "GET /in HTTP/0.9",
        "GET /in HTTP/1.2",
        "GET /in HTTP/1.10",
        "GET /in HTTP/2.0",
        "GET /in HTTP/2",
        "GET /in http/1.1",
        "GET /in HTTP/1.1 ",
        "GET /in HTTP/1.1 x",
        "GET /in HTTP /1.1",
        "GET /in HTTPS/1.1",
        "GET /in",
    ] {
        refused.push(case(format!("{line}\r\n{OWN}\r\n"), &MALFORMED));
    }
    refused.push(case(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(), &MALFORMED));
    refused.push(case(b"SSH-2.0-x\r\n".as_slice(), &MALFORMED));
    // HTTP/2 without asking first: who speaks that understands nothing else.
    refused.push(case("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &CLOSED));
    wire.hold_on_both(refused).await;

    let mut read = Vec::new();
    read.push(case(format!("GET /in HTTP/1.0\r\n{OWN}\r\n"), &LAST));
    read.push(case(format!("GET /in HTTP/1.0\r\n{OWN}connection: keep-alive\r\n\r\n"), &ANSWERED));
    read.push(case(format!("GET /in HTTP/1.1\r\n{OWN}connection: close\r\n\r\n"), &LAST));
    read.push(case(format!("GET /in HTTP/1.1\r\n{OWN}connection: keep-alive\r\nconnection: close\r\n\r\n"), &LAST));
    for upgrade in [
        "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
        "connection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
        "upgrade: TLS/1.0\r\nconnection: upgrade\r\n",
    ] {
        read.push(case(format!("GET /in HTTP/1.1\r\n{OWN}{upgrade}\r\n"), &ANSWERED).seen("/headers/upgrade", Value::Null));
    }
    wire.hold(read).await;
}
