//! The wall between the platform's credentials and scripts: none goes in with a request, none comes out with an answer.

use std::borrow::Cow;

use axum::http::{HeaderMap, header};

/// A `Cookie` header without the platform's own; `None` when nothing is left.
pub(super) fn cookies_for_script(value: &str) -> Option<Cow<'_, str>> {
    if !value.split(';').any(is_platform_cookie) {
        return Some(Cow::Borrowed(value));
    }
    let kept: Vec<&str> = value.split(';').filter(|pair| !is_platform_cookie(pair)).map(str::trim).collect();
    (!kept.is_empty()).then(|| Cow::Owned(kept.join("; ")))
}

/// What a request's cookies of that name hold, in their order. The name is one of the platform's.
pub(super) fn platform_cookies<'h>(headers: &'h HeaderMap, name: &'static str) -> impl Iterator<Item = &'h str> {
    // Others may hold bytes that are no text.
    let pairs = headers.get_all(header::COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| std::str::from_utf8(pair).ok()?.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Whether an `Authorization` header carries a token of the platform's, whatever scheme it claims.
pub(super) fn is_platform_authorization(value: &str) -> bool {
    platform_token(value).is_some()
}

/// The first token of the platform's in an `Authorization` header.
pub(super) fn platform_token(value: &str) -> Option<&str> {
    value
        .split(|c: char| c.is_ascii_whitespace() || matches!(c, ',' | '=' | '"'))
        .find(|word| word.starts_with("pic_") || word.starts_with("pics_"))
}

/// A `Set-Cookie` header as a browser may get it from a tenant whose names are `own_host` and those below it: `None` for the
/// platform's names, and host-only where it asks for a domain that is not the tenant's, because the neighbours live there.
pub(super) fn cookie_from_script<'v>(value: &'v str, own_host: &str) -> Option<Cow<'v, str>> {
    let mut attributes = value.split(';');
    if attributes.next().is_some_and(is_platform_cookie) {
        return None;
    }
    let foreign = |attribute: &&str| {
        attribute
            .split_once('=')
            .is_some_and(|(name, domain)| name.trim().eq_ignore_ascii_case("domain") && !is_at_or_below(domain.trim(), own_host))
    };
    if !attributes.clone().any(|attribute| foreign(&attribute)) {
        return Some(Cow::Borrowed(value));
    }
    let kept = value.split(';').enumerate().filter(|(index, attribute)| *index == 0 || !foreign(attribute));
    Some(Cow::Owned(kept.map(|(_, attribute)| attribute).collect::<Vec<_>>().join(";")))
}

/// Browsers compare prefixes without case, and send a cookie without a name as its bare value.
fn is_platform_cookie(pair: &str) -> bool {
    let name = pair.trim_start_matches([' ', '\t', '=']);
    let name = ["__Host-", "__Secure-"].into_iter().find_map(|prefix| strip_prefix(name, prefix)).unwrap_or(name);
    strip_prefix(name, "picloud_").is_some()
}

fn strip_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn is_at_or_below(domain: &str, own_host: &str) -> bool {
    let domain = domain.strip_prefix('.').unwrap_or(domain).to_ascii_lowercase();
    domain.strip_suffix(own_host).is_some_and(|labels| labels.is_empty() || labels.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platforms_cookies_do_not_reach_scripts() {
        for (given, left) in [
            ("a=1; b=2", Some("a=1; b=2")),
            ("picloud_session=x", None),
            ("a=1; picloud_session=x; b=2", Some("a=1; b=2")),
            ("a=1;__Host-picloud_session=x", Some("a=1")),
            ("__HOST-PICLOUD_session=x;b=2", Some("b=2")),
            ("=picloud_session=x; b=2", Some("b=2")),
            ("mypicloud_session=x; picloud=1", Some("mypicloud_session=x; picloud=1")),
            ("a=\"; picloud_session=x", Some("a=\"")),
            ("ü=ü", Some("ü=ü")),
        ] {
            assert_eq!(cookies_for_script(given).as_deref(), left, "{given}");
        }
    }

    #[test]
    fn the_platforms_own_cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        for value in ["a=1; picloud_split=7;picloud_split=8", "picloud_splits=9; picloud_split=; =picloud_split=6"] {
            headers.append(header::COOKIE, value.parse().unwrap());
        }
        let others = axum::http::HeaderValue::from_bytes(b"name=Zo\xeb; picloud_split=5").unwrap();
        headers.append(header::COOKIE, others);
        assert_eq!(platform_cookies(&headers, "picloud_split").collect::<Vec<_>>(), ["7", "8", "", "5"]);
        for name in ["picloud_split", "picloud_preview"] {
            assert_eq!(cookies_for_script(&format!("{name}=x")), None, "no script sees it");
            assert_eq!(cookie_from_script(&format!("{name}=x; Path=/"), "hello.localhost"), None, "and none sets it");
        }
    }

    #[test]
    fn the_platforms_tokens_are_known_in_any_scheme() {
        for value in
            ["Bearer pic_a", "bearer  pics_a", "pic_a", "Token pic_a", "Bearer x, Bearer pics_a", "Token token=\"pic_a\""]
        {
            assert!(is_platform_authorization(value), "{value}");
        }
        for value in ["Bearer abc", "Basic cGljXw==", "Bearer xpic_a", "Bearer picture"] {
            assert!(!is_platform_authorization(value), "{value}");
        }
    }

    #[test]
    fn a_script_sets_cookies_for_its_own_names_only() {
        for (given, left) in [
            ("a=1; Path=/", Some("a=1; Path=/")),
            ("a=1; Domain=hello.localhost", Some("a=1; Domain=hello.localhost")),
            ("a=1; domain=.API.hello.localhost; Secure", Some("a=1; domain=.API.hello.localhost; Secure")),
            ("a=1; Domain=localhost; Secure", Some("a=1; Secure")),
            ("a=1; Domain=xhello.localhost", Some("a=1")),
            ("a=1;domain =other.localhost;Domain=hello.localhost", Some("a=1;Domain=hello.localhost")),
            ("picloud_session=x", None),
            ("__Host-picloud_session=x; Path=/", None),
            ("=picloud_session=x", None),
            ("domain=x", Some("domain=x")),
        ] {
            assert_eq!(cookie_from_script(given, "hello.localhost").as_deref(), left, "{given}");
        }
    }
}
