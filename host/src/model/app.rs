//! Apps: the tenants. Rules for what one may be called, and which browsers' pages may call it.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::id::AppId;
use crate::limits;
use crate::model::text;

/// Host names that a platform wants for itself beside its tenants.
const RESERVED_SLUGS: [&str; 3] = ["admin", "api", "www"];

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    pub id: AppId,
    /// One DNS label: the app answers at `{slug}.{apps domain}`.
    pub slug: String,
    /// For people.
    pub name: String,
    /// Origins that browsers may call from; `*` is any; empty: no CORS headers.
    pub cors_origins: Vec<String>,
    pub created_at: DateTime<Utc>,
    /// Strictly grows with every change.
    pub updated_at: DateTime<Utc>,
}

impl App {
    /// The opaque text that names this state of the app, for `ETag` and `If-Match`.
    pub fn tag(&self) -> String {
        self.updated_at.timestamp_micros().to_string()
    }
}

/// What a new app is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApp {
    pub slug: String,
    pub name: String,
    /// Also a slug that still leads to the app that had it before.
    pub takeover: bool,
}

impl NewApp {
    /// The rules of [`check_slug`] and [`check_name`].
    pub fn check(&self) -> Result<()> {
        check_slug(&self.slug)?;
        check_name(&self.name)
    }
}

/// What of an app is to change; `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppChange {
    pub slug: Option<String>,
    pub name: Option<String>,
    pub cors_origins: Option<Vec<String>>,
    /// As in [`NewApp`].
    pub takeover: bool,
}

impl AppChange {
    pub fn check(&self) -> Result<()> {
        self.slug.as_deref().map_or(Ok(()), check_slug)?;
        self.name.as_deref().map_or(Ok(()), check_name)?;
        self.cors_origins.as_deref().map_or(Ok(()), check_cors_origins)
    }
}

/// A slug that an app had before. It leads to that app until somebody takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerSlug {
    pub slug: String,
    pub app_id: AppId,
    pub retired_at: DateTime<Utc>,
}

/// Whether an app that still holds scripts may be deleted with all it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    OnlyEmpty,
    WithContents,
}

/// One lower-case DNS label: `a-z 0-9 -`, not `-` at either end, at most `APP_SLUG_CHARS_MAX` characters. Refused besides:
/// `admin`, `api` and `www`; labels that start with `xn--` (they show as other letters); anything that reads as an id.
pub fn check_slug(slug: &str) -> Result<()> {
    text::at_most("slug", slug, limits::APP_SLUG_CHARS_MAX)?;
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if slug.is_empty() || slug.starts_with('-') || slug.ends_with('-') || !slug.chars().all(legal) {
        return Err(Error::invalid("slug", "a slug is one DNS label: a-z, 0-9 and -, with no - at either end"));
    }
    if RESERVED_SLUGS.contains(&slug) {
        return Err(Error::invalid("slug", format!("the slug {slug} is reserved; choose another"))
            .with_details(json!({ "field": "slug", "asked": slug, "reserved": RESERVED_SLUGS })));
    }
    if slug.starts_with("xn--") || Uuid::parse_str(slug).is_ok() {
        return Err(Error::invalid("slug", "a slug neither starts with xn-- nor reads as an id"));
    }
    if crate::model::preview::is_like_label(slug) {
        return Err(Error::invalid("slug", "a slug does not begin like v7--: such names show deployments of apps"));
    }
    Ok(())
}

/// A name for people: not blank, on one line, nothing that steers its reader (`text::is_unseen`), at most `APP_NAME_CHARS_MAX` characters.
pub fn check_name(name: &str) -> Result<()> {
    if name.trim().is_empty() || name.chars().any(|c| c.is_control() || text::is_unseen(c)) {
        return Err(Error::invalid("name", "a name is not blank and holds no control or invisible characters"));
    }
    text::at_most("name", name, limits::APP_NAME_CHARS_MAX)
}

/// At most `APP_CORS_ORIGINS_MAX` origins, each `*` or exactly as a browser sends it: `http(s)://host[:port]`, lower case.
pub fn check_cors_origins(origins: &[String]) -> Result<()> {
    let (asked, allowed) = (origins.len(), limits::APP_CORS_ORIGINS_MAX);
    if asked > allowed {
        return Err(Error::invalid("cors_origins", format!("{asked} origins; at most {allowed} are allowed"))
            .with_details(json!({ "field": "cors_origins", "asked": asked, "allowed": allowed })));
    }
    for origin in origins {
        text::at_most("cors_origins", origin, limits::APP_CORS_ORIGIN_CHARS_MAX)?;
        if origin != "*" && !is_origin(origin) {
            return Err(Error::invalid("cors_origins", "an origin is * or http(s)://host[:port] in lower case, with no path")
                .with_details(json!({ "field": "cors_origins", "asked": origin })));
        }
    }
    Ok(())
}

fn is_origin(origin: &str) -> bool {
    let Some(rest) = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")) else { return false };
    let (host, port) = match rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        Some((address, after)) => {
            if address.parse::<std::net::Ipv6Addr>().is_err() || address.contains(|c: char| c.is_ascii_uppercase()) {
                return false;
            }
            ("v6", after)
        }
        None => rest.find(':').map_or((rest, ""), |at| rest.split_at(at)),
    };
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '_');
    let port_is_fine = port.is_empty()
        || port.strip_prefix(':').is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()) && p.parse::<u16>().is_ok());
    !host.is_empty() && host.chars().all(legal) && port_is_fine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_one_dns_label() {
        for good in ["a", "hello", "my-app-2", "0", &"a".repeat(63)] {
            assert!(check_slug(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", "é", "a\0", "www", "api", "admin", "xn--a", &"a".repeat(64)] {
            assert!(check_slug(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_slug_never_reads_as_an_id() {
        assert!(check_slug("0190aaaa-bbbb-7ccc-8ddd-eeeeffff0000").is_err());
        assert!(check_slug("0190aaaabbbb7ccc8dddeeeeffff0000").is_err());
    }

    #[test]
    fn names_are_for_people() {
        assert!(check_name("Grüße, Welt").is_ok());
        assert!(check_name(&"é".repeat(100)).is_ok());
        for bad in ["", "  ", "a\nb", "a\0b", &"é".repeat(101)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        let check = |o: &str| check_cors_origins(&[o.to_owned()]);
        for good in ["*", "https://example.org", "http://localhost:8080", "http://192.168.1.2", "http://[::1]:3000"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "null",
            "example.org",
            "https://",
            "https://Example.org",
            "https://a/",
            "https://a:x",
            "https://a:70000",
            "ftp://a",
            "https://*.a.org",
            "https://a\0",
            "http://[zz]",
            "https://u@a",
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        assert!(check_cors_origins(&vec!["*".to_owned(); 32]).is_ok());
        assert!(check_cors_origins(&vec!["*".to_owned(); 33]).is_err());
    }
}
