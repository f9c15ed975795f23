//! Routes: the answer of the directory is that of a slow reference, which tries every route and ranks them by what
//! `host/src/model/route.rs` says; conflicts are exactly the pairs that some request would match with equal rank.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use picloud::id::{AppId, RouteId, ScriptId};
use picloud::limits;
use picloud::model::grant::Grants;
use picloud::model::invocation::Deployed;
use picloud::model::quota::{Limits, Quota};
use picloud::model::route::{
    Directory, HostPattern, Method, PathPattern, PatternError, Resolution, Route, Source, SourceApp, conflict, normalize_host,
};
use uuid::Uuid;

use crate::draw::Draw;

const DOMAIN: &str = "localhost";
const ROUTES_MOST: usize = 16;
const REQUESTS_MOST: usize = 24;
const SEGMENTS_MOST: usize = 4;
/// The apps `h` and `o`.
const APPS: [(AppId, &str); 2] = [(AppId(Uuid::from_u128(1)), "h"), (AppId(Uuid::from_u128(2)), "o")];
const HOSTS: [&str; 8] = [
    "h.localhost",
    "a.h.localhost",
    "*.h.localhost",
    "*.a.h.localhost",
    "shop.example.com",
    "x.example.org",
    "*.example.org",
    "H.LOCALHOST",
];
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "OPTIONS", "PROPFIND", "any"];
const PATTERN_SEGMENTS: [&str; 14] =
    ["a", "b", ":p", ":q", "*", "", "%61", "%2F", "a%25", "%C3%A4", "x:y", "%3Ap", ":p2", "%2e%2e"];
const SEGMENTS: [&str; 18] =
    ["a", "b", "", "c", "%61", "a%2Fb", "%2f", "%25", "ä", "%C3%A4", ":p", "*", ".", "%2e%2E", "%", "%ff", "a%00", "a\\.."];
/// `Host` headers with the app that they lead to, and the host as routes know it.
const ASKED: [(&str, Option<(usize, &str)>); 14] = [
    ("h.localhost", Some((0, "h.localhost"))),
    ("a.h.localhost", Some((0, "a.h.localhost"))),
    ("b.a.h.localhost:8080", Some((0, "b.a.h.localhost"))),
    ("A.H.localhost.", Some((0, "a.h.localhost"))),
    ("shop.example.com", Some((0, "shop.example.com"))),
    ("x.example.org", Some((0, "x.example.org"))),
    ("y.example.org:1", Some((0, "y.example.org"))),
    ("o.localhost", Some((1, "o.localhost"))),
    ("h.o.localhost", Some((1, "h.o.localhost"))),
    ("example.org", None),
    ("x.y.example.org", None),
    ("localhost", None),
    ("[::1]:80", None),
    ("h.localhost.evil.example", None),
];

pub fn check(data: &[u8]) {
    let mut draw = Draw::new(data);
    let candidates = candidates(&mut draw);
    for (index, one) in candidates.iter().enumerate() {
        for other in &candidates[..=index] {
            conflict_means_equal_rank(one, other);
        }
    }
    let mut kept: Vec<Route> = Vec::new();
    for new in candidates {
        if conflict(&new, &kept).is_none() {
            kept.push(new);
        }
    }
    let told: Vec<Told> = kept.iter().map(Told::of).collect();
    let reversed = (0..).zip(kept.iter().rev()).map(|(age, route)| Route { created_at: at(age), ..route.clone() }).collect();
    let directories = [directory(kept), directory(reversed)];
    for _ in 0..REQUESTS_MOST {
        if draw.is_spent() {
            break;
        }
        request(&mut draw, &told, &directories);
    }
}

/// Routes as somebody might ask for them. Texts that are refused say where; texts that are taken read back as they are shown.
fn candidates(draw: &mut Draw) -> Vec<Route> {
    let domains: Vec<HostPattern> = ["shop.example.com", "*.example.org"].map(|text| text.parse().expect("a host")).to_vec();
    let texts = draw.list(ROUTES_MOST, |draw| {
        let method = draw.option(|draw| if draw.below(8) == 7 { draw.raw_text(8) } else { draw.one_of(&METHODS).to_owned() });
        let host = draw.option(|draw| if draw.below(8) == 7 { draw.text(253) } else { draw.one_of(&HOSTS).to_owned() });
        (draw.below(8), method, host, path(draw, &PATTERN_SEGMENTS))
    });
    let mut routes = Vec::new();
    for (number, (app, method, host, path)) in (1..).zip(texts) {
        let (app_id, slug) = APPS[usize::from(app == 7)];
        let path = path.parse::<PathPattern>().map_err(|error| refused(&path, &error));
        let method = Method::parse_optional(method.as_deref()).map_err(|error| refused(method.as_deref().unwrap_or(""), &error));
        let host = host.map(|host| HostPattern::of_app(&host, slug, DOMAIN, &domains).map_err(|error| refused(&host, &error)));
        let host = host.transpose();
        let (Ok(path), Ok(method), Ok(host)) = (path, method, host) else { continue };
        assert_eq!(path.to_string().parse::<PathPattern>().as_ref(), Ok(&path));
        if let Some(host) = &host {
            assert_eq!(host.to_string().parse::<HostPattern>().as_ref(), Ok(host));
        }
        if let Some(method) = &method {
            assert_eq!(method.to_string().parse::<Method>().as_ref(), Ok(method));
        }
        let (id, created_at) = (RouteId(Uuid::from_u128(number)), at(i64::from(number as u8)));
        routes.push(Route {
            id,
            app_id,
            script_id: script(app_id),
            method,
            host,
            path,
            dispatch_mode: Default::default(),
            created_at,
        });
    }
    routes
}

/// A refusal points into the text, or behind its end.
fn refused(text: &str, error: &PatternError) {
    assert!(error.at <= text.chars().count(), "{text:?}: {error}");
}

fn at(age_s: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(age_s)
}

/// Each app has one script, of its own number.
fn script(app: AppId) -> ScriptId {
    ScriptId(app.0)
}

fn directory(routes: Vec<Route>) -> Directory {
    let app = |(id, slug): (AppId, &str)| {
        let (slug, quota) = (slug.to_owned(), Quota::default());
        SourceApp { id, slug, cors_origins: Vec::new(), grants: Grants::default(), quota }
    };
    let deployed = |(app_id, _): (AppId, &str)| Deployed {
        app_id,
        script_id: script(app_id),
        version: 1,
        generation: 0,
        kind: Default::default(),
        name: "s".to_owned(),
        limits: Limits::default(),
    };
    let domains = ["shop.example.com", "*.example.org"].map(|text| (text.parse().expect("a host"), APPS[0].0)).to_vec();
    let (apps, scripts) = (APPS.map(app).into(), APPS.map(deployed).into());
    Directory::new(DOMAIN, Source { apps, scripts, routes, domains, former_slugs: Vec::new(), splits: Vec::new() })
}

/// A path put together of segments that meet, or any text.
fn path(draw: &mut Draw, segments: &[&str]) -> String {
    match draw.below(8) {
        7 => draw.text(limits::ROUTE_PATH_CHARS_MAX),
        6 => format!("/{}", draw.raw_text(48)),
        _ => {
            let count = 1 + draw.below(SEGMENTS_MOST);
            (0..count).map(|_| format!("/{}", draw.one_of(segments))).collect()
        }
    }
}

/// What the reference says to a request.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Found { route: RouteId, params: Vec<(String, String)>, rest: Option<String> },
    OtherMethod(Vec<String>),
    NoRoute,
    Malformed,
    UnknownHost,
}

fn request(draw: &mut Draw, told: &[Told], directories: &[Directory; 2]) {
    let method = draw.one_of(&["GET", "HEAD", "POST", "OPTIONS", "PROPFIND", "TRACE", "CONNECT", "get"]);
    let path = path(draw, &SEGMENTS);
    if draw.below(8) == 7 {
        // Any host at all: what it normalises to is normal, and nothing breaks.
        let raw = draw.text(limits::ROUTE_HOST_CHARS_MAX);
        if let Some(host) = normalize_host(&raw) {
            assert_eq!(normalize_host(&host).as_deref(), Some(host.as_ref()), "{raw:?}");
            assert!(host.len() <= limits::ROUTE_HOST_CHARS_MAX && host.split('.').all(|label| !label.is_empty()), "{raw:?}");
            assert!(!host.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b':' || !byte.is_ascii_graphic()), "{raw:?}");
        }
        let _ = (directories[0].resolve(&raw, method, &path), directories[0].moved(&raw));
        return;
    }
    let (raw, expected) = draw.one_of(&ASKED);
    let expected = match expected {
        None => Answer::UnknownHost,
        Some((app, host)) => reference(told, APPS[app].0, host, method, &path),
    };
    for directory in directories {
        let answer = answer(directory.resolve(raw, method, &path), expected_app(raw));
        assert_eq!(answer, expected, "{method} {raw} {path:?}");
    }
}

fn expected_app(raw: &str) -> Option<AppId> {
    ASKED.iter().find(|(host, _)| *host == raw).and_then(|(_, leads_to)| Some(APPS[(*leads_to)?.0].0))
}

fn answer(resolution: Resolution<'_>, expected: Option<AppId>) -> Answer {
    let (app, answer) = match resolution {
        Resolution::Found { app, found } => {
            assert_eq!((found.route.app_id, found.script.app_id), (app.app_id, app.app_id), "a script of another app");
            (app, Answer::Found { route: found.route.id, params: found.params, rest: found.rest })
        }
        Resolution::OtherMethod { app, allow } => (app, Answer::OtherMethod(allow.into_iter().map(str::to_owned).collect())),
        Resolution::NoRoute { app } => (app, Answer::NoRoute),
        Resolution::Malformed { app, .. } => (app, Answer::Malformed),
        Resolution::UnknownHost => return Answer::UnknownHost,
    };
    assert_eq!(Some(app.app_id), expected, "another app's host");
    answer
}

/// A route as people read it.
struct Told {
    id: RouteId,
    app: AppId,
    method: Option<String>,
    host: Option<String>,
    parts: Vec<Part>,
    /// Ends in `*`, which is not among the parts.
    prefix: bool,
}

enum Part {
    Literal(String),
    Param(String),
}

type Rank = (u8, Reverse<usize>, u8, u8);

impl Told {
    fn of(route: &Route) -> Self {
        let shown = route.path.to_string();
        let mut parts: Vec<&str> = shown.split('/').skip(1).collect();
        let prefix = parts.pop_if(|last| *last == "*").is_some();
        let part = |text: &str| match text.strip_prefix(':') {
            Some(name) => Part::Param(name.to_owned()),
            None => Part::Literal(decode_segment(text).expect("what is shown is well-formed")),
        };
        Self {
            id: route.id,
            app: route.app_id,
            method: route.method.as_ref().map(ToString::to_string),
            host: route.host.as_ref().map(ToString::to_string),
            parts: parts.into_iter().map(part).collect(),
            prefix,
        }
    }

    fn matches_path(&self, path: &[String]) -> bool {
        let long_enough = match self.prefix {
            true => path.get(self.parts.len()).is_some_and(|first| !first.is_empty()),
            false => path.len() == self.parts.len(),
        };
        let fits = |(part, text): (&Part, &String)| match part {
            Part::Literal(literal) => literal == text,
            Part::Param(_) => !text.is_empty(),
        };
        long_enough && self.parts.iter().zip(path).all(fits)
    }

    fn host_rank(&self, host: &str) -> Option<u8> {
        match self.host.as_deref() {
            None => Some(2),
            Some(own) if own == host => Some(0),
            Some(own) => {
                let label = host.strip_suffix(own.strip_prefix('*')?)?;
                (!label.is_empty() && !label.contains('.')).then_some(1)
            }
        }
    }

    /// Its place in the order, where it matches.
    fn rank(&self, host: &str, method: &str, path: &[String]) -> Option<Rank> {
        if !self.matches_path(path) {
            return None;
        }
        let is_param = |part: &Part| matches!(part, Part::Param(_));
        let kind = match (self.prefix, self.parts.iter().any(is_param)) {
            (true, _) => 2,
            (false, true) => 1,
            (false, false) => 0,
        };
        let leading = self.parts.iter().take_while(|part| !is_param(part)).count();
        let method = match (self.method.as_deref(), method) {
            (_, "TRACE" | "CONNECT") => return None,
            (Some(own), asked) if own == asked => 0,
            (Some("GET"), "HEAD") => 1,
            (None, _) => 2,
            _ => return None,
        };
        Some((kind, Reverse(leading), method, self.host_rank(host)?))
    }
}

fn reference(told: &[Told], app: AppId, host: &str, method: &str, path: &str) -> Answer {
    if path.len() > limits::REQUEST_TARGET_BYTES_MAX {
        return Answer::Malformed;
    }
    let Some(path) = decode(path) else { return Answer::Malformed };
    let own = || told.iter().filter(|route| route.app == app);
    let mut ranked: Vec<(Rank, &Told)> = own().filter_map(|route| Some((route.rank(host, method, &path)?, route))).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    if let [(first, _), (second, _), ..] = ranked.as_slice() {
        assert_ne!(first, second, "two routes tie that are no conflict: {path:?}");
    }
    if let Some((_, route)) = ranked.first() {
        let captured = route.parts.iter().zip(&path).filter_map(|(part, text)| match part {
            Part::Param(name) => Some((name.clone(), text.clone())),
            Part::Literal(_) => None,
        });
        let rest = route.prefix.then(|| path[route.parts.len()..].join("/"));
        return Answer::Found { route: route.id, params: captured.collect(), rest };
    }
    let mut allow = BTreeSet::new();
    for route in own().filter(|route| route.matches_path(&path) && route.host_rank(host).is_some()) {
        match route.method.as_deref() {
            Some(method) => allow.extend([method]),
            None => allow.extend(["DELETE", "GET", "PATCH", "POST", "PUT"]),
        }
    }
    if allow.is_empty() {
        return Answer::NoRoute;
    }
    if allow.contains("GET") {
        allow.insert("HEAD");
    }
    allow.insert("OPTIONS");
    Answer::OtherMethod(allow.into_iter().map(str::to_owned).collect())
}

/// Both ways the same; and where it is a conflict, there is a request that both match with equal rank. That there is none
/// otherwise, the reference sees for every request.
fn conflict_means_equal_rank(one: &Route, other: &Route) {
    assert_eq!(one.clashes_with(other), other.clashes_with(one), "{one} / {other}");
    assert!(one.clashes_with(one), "{one}");
    if !one.clashes_with(other) {
        return;
    }
    let (one, other) = (Told::of(one), Told::of(other));
    let host = match &one.host {
        None => "h.localhost".to_owned(),
        Some(host) => host.replacen('*', "w", 1),
    };
    let method = one.method.as_deref().unwrap_or("PROPFIND");
    let path = witness(&one, &other);
    let rank = one.rank(&host, method, &path);
    assert!(rank.is_some() && rank == other.rank(&host, method, &path), "{path:?} is no request that both match");
}

/// A path that two overlapping routes match: each one's literals, anything else for the rest.
fn witness(one: &Told, other: &Told) -> Vec<String> {
    let literal = |route: &Told, at: usize| match route.parts.get(at) {
        Some(Part::Literal(text)) => Some(text.clone()),
        _ => None,
    };
    let count = one.parts.len().max(other.parts.len()) + usize::from(one.prefix && other.prefix);
    (0..count).map(|at| literal(one, at).or_else(|| literal(other, at)).unwrap_or_else(|| "w".to_owned())).collect()
}

/// A request's path in decoded segments, or nothing for one that is malformed.
fn decode(path: &str) -> Option<Vec<String>> {
    path.strip_prefix('/')?.split('/').map(decode_segment).collect()
}

fn decode_segment(segment: &str) -> Option<String> {
    let (raw, mut bytes, mut at) = (segment.as_bytes(), Vec::new(), 0);
    while at < raw.len() {
        if raw[at] == b'%' {
            let digits = segment.get(at + 1..at + 3).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            at += 3;
        } else {
            bytes.push(raw[at]);
            at += 1;
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    let climbs = text.split(['/', '\\']).any(|piece| piece == "." || piece == "..");
    (!climbs && !text.chars().any(char::is_control)).then_some(text)
}
