//! The gate in front of every handler: finds out who calls and holds the endpoint's rule against them, before any
//! byte of the body is read.
//!
//! Where the rule is about an app, the gate finds the app of what the path names, judges the caller's part in it, and hands the
//! app over: a handler never looks for it, so it cannot forget to ask. Then it refuses query parameters that nobody knows, and
//! lets `idempotency` see what is to be done once only.
//!
//! Two credentials: a bearer token (a session's or an API key), or the session cookie of a browser. A browser sends its cookie
//! whoever asks for the request, so a write with a cookie must also come from our own pages.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::RequestExt;
use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::{Answer, Failed};
use super::query::Given;
use super::{Api, Config, idempotency};
use crate::error::{Error, Kind, Result};
use crate::id::{ExecutionId, RequestId, ScriptId};
use crate::model::access::{self, Denial, Origin, Principal, Rule, Scope, Standing};
use crate::model::app::App;
use crate::service;
use crate::service::access::Named;

const COOKIE: &str = "picloud_session";
/// Over https the browser itself holds it to this host, to `/` and to https.
const COOKIE_SECURE: &str = "__Host-picloud_session";

/// Who calls. Only behind a rule other than `Public`.
#[derive(Debug, Clone)]
pub(crate) struct Caller(pub(crate) Arc<Principal>);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Error::internal("a public endpoint asked for its caller").into())
    }
}

/// How the caller stands to the app of the path. Only behind a rule about one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OfStanding(pub(crate) Standing);

impl<S: Send + Sync> FromRequestParts<S> for OfStanding {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let standing = parts.extensions.get::<Standing>().copied();
        standing.map(Self).ok_or_else(|| Error::internal("an endpoint of no app asked for a standing").into())
    }
}

/// Where the request came from, whoever calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whence(pub(crate) Origin);

impl<S: Send + Sync> FromRequestParts<S> for Whence {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        Ok(Self(origin(parts)))
    }
}

fn origin(parts: &Parts) -> Origin {
    let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(caller)| caller.ip());
    Origin { address, request_id: parts.extensions.get::<RequestId>().copied() }
}

/// What a gate needs to know.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub(super) api: Api,
    pub(super) rule: Rule,
    /// The query parameters that the endpoint knows; `None`: any.
    pub(super) query: Option<Arc<[&'static str]>>,
}

pub(super) async fn enforce(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    match admit(&gate, &mut request).await {
        Ok(None) => next.run(request).await,
        Ok(Some(caller)) => {
            let named_otherwise = content_location(&request);
            let mut response = idempotency::once(&gate.api, &caller.0, request, next).await;
            if let Some(location) = named_otherwise {
                response.headers_mut().insert(header::CONTENT_LOCATION, location);
            }
            response
        }
        Err(failed) => failed.into_response(),
    }
}

/// Whoever may go on; nobody in particular at a public endpoint.
async fn admit(gate: &Gate, request: &mut Request) -> Answer<Option<Caller>> {
    if gate.rule == Rule::Public {
        refuse_unknown_parameters(gate, request)?;
        return Ok(None);
    }
    let caller = identify(gate, request).await?;
    if let Rule::App(scope) = gate.rule {
        let (app, standing) = app_of(gate, request, &caller.0, scope).await?;
        request.extensions_mut().insert(app);
        request.extensions_mut().insert(standing);
    }
    refuse_unknown_parameters(gate, request)?;
    request.extensions_mut().insert(caller.clone());
    Ok(Some(caller))
}

async fn identify(gate: &Gate, request: &mut Request) -> Result<Caller> {
    let Whence(origin) = request.extract_parts().await.map_err(|_: Failed| Error::internal("a request without an origin"))?;
    let (config, headers) = (&gate.api.config, request.headers());
    let credential = credential(headers, config);
    let principal = match &credential {
        Some(Credential::Bearer(token) | Credential::Cookie(token)) => {
            service::sessions::authenticate(&gate.api.services, token, origin).await?
        }
        None => None,
    };
    access::decide(principal.as_ref(), gate.rule).map_err(denied)?;
    if matches!(credential, Some(Credential::Cookie(_))) && !request.method().is_safe() && !is_same_origin(headers, config) {
        return Err(Error::new(
            Kind::Forbidden,
            "cross_origin",
            "a session cookie writes only from the dashboard's own origin; send the token as a bearer instead",
        ));
    }
    principal.map(|p| Caller(Arc::new(p))).ok_or_else(|| denied(Denial::Unauthenticated))
}

/// The app of what the path names.
async fn app_of(gate: &Gate, request: &mut Request, by: &Principal, scope: Scope) -> Result<(App, Standing)> {
    // What is no text names nothing.
    let params = request.extract_parts::<RawPathParams>().await;
    let params = params.map_err(|_| Error::not_found("thing, or none of yours"))?;
    let named = |name: &str| params.iter().find(|(param, _)| *param == name).map(|(_, value)| value);
    let services = &gate.api.services;
    if let Some(app) = named("app") {
        return service::access::find(services, by, Named::App(app), scope).await;
    }
    if let Some(id) = named("script_id") {
        let id: ScriptId = id.parse().map_err(|_| Error::not_found("script"))?;
        return service::access::find(services, by, Named::Script(id), scope).await;
    }
    let id = named("execution_id").ok_or_else(|| Error::internal("a rule about an app has a path that names none"))?;
    let id: ExecutionId = id.parse().map_err(|_| Error::not_found("execution"))?;
    // Whoever has just called a script may ask for its record before it is written.
    gate.api.invoker.flush_records().await;
    match service::access::find(services, by, Named::Execution(id), scope).await {
        Err(error) if error.kind == Kind::NotFound => {
            // One that was promised may have ended, and gone from the events, since.
            gate.api.invoker.flush_records().await;
            service::access::find(services, by, Named::Execution(id), scope).await
        }
        found => found,
    }
}

fn refuse_unknown_parameters(gate: &Gate, request: &Request) -> Answer<()> {
    match &gate.query {
        Some(known) => Ok(Given::read(request.uri())?.only(known)?),
        None => Ok(()),
    }
}

/// Where the thing is, when its app was named by a slug that it has no more.
fn content_location(request: &Request) -> Option<HeaderValue> {
    let app = request.extensions().get::<App>()?;
    let path = request.uri().path();
    let (before, rest) = path.split_once("/apps/")?;
    let (named, after) = rest.split_once('/').map_or((rest, None), |(named, after)| (named, Some(after)));
    if named == app.slug || named.parse::<crate::id::AppId>().is_ok() {
        return None;
    }
    let slash = if after.is_some() { "/" } else { "" };
    HeaderValue::try_from(format!("{before}/apps/{}{slash}{}", app.slug, after.unwrap_or_default())).ok()
}

fn denied(denial: Denial) -> Error {
    match denial {
        Denial::Unauthenticated => Error::new(
            Kind::Unauthenticated,
            "unauthenticated",
            "log in, and send the token as `authorization: Bearer …` or as the session cookie",
        ),
        Denial::Forbidden(scope) => service::access::forbidden(scope),
        Denial::LoginNeeded => service::access::login_needed(),
        Denial::Hidden => Error::not_found("thing, or none of yours"),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Credential<'a> {
    Bearer(&'a str),
    Cookie(&'a str),
}

/// A bearer token before the cookie: who sends one means it.
fn credential<'a>(headers: &'a HeaderMap, config: &Config) -> Option<Credential<'a>> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(bearer);
    bearer.map(Credential::Bearer).or_else(|| session_cookie(headers, config).map(Credential::Cookie))
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn session_cookie<'a>(headers: &'a HeaderMap, config: &Config) -> Option<&'a str> {
    cookies(headers).find(|(name, _)| *name == cookie_name(config)).map(|(_, value)| value)
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let values = headers.get_all(header::COOKIE).into_iter().filter_map(|v| v.to_str().ok());
    values.flat_map(|v| v.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

fn cookie_name(config: &Config) -> &'static str {
    if config.is_https() { COOKIE_SECURE } else { COOKIE }
}

/// The cookie of a new session. It ends with the browser; the session itself ends by the server's clock.
///
/// # Errors
/// `internal` when the token is no cookie value.
pub(super) fn new_cookie(token: &str, config: &Config) -> Result<HeaderValue> {
    let value = format!("{}={token}; {}", cookie_name(config), attributes(config));
    HeaderValue::try_from(value).map_err(Error::internal)
}

/// What makes the browser forget it.
///
/// # Errors
/// None in practice: the text is ours.
pub(super) fn ended_cookie(config: &Config) -> Result<HeaderValue> {
    let value = format!("{}=; {}; Max-Age=0", cookie_name(config), attributes(config));
    HeaderValue::try_from(value).map_err(Error::internal)
}

fn attributes(config: &Config) -> &'static str {
    if config.is_https() { "Path=/; HttpOnly; SameSite=Strict; Secure" } else { "Path=/; HttpOnly; SameSite=Strict" }
}

/// The cookies of a request without the platform's, for a script to see; `None` when nothing is left.
pub(super) fn foreign_cookies(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(header::COOKIE).into_iter().filter_map(|v| v.to_str().ok());
    let kept: Vec<_> =
        values.flat_map(|v| v.split(';')).map(str::trim).filter(|pair| !pair.is_empty() && !is_ours(pair)).collect();
    (!kept.is_empty()).then(|| kept.join("; "))
}

/// Browsers compare prefixes without case, and send a cookie without a name as its bare value.
fn is_ours(pair: &str) -> bool {
    let name = pair.trim_start_matches([' ', '=']).to_ascii_lowercase();
    let name = ["__host-", "__secure-"].into_iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(&name);
    name.starts_with("picloud_")
}

/// Whether the browser says that our own page sent this. `Sec-Fetch-Site` cannot be forged by a page and survives
/// proxies that rewrite `Host`; without it the `Origin` must be this host or the public one.
fn is_same_origin(headers: &HeaderMap, config: &Config) -> bool {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    let Some((scheme, authority)) = text("origin").and_then(|o| o.split_once("://")) else { return false };
    let origin = (scheme, without_default_port(scheme, authority));
    let public = config.public_base_url.as_deref().and_then(origin_of);
    let host = text("host").map(|host| without_default_port(scheme, host));
    // Over https a page that came without it is not ours, whatever host it names.
    let is_downgraded = config.is_https() && !scheme.eq_ignore_ascii_case("https");
    host.is_some_and(|host| !is_downgraded && host.eq_ignore_ascii_case(origin.1))
        || public.is_some_and(|(s, a)| s.eq_ignore_ascii_case(origin.0) && a.eq_ignore_ascii_case(origin.1))
}

fn origin_of(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    Some((scheme, without_default_port(scheme, rest.split('/').next().unwrap_or(rest))))
}

fn without_default_port<'a>(scheme: &str, authority: &'a str) -> &'a str {
    let port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    authority.strip_suffix(port).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap()))
            .collect::<Vec<(header::HeaderName, HeaderValue)>>()
            .into_iter()
            .fold(HeaderMap::new(), |mut map, (name, value)| {
                map.append(name, value);
                map
            })
    }

    fn http() -> Config {
        Config::default()
    }

    fn https() -> Config {
        Config { public_base_url: Some("https://cloud.example/".into()), ..Config::default() }
    }

    #[test]
    fn a_bearer_goes_before_the_cookie() {
        let both = headers(&[("authorization", "bearer abc"), ("cookie", "picloud_session=def")]);
        assert_eq!(credential(&both, &http()), Some(Credential::Bearer("abc")));
        let basic = headers(&[("authorization", "Basic abc"), ("cookie", "a=b;  picloud_session=def")]);
        assert_eq!(credential(&basic, &http()), Some(Credential::Cookie("def")));
        assert_eq!(credential(&HeaderMap::new(), &http()), None);
    }

    #[test]
    fn over_https_only_the_host_bound_cookie_counts() {
        let plain = headers(&[("cookie", "picloud_session=def")]);
        assert_eq!(credential(&plain, &https()), None);
        let bound = headers(&[("cookie", "x=1"), ("cookie", "__Host-picloud_session=def")]);
        assert_eq!(credential(&bound, &https()), Some(Credential::Cookie("def")));
        assert_eq!(credential(&bound, &http()), None);
    }

    #[test]
    fn the_cookie_is_out_of_reach_of_scripts_and_other_sites() {
        assert_eq!(new_cookie("t", &http()).unwrap(), "picloud_session=t; Path=/; HttpOnly; SameSite=Strict");
        assert_eq!(new_cookie("t", &https()).unwrap(), "__Host-picloud_session=t; Path=/; HttpOnly; SameSite=Strict; Secure");
        assert_eq!(ended_cookie(&http()).unwrap(), "picloud_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
        assert!(new_cookie("a\nb", &http()).is_err());
    }

    #[test]
    fn our_cookies_never_reach_a_script() {
        let mixed =
            headers(&[("cookie", "a=1; picloud_session=t; b=2; =picloud_session=t"), ("cookie", "__HOST-picloud_session=t")]);
        assert_eq!(foreign_cookies(&mixed).as_deref(), Some("a=1; b=2"));
        assert_eq!(foreign_cookies(&headers(&[("cookie", "picloud_session=t")])), None);
    }

    #[test]
    fn same_origin_is_what_the_browser_says() {
        for good in [
            &[("sec-fetch-site", "same-origin"), ("host", "inner"), ("origin", "https://outer")][..],
            &[("host", "localhost:8081"), ("origin", "http://LOCALHOST:8081")],
            &[("host", "pi.local:80"), ("origin", "http://pi.local")],
        ] {
            assert!(is_same_origin(&headers(good), &http()), "{good:?}");
        }
        for bad in [
            &[("host", "localhost:8081")][..],
            &[("host", "localhost:8081"), ("origin", "null")],
            &[("host", "localhost:8081"), ("origin", "http://hello.localhost:8080")],
            &[("host", "localhost:8081"), ("origin", "http://localhost:8080")],
            &[("sec-fetch-site", "same-site"), ("host", "localhost:8081"), ("origin", "http://localhost:8081")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "none")],
        ] {
            assert!(!is_same_origin(&headers(bad), &http()), "{bad:?}");
        }
        let proxied = headers(&[("host", "10.0.0.7:8081"), ("origin", "https://cloud.example")]);
        assert!(is_same_origin(&proxied, &https()));
        assert!(!is_same_origin(&proxied, &http()));
        for host in ["10.0.0.7:8081", "cloud.example"] {
            let downgraded = HeaderMap::from_iter([
                (header::HOST, HeaderValue::from_static(host)),
                (header::ORIGIN, HeaderValue::from_static("http://cloud.example")),
            ]);
            assert!(!is_same_origin(&downgraded, &https()), "{host}");
        }
    }
}
