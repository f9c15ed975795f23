//! Previews: a deployment at a host name of its own, for those who may see it. It runs in the app as that is now, with its data.
//!
//! Whoever opens a link is sent on to the same address without its token, which is then in a cookie of that host alone: no
//! script, page or log of another sees it. Others show a token of the platform's, of somebody who may read the app's log.

use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use chrono::{DateTime, Utc};

use super::deployment::Mark;
use super::refusal::Refusal;
use super::{Decision, Ingress, Target, credentials, host, port, within};
use crate::error::Kind;
use crate::id::RequestId;
use crate::limits;
use crate::model::execution::FailureCode;
use crate::model::preview::NAME;
use crate::model::route::{AppTable, DispatchMode, normalize_host};
use crate::service;

/// Which deployment a request is to be shown.
pub(super) struct Asked {
    pub(super) app: Arc<AppTable>,
    pub(super) number: i32,
    /// In the form that the app's routes are compared in.
    pub(super) host: String,
}

/// How whoever may see a preview has proven it.
enum Proof {
    Link,
    /// A token of somebody who may read the log.
    Token,
}

impl Ingress {
    pub(super) async fn preview(&self, request_id: RequestId, asked: Asked, parts: &Parts) -> (Decision, Mark) {
        let decision = match link_of(parts.uri.query()) {
            Some(token) => self.open(request_id, &asked, token, parts),
            None => match self.proof(&asked, parts).await {
                Ok(proof) => self.show(request_id, &asked, proof, parts).await,
                Err(refusal) => refuse(request_id, &asked, &refusal),
            },
        };
        let answers = matches!(decision, Decision::Run(_)).then_some(asked.number);
        (decision, Mark::preview(answers))
    }

    /// What opens the preview to a request; 401 for none.
    async fn proof(&self, asked: &Asked, parts: &Parts) -> Result<Proof, Refusal> {
        let Asked { app, number, .. } = asked;
        let mut links = credentials::platform_cookies(&parts.headers, NAME).take(limits::PREVIEW_TOKENS_TRIED_MAX).peekable();
        let has_link = links.peek().is_some();
        if links.any(|token| service::previews::admits_until(&self.services, app.app_id, *number, token).is_some()) {
            return Ok(Proof::Link);
        }
        match self.reader(parts, app).await {
            Some(true) => Ok(Proof::Token),
            Some(false) if has_link => Err(Refusal::link_closed(&app.slug, *number)),
            Some(false) => Err(Refusal::preview_closed(&app.slug, *number)),
            None => Err(Refusal::of(FailureCode::Overloaded)),
        }
    }

    /// Runs it.
    async fn show(&self, request_id: RequestId, asked: &Asked, proof: Proof, parts: &Parts) -> Decision {
        let snapshot = match self.invoker.snapshot(&asked.app, asked.number).await {
            Ok(snapshot) => snapshot,
            Err(error) => {
                if matches!(error.kind, Kind::Internal | Kind::Corrupt) {
                    let (id, cause) = (request_id, &error.source);
                    tracing::error!(request.id = %id, %error, ?cause, "a deployment could not be made ready");
                }
                return refuse(request_id, asked, &Refusal::of_preview(error));
            }
        };
        match within(&snapshot.table, Some(&snapshot), &asked.host, parts) {
            Decision::Run(target) if target.dispatch_mode == DispatchMode::Async => {
                refuse(request_id, asked, &Refusal::ASYNC_PREVIEW)
            }
            Decision::Run(target) => {
                // Whoever showed a token was looked up just now.
                let reads_log = matches!(proof, Proof::Token).then_some(true);
                Decision::Run(Target { reads_log, ..target })
            }
            decision => decision,
        }
    }

    /// Takes a link's token out of the address and into a cookie.
    fn open(&self, request_id: RequestId, asked: &Asked, token: &str, parts: &Parts) -> Decision {
        let until = service::previews::admits_until(&self.services, asked.app.app_id, asked.number, token);
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        let opened = until.filter(|_| is_read).and_then(|until| sent_on(token, until, self.services.clock.now(), parts));
        match opened {
            Some(response) => Decision::Answer { app: Some(asked.app.clone()), response },
            None => refuse(request_id, asked, &Refusal::link_closed(&asked.app.slug, asked.number)),
        }
    }
}

fn refuse(request_id: RequestId, asked: &Asked, refusal: &Refusal) -> Decision {
    let mut response = refusal.answer(request_id);
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"picloud\""));
    }
    Decision::Answer { app: Some(asked.app.clone()), response }
}

/// To the same address without the token, without a scheme: it stays what it is.
fn sent_on(token: &str, until: DateTime<Utc>, now: DateTime<Utc>, parts: &Parts) -> Option<Response> {
    let asked = normalize_host(host(parts).ok()?)?;
    let port = port(parts).map(|port| format!(":{port}")).unwrap_or_default();
    let path = parts.uri.path();
    let query = without_link(parts.uri.query().unwrap_or_default());
    let mark = if query.is_empty() { "" } else { "?" };
    let location = path.starts_with('/').then(|| HeaderValue::try_from(format!("//{asked}{port}{path}{mark}{query}")).ok())??;
    let lasts_s = (until - now).num_seconds().max(1);
    let secure = if is_https(parts) { "; Secure" } else { "" };
    let cookie = format!("{NAME}={token}; Path=/; Max-Age={lasts_s}; HttpOnly; SameSite=Lax{secure}");
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location);
    headers.insert(header::SET_COOKIE, HeaderValue::try_from(cookie).ok()?);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Some(response)
}

/// The first token of a link in a query.
fn link_of(query: Option<&str>) -> Option<&str> {
    query?.split('&').find_map(link_in)
}

fn link_in(pair: &str) -> Option<&str> {
    pair.strip_prefix(NAME)?.strip_prefix('=')
}

/// The query as it was sent, but for tokens of links.
fn without_link(query: &str) -> String {
    query.split('&').filter(|pair| link_in(pair).is_none()).collect::<Vec<_>>().join("&")
}

/// As far as is known here: a proxy in front says so. Whoever says it without one keeps a cookie from himself.
fn is_https(parts: &Parts) -> bool {
    let forwarded = parts.headers.get_all("x-forwarded-proto").iter().next_back().and_then(|value| value.to_str().ok());
    let scheme = forwarded.and_then(|list| list.rsplit(',').next()).map(str::trim).or_else(|| parts.uri.scheme_str());
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::tests::{parts, text};
    use super::*;

    #[test]
    fn a_token_is_taken_out_of_the_query_and_the_rest_stays() {
        for (query, token, left) in [
            ("picloud_preview=T", Some("T"), ""),
            ("a=1&picloud_preview=T&b=%2F", Some("T"), "a=1&b=%2F"),
            ("picloud_preview=T&picloud_preview=U&a", Some("T"), "a"),
            ("picloud_preview=", Some(""), ""),
            ("picloud_preview", None, "picloud_preview"),
            ("xpicloud_preview=T", None, "xpicloud_preview=T"),
            ("", None, ""),
        ] {
            assert_eq!((link_of(Some(query)), without_link(query).as_str()), (token, left), "{query}");
        }
        assert_eq!(link_of(None), None);
    }

    #[test]
    fn whoever_opens_a_link_is_sent_to_the_same_host_and_path() {
        let now = DateTime::UNIX_EPOCH;
        let opened = |target: &str, headers: &[(&str, &str)]| {
            let parts = parts("GET", target, headers);
            let response = sent_on("T", now + TimeDelta::seconds(60), now, &parts)?;
            let told = ["location", "set-cookie"].map(|name| text(&response, name).unwrap_or_default().to_owned());
            assert_eq!((response.status().as_u16(), text(&response, "referrer-policy")), (302, Some("no-referrer")));
            Some(told)
        };
        let cookie = "picloud_preview=T; Path=/; Max-Age=60; HttpOnly; SameSite=Lax";
        let host = ("host", "API.v7--hello.localhost:8080");
        for (target, location) in [
            ("/?picloud_preview=T", "//api.v7--hello.localhost:8080/"),
            ("/a%20b?x=1&picloud_preview=T", "//api.v7--hello.localhost:8080/a%20b?x=1"),
            ("//evil.example/?picloud_preview=T", "//api.v7--hello.localhost:8080//evil.example/"),
        ] {
            assert_eq!(opened(target, &[host]), Some([location.to_owned(), cookie.to_owned()]), "{target}");
        }
        let secure = format!("{cookie}; Secure");
        for proxy in ["https", "http, HTTPS"] {
            let told = opened("/?picloud_preview=T", &[("host", "v7--hello.localhost"), ("x-forwarded-proto", proxy)]);
            assert_eq!(told, Some(["//v7--hello.localhost/".to_owned(), secure.clone()]), "{proxy}");
        }
        assert!(opened("*", &[host]).is_none());
    }
}
