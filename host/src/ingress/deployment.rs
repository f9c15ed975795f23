//! What an answer says of the deployment that gave it, where that may be another one than what runs.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::cors;
use crate::limits;
use crate::model::split::{self, Bucket};

const DEPLOYMENT: HeaderName = HeaderName::from_static("picloud-deployment");

/// Nothing, of what runs in an app whose requests are not split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// The one that answered, if that is not the one that runs.
    pub(super) deployment: Option<i32>,
    /// For those only who may see it: no answer is anybody else's, and none is to be found.
    pub(super) is_preview: bool,
    /// Whether the cookie decides who answers.
    pub(super) is_sticky: bool,
    /// Where the visitor is put.
    pub(super) bucket: Option<Bucket>,
}

impl Mark {
    /// Of a preview, by the deployment if it answers.
    pub(super) fn preview(deployment: Option<i32>) -> Self {
        Self { deployment, is_preview: true, ..Self::default() }
    }

    /// Says it in the headers of an answer. What a script says of caches stays, but for a preview, and for an answer that puts its
    /// visitor into a bucket: those are nobody else's.
    pub(super) fn apply(self, headers: &mut HeaderMap) {
        if let Some(number) = self.deployment {
            headers.insert(DEPLOYMENT, HeaderValue::from(number));
        }
        if self.is_preview {
            headers.entry("x-robots-tag").or_insert(HeaderValue::from_static("noindex"));
            if !is_private(headers) {
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
            }
        }
        if self.is_sticky {
            cors::add(headers, header::VARY, "cookie");
        }
        let Some(bucket) = self.bucket else { return };
        let cookie = format!("{}={bucket}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax", split::COOKIE, limits::SPLIT_COOKIE_S);
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            headers.append(header::SET_COOKIE, cookie);
        }
        if !is_private(headers) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
        }
    }
}

/// Whether no cache of several people's keeps the answer.
fn is_private(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut words = values.flat_map(|value| value.split(',')).map(str::trim);
    words.any(|word| word.eq_ignore_ascii_case("private") || word.eq_ignore_ascii_case("no-store"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(mark: Mark, said: &[(&'static str, &'static str)]) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        for (name, value) in said {
            headers.append(*name, HeaderValue::from_static(value));
        }
        mark.apply(&mut headers);
        let told = |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.to_str().unwrap().to_owned());
        let mut headers: Vec<_> = headers.iter().map(told).collect();
        headers.sort();
        headers
    }

    fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_runs_says_nothing() {
        assert_eq!(marked(Mark::default(), &[("vary", "accept")]), owned(&[("vary", "accept")]));
    }

    #[test]
    fn a_preview_is_nobody_elses_whatever_its_script_says() {
        let told = [("cache-control", "private, no-store"), ("picloud-deployment", "7"), ("x-robots-tag", "noindex")];
        assert_eq!(marked(Mark::preview(Some(7)), &[]), owned(&told));
        let own = [("cache-control", "public, max-age=60"), ("x-robots-tag", "all")];
        let told = [("cache-control", "private, no-store"), ("picloud-deployment", "7"), ("x-robots-tag", "all")];
        assert_eq!(marked(Mark::preview(Some(7)), &own), owned(&told));
        let own = [("cache-control", "private, max-age=60"), ("x-robots-tag", "all")];
        let told = [("cache-control", "private, max-age=60"), ("picloud-deployment", "7"), ("x-robots-tag", "all")];
        assert_eq!(marked(Mark::preview(Some(7)), &own), owned(&told));
    }

    #[test]
    fn an_answer_that_sets_the_cookie_is_its_visitors_alone() {
        let cookie = "picloud_split=42; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax";
        let mark = Mark { deployment: None, is_sticky: true, bucket: Bucket::read("42"), ..Mark::default() };
        for (said, kept) in [
            (None, "private"),
            (Some("public, max-age=60"), "private"),
            (Some("max-age=60, Private"), "max-age=60, Private"),
            (Some("no-store"), "no-store"),
        ] {
            let said: Vec<_> = said.into_iter().map(|value| ("cache-control", value)).collect();
            assert_eq!(marked(mark, &said), owned(&[("cache-control", kept), ("set-cookie", cookie), ("vary", "cookie")]));
        }
        let known = Mark { bucket: None, ..mark };
        let said = [("cache-control", "public"), ("vary", "accept")];
        assert_eq!(marked(known, &said), owned(&[("cache-control", "public"), ("vary", "accept, cookie")]));
    }
}
