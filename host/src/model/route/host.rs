//! The host of a route, and of a request.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::limits;
use crate::model::route::PatternError;

/// A host name in lower case without port and trailing dot, or `*.` and one: exactly one label in place of the star.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    Strict(String),
    /// The part behind `*.`.
    Wildcard(String),
}

/// How well a route's host fits a request's; smaller is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HostRank {
    Strict,
    Wildcard,
    Any,
}

impl HostPattern {
    /// A pattern of the app with this slug: `{slug}.{apps_domain}` or a name below it, or `*.` and one of these; or one that lies
    /// within one of its proven `domains`.
    ///
    /// # Errors
    /// What is malformed, and names that are not the app's.
    pub fn of_app(text: &str, slug: &str, apps_domain: &str, domains: &[Self]) -> Result<Self, PatternError> {
        let pattern: Self = text.parse()?;
        if pattern.is_of_slug(slug, apps_domain) || domains.iter().any(|domain| pattern.is_within(domain)) {
            return Ok(pattern);
        }
        let (name, own) = (pattern.name(), format!("{slug}.{}", normalize_domain(apps_domain)));
        let message = format!(
            "`{name}` is not this app's; write `{own}`, a name below it such as `api.{own}`, `*.{own}`, or a domain that the app has proven"
        );
        Err(PatternError { field: "host", at: 0, message })
    }

    /// As they are stored: the name without the star, and whether there is one.
    pub fn of_name(name: String, is_wildcard: bool) -> Self {
        if is_wildcard { Self::Wildcard(name) } else { Self::Strict(name) }
    }

    /// Whether a request to `host` (normalised) matches.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Strict(name) => name == host,
            Self::Wildcard(name) => host
                .strip_suffix(name.as_str())
                .and_then(|labels| labels.strip_suffix('.'))
                .is_some_and(|label| !label.is_empty() && !label.contains('.')),
        }
    }

    /// Whether every host that matches this one matches `domain` too.
    pub fn is_within(&self, domain: &Self) -> bool {
        match self {
            Self::Strict(name) => domain.matches(name),
            Self::Wildcard(_) => self == domain,
        }
    }

    /// Whether it names what an app has by its slug: `{slug}.{apps_domain}`, or names below that.
    pub fn is_of_slug(&self, slug: &str, apps_domain: &str) -> bool {
        self.is_at_or_below(&format!("{slug}.{}", normalize_domain(apps_domain)))
    }

    /// Whether its name is `domain`, as somebody configured it, or a name below that.
    pub fn is_at_or_below(&self, domain: &str) -> bool {
        let labels = self.name().strip_suffix(normalize_domain(domain).as_str());
        labels.is_some_and(|labels| labels.is_empty() || labels.ends_with('.'))
    }

    /// The name without a star.
    pub fn name(&self) -> &str {
        match self {
            Self::Strict(name) | Self::Wildcard(name) => name,
        }
    }

    pub fn is_wildcard(&self) -> bool {
        matches!(self, Self::Wildcard(_))
    }
}

impl FromStr for HostPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let error = |at: usize, message: String| PatternError { field: "host", at, message };
        let at_of = |byte: usize| text.char_indices().take_while(|(index, _)| *index < byte).count();
        if text.chars().count() > limits::ROUTE_HOST_CHARS_MAX {
            let max = limits::ROUTE_HOST_CHARS_MAX;
            return Err(error(max, format!("the host is longer than {max} characters")));
        }
        if let Some(byte) = text.find("://") {
            return Err(error(at_of(byte), "a host without a scheme: leave out everything up to `://`".to_owned()));
        }
        let (star, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        let mut at = if star { 2 } else { 0 };
        for label in name.split('.') {
            if let Some((offset, wrong)) = label.chars().enumerate().find(|(_, c)| !c.is_ascii_alphanumeric() && *c != '-') {
                let at = at + offset;
                let mend = match wrong {
                    ':' => "a host is matched on every port: leave the port out",
                    '/' => "a host has no path: put that into `path`",
                    '*' => "`*` stands for one whole label and only as the first, as in `*.example.org`",
                    '{' | '}' => "for any one label write `*.` in front",
                    wrong if !wrong.is_ascii() => "write the name in its ASCII form (`xn--…`)",
                    _ => "a host is letters, digits, `-` and `.`",
                };
                return Err(error(at, format!("{wrong:?} at {at}: {mend}")));
            }
            let length = label.len();
            if length == 0 {
                let message =
                    format!("empty label at {at}: a host is names with single dots between them, as in `api.example.org`");
                return Err(error(at, message));
            }
            if length > LABEL_CHARS_MAX {
                return Err(error(at, format!("the label `{label}` is longer than {LABEL_CHARS_MAX} characters")));
            }
            if label.starts_with('-') || label.ends_with('-') {
                return Err(error(at, format!("the label `{label}` begins or ends with `-`: no host does")));
            }
            at += length + 1;
        }
        let name = name.to_ascii_lowercase();
        Ok(if star { Self::Wildcard(name) } else { Self::Strict(name) })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strict(name) => f.write_str(name),
            Self::Wildcard(name) => write!(f, "*.{name}"),
        }
    }
}

impl serde::Serialize for HostPattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The host of a request (a `Host` header or an authority) as routes know it: lower case, without port and one trailing
/// dot. `None` for what is no host name of labels, so for addresses in brackets too. Allocates only to change case.
pub fn normalize_host(raw: &str) -> Option<Cow<'_, str>> {
    let name = match raw.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) => return None,
        None => raw,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() || name.len() > limits::ROUTE_HOST_CHARS_MAX {
        return None;
    }
    let (mut upper, mut label_bytes) = (false, 0_usize);
    for byte in name.bytes() {
        match byte {
            b'.' if label_bytes == 0 => return None,
            b'.' => label_bytes = 0,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => {
                label_bytes += 1;
                upper |= byte.is_ascii_uppercase();
            }
            _ => return None,
        }
    }
    if label_bytes == 0 {
        return None;
    }
    Some(if upper { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) })
}

/// The apps domain as configured, in the form that hosts are compared in.
pub(super) fn normalize_domain(domain: &str) -> String {
    domain.trim_matches('.').to_ascii_lowercase()
}

/// How `request` fits a route of `host`; `None` when it does not.
pub(super) fn rank(host: Option<&HostPattern>, request: &str) -> Option<HostRank> {
    match host {
        None => Some(HostRank::Any),
        Some(pattern) if pattern.matches(request) => Some(match pattern {
            HostPattern::Strict(_) => HostRank::Strict,
            HostPattern::Wildcard(_) => HostRank::Wildcard,
        }),
        Some(_) => None,
    }
}

/// What the DNS allows.
const LABEL_CHARS_MAX: usize = limits::APP_SLUG_CHARS_MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_lose_port_case_and_one_trailing_dot() {
        for raw in ["hello.localhost", "HELLO.localhost:8080", "hello.localhost.", "hello.localhost.:80", "hello.localhost:"] {
            assert_eq!(normalize_host(raw).as_deref(), Some("hello.localhost"), "{raw}");
        }
        for raw in ["", ".", ":80", "[::1]:80", "::1", "a..b", ".a", "a..", "a b", "u@a.b", "a:b", "a:80:80", "ä.b", "a/b"] {
            assert_eq!(normalize_host(raw), None, "{raw}");
        }
    }

    #[test]
    fn a_pattern_is_the_apps_name_or_below() {
        for text in ["hello.localhost", "API.hello.localhost", "*.hello.localhost", "*.v1.hello.localhost"] {
            assert!(HostPattern::of_app(text, "hello", "localhost", &[]).is_ok(), "{text}");
        }
        for text in ["localhost", "*.localhost", "other.localhost", "xhello.localhost", "hello.example.org", "*.xhello.localhost"]
        {
            let error = HostPattern::of_app(text, "hello", "Localhost.", &[]).unwrap_err();
            assert!(error.message.contains("*.hello.localhost"), "{error}");
        }
    }

    #[test]
    fn a_pattern_may_name_a_proven_domain_and_no_more_of_it() {
        let domains: Vec<HostPattern> = ["shop.example.com", "*.example.org"].iter().map(|host| host.parse().unwrap()).collect();
        let of_app = |text: &str| HostPattern::of_app(text, "hello", "localhost", &domains);
        for text in ["shop.example.com", "Shop.Example.com", "*.example.org", "api.example.org", "hello.localhost"] {
            assert!(of_app(text).is_ok(), "{text}");
        }
        for text in [
            "*.shop.example.com",
            "api.shop.example.com",
            "example.com",
            "*.example.com",
            "example.org",
            "a.b.example.org",
            "*.api.example.org",
            "xexample.org",
        ] {
            assert!(of_app(text).unwrap_err().message.contains("a domain that the app has proven"), "{text}");
        }
    }

    #[test]
    fn malformed_patterns_name_the_place() {
        let cases = [
            ("", 0),
            ("a..b", 2),
            ("a.b.", 4),
            ("a.b:80", 3),
            ("http://a.b", 4),
            ("a.b/c", 3),
            ("*", 0),
            ("a.*.b", 2),
            ("*x.b", 0),
            ("-a.b", 0),
            ("x.a-.b", 2),
            ("{x}.b", 0),
            ("kä.b", 1),
            ("*.", 2),
        ];
        for (text, at) in cases {
            let error = text.parse::<HostPattern>().unwrap_err();
            assert_eq!((error.field, error.at), ("host", at), "{text}: {error}");
        }
        assert!(format!("{}.b", "a".repeat(63)).parse::<HostPattern>().is_ok());
        assert!(format!("{}.b", "a".repeat(64)).parse::<HostPattern>().is_err());
    }

    #[test]
    fn a_wildcard_is_one_label() {
        let wildcard: HostPattern = "*.hello.localhost".parse().unwrap();
        assert!(wildcard.matches("api.hello.localhost"));
        assert!(!wildcard.matches("hello.localhost"));
        assert!(!wildcard.matches("v1.api.hello.localhost"));
        assert!(!wildcard.matches("apihello.localhost"));
    }
}
