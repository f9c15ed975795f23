//! The dashboard: static files built into the binary, behind every path that is no endpoint. Unknown paths get
//! `index.html`, since the pages route themselves. The build brings each file compressed as well; who says that they take
//! it is given that.

use std::fmt::Write;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest, Sha256};

use super::error::Failed;
use crate::error::{Error, Result};

/// Empty when the dashboard was not built before the binary.
#[derive(RustEmbed)]
#[folder = "../dashboard/build"]
#[allow_missing = true]
struct Files;

const INDEX: &str = "index.html";
/// Codings of content, the smallest first, and how the names of such files end.
const CODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];
/// File names below it carry a hash of their content.
const IMMUTABLE: &str = "_app/immutable/";
const ABSENT: &str = "PiCloud is running. This binary was built without the dashboard: run `make dashboard`, then build again.\n\
                      The API is at /api/v1; /version and /healthz answer without a login.\n";

/// The fallback of the control plane.
pub(super) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Result<Response, Failed> {
    let path = uri.path().trim_start_matches('/');
    let api = path == "api" || path.starts_with("api/");
    if api || !(method == Method::GET || method == Method::HEAD) {
        return Err(Error::not_found("endpoint").into());
    }
    if let Some(file) = Files::get(path).filter(|_| path != INDEX) {
        return Ok(asset(path, file, &headers)?);
    }
    // A missing asset must not be answered with a page.
    match Files::get(INDEX) {
        Some(index) if !path.starts_with("_app/") => Ok(asset(INDEX, index, &headers)?),
        None if path.is_empty() => Ok(ABSENT.into_response()),
        _ => Err(Error::not_found("page").into()),
    }
}

fn asset(path: &str, file: EmbeddedFile, asked: &HeaderMap) -> Result<Response> {
    let coded = coded(path, asked);
    // Of what goes out: each coding is a representation of its own.
    let sent = coded.as_ref().map_or(&file, |(_, file)| file);
    let tag = header_value(format!("\"{}\"", hex(sent.metadata.sha256_hash().get(..16).unwrap_or_default())))?;
    let cache = if path.starts_with(IMMUTABLE) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let current = asked.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).zip(tag.to_str().ok());
    let mut response = if current.is_some_and(|(asked, tag)| asked.contains(tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mime = file.metadata.mimetype();
        let charset = if mime.starts_with("text/") { "; charset=utf-8" } else { "" };
        let content_type = header_value(format!("{mime}{charset}"))?;
        let mut response = ([(header::CONTENT_TYPE, content_type)], Body::from(sent.data.clone().into_owned())).into_response();
        if let Some((coding, _)) = coded {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag);
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if path.ends_with(".html") {
        headers.insert(header::CONTENT_SECURITY_POLICY, header_value(policy(&String::from_utf8_lossy(&file.data)))?);
    }
    Ok(response)
}

/// The smallest form of a file that the client takes; none where the file itself is all there is.
fn coded(path: &str, asked: &HeaderMap) -> Option<(&'static str, EmbeddedFile)> {
    let accepted: Vec<&str> = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok()).collect();
    CODINGS
        .into_iter()
        .filter(|(coding, _)| accepted.iter().any(|accepted| accepts(accepted, coding)))
        .find_map(|(coding, end)| Some((coding, Files::get(&format!("{path}{end}"))?)))
}

/// Whether a value of `Accept-Encoding` names the coding, with a weight above 0. `*` names none: the file as it is will do.
fn accepts(accepted: &str, coding: &str) -> bool {
    accepted.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        named && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
    })
}

/// Everything from this origin only; of inline scripts exactly those that the page was built with (the one that starts
/// the app), of style attributes the one that SvelteKit writes (`dashboard/svelte.config.js` has the same hash).
fn policy(page: &str) -> String {
    let hashes: String = inline_scripts(page).fold(String::new(), |mut text, script| {
        let _ = write!(text, " 'sha256-{}'", base64(&Sha256::digest(script)));
        text
    });
    format!(
        "default-src 'none'; script-src 'self'{hashes}; style-src 'self'; \
         style-src-attr 'unsafe-hashes' 'sha256-S8qMpvofolR8Mpjy4kQvEm7m1q8clzU4dfDH0AmvZjo='; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
}

fn inline_scripts(page: &str) -> impl Iterator<Item = &str> {
    page.split("<script").skip(1).filter_map(|rest| {
        let (attributes, rest) = rest.split_once('>')?;
        let (body, _) = rest.split_once("</script>")?;
        (!attributes.contains("src=")).then_some(body)
    })
}

fn header_value(text: String) -> Result<HeaderValue> {
    HeaderValue::try_from(text).map_err(Error::internal)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// RFC 4648, with padding, as the policy wants its hashes.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0_usize, |group, i| group << 8 | usize::from(chunk.get(i).copied().unwrap_or(0)));
        for place in 0..4 {
            let digit = ALPHABET.get(group >> (18 - 6 * place) & 63).copied().unwrap_or(b'=');
            text.push(char::from(if place > chunk.len() { b'=' } else { digit }));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn the_policy_names_exactly_the_inline_scripts() {
        let page = "<script src=\"/a.js\"></script><script>\nstart()\n</script>";
        assert_eq!(inline_scripts(page).collect::<Vec<_>>(), ["\nstart()\n"]);
        let policy = policy(page);
        let scripts = policy.split(';').find(|part| part.trim().starts_with("script-src ")).unwrap();
        assert_eq!(scripts.matches("'sha256-").count(), 1);
        assert!(!policy.contains("script-src 'self' 'unsafe-inline'"));
    }

    #[test]
    fn a_coding_is_taken_where_it_is_named_with_a_weight() {
        for accepted in ["gzip", "br, gzip", "deflate,GZIP;q=0.5", "gzip; q=1", "identity;q=0, gzip;q=0.001"] {
            assert!(accepts(accepted, "gzip"), "{accepted}");
        }
        for refused in ["", "*", "br", "gzip;q=0", "gzip; q=0.000", "gzip;q=x", "x-gzip", "gzipped"] {
            assert!(!accepts(refused, "gzip"), "{refused}");
        }
    }

    /// Whether the dashboard was built or not: what says that it is compressed is.
    #[tokio::test]
    async fn the_form_that_goes_out_is_the_one_that_was_asked_for() {
        let mut tags = Vec::new();
        for (accepted, coding, magic) in [("gzip, deflate", Some("gzip"), &[0x1f, 0x8b][..]), ("identity", None, &[][..])] {
            let asked = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted))]);
            let response = serve(Method::GET, "/".parse().unwrap(), asked).await.unwrap();
            if Files::get("index.html.gz").is_none() {
                assert!(response.headers().get(header::CONTENT_ENCODING).is_none());
                continue;
            }
            assert_eq!(response.headers().get(header::CONTENT_ENCODING).map(|v| v.to_str().unwrap()), coding);
            assert_eq!(response.headers().get(header::VARY).unwrap(), "accept-encoding");
            assert!(response.headers().contains_key(header::CONTENT_SECURITY_POLICY), "{accepted}");
            tags.push(response.headers().get(header::ETAG).unwrap().clone());
            let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
            assert!(body.starts_with(magic), "{accepted}");
        }
        tags.dedup();
        assert_ne!(tags.len(), 1, "two forms have two tags");
    }

    #[tokio::test]
    async fn unknown_endpoints_and_writes_are_never_pages() {
        for (method, path) in
            [(Method::GET, "/api"), (Method::GET, "/api/v1/nope"), (Method::POST, "/"), (Method::GET, "/_app/gone.js")]
        {
            let failed = serve(method, path.parse().unwrap(), HeaderMap::new()).await.unwrap_err();
            assert_eq!(failed.status(), 404, "{path}");
        }
    }

    #[tokio::test]
    async fn the_front_page_always_answers() {
        let response = serve(Method::GET, "/".parse().unwrap(), HeaderMap::new()).await.unwrap();
        assert_eq!(response.status(), 200);
    }
}
