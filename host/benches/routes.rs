//! How long it takes to find the script of a request, in a directory of ten apps and of a thousand.
//!
//!     cargo bench -- routes           # half a minute
//!     cargo bench -- routes --quick   # a few seconds; noisier
//!
//! In process: what `ingress` asks for each request, without the request. The baseline is one look into a map of as many hosts.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use chrono::DateTime;
use picloud::id::{AppId, RouteId, ScriptId};
use picloud::limits;
use picloud::model::grant::Grants;
use picloud::model::invocation::Deployed;
use picloud::model::quota::Quota;
use picloud::model::route::{Directory, Resolution, Route, Source, SourceApp};
use picloud::model::script::Limits;

use crate::support::asked::Asked;
use crate::support::figures::{Findings, Section, Spread, Table, count, significant};
use crate::support::{Failure, quantile};

/// Lookups that are timed together: a clock takes as long as one of them.
const BATCH: usize = 100;
/// Batches of a round.
const BATCHES: usize = 2_000;
const BATCHES_QUICK: usize = 200;
const ROUNDS: usize = 5;
/// Apps, and routes of each.
const SIZES: [(usize, usize); 4] = [(10, 10), (100, 10), (1_000, 10), (10, limits::ROUTES_PER_APP_MAX)];
/// Of what it is among ten apps with ten routes, what it may be among a thousand.
const GOAL: f64 = 3.0;
const GOAL_APPS: usize = 1_000;

const TEXT: &str = "\
`Directory::resolve` in this process: host to app, method and path to route and script, with what the path captures. Of each app's \
routes a third each are `/things-…/:id`, `/files-…/*` and `/page-…`; apps and routes are asked for in no order, so that most of what is looked at is in no \
near cache. A hundred lookups are timed together, which makes p50 and p99 those of their means; medians (least–most) of 5 rounds. `map` is one look \
into a `HashMap` of as many hosts, by the same hosts in the same order. `built` is how long it takes to build the whole directory, as each change of a route \
does behind the requests.\n\n\
Goal: among 1 000 apps with 10 routes each, at most 3 × of what it is among 10.";

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let asked = Asked::of_parts(arguments, &[])?;
    let batches = if asked.is_quick { BATCHES_QUICK } else { BATCHES };
    let mut section = Section::new(79, "Finding a route", TEXT);
    let mut table = Table::new(
        "",
        &["apps", "routes of each", "found: p50 ns", "p99 ns", "no such path: p50 ns", "map: p50 ns", "× map", "built ms"],
    );
    let mut first = None;
    for (apps, routes) in SIZES {
        eprintln!("{apps} apps with {routes} routes");
        let measured = Measured::of(apps, routes, batches)?;
        let (p50, map) = (Spread::of(measured.found.iter().map(|round| round.0)), measured.map.median);
        table.row([
            count(apps as u64),
            count(routes as u64),
            p50.to_string(),
            significant(Spread::of(measured.found.iter().map(|round| round.1)).median),
            measured.missed.to_string(),
            measured.map.to_string(),
            significant(p50.median / map),
            significant(measured.built_ms),
        ]);
        let least = *first.get_or_insert(p50.median);
        if apps == GOAL_APPS {
            let ratio = p50.median / least;
            let figure = format!("a route found among {} apps with {routes}, p50", count(apps as u64));
            section.goal(&figure, &format!("≤ {GOAL} × among 10"), format!("{} × among 10", significant(ratio)), ratio <= GOAL);
        }
    }
    section.tables.push(table);
    Findings::tell("routes", &asked, vec![section])
}

struct Measured {
    /// p50 and p99 of each round, ns.
    found: Vec<(f64, f64)>,
    missed: Spread,
    map: Spread,
    built_ms: f64,
}

impl Measured {
    fn of(apps: usize, routes: usize, batches: usize) -> Result<Self, Failure> {
        let source = source(apps, routes)?;
        let began = Instant::now();
        let directory = Directory::new("localhost", source);
        let built_ms = began.elapsed().as_secs_f64() * 1e3;
        let hosts: HashMap<String, usize> = (0..apps).map(|app| (format!("app-{app}.localhost"), app)).collect();
        let asked: Vec<(String, String)> = order(batches * BATCH)
            .map(|draw| (format!("app-{}.localhost", draw % apps), path_of(draw / apps % routes, draw)))
            .collect();

        // The first round warms what the others find.
        let (mut found, mut missed, mut map) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..=ROUNDS {
            found.push(timed(&asked, |host, path| match directory.resolve(host, "GET", path) {
                Resolution::Found { found, .. } => found.params.len(),
                other => unreachable!("{host}{path}: {other:?}"),
            }));
            missed.push(timed(&asked, |host, _| match directory.resolve(host, "GET", "/there/is/no/such") {
                Resolution::NoRoute { .. } => 0,
                other => unreachable!("{host}: {other:?}"),
            }));
            map.push(timed(&asked, |host, _| hosts.get(host).copied().unwrap_or_default()));
        }
        let p50 = |rounds: Vec<(f64, f64)>| Spread::of(rounds.into_iter().skip(1).map(|round| round.0));
        Ok(Self { found: found.into_iter().skip(1).collect(), missed: p50(missed), map: p50(map), built_ms })
    }
}

/// p50 and p99 of one lookup in a batch, ns.
fn timed(asked: &[(String, String)], look: impl Fn(&str, &str) -> usize) -> (f64, f64) {
    let mut took_ns: Vec<f64> = asked
        .chunks(BATCH)
        .map(|batch| {
            let began = Instant::now();
            for (host, path) in batch {
                black_box(look(black_box(host), black_box(path)));
            }
            began.elapsed().as_secs_f64() * 1e9 / batch.len() as f64
        })
        .collect();
    (quantile(&mut took_ns, 0.5), quantile(&mut took_ns, 0.99))
}

/// Apps with a script each, to which all of their routes lead.
fn source(apps: usize, routes: usize) -> Result<Source, Failure> {
    let now = DateTime::UNIX_EPOCH;
    let mut source = Source::default();
    for number in 0..apps {
        let (app_id, script_id) = (AppId::at(now), ScriptId::at(now));
        source.apps.push(SourceApp {
            id: app_id,
            slug: format!("app-{number}"),
            cors_origins: Vec::new(),
            grants: Grants::default(),
            quota: Quota::default(),
        });
        source.scripts.push(Deployed {
            app_id,
            script_id,
            version: 1,
            generation: 0,
            kind: Default::default(),
            name: "script".to_owned(),
            limits: Limits::default(),
        });
        for route in 0..routes {
            source.routes.push(Route {
                id: RouteId::at(now),
                app_id,
                script_id,
                method: Some("GET".parse()?),
                host: None,
                path: pattern(route).parse()?,
                dispatch_mode: Default::default(),
                created_at: now,
            });
        }
    }
    Ok(source)
}

fn pattern(route: usize) -> String {
    match route % 3 {
        0 => format!("/things-{route}/:id"),
        1 => format!("/files-{route}/*"),
        _ => format!("/page-{route}"),
    }
}

/// A path that the route of that number takes.
fn path_of(route: usize, draw: usize) -> String {
    match route % 3 {
        0 => format!("/things-{route}/{draw}"),
        1 => format!("/files-{route}/a/{draw}"),
        _ => format!("/page-{route}"),
    }
}

/// Numbers without order, the same in every run (xorshift).
fn order(count: usize) -> impl Iterator<Item = usize> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..count).map(move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as usize
    })
}
