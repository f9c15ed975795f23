//! Patterns of a grant: how each capability writes names, and what covers what.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;

use super::Capability;
use crate::error::{Error, Result};
use crate::limits;
use crate::model::email::{comparable, is_domain};
use crate::model::text;

/// Names that are allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// `*`
    Any,
    /// `orders`
    Exact(String),
    /// `orders-*`: names that begin so.
    Prefix(String),
    /// `*.example.com`: hosts below it, not itself. Kept with its leading dot.
    Subdomains(String),
    /// `*@example.com`: every address of the domain. Kept with its `@`.
    Senders(String),
    /// `10.0.0.0/8`: addresses of a network that is not the public one.
    Network(IpNet),
}

impl Pattern {
    /// Reads a pattern of `capability`; 422 naming `field` otherwise.
    pub(super) fn parse(capability: Capability, field: &str, text: &str) -> Result<Self> {
        text::name_bytes(field, text, limits::GRANT_PATTERN_BYTES_MAX)?;
        if text == "*" {
            return Ok(Self::Any);
        }
        match capability {
            Capability::Http => return Self::parse_host(field, text),
            Capability::Email => return Self::parse_sender(field, text),
            Capability::DeadLetters => {
                return Err(Error::invalid(
                    field,
                    format!("{field}: `{text}` names nothing: dead letters have no names; write `*`"),
                ));
            }
            _ => {}
        }
        match text.strip_suffix('*') {
            Some(stem) if stem.contains('*') => Err(stray_star(field, text)),
            Some(stem) => Ok(Self::Prefix(stem.to_owned())),
            None if text.contains('*') => Err(stray_star(field, text)),
            None => Ok(Self::Exact(text.to_owned())),
        }
    }

    fn parse_host(field: &str, text: &str) -> Result<Self> {
        if text.contains('/') {
            let network: IpNet = text.parse().map_err(|_| {
                Error::invalid(field, format!("{field}: `{text}` is not a network; write one as 10.0.0.0/8 or fd00::/8"))
            })?;
            let (network, whole) = (network.trunc(), network.prefix_len() == 0);
            if whole || is_own(network.addr()) {
                return Err(Error::invalid(
                    field,
                    format!("{field}: `{text}` cannot be granted: loopback and the whole address space are never reachable"),
                ));
            }
            return Ok(Self::Network(network));
        }
        let (below, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        if name.contains('*') {
            return Err(Error::invalid(
                field,
                format!(
                    "{field}: `{text}` has a `*` inside; write `*`, `*.example.com`, a host, or a network such as 10.0.0.0/8"
                ),
            ));
        }
        // The form in which hosts are compared is the URL standard's: lower case, IDNA, addresses normalised.
        let host = url::Host::parse(name.trim_end_matches('.'))
            .map_err(|_| Error::invalid(field, format!("{field}: `{text}` is not a host name or address")))?;
        match (below, &host) {
            (true, url::Host::Domain(name)) => Ok(Self::Subdomains(format!(".{name}"))),
            (true, _) => Err(Error::invalid(
                field,
                format!("{field}: an address has no names below it; write a network such as 10.0.0.0/8"),
            )),
            (false, _) => Ok(Self::Exact(host.to_string())),
        }
    }

    fn parse_sender(field: &str, text: &str) -> Result<Self> {
        let refused = || {
            let message =
                format!("{field}: `{text}` is not a sender; write `*`, an address, or `*@example.com` for all of a domain");
            Error::invalid(field, message)
        };
        let (local, domain) = text.rsplit_once('@').ok_or_else(refused)?;
        let domain = mail_domain(domain).ok_or_else(refused)?;
        match local {
            "*" => Ok(Self::Senders(format!("@{domain}"))),
            local if is_mail_local(local) => Ok(Self::Exact(format!("{local}@{domain}"))),
            _ => Err(refused()),
        }
    }

    /// Whether it covers a name [`as_compared`].
    pub(super) fn covers(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == name,
            Self::Prefix(stem) => name.starts_with(stem.as_str()),
            Self::Subdomains(suffix) | Self::Senders(suffix) => name.len() > suffix.len() && name.ends_with(suffix.as_str()),
            Self::Network(network) => literal_address(name).is_some_and(|address| network.contains(&address)),
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(name) => f.write_str(name),
            Self::Prefix(stem) => write!(f, "{stem}*"),
            Self::Subdomains(suffix) | Self::Senders(suffix) => write!(f, "*{suffix}"),
            Self::Network(network) => network.fmt(f),
        }
    }
}

/// A name in the form in which it is compared. Hosts come in theirs already; of an address, the domain is in lower case.
pub(super) fn as_compared(capability: Capability, name: &str) -> Cow<'_, str> {
    if capability == Capability::Email { Cow::Owned(comparable(name)) } else { Cow::Borrowed(name) }
}

/// The narrowest pattern that covers `name`.
pub(super) fn pattern_for(capability: Capability, name: &str) -> String {
    match literal_address(name) {
        Some(address) if capability == Capability::Http => IpNet::from(address).to_string(),
        _ => as_compared(capability, name).into_owned(),
    }
}

/// Whether a host of a URL is an address that no grant opens.
pub(super) fn is_out_of_reach(host: &str) -> bool {
    literal_address(host).is_some_and(|address| is_own(address.to_canonical()))
}

/// Loopback and unspecified addresses are the machine itself.
fn is_own(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

/// The address that a host of a URL is, if it is one; an IPv6 one stands in brackets there.
fn literal_address(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

/// A domain as mail knows it: a host name, not an address, in its ASCII form; in lower case.
fn mail_domain(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let named = matches!(url::Host::parse(&lower), Ok(url::Host::Domain(domain)) if domain == lower);
    (named && is_domain(&lower)).then_some(lower)
}

/// What stands before the `@`: RFC 5322's dot-atom, less the `*` that makes a pattern.
fn is_mail_local(text: &str) -> bool {
    let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'+-/=?^_`{|}~".contains(c);
    text.split('.').all(|part| !part.is_empty() && part.chars().all(atom))
}

fn stray_star(field: &str, text: &str) -> Error {
    Error::invalid(field, format!("{field}: `{text}` has a `*` before its end; write `*`, `name` or `prefix*`"))
}
