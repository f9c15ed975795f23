//! Entity tags: which state of a thing was read, and which state a write is meant for.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::json;

use super::error::{Answer, Failed};
use crate::error::{Error, Kind, Result};

/// The `ETag` of a thing whose state is named `tag`.
pub(super) fn header(tag: impl std::fmt::Display) -> Result<(HeaderName, HeaderValue)> {
    Ok((header::ETAG, HeaderValue::try_from(format!("\"{tag}\"")).map_err(Error::internal)?))
}

/// `If-Match`: the one state that a write is meant for; `None` when any will do (no header, or `*`).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IfMatch(Option<String>);

impl IfMatch {
    pub(super) fn tag(&self) -> Option<&str> {
        self.0.as_deref()
    }

    fn read(headers: &HeaderMap) -> Result<Self> {
        let mut given = headers.get_all(header::IF_MATCH).iter();
        let Some(first) = given.next() else { return Ok(Self(None)) };
        let text = first.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self(None));
        }
        let tag = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).filter(|t| !t.contains('"'));
        match tag {
            Some(tag) if given.next().is_none() => Ok(Self(Some(tag.to_owned()))),
            _ => Err(Error::new(
                Kind::Invalid,
                "invalid",
                "if-match must be * or one strong entity tag as ETag gave it, in quotes",
            )
            .with_details(json!({ "header": "if-match" }))),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        Ok(Self::read(&parts.headers)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static str]) -> Result<IfMatch> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::IF_MATCH, HeaderValue::from_static(value));
        }
        IfMatch::read(&headers)
    }

    #[test]
    fn no_header_and_a_star_match_any_state() {
        assert_eq!(read(&[]).unwrap(), IfMatch(None));
        assert_eq!(read(&["*"]).unwrap().tag(), None);
    }

    #[test]
    fn what_etag_gave_is_read_back() {
        let (_, given) = header(17).unwrap();
        assert_eq!(given, "\"17\"");
        let back = read(&["\"17\""]).unwrap();
        assert_eq!(back.tag(), Some("17"));
    }

    #[test]
    fn weak_unquoted_and_several_tags_are_refused_rather_than_ignored() {
        for bad in [&["W/\"1\""][..], &["1"], &["\"1\", \"2\""], &["\"1\"", "\"2\""], &[""], &["\""]] {
            let error = read(bad).unwrap_err();
            assert_eq!(error.details.unwrap()["header"], "if-match", "{bad:?}");
        }
    }
}
