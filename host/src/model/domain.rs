//! Domains: host names that apps claim, and what proves whose they are.
//!
//! A claim is in nobody's way: any number of apps may claim a name, and whoever proves it first holds it. An exact name goes
//! before a wildcard, whoever holds that.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::error::{Error, Result};
use crate::id::{AppId, DomainId, UserId};
use crate::limits;
use crate::model::route::HostPattern;

/// A label in front of the name, where its owner writes what proves it.
const PROOF_LABEL: &str = "_picloud";
/// A path at the host, where whoever serves it answers with the token.
const PROOF_PATH: &str = "/.well-known/picloud-domain";
/// The top of names that stand for the machine that asks.
const THIS_MACHINE: &str = "localhost";

/// A host name, or a wildcard of one label, that an app claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    pub id: DomainId,
    pub app_id: AppId,
    pub host: HostPattern,
    /// 64 hex digits.
    pub token: String,
    pub state: State,
    /// `None` once that person is gone.
    pub created_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
    /// Strictly grows with every change.
    pub updated_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Claimed.
    Pending,
    /// Proven: the app answers there, and no other does.
    Verified { by: Method, at: DateTime<Utc> },
}

/// What proves a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "DomainProofMethod")]
pub enum Method {
    /// A TXT record below the name.
    Dns,
    /// The token, answered at the host by whoever serves it now.
    Http,
    /// The word of somebody who administrates the instance, for names that only a home network knows.
    Operator,
}

impl Method {
    /// The word in SQL, JSON and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Http => "http",
            Self::Operator => "operator",
        }
    }

    /// The method of a word; `None` for any other word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Dns, Self::Http, Self::Operator].into_iter().find(|method| method.as_str() == word)
    }
}

impl State {
    /// The word in SQL, JSON and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Verified { .. } => "verified",
        }
    }
}

impl Domain {
    /// The opaque text that names this state, for `ETag` and `If-Match`.
    pub fn tag(&self) -> String {
        format!("{:x}", self.updated_at.timestamp_micros())
    }

    pub fn is_verified(&self) -> bool {
        matches!(self.state, State::Verified { .. })
    }

    /// Where the TXT record stands that proves it.
    pub fn txt_name(&self) -> String {
        format!("{PROOF_LABEL}.{}", self.host.name())
    }

    /// What that record says.
    pub fn txt_value(&self) -> String {
        format!("picloud-verify={}", self.token)
    }

    /// Where the token is to be answered; none for a wildcard, which is no host that could.
    pub fn proof_url(&self) -> Option<String> {
        (!self.host.is_wildcard()).then(|| format!("http://{}{PROOF_PATH}", self.host.name()))
    }

    /// The wildcard that answers for the name where nobody holds it itself.
    pub fn wildcard_above(&self) -> Option<HostPattern> {
        let (_, parent) = self.host.name().split_once('.').filter(|_| !self.host.is_wildcard())?;
        Some(HostPattern::Wildcard(parent.to_owned()))
    }
}

/// A host as it may be claimed: `shop.example.com` or `*.example.com`, in lower case.
///
/// # Errors
/// 422 for what is no host name of at least two labels and at most `DOMAIN_HOST_CHARS_MAX` characters (a port, a dot at the
/// end, other letters than ASCII, an address), and for what the platform keeps for itself: names at and below `apps_domain`,
/// which apps have by their slug; those of `reserved`; wildcards that would answer for one of these; `localhost`.
pub fn claimable(text: &str, apps_domain: &str, reserved: &[String]) -> Result<HostPattern> {
    let host: HostPattern = text.parse()?;
    let name = host.name();
    let chars = name.len();
    if chars > limits::DOMAIN_HOST_CHARS_MAX {
        let allowed = limits::DOMAIN_HOST_CHARS_MAX;
        return Err(refused(format!("the host is {chars} characters long; at most {allowed} leave room for its proof"))
            .with_details(json!({ "field": "host", "asked": chars, "allowed": allowed, "unit": "characters" })));
    }
    if is_address(name) {
        return Err(refused(format!(
            "`{name}` is an address or ends as one does: a domain is a name, which its owner can prove"
        )));
    }
    if !name.contains('.') {
        let example = if host.is_wildcard() { "*.example.com" } else { "shop.example.com" };
        return Err(refused(format!("`{host}` has one label only; a domain has at least two, as `{example}` has")));
    }
    if host.is_at_or_below(apps_domain) {
        return Err(refused(format!("`{host}` is one of the names that apps have by their slug; change the app's slug instead")));
    }
    let mut reserved = reserved.iter().filter_map(|own| own.trim_matches('.').parse::<HostPattern>().ok());
    if let Some(own) = reserved.find(|own| own.is_within(&host)) {
        return Err(refused(format!(
            "`{host}` would answer for `{own}`, where this platform itself is; claim other names one by one"
        )));
    }
    if host.is_at_or_below(THIS_MACHINE) {
        return Err(refused(format!("`{host}` means the machine of whoever asks, and is nobody's")));
    }
    Ok(host)
}

/// Whether a client would take it for an IPv4 address, as it does with every host that ends in a number.
fn is_address(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let is_hex = last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    is_hex || last.bytes().all(|byte| byte.is_ascii_digit())
}

fn refused(message: String) -> Error {
    Error::invalid("host", message)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn claim(text: &str) -> Result<String> {
        let reserved = ["Cloud.Example.net".to_owned()];
        claimable(text, "apps.example.net", &reserved).map(|host| host.to_string())
    }

    #[test]
    fn a_host_is_a_name_of_two_labels_in_its_ascii_form() {
        for (text, host) in [
            ("shop.example.com", "shop.example.com"),
            ("Shop.EXAMPLE.com", "shop.example.com"),
            ("*.example.com", "*.example.com"),
            ("*.a.b.example.com", "*.a.b.example.com"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("nas.lan", "nas.lan"),
            ("1.example.com", "1.example.com"),
            ("appsexample.net", "appsexample.net"),
            ("xapps.example.net", "xapps.example.net"),
            ("example.net", "example.net"),
            ("localhost.example.com", "localhost.example.com"),
        ] {
            assert_eq!(claim(text).unwrap(), host);
        }
    }

    #[test]
    fn what_is_no_domain_is_refused_by_the_field() {
        for text in [
            "",
            "*",
            "*.",
            "com",
            "*.com",
            "a..b",
            ".example.com",
            "shop.example.com.",
            "shop.example.com:443",
            "https://shop.example.com",
            "shop.example.com/x",
            "user@example.com",
            "*.*.example.com",
            "a.*.example.com",
            "sh*p.example.com",
            "-a.example.com",
            "a-.example.com",
            "a_b.example.com",
            "b\u{fc}cher.example",
            "exam\u{200b}ple.com",
            "shop.example.com\r\nx",
            "shop.example.com\0",
            "127.0.0.1",
            "1.2.3",
            "0x7f.1",
            "a.0x7f",
            "example.1",
            "[::1]",
            "*.0.0.1",
        ] {
            let refused = claim(text).expect_err(text);
            assert_eq!((refused.code, &refused.details.unwrap()["field"]), ("invalid", &json!("host")), "{text:?}");
        }
    }

    #[test]
    fn what_the_platform_has_is_nobodys_to_claim() {
        for text in [
            "apps.example.net",
            "shop.apps.example.net",
            "*.apps.example.net",
            "a.b.apps.example.net",
            "cloud.example.net",
            "*.example.net",
            "a.localhost",
            "*.a.localhost",
        ] {
            assert!(claim(text).is_err(), "{text}");
        }
        assert!(claim("x.cloud.example.net").is_ok());
    }

    #[test]
    fn a_host_is_so_long_that_its_proof_has_a_name() {
        let of = |chars: usize| {
            let labels = [&"a".repeat(63), &"b".repeat(63), &"c".repeat(63)].map(String::as_str).join(".");
            format!("{labels}.{}", "d".repeat(chars - labels.len() - 1))
        };
        let longest = claim(&of(limits::DOMAIN_HOST_CHARS_MAX)).unwrap();
        assert_eq!(longest.len() + PROOF_LABEL.len() + 1, 253);
        assert!(claim(&of(limits::DOMAIN_HOST_CHARS_MAX + 1)).is_err());
        assert!(claim(&format!("{}.example.com", "a".repeat(63))).is_ok());
        assert!(claim(&format!("{}.example.com", "a".repeat(64))).is_err());
    }

    #[test]
    fn proofs_name_the_host_and_its_token() {
        let domain = |host: &str| Domain {
            id: DomainId::at(DateTime::UNIX_EPOCH),
            app_id: AppId::at(DateTime::UNIX_EPOCH),
            host: host.parse().unwrap(),
            token: "ab".repeat(32),
            state: State::Pending,
            created_by: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        };
        let (exact, wildcard) = (domain("shop.example.com"), domain("*.example.com"));
        assert_eq!(exact.txt_name(), "_picloud.shop.example.com");
        assert_eq!(exact.txt_value(), format!("picloud-verify={}", exact.token));
        assert_eq!(exact.proof_url().as_deref(), Some("http://shop.example.com/.well-known/picloud-domain"));
        assert_eq!(exact.wildcard_above().unwrap().to_string(), "*.example.com");
        assert_eq!((wildcard.txt_name().as_str(), wildcard.proof_url()), ("_picloud.example.com", None));
        assert_eq!(wildcard.wildcard_above(), None);
    }

    #[test]
    fn a_method_reads_back_from_its_word_and_json_says_the_same() {
        for method in [Method::Dns, Method::Http, Method::Operator] {
            assert_eq!(Method::from_word(method.as_str()), Some(method));
            assert_eq!(serde_json::to_value(method).unwrap(), method.as_str());
        }
    }
}
