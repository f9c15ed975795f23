//! Outbound requests of scripts: their shapes, and what of them is allowed before anybody looks at an address.

use std::net::IpAddr;

use serde_json::json;
use url::{Host, Url};

use crate::error::{Error, Result};
use crate::limits;
use crate::model::text;

/// An absolute URL that may be asked for: `http` or `https`, no user name or password, a port that speaks HTTP.
///
/// Whatever form a host came in (upper case, IDN, decimal, octal, hexadecimal or short addresses, a dot at the end), it is
/// held, compared and resolved in the one form of the WHATWG URL standard, without that dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    host: String,
}

/// What to do with an answer that points elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirects {
    Follow,
    Answer,
}

/// A request as its script asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    pub redirects: Redirects,
    pub timeout_ms: Option<u32>,
}

/// A request that may be sent, as far as it can be judged by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub target: Target,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    pub redirects: Redirects,
    pub timeout_ms: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Lower-case names, as often as they came.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// Holds a request against HTTP and the bounds of `limits`; 422 names what is wrong.
    pub fn read(asked: Asked) -> Result<Self> {
        let method = method(&asked.method)?;
        let target = Target::parse(&asked.url)?;
        let headers = headers(asked.headers)?;
        let body_bytes = asked.body.as_ref().map_or(0, Vec::len);
        if body_bytes > limits::HTTP_REQUEST_BODY_BYTES_MAX {
            return Err(text::too_long("body", body_bytes, limits::HTTP_REQUEST_BODY_BYTES_MAX, "bytes"));
        }
        let timeout_ms = asked.timeout_ms.unwrap_or(limits::HTTP_TIMEOUT_MS_DEFAULT);
        let allowed = limits::HTTP_TIMEOUT_MS_MAX;
        if timeout_ms == 0 || timeout_ms > allowed {
            return Err(Error::invalid("timeout_ms", format!("timeout_ms is {timeout_ms}; 1 to {allowed} are allowed"))
                .with_details(json!({ "field": "timeout_ms", "asked": timeout_ms, "floor": 1, "allowed": allowed })));
        }
        Ok(Self { method, target, headers, body: asked.body, redirects: asked.redirects, timeout_ms })
    }

    /// The first header of that lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

impl Target {
    /// 422 says what is wrong with the text, never quoting a user name or password.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > limits::HTTP_URL_BYTES_MAX {
            return Err(text::too_long("url", text.len(), limits::HTTP_URL_BYTES_MAX, "bytes"));
        }
        if text.chars().any(|c| c.is_control() || c == ' ') {
            return Err(invalid("url holds a blank or a control character; write them percent-encoded"));
        }
        Self::of(Url::parse(text).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => invalid("url is not absolute; begin it with https:// or http://"),
            error => invalid(format!("url cannot be read: {error}")),
        })?)
    }

    /// What a `Location` of this URL leads to.
    pub fn join(&self, location: &str) -> Result<Self> {
        let url = self.url.join(location).map_err(|error| invalid(format!("url cannot be read: {error}")))?;
        if url.as_str().len() > limits::HTTP_URL_BYTES_MAX {
            return Err(text::too_long("url", url.as_str().len(), limits::HTTP_URL_BYTES_MAX, "bytes"));
        }
        Self::of(url)
    }

    fn of(url: Url) -> Result<Self> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid(format!("url has the scheme `{}`; http and https are allowed", url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("url holds a user name or password; send them in the header `authorization`"));
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                if name.len() > 253 || name.split('.').any(|label| label.is_empty() || label.len() > 63) {
                    return Err(invalid("url has a host that is no name of the DNS: labels of 1 to 63 characters, 253 together"));
                }
                name.to_owned()
            }
            Some(address) => address.to_string(),
            None => return Err(invalid("url has no host")),
        };
        let target = Self { url, host };
        let port = target.port();
        if port == 0 || NOT_HTTP.binary_search(&port).is_ok() {
            return Err(invalid(format!("url has the port {port}, which belongs to another protocol than HTTP")));
        }
        Ok(target)
    }

    /// As grants name it: lower case, IDNA, addresses normalised, an IPv6 one in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The address that the host is, where it is one.
    pub fn address(&self) -> Option<IpAddr> {
        match self.url.host()? {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        }
    }

    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(0)
    }

    pub fn is_secure(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The header `host`.
    pub fn authority(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// The target of the request line.
    pub fn path_and_query(&self) -> String {
        match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        }
    }

    /// Whether credentials for one are credentials for the other: scheme, host and port are the same.
    pub fn is_same_origin(&self, other: &Self) -> bool {
        (self.url.scheme(), &self.host, self.port()) == (other.url.scheme(), &other.host, other.port())
    }
}

/// Ports of other protocols, which a request could be made to speak to: the list of the WHATWG Fetch standard (§2.9).
#[rustfmt::skip]
const NOT_HTTP: &[u16] = &[
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111,
    113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554,
    556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666,
    6667, 6668, 6669, 6679, 6697, 10080,
];

/// Headers that frame a message or belong to the connection: ours to say.
const OURS: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// In upper case where HTTP knows it; else as it is. CONNECT and TRACE ask for something else than an answer.
fn method(text: &str) -> Result<String> {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
    if let Some(known) = known.into_iter().find(|known| known.eq_ignore_ascii_case(text)) {
        return Ok(known.to_owned());
    }
    let field = |message: String| Error::invalid("method", message);
    let chars = text.chars().count();
    if chars > limits::HTTP_METHOD_CHARS_MAX {
        return Err(text::too_long("method", chars, limits::HTTP_METHOD_CHARS_MAX, "characters"));
    }
    if text.is_empty() || !text.bytes().all(is_token) {
        return Err(field(format!("method `{}` is not a method of HTTP (RFC 9110 §9.1)", text.escape_default())));
    }
    if ["CONNECT", "TRACE", "TRACK"].iter().any(|refused| refused.eq_ignore_ascii_case(text)) {
        return Err(field(format!("method `{text}` cannot be sent from a script")));
    }
    Ok(text.to_owned())
}

fn headers(asked: Vec<(String, String)>) -> Result<Vec<(String, String)>> {
    let field = |message: String| Error::invalid("headers", message);
    let (count, allowed) = (asked.len(), limits::HTTP_REQUEST_HEADERS_MAX);
    if count > allowed {
        return Err(field(format!("headers are {count}; at most {allowed} are allowed"))
            .with_details(json!({ "field": "headers", "asked": count, "allowed": allowed })));
    }
    let bytes = asked.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > limits::HTTP_REQUEST_HEADER_BYTES_MAX {
        return Err(text::too_long("headers", bytes, limits::HTTP_REQUEST_HEADER_BYTES_MAX, "bytes"));
    }
    let mut headers = Vec::with_capacity(count);
    for (name, value) in asked {
        let name = name.to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(field(format!("`{}` is not a header name (RFC 9110 §5.6.2)", name.escape_default())));
        }
        if OURS.contains(&name.as_str()) {
            return Err(field(format!("header `{name}` is not a script's to set: it belongs to the connection")));
        }
        if !value.bytes().all(is_field_value) {
            return Err(field(format!("the value of header `{name}` has a character that HTTP forbids (RFC 9110 §5.5)")));
        }
        headers.push((name, value));
    }
    Ok(headers)
}

/// RFC 9110 §5.6.2.
pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 9110 §5.5: visible characters, space, tab, and bytes of other encodings; no line end.
pub fn is_field_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::invalid("url", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(url: &str) -> Asked {
        Asked {
            method: "get".to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: None,
            redirects: Redirects::Follow,
            timeout_ms: None,
        }
    }

    #[test]
    fn a_host_has_one_form() {
        for (url, host) in [
            ("http://EXAMPLE.com/", "example.com"),
            ("http://example.com./", "example.com"),
            ("http://b\u{fc}cher.example/", "xn--bcher-kva.example"),
            ("http://\u{ff45}xample.com/", "example.com"),
            ("http://ex%61mple.com/", "example.com"),
            ("http:\\\\example.com\\x", "example.com"),
            ("http:/example.com/x", "example.com"),
            ("http://2130706433/", "127.0.0.1"),
            ("http://0x7f000001/", "127.0.0.1"),
            ("http://0x7f.1/", "127.0.0.1"),
            ("http://017700000001/", "127.0.0.1"),
            ("http://0177.0.0.01/", "127.0.0.1"),
            ("http://127.1/", "127.0.0.1"),
            ("http://127.0.0.1./", "127.0.0.1"),
            ("http://\u{2460}27.0.0.1/", "127.0.0.1"),
            ("http://127\u{3002}0\u{3002}0\u{3002}1/", "127.0.0.1"),
            ("http://0/", "0.0.0.0"),
            ("http://[::1]/", "[::1]"),
            ("http://[0:0::0:1]/", "[::1]"),
            ("http://[::ffff:127.0.0.1]/", "[::ffff:7f00:1]"),
        ] {
            let target = Target::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(target.host(), host, "{url}");
            assert_eq!(target.address().is_some(), host.contains("0.1") || host.starts_with(['[', '0']), "{url}");
        }
    }

    #[test]
    fn urls_that_mean_nothing_or_too_much_are_refused() {
        for url in [
            "",
            "/x",
            "//example.com/",
            "example.com",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://example.com/",
            "unix:/run/x",
            "data:,x",
            "http://",
            "http:///",
            "http://user@example.com/",
            "http://user:pass@example.com/",
            "http://:pass@example.com/",
            "http://example.com:65536/",
            "http://example.com:0/",
            "http://example.com:x/",
            "http://[fe80::1%25eth0]/",
            "http://[fe80::1%eth0]/",
            "http://[::1/",
            "http://1.2.3.4.5/",
            "http://256.1.1.1/",
            "http://0x100000000/",
            "http://exa mple.com/",
            "http://example.com/\r\nx: y",
            "http://example.com/\0",
            " http://example.com/",
            "http://example..com/",
            "http://example.com../",
            "http://127.0.0.1../",
            "http://exam<ple.com/",
        ] {
            let refused = Target::parse(url).expect_err(url);
            assert_eq!(refused.code, "invalid", "{url}");
            assert!(refused.message.starts_with("url "), "{url}: {}", refused.message);
            assert!(!refused.message.contains("pass@"), "{}", refused.message);
        }
        assert!(Target::parse(&format!("http://{}.example/", "a".repeat(63))).is_ok());
        assert!(Target::parse(&format!("http://{}.example/", "a".repeat(64))).is_err());
    }

    #[test]
    fn ports_of_other_protocols_are_refused() {
        assert!(NOT_HTTP.is_sorted());
        for port in NOT_HTTP {
            assert!(Target::parse(&format!("https://example.com:{port}/")).is_err(), "{port}");
        }
        for port in [80, 443, 3000, 8080, 8443, 9200, 65535] {
            assert_eq!(Target::parse(&format!("https://example.com:{port}/")).unwrap().port(), port);
        }
        assert!(Target::parse("http://example.com/").unwrap().join("http://example.com:25/").is_err());
    }

    #[test]
    fn a_target_says_what_to_send() {
        let target = Target::parse("https://Example.com.:8443/a b%20c?d=\u{e9}#frag").unwrap_err();
        assert!(target.message.contains("blank"));
        let target = Target::parse("https://Example.com.:8443/a%20b?d=\u{e9}#frag").unwrap();
        assert_eq!(target.authority(), "example.com:8443");
        assert_eq!(target.path_and_query(), "/a%20b?d=%C3%A9");
        assert!(target.is_secure() && target.port() == 8443);
        let target = Target::parse("http://[::1]:80").unwrap();
        assert_eq!((target.authority().as_str(), target.path_and_query().as_str(), target.port()), ("[::1]", "/", 80));
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let at = |url| Target::parse(url).unwrap();
        let here = at("https://example.com/a");
        assert!(here.is_same_origin(&at("https://example.com.:443/b?c")));
        for other in ["http://example.com/a", "https://example.com:8443/a", "https://www.example.com/a"] {
            assert!(!here.is_same_origin(&at(other)), "{other}");
        }
    }

    #[test]
    fn a_location_is_read_from_where_it_stands() {
        let here = Target::parse("https://example.com/a/b?c").unwrap();
        assert_eq!(here.join("../d").unwrap().path_and_query(), "/d");
        assert_eq!(here.join("//other.example/x").unwrap().host(), "other.example");
        assert_eq!(here.join("?q").unwrap().path_and_query(), "/a/b?q");
        for bad in ["ftp://example.com/", "http://u:p@example.com/", "javascript:alert(1)", "http://[", "file:///x"] {
            assert!(here.join(bad).is_err(), "{bad}");
        }
        assert!(here.join(&format!("/{}", "x".repeat(limits::HTTP_URL_BYTES_MAX))).is_err());
    }

    #[test]
    fn methods_are_tokens_and_ask_for_an_answer() {
        let of = |method: &str| Request::read(Asked { method: method.to_owned(), ..asked("http://a.example/") });
        assert_eq!(of("get").unwrap().method, "GET");
        assert_eq!(of("PROPFIND").unwrap().method, "PROPFIND");
        for bad in ["", "G ET", "GET\r\nx: y", "CONNECT", "connect", "TRACE", "TRACK", "\u{e9}"] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
        assert!(of(&"M".repeat(limits::HTTP_METHOD_CHARS_MAX)).is_ok());
        assert!(of(&"M".repeat(limits::HTTP_METHOD_CHARS_MAX + 1)).is_err());
    }

    #[test]
    fn headers_neither_frame_the_message_nor_break_its_line() {
        let of = |name: &str, value: &str| {
            Request::read(Asked { headers: vec![(name.to_owned(), value.to_owned())], ..asked("http://a.example/") })
        };
        assert_eq!(of("X-Thing", "a\tb \u{e9}").unwrap().header("x-thing"), Some("a\tb \u{e9}"));
        for name in OURS.into_iter().chain(["Host", "Content-Length", "Transfer-Encoding"]) {
            assert!(of(name, "x").unwrap_err().message.contains("belongs to the connection"), "{name}");
        }
        for (name, value) in
            [("", "x"), ("a b", "x"), ("a:b", "x"), ("a\r\nb", "x"), ("a", "x\r\ny: z"), ("a", "x\ny"), ("a", "x\0")]
        {
            assert!(of(name, value).is_err(), "{name:?} {value:?}");
        }
    }

    #[test]
    fn requests_are_bounded() {
        let with = |change: &dyn Fn(&mut Asked)| {
            let mut asked = asked("http://a.example/");
            change(&mut asked);
            Request::read(asked)
        };
        let url = |n: usize| format!("http://a.example/{}", "x".repeat(n - "http://a.example/".len()));
        assert!(with(&|asked| asked.url = url(limits::HTTP_URL_BYTES_MAX)).is_ok());
        assert!(with(&|asked| asked.url = url(limits::HTTP_URL_BYTES_MAX + 1)).is_err());
        let many = |n: usize| (0..n).map(|n| (format!("x-{n}"), String::new())).collect::<Vec<_>>();
        assert!(with(&|asked| asked.headers = many(limits::HTTP_REQUEST_HEADERS_MAX)).is_ok());
        assert!(with(&|asked| asked.headers = many(limits::HTTP_REQUEST_HEADERS_MAX + 1)).is_err());
        let long = |n: usize| vec![("x".to_owned(), "v".repeat(n - 1))];
        assert!(with(&|asked| asked.headers = long(limits::HTTP_REQUEST_HEADER_BYTES_MAX)).is_ok());
        assert!(with(&|asked| asked.headers = long(limits::HTTP_REQUEST_HEADER_BYTES_MAX + 1)).is_err());
        assert!(with(&|asked| asked.body = Some(vec![0; limits::HTTP_REQUEST_BODY_BYTES_MAX])).is_ok());
        assert!(with(&|asked| asked.body = Some(vec![0; limits::HTTP_REQUEST_BODY_BYTES_MAX + 1])).is_err());
        assert_eq!(with(&|_| ()).unwrap().timeout_ms, limits::HTTP_TIMEOUT_MS_DEFAULT);
        for (ms, fine) in [(0, false), (1, true), (limits::HTTP_TIMEOUT_MS_MAX, true), (limits::HTTP_TIMEOUT_MS_MAX + 1, false)] {
            assert_eq!(with(&|asked| asked.timeout_ms = Some(ms)).is_ok(), fine, "{ms}");
        }
    }
}
