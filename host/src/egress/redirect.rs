//! What a redirect makes of a request: pure.

use crate::error::{Error, Kind, Result};
use crate::model::http::{Request, Target};

/// Headers that speak for their sender: they stay with the origin that the script gave them for.
const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];
/// Headers about a body that is not sent again.
const ABOUT_BODY: [&str; 5] = ["content-encoding", "content-language", "content-location", "content-type", "digest"];

/// Whether a status, with a `location`, sends a client elsewhere.
pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// The request that follows, as browsers make it: 303 asks with GET (HEAD stays HEAD), 301 and 302 turn POST into GET, 307 and 308
/// repeat. A request that changes its method so loses its body; one that goes to another origin loses its credentials.
///
/// 403 `denied` when the location is no URL to ask for, or leads from https to http.
pub(super) fn next(mut request: Request, status: u16, location: &str) -> Result<Request> {
    let from = request.target.host();
    let target = request.target.join(location).map_err(|error| denied(from, &error.message))?;
    if request.target.is_secure() && !target.is_secure() {
        return Err(denied(from, "from https to http, where anybody could read on"));
    }
    let becomes_get = match status {
        303 => !matches!(request.method.as_str(), "GET" | "HEAD"),
        301 | 302 => request.method == "POST",
        _ => false,
    };
    if becomes_get {
        request.method = "GET".to_owned();
        request.body = None;
        request.headers.retain(|(name, _)| !ABOUT_BODY.contains(&name.as_str()));
    }
    if !request.target.is_same_origin(&target) {
        request.headers.retain(|(name, _)| !CREDENTIALS.contains(&name.as_str()));
    }
    request.target = target;
    Ok(request)
}

fn denied(host: &str, why: &str) -> Error {
    Error::new(Kind::Forbidden, "denied", format!("`{host}` redirects where it is not followed: {why}"))
}

/// What is wrong with a target that is known to be written well.
pub(super) fn onto(from: &str, target: &Target, error: Error) -> Error {
    Error { message: format!("`{from}` redirects to `{}`: {}", target.host(), error.message).into(), ..error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::http::{Asked, Redirects};

    fn request(method: &str) -> Request {
        let headers = ["authorization", "cookie", "proxy-authorization", "content-type", "x-key"];
        Request::read(Asked {
            method: method.to_owned(),
            url: "https://a.example/x/y?q".to_owned(),
            headers: headers.map(|name| (name.to_owned(), "v".to_owned())).to_vec(),
            body: (method != "GET" && method != "HEAD").then(|| b"body".to_vec()),
            redirects: Redirects::Follow,
            timeout_ms: None,
        })
        .unwrap()
    }

    fn names(request: &Request) -> Vec<&str> {
        request.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn methods_change_as_in_browsers() {
        for (status, method, becomes, keeps_body) in [
            (301, "POST", "GET", false),
            (302, "POST", "GET", false),
            (303, "POST", "GET", false),
            (303, "PUT", "GET", false),
            (303, "DELETE", "GET", false),
            (303, "HEAD", "HEAD", false),
            (301, "PUT", "PUT", true),
            (302, "PATCH", "PATCH", true),
            (301, "HEAD", "HEAD", false),
            (307, "POST", "POST", true),
            (308, "POST", "POST", true),
            (308, "GET", "GET", false),
        ] {
            assert!(is_redirect(status));
            let next = next(request(method), status, "/z").unwrap();
            assert_eq!((next.method.as_str(), next.body.is_some()), (becomes, keeps_body), "{status} {method}");
            assert_eq!(names(&next).contains(&"content-type"), becomes == method, "{status} {method}");
            assert!(names(&next).contains(&"authorization"), "the same origin keeps them");
        }
        for status in [200, 300, 304, 305, 306, 309, 404] {
            assert!(!is_redirect(status), "{status}");
        }
    }

    #[test]
    fn credentials_stay_with_their_origin() {
        for (location, kept) in [
            ("/z", true),
            ("https://A.example.:443/z", true),
            ("https://b.example/", false),
            ("//b.a.example/", false),
            ("https://a.example:8443/", false),
        ] {
            let next = next(request("GET"), 302, location).unwrap();
            for name in CREDENTIALS {
                assert_eq!(names(&next).contains(&name), kept, "{location} {name}");
            }
            assert!(names(&next).contains(&"x-key"), "what is not known to be a credential goes on");
        }
    }

    #[test]
    fn what_leads_nowhere_good_is_denied() {
        for location in [
            "http://a.example/",
            "http://b.example/",
            "ftp://a.example/",
            "https://u:p@b.example/",
            "https://[",
            "javascript:1",
            "https://b.example:25/",
        ] {
            let refused = next(request("GET"), 302, location).unwrap_err();
            assert_eq!((refused.kind, refused.code), (Kind::Forbidden, "denied"), "{location}");
            assert!(!refused.message.contains("u:p"), "{}", refused.message);
        }
    }
}
