//! What this node tells those who watch it: the text that Prometheus reads.
//!
//! Everything is read when it is asked for; nothing is kept for it but counts. No name of an app, a script or a person is in it: how
//! many series there are does not depend on what tenants do. Whoever runs on this machine may ask, if no proxy asks for another; with
//! `PICLOUD_METRICS_TOKEN`, whoever has that token, and nobody else.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Registry;
use serde_json::json;
use subtle::ConstantTimeEq as _;

use super::Api;
use super::describe::{Content, Input, Operation, Output};
use super::error::{Answer, Failed};
use super::openapi::schemas::Schemas;
use crate::egress::otlp::Told;
use crate::error::{Error, Kind};
use crate::fair::Status;
use crate::invoke::{NodeStatus, Queues, RecorderStatus};
use crate::model::execution::Outcome;
use crate::model::invocation::InvocationType;
use crate::service::counts::{Refused, Settled, TimesRead};
use crate::store::pipeline::Waiting;
use crate::{limits, service, walls};

const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Who may watch.
pub(super) struct Watcher;

/// Headers by which a proxy says that it asks for another.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

impl FromRequestParts<Api> for Watcher {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Answer<Self> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical());
        let token = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer "));
        let may = match &api.config.metrics_token {
            Some(known) => token.is_some_and(|token| bool::from(token.trim().as_bytes().ct_eq(known.expose().as_bytes()))),
            None => {
                peer.is_some_and(|peer| peer.is_loopback()) && FORWARDED.iter().all(|name| !parts.headers.contains_key(*name))
            }
        };
        if may {
            return Ok(Self);
        }
        Err(match api.config.metrics_token {
            Some(_) => Error::new(Kind::Unauthenticated, "unauthenticated", "send PICLOUD_METRICS_TOKEN as a bearer token"),
            None => {
                let message = "metrics are for this machine alone, unless PICLOUD_METRICS_TOKEN is set";
                Error::new(Kind::Forbidden, "forbidden", message)
            }
        }
        .into())
    }
}

impl Input for Watcher {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.fails(&[401, 403]);
    }
}

/// The text.
pub(super) struct Metrics(String);

impl IntoResponse for Metrics {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, HeaderValue::from_static(TEXT))], self.0).into_response()
    }
}

impl Output for Metrics {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let example = "# HELP picloud_uptime_seconds Since the node started.\n# TYPE picloud_uptime_seconds gauge\n\
                       picloud_uptime_seconds 4711.0\n# EOF\n";
        let content = Content { media_type: TEXT, schema: json!({ "type": "string" }), example: Some(json!(example)) };
        operation.answers("200", "Everything that is measured here.", Some(content));
    }
}

pub(super) async fn serve(_: Watcher, State(api): State<Api>) -> Answer<Metrics> {
    let within = Duration::from_millis(limits::METRICS_DATABASE_MS);
    let waiting = tokio::time::timeout(within, service::deliveries::waiting(&api.services)).await;
    let waiting = waiting.ok().and_then(Result::ok);
    let mut registry = Registry::with_prefix("picloud");
    registry.register_collector(Box::new(Families(told(&api, waiting))));
    let mut text = String::with_capacity(16 << 10);
    text::encode(&mut text, &registry).map_err(Error::internal)?;
    Ok(Metrics(text))
}

/// Things that are measured alike.
#[derive(Debug)]
struct Family {
    name: &'static str,
    about: &'static str,
    of: Of,
}

type Labels = Vec<(&'static str, String)>;

#[derive(Debug)]
enum Of {
    /// It goes up and down.
    Now(Vec<(Labels, f64)>),
    /// It only grows.
    Count(Vec<(Labels, f64)>),
    Times(Vec<(Labels, TimesRead)>),
}

#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for Family { name, about, of } in &self.0 {
            match of {
                Of::Now(samples) => {
                    let mut family = encoder.encode_descriptor(name, about, None, MetricType::Gauge)?;
                    for (labels, value) in samples {
                        family.encode_family(labels)?.encode_gauge(value)?;
                    }
                }
                Of::Count(samples) => {
                    let mut family = encoder.encode_descriptor(name, about, None, MetricType::Counter)?;
                    for (labels, value) in samples {
                        family.encode_family(labels)?.encode_counter(value, None::<&Exemplar<Labels, f64>>)?;
                    }
                }
                Of::Times(samples) => {
                    let mut family = encoder.encode_descriptor(name, about, None, MetricType::Histogram)?;
                    for (labels, TimesRead { buckets, sum_us }) in samples {
                        let bounds = limits::CALL_TIMES_US.iter().map(|us| seconds(*us)).chain([f64::INFINITY]);
                        let read: Vec<_> = bounds.zip(buckets.iter().copied()).collect();
                        let count = buckets.iter().sum();
                        let mut family = family.encode_family(labels)?;
                        family.encode_histogram::<Labels>(seconds(*sum_us), count, &read, None)?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

fn now(name: &'static str, about: &'static str, samples: impl IntoIterator<Item = (Labels, f64)>) -> Family {
    Family { name, about, of: Of::Now(samples.into_iter().collect()) }
}

fn count(name: &'static str, about: &'static str, samples: impl IntoIterator<Item = (Labels, f64)>) -> Family {
    Family { name, about, of: Of::Count(samples.into_iter().collect()) }
}

/// Without a label.
fn one(value: impl Into<f64>) -> [(Labels, f64); 1] {
    [(Vec::new(), value.into())]
}

fn labelled(label: &'static str, samples: impl IntoIterator<Item = (&'static str, f64)>) -> Vec<(Labels, f64)> {
    samples.into_iter().map(|(word, value)| (vec![(label, word.to_owned())], value)).collect()
}

fn told(api: &Api, waiting: Option<Waiting>) -> Vec<Family> {
    let (status, mut told) = (api.invoker.status(), node(api));
    told.extend(calls(api));
    told.extend(places(&status, &api.invoker.queues()));
    told.extend(records(&status.recorder));
    told.extend(api.services.exporter.get().map(|exporter| collector(&exporter.told())).into_iter().flatten());
    told.extend(events(api, waiting));
    told
}

fn node(api: &Api) -> Vec<Family> {
    let services = &api.services;
    let node = services.node.node();
    let uptime = (services.now() - node.started_at).num_milliseconds().max(0) as f64 / 1e3;
    let build: Labels = vec![
        ("version", node.version.clone()),
        ("schema", node.schema.to_string()),
        ("component", api.invoker.status().component),
        ("node", node.name.clone()),
        ("roles", node.roles.to_string()),
    ];
    let [data, admin] = &services.counts.connections;
    let open = |count: &AtomicUsize| count.load(Ordering::Relaxed) as f64;
    let walls = walls::Status::own().ok();
    let wall = |is_up: fn(&walls::Status) -> bool| f64::from(u8::from(walls.as_ref().is_some_and(is_up)));
    let (size, idle) = (f64::from(services.db.size()), services.db.num_idle() as f64);
    vec![
        now("build_info", "What this node is.", [(build, 1.0)]),
        now("uptime_seconds", "Since the node started.", one(uptime)),
        now("draining", "Whether the node was told to end.", one(u8::from(services.node.is_leaving()))),
        now(
            "walls",
            "Walls of the system around the node that are up.",
            labelled("wall", [("seccomp", wall(|own| own.seccomp)), ("no_new_privileges", wall(|own| own.no_new_privileges))]),
        ),
        now("connections", "Connections of clients.", labelled("plane", [("data", open(data)), ("control", open(admin))])),
        now("followers", "Streams of logs that are open.", one(services.follow.followers() as f64)),
        now(
            "database_connections",
            "Connections to the database that the node holds for itself.",
            labelled("state", [("used", size - idle), ("idle", idle)]),
        ),
        now("database_connections_max", "How many of these there may be.", one(limits::DATABASE_CONNECTIONS_MAX)),
        now(
            "script_database_connections",
            "Connections to the database that the node holds for scripts.",
            one(services.script_db.size()),
        ),
        now("apps", "Apps in the directory of this node.", one(services.routing.current().apps() as f64)),
    ]
}

fn calls(api: &Api) -> Vec<Family> {
    let counts = &api.services.counts;
    let of_kind = |kind: InvocationType| {
        Outcome::ALL.map(|outcome| {
            let labels = vec![("type", kind.as_str().to_owned()), ("outcome", outcome.as_str().to_owned())];
            (labels, counts.calls(kind, outcome) as f64)
        })
    };
    let times = InvocationType::ALL.map(|kind| (vec![("type", kind.as_str().to_owned())], counts.times(kind)));
    vec![
        count("calls", "Invocations by how they ended.", InvocationType::ALL.into_iter().flat_map(of_kind)),
        count(
            "refusals",
            "Calls that were not let in.",
            labelled("reason", Refused::ALL.map(|why| (why.as_str(), counts.refused(why) as f64))),
        ),
        Family {
            name: "call_duration_seconds",
            about: "How long invocations took that were let in.",
            of: Of::Times(times.into_iter().collect()),
        },
        count("fuel", "Fuel that was burnt.", one(counts.fuel() as f64)),
    ]
}

fn places(node: &NodeStatus, queues: &Queues) -> Vec<Family> {
    let by_class = |of: fn(&Status) -> f64| {
        let classes = ["request", "nested", "event"].into_iter().zip(&queues.places);
        labelled("class", classes.map(|(class, status)| (class, of(status))))
    };
    let lanes = ["request", "event"].into_iter().zip(queues.lanes_waiting.map(|waiting| waiting as f64));
    vec![
        now("places", "Invocations that may run at once.", by_class(|status| status.places as f64)),
        now("places_used", "Of these, how many do.", by_class(|status| status.running as f64)),
        now("places_waiting", "Invocations that wait for a place.", by_class(|status| status.waiting as f64)),
        count("places_waited", "Places that were given to who had waited.", by_class(|status| status.waits as f64)),
        count("places_wait_seconds", "How long these had waited together.", by_class(|status| status.waited.as_secs_f64())),
        now("lanes", "Threads on which long invocations go on.", one(queues.lanes as f64)),
        now("lanes_waiting", "Invocations that are ready to go on in a lane.", labelled("class", lanes)),
        now("memory_bytes", "Memory that instances may need together.", one(node.memory_bytes as f64)),
        now("memory_held_bytes", "What those that run may.", one(node.memory_held_bytes as f64)),
        now("programs", "Prepared scripts held in memory.", one(node.programs as f64)),
    ]
}

fn records(recorder: &RecorderStatus) -> Vec<Family> {
    vec![
        count("records_written", "Records of executions that were written.", one(recorder.written as f64)),
        count(
            "records_dropped",
            "Records, or their log lines, that were not kept.",
            labelled(
                "reason",
                [
                    ("full", recorder.dropped as f64),
                    ("log_lines", recorder.dropped_logs as f64),
                    ("quota", recorder.records_over_quota as f64),
                ],
            ),
        ),
        now("records_queued", "Records that wait to be written.", one(recorder.queued as f64)),
    ]
}

fn collector(told: &Told) -> Vec<Family> {
    let lost = [("full", told.dropped as f64), ("refused", told.failed as f64)];
    vec![
        count("telemetry_sent", "Spans and log lines that the collector took.", one(told.sent as f64)),
        count("telemetry_dropped", "Spans and log lines that were lost.", labelled("reason", lost)),
        now("telemetry_queued", "Spans and log lines that wait to be sent.", one(told.queued as f64)),
    ]
}

fn events(api: &Api, waiting: Option<Waiting>) -> Vec<Family> {
    let counts = &api.services.counts;
    let settled = Settled::ALL.map(|settled| (settled.as_str(), counts.deliveries(settled) as f64));
    let mut told = vec![
        count("deliveries", "Attempts of deliveries that this node settled.", labelled("outcome", settled)),
        now("database_up", "Whether the database answered just now.", one(u8::from(waiting.is_some()))),
    ];
    if let Some(waiting) = waiting {
        let states = [("due", waiting.due), ("claimed", waiting.claimed), ("held", waiting.held), ("dead", waiting.dead)];
        told.extend([
            now(
                "outbox_events",
                "Events that were not relayed yet, of all nodes; counted up to 10 000.",
                one(waiting.outbox as f64),
            ),
            now("outbox_age_seconds", "How long the oldest of them has been waiting.", one(waiting.oldest_s(api.services.now()))),
            now(
                "deliveries_waiting",
                "Deliveries by state, of all nodes, those dead that nobody resolved; counted up to 10 000.",
                labelled("state", states.map(|(state, count)| (state, count as f64))),
            ),
        ]);
    }
    told
}
