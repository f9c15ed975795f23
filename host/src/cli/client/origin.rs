//! Which node: scheme, host and port. A token belongs to one of these.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::cli::failure::{Exit, Failure, Result};

/// Where a node on this machine listens unless told otherwise.
pub(super) const AT_HOME: &str = "http://127.0.0.1:8081";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    url: Url,
    text: String,
}

impl Origin {
    /// `http` or `https`, a host, maybe a port; nothing else.
    pub(super) fn parse(text: &str) -> Result<Self> {
        // What was written is not quoted: a URL may hold a password.
        let wrong = |why: &str| Failure::new(Exit::Usage, format!("the URL of the node {why}: it is like {AT_HOME}"));
        let url = Url::parse(text).map_err(|_| wrong("cannot be read"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong("is none of http or https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("must not hold a user or a password"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("ends after the host and its port"));
        }
        let text = url.origin().ascii_serialization();
        Ok(Self { url, text })
    }

    /// `https://cloud.example.com`, as credentials are kept for it.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn is_secure(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The host as it is looked up and as a certificate names it: an address without brackets.
    pub(super) fn host(&self) -> String {
        match self.url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => String::new(),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(80)
    }

    /// As the header `Host` has it.
    pub(super) fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Whether somebody in between could read what goes there.
    pub(super) fn is_open_to_others(&self) -> bool {
        !self.is_secure() && !self.is_loopback()
    }

    fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => Ipv4Addr::is_loopback(&address),
            Some(Host::Ipv6(address)) => Ipv6Addr::is_loopback(&address),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_node_has_one_spelling() {
        for (text, origin, authority) in [
            ("http://127.0.0.1:8081", "http://127.0.0.1:8081", "127.0.0.1:8081"),
            ("https://Cloud.Example.com/", "https://cloud.example.com", "cloud.example.com"),
            ("https://cloud.example.com:443", "https://cloud.example.com", "cloud.example.com"),
            ("http://[::1]:8081", "http://[::1]:8081", "[::1]:8081"),
        ] {
            let found = Origin::parse(text).unwrap();
            assert_eq!((found.as_str(), found.authority().as_str()), (origin, authority), "{text}");
        }
        assert_eq!(Origin::parse("http://[::1]:8081").unwrap().host(), "::1");
    }

    #[test]
    fn what_is_no_origin_is_refused_without_being_quoted() {
        for text in ["hush", "ftp://hush", "https://a:hush@b", "https://b/hush", "https://b/?hush", "http://", "https://b#hush"] {
            let line = Origin::parse(text).unwrap_err().into_line();
            assert!(line.starts_with("the URL of the node ") && !line.contains("hush"), "{text}: {line}");
        }
    }

    #[test]
    fn only_plain_http_to_another_machine_can_be_read_by_others() {
        for (text, open) in [
            ("http://127.0.0.1:8081", false),
            ("http://127.9.9.9", false),
            ("http://[::1]", false),
            ("http://localhost:1", false),
            ("http://pi.localhost", false),
            ("https://pi.lan", false),
            ("http://pi.lan", true),
            ("http://192.168.1.7:8081", true),
            ("http://localhost.example.com", true),
        ] {
            assert_eq!(Origin::parse(text).unwrap().is_open_to_others(), open, "{text}");
        }
    }
}
