//! Which route answers, held against a reference that reads the documented order naively off the patterns' text.

use std::cmp::Reverse;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use super::*;
use crate::model::grant::Grants;
use crate::model::invocation::Deployed;
use crate::model::quota::Quota;
use crate::model::script::Limits;

const DOMAIN: &str = "localhost";
const APP: AppId = AppId(Uuid::from_u128(1));
const SCRIPT: ScriptId = ScriptId(Uuid::from_u128(2));
const HOSTS: [&str; 4] = ["h.localhost", "a.h.localhost", "b.h.localhost", "a.b.h.localhost"];
const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "OPTIONS", "TRACE"];

fn route(number: u128, method: Option<&str>, host: Option<&str>, path: &str) -> Route {
    Route {
        id: RouteId(Uuid::from_u128(number)),
        app_id: APP,
        script_id: SCRIPT,
        method: Method::parse_optional(method).unwrap(),
        host: host.map(|host| HostPattern::of_app(host, "h", DOMAIN, &[]).unwrap()),
        path: path.parse().unwrap(),
        dispatch_mode: Default::default(),
        created_at: DateTime::UNIX_EPOCH,
    }
}

fn directory(routes: Vec<Route>) -> Directory {
    let script = Deployed {
        app_id: APP,
        script_id: SCRIPT,
        version: 1,
        generation: 0,
        kind: Default::default(),
        name: "s".to_owned(),
        limits: Limits::default(),
    };
    Directory::new(DOMAIN, Source { apps: vec![app(APP, "h")], scripts: vec![script], routes, ..Source::default() })
}

fn app(id: AppId, slug: &str) -> SourceApp {
    SourceApp { id, slug: slug.to_owned(), cors_origins: Vec::new(), grants: Grants::default(), quota: Quota::default() }
}

/// Every path of at most three segments over few texts, with and without a trailing slash, plus a longer tail.
fn universe() -> Vec<String> {
    let texts = ["a", "b", "x", ""];
    let mut paths: Vec<String> = vec![String::new()];
    let mut all = Vec::new();
    for _ in 0..4 {
        paths = paths.iter().flat_map(|path| texts.iter().map(move |text| format!("{path}/{text}"))).collect();
        all.extend(paths.iter().cloned());
    }
    all
}

/// A route as people read it.
struct Told {
    id: RouteId,
    method: Option<String>,
    host: Option<String>,
    path: String,
}

impl Told {
    fn of(route: &Route) -> Self {
        Self {
            id: route.id,
            method: route.method.as_ref().map(ToString::to_string),
            host: route.host.as_ref().map(ToString::to_string),
            path: route.path.to_string(),
        }
    }
}

/// The documented order, read off the text: kind, literal leading segments, method, host. `None`: no match.
fn reference_rank(route: &Told, host: &str, method: &str, path: &str) -> Option<(u8, Reverse<usize>, u8, u8)> {
    let pattern: Vec<&str> = route.path.split('/').skip(1).collect();
    let path: Vec<&str> = path.split('/').skip(1).collect();
    let (fixed, prefix) = match pattern.split_last() {
        Some((&"*", fixed)) => (fixed, true),
        _ => (pattern.as_slice(), false),
    };
    let long_enough = if prefix { path.get(fixed.len()).is_some_and(|s| !s.is_empty()) } else { path.len() == fixed.len() };
    let fits = |(p, s): (&&str, &&str)| if p.starts_with(':') { !s.is_empty() } else { p == s };
    if !long_enough || !fixed.iter().zip(&path).all(fits) {
        return None;
    }
    let kind = match (prefix, fixed.iter().any(|s| s.starts_with(':'))) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    };
    let leading = fixed.iter().take_while(|s| !s.starts_with(':')).count();
    let method = match (route.method.as_deref(), method) {
        (_, "TRACE") => return None,
        (Some(own), asked) if own == asked => 0,
        (Some("GET"), "HEAD") => 1,
        (None, _) => 2,
        _ => return None,
    };
    let host_rank = match route.host.as_deref() {
        None => 2,
        Some(own) if own == host => 0,
        Some(own)
            if own.strip_prefix('*').is_some_and(|s| host.strip_suffix(s).is_some_and(|l| !l.is_empty() && !l.contains('.'))) =>
        {
            1
        }
        Some(_) => return None,
    };
    Some((kind, Reverse(leading), method, host_rank))
}

fn any_path() -> impl Strategy<Value = String> {
    let segment = select(vec!["a", "b", ":p", ":q"]);
    (prop::collection::vec(segment, 0..4), select(vec!["", "", "/*", "/"])).prop_map(|(segments, end)| {
        let mut path = String::new();
        for (index, segment) in segments.into_iter().enumerate() {
            path.push('/');
            path.push_str(segment);
            if segment.starts_with(':') {
                path.push_str(&index.to_string());
            }
        }
        path.push_str(end);
        if path.is_empty() { "/".to_owned() } else { path }
    })
}

fn any_route() -> impl Strategy<Value = Route> {
    let method = select(vec![None, Some("GET"), Some("HEAD"), Some("POST"), Some("OPTIONS")]);
    let host = select(vec![None, Some("h.localhost"), Some("a.h.localhost"), Some("*.h.localhost"), Some("*.b.h.localhost")]);
    (1..u128::MAX, method, host, any_path()).prop_map(|(number, method, host, path)| route(number, method, host, &path))
}

/// Routes as they can stand beside each other: each one that conflicts with an earlier one was refused.
fn routes(max: usize) -> impl Strategy<Value = Vec<Route>> {
    prop::collection::vec(any_route(), 1..max).prop_map(|candidates| {
        let mut kept: Vec<Route> = Vec::new();
        for new in candidates {
            if conflict(&new, &kept).is_none() && kept.iter().all(|other| other.id != new.id) {
                kept.push(new);
            }
        }
        kept
    })
}

fn requests() -> impl Strategy<Value = Vec<(&'static str, &'static str, String)>> {
    prop::collection::vec((select(&HOSTS[..]), select(&METHODS[..]), select(universe())), 60)
}

/// Apps `app0` … `app3`, which hold these domains and had these slugs.
fn holders(domains: &[(HostPattern, u128)], former_slugs: &[(&str, u128)]) -> Directory {
    let id = |number: u128| AppId(Uuid::from_u128(number));
    Directory::new(
        DOMAIN,
        Source {
            apps: (0..4).map(|number| app(id(number), &format!("app{number}"))).collect(),
            domains: domains.iter().map(|(host, holder)| (host.clone(), id(*holder))).collect(),
            former_slugs: former_slugs.iter().map(|(slug, holder)| ((*slug).to_owned(), id(*holder))).collect(),
            ..Source::default()
        },
    )
}

/// Names of the apps domain and of others, near enough to each other to meet.
fn any_host() -> impl Strategy<Value = String> {
    let name = prop::collection::vec(select(vec!["a", "b", "app1", "old"]), 0..4);
    (name, select(vec!["example.com", "b.example.com", "localhost", "xlocalhost", "com"])).prop_map(|(mut labels, end)| {
        labels.push(end);
        labels.join(".")
    })
}

/// Domains as they can be proven: each name by one app.
fn domains() -> impl Strategy<Value = Vec<(HostPattern, u128)>> {
    let domain = (any::<bool>(), any_host(), 0..5_u128);
    prop::collection::vec(domain, 0..8).prop_map(|candidates| {
        let mut kept: Vec<(HostPattern, u128)> = Vec::new();
        for (is_wildcard, name, holder) in candidates {
            let host = HostPattern::of_name(name, is_wildcard);
            if kept.iter().all(|(other, _)| *other != host) {
                kept.push((host, holder));
            }
        }
        kept
    })
}

/// Text that any segment may hold, escapes included.
fn any_text() -> impl Strategy<Value = String> {
    prop::collection::vec(any::<char>().prop_filter("no control characters", |c| !c.is_control()), 1..8)
        .prop_map(|chars| chars.into_iter().collect::<String>())
        .prop_filter("no dot segments", |text| !text.split(['/', '\\']).any(|piece| piece == "." || piece == ".."))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_first_of_the_documented_order_answers(routes in routes(14), requests in requests()) {
        let told: Vec<Told> = routes.iter().map(Told::of).collect();
        let directory = directory(routes);
        for (host, method, path) in requests {
            let ranked = told.iter().filter_map(|route| Some((reference_rank(route, host, method, &path)?, route.id)));
            let expected = ranked.min_by_key(|(rank, _)| *rank).map(|(_, id)| id);
            let other_method = METHODS.into_iter().any(|m| told.iter().any(|r| reference_rank(r, host, m, &path).is_some()));
            match directory.resolve(host, method, &path) {
                Resolution::Found { found, .. } => {
                    prop_assert_eq!(Some(found.route.id), expected, "{} {}{}", method, host, path);
                }
                Resolution::OtherMethod { .. } => prop_assert!(expected.is_none() && other_method),
                Resolution::NoRoute { .. } => prop_assert!(expected.is_none() && !other_method),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    #[test]
    fn what_is_captured_puts_the_path_together_again(routes in routes(10), requests in requests()) {
        let directory = directory(routes);
        for (_, _, path) in requests {
            if let Resolution::Found { found, .. } = directory.resolve("h.localhost", "GET", &path) {
                let mut pattern = found.route.path.to_string();
                for (name, value) in &found.params {
                    prop_assert!(!value.is_empty());
                    pattern = pattern.replacen(&format!(":{name}"), value, 1);
                }
                if let Some(rest) = &found.rest {
                    prop_assert!(!rest.is_empty() && !rest.starts_with('/'));
                    pattern = format!("{}{rest}", pattern.strip_suffix('*').unwrap());
                }
                prop_assert_eq!(pattern, path);
            }
        }
    }

    #[test]
    fn the_order_of_creation_and_of_rows_means_nothing(
        (routes, shuffled) in routes(12).prop_flat_map(|routes| (Just(routes.clone()), Just(routes).prop_shuffle())),
        requests in requests(),
    ) {
        let younger = |(age, route): (i64, Route)| Route { created_at: route.created_at + TimeDelta::seconds(age), ..route };
        let (one, other) = (directory(routes), directory((0..).zip(shuffled).map(younger).collect()));
        for (host, method, path) in requests {
            let id = |directory: &Directory| match directory.resolve(host, method, &path) {
                Resolution::Found { found, .. } => Some(found.route.id),
                _ => None,
            };
            prop_assert_eq!(id(&one), id(&other));
        }
    }

    #[test]
    fn a_conflict_is_a_request_with_two_matches_of_equal_rank(a in any_route(), b in any_route(), same in any::<bool>()) {
        // Half of the pairs differ in the path alone: others rarely meet.
        let b = if same { Route { method: a.method.clone(), host: a.host.clone(), ..b } } else { b };
        let (told_a, told_b) = (Told::of(&a), Told::of(&b));
        let meets = universe().iter().any(|path| {
            HOSTS.into_iter().any(|host| METHODS.into_iter().any(|method| {
                let rank = reference_rank(&told_a, host, method, path);
                rank.is_some() && rank == reference_rank(&told_b, host, method, path)
            }))
        });
        prop_assert_eq!(conflict(&a, [&b]).is_some(), meets, "{} / {}", a, b);
        prop_assert_eq!(conflict(&b, [&a]).is_some(), meets);
    }

    #[test]
    fn a_domain_leads_to_its_holder_the_exact_one_first_and_no_name_of_the_apps_domain(
        domains in domains(),
        hosts in prop::collection::vec(any_host(), 20),
    ) {
        let directory = holders(&domains, &[]);
        // The fifth app is not there: what it had leads nowhere.
        let held: Vec<_> = domains.iter().filter(|(_, holder)| *holder < 4).collect();
        let by_text = |text: &str| held.iter().find(|(domain, _)| domain.to_string() == text).map(|(_, holder)| *holder);
        for host in hosts {
            let wildcard = host.split_once('.').map(|(_, parent)| format!("*.{parent}"));
            let expected = if host == DOMAIN || host.ends_with(".localhost") {
                (host == "app1.localhost" || host.ends_with(".app1.localhost")).then_some(1)
            } else {
                by_text(&host).or_else(|| by_text(&wildcard?))
            };
            let found = directory.app(&host).map(|(app, _)| app.app_id.0.as_u128());
            prop_assert_eq!(found, expected, "{} {:?}", host, domains);
            let shouted = format!("{}.:8080", host.to_ascii_uppercase());
            prop_assert_eq!(directory.app(&shouted).map(|(app, _)| app.app_id.0.as_u128()), expected);
        }
    }

    #[test]
    fn a_former_slug_leads_on_to_the_same_name_below_the_new_one(host in any_host(), below in "[a-z]{1,9}") {
        let directory = holders(&[], &[("old", 2), ("app1", 3), ("gone", 4)]);
        let moved = |host: &str| directory.moved(host).map(|(app, name)| (app.slug.clone(), name));
        let is_old = host == "old.localhost" || host.ends_with(".old.localhost");
        prop_assert_eq!(moved(&host).is_some(), is_old, "{}", host);
        if is_old {
            prop_assert!(directory.app(&host).is_none(), "a name is an app's or was one's");
            let now = format!("{}app2.localhost", host.strip_suffix("old.localhost").unwrap());
            prop_assert_eq!(moved(&host), Some(("app2".to_owned(), now.clone())));
            prop_assert!(directory.app(&now).is_some());
        }
        prop_assert_eq!(moved(&format!("{below}.old.localhost:80")).map(|(_, name)| name), Some(format!("{below}.app2.localhost")));
        prop_assert!(moved("gone.localhost").is_none() && moved("app1.localhost").is_none());
    }

    #[test]
    fn what_lies_within_a_domain_is_answered_through_it(
        pattern in (any::<bool>(), any_host()),
        domain in (any::<bool>(), any_host()),
        hosts in prop::collection::vec(any_host(), 20),
    ) {
        let [pattern, domain] = [pattern, domain].map(|(is_wildcard, name)| HostPattern::of_name(name, is_wildcard));
        for host in hosts {
            if pattern.is_within(&domain) && pattern.matches(&host) {
                prop_assert!(domain.matches(&host), "{} within {}: {}", pattern, domain, host);
            }
        }
        prop_assert!(domain.is_within(&domain));
    }

    #[test]
    fn a_pattern_reads_back_as_itself(path in any_path()) {
        let pattern: PathPattern = path.parse().unwrap();
        prop_assert_eq!(pattern.to_string(), path);
    }

    #[test]
    fn any_text_can_be_a_literal_a_parameter_and_a_rest(text in any_text()) {
        let escaped: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let literal: PathPattern = format!("/{escaped}").parse().unwrap();
        prop_assert_eq!(literal.to_string().parse::<PathPattern>().unwrap(), literal.clone());
        let routes = vec![
            Route { path: literal, ..route(1, None, None, "/") },
            route(2, None, None, "/p/:x"),
            route(3, None, None, "/r/*"),
        ];
        let directory = directory(routes);
        let found = |path: String| match directory.resolve("h.localhost", "GET", &path) {
            Resolution::Found { found, .. } => (found.route.id.0.as_u128(), found.params, found.rest),
            other => panic!("{path}: {other:?}"),
        };
        prop_assert_eq!(found(format!("/{escaped}")).0, 1);
        prop_assert_eq!(found(format!("/p/{escaped}")), (2, vec![("x".to_owned(), text.clone())], None));
        prop_assert_eq!(found(format!("/r/{escaped}/")), (3, vec![], Some(format!("{text}/"))));
    }

    #[test]
    fn no_pattern_and_no_request_breaks_the_parser(text in "\\PC*", path in "/[%/.a-f0-9:*?#-]{0,24}") {
        let _ = text.parse::<PathPattern>();
        let _ = path.parse::<PathPattern>();
        let _ = text.parse::<HostPattern>();
        let _ = normalize_host(&text);
        let directory = directory(vec![route(1, None, None, "/:a/*"), route(2, None, None, "/a")]);
        let _ = directory.resolve("h.localhost", "GET", &path);
        let _ = directory.resolve(&text, "GET", &text);
    }
}

#[test]
fn names_below_an_app_are_the_apps() {
    let directory = directory(vec![route(1, None, None, "/a")]);
    for host in ["h.localhost", "H.LocalHost:8080", "x.h.localhost.", "y.x.h.localhost"] {
        assert_eq!(directory.app(host).unwrap().0.slug, "h", "{host}");
    }
    for host in ["localhost", "x.localhost", "hlocalhost", "h.example.org", "h.localhost.evil.org", "", "[::1]"] {
        assert!(directory.app(host).is_none(), "{host}");
    }
}

#[test]
fn routes_without_their_script_or_app_are_left_out() {
    let foreign = Route { app_id: AppId(Uuid::from_u128(9)), ..route(1, None, None, "/a") };
    let orphan = Route { script_id: ScriptId(Uuid::from_u128(9)), ..route(2, None, None, "/b") };
    let directory = directory(vec![foreign, orphan]);
    assert_eq!(directory.app_by_slug("h").unwrap().routes().count(), 0);
    assert!(matches!(directory.resolve("h.localhost", "GET", "/a"), Resolution::NoRoute { .. }));
}

#[test]
fn the_prefix_is_a_strict_subtree() {
    let directory = directory(vec![route(1, None, None, "/files/*")]);
    let rest = |path: &str| match directory.resolve("h.localhost", "GET", path) {
        Resolution::Found { found, .. } => found.rest,
        _ => None,
    };
    assert_eq!(rest("/files/x").as_deref(), Some("x"));
    assert_eq!(rest("/files/a%20b//c/").as_deref(), Some("a b//c/"));
    for path in ["/files", "/files/", "/files//x", "/filesx", "/", "//files/x", "/Files/x"] {
        assert_eq!(rest(path), None, "{path}");
    }
    assert!(matches!(directory.resolve("h.localhost", "GET", "/files/../x"), Resolution::Malformed { .. }));
}

#[test]
fn what_a_path_allows_is_told_with_head_and_options() {
    let routes = vec![
        route(1, Some("GET"), None, "/a"),
        route(2, Some("PUT"), None, "/:x"),
        route(3, Some("POST"), Some("a.h.localhost"), "/*"),
        route(4, None, None, "/any"),
    ];
    let directory = directory(routes);
    let allow = |host: &str, method: &str, path: &str| match directory.resolve(host, method, path) {
        Resolution::OtherMethod { allow, .. } => allow.join(" "),
        other => panic!("{other:?}"),
    };
    assert_eq!(allow("h.localhost", "DELETE", "/a"), "GET HEAD OPTIONS PUT");
    assert_eq!(allow("a.h.localhost", "DELETE", "/a"), "GET HEAD OPTIONS POST PUT");
    assert_eq!(allow("h.localhost", "TRACE", "/any"), "DELETE GET HEAD OPTIONS PATCH POST PUT");
    assert_eq!(allow("h.localhost", "OPTIONS", "/%61"), "GET HEAD OPTIONS PUT");
}

#[test]
fn a_path_over_the_bound_is_malformed() {
    let directory = directory(vec![route(1, None, None, "/*")]);
    let of_bytes = |count: usize| format!("/{}", "a".repeat(count - 1));
    let max = crate::limits::REQUEST_TARGET_BYTES_MAX;
    assert!(matches!(directory.resolve("h.localhost", "GET", &of_bytes(max)), Resolution::Found { .. }));
    assert!(matches!(
        directory.resolve("h.localhost", "GET", &of_bytes(max + 1)),
        Resolution::Malformed { fault: PathFault::TooLong, .. }
    ));
}

#[test]
fn a_conflict_names_the_other_route() {
    let (new, old) = (route(1, Some("GET"), None, "/a/:x"), route(2, Some("GET"), None, "/a/:y"));
    let error = conflict_error(&new, conflict(&new, [&old]).unwrap());
    assert!(error.message.contains("GET /a/:x") && error.message.contains("GET /a/:y"), "{error}");
    assert_eq!(error.details.unwrap()["route"]["path"], "/a/:y");
    assert!(conflict(&old, [&old]).is_none(), "a route is not in its own way");
    let arc = Arc::new(old);
    assert!(conflict(&Route { app_id: AppId(Uuid::from_u128(9)), ..new }, [arc.as_ref()]).is_none());
}
