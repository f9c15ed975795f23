//! Apps of ten scripts: how they are made, and in which order their scripts are called.

use std::cell::Cell;
use std::time::Instant;

use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use super::load::Target;
use crate::support::scripts::{HELLO, steps};
use crate::support::{Client, Failure, Node};

/// Scripts of an app.
pub(crate) const SCRIPTS: usize = 10;
/// Apps that are made at once.
pub(crate) const DEPLOYMENTS_AT_ONCE: usize = 4;
/// Scripts that are called at once when every one is.
pub(crate) const CALLS_AT_ONCE: usize = 4;

/// Makes the apps of these numbers, each with one manifest; how long that took, s.
pub(crate) async fn deploy(client: &Client, from: usize, to: usize) -> Result<f64, Failure> {
    let began = Instant::now();
    let next = Cell::new(from);
    let makers = (0..DEPLOYMENTS_AT_ONCE).map(|_| async {
        while next.get() < to {
            let app = next.replace(next.get() + 1);
            let slug = slug(app);
            client.post("/api/v1/admin/apps", json!({ "slug": slug, "name": slug })).await?;
            let body = json!({ "manifest": manifest(app) });
            client.post(&format!("/api/v1/admin/apps/{slug}/deployments"), body).await?;
            if (app + 1).is_multiple_of(100) {
                eprintln!("apps: {} of {to} deployed", app + 1);
            }
        }
        Ok::<_, Failure>(())
    });
    for made in join_all(makers).await {
        made?;
    }
    Ok(began.elapsed().as_secs_f64())
}

/// Calls each script of these once, a few at a time.
pub(crate) async fn call_each(client: &Client, node: &Node, scripts: &[usize]) -> Result<(), Failure> {
    let next = Cell::new(0);
    let callers = (0..CALLS_AT_ONCE).map(|_| async {
        while let Some(script) = scripts.get(next.replace(next.get() + 1)) {
            call(client, node, *script).await?;
        }
        Ok::<_, Failure>(())
    });
    for called in join_all(callers).await {
        called?;
    }
    Ok(())
}

/// Calls a script by its number among all.
pub(crate) async fn call(client: &Client, node: &Node, script: usize) -> Result<(), Failure> {
    let Target { app, path } = target(script);
    client.call(node, &app, &path).await
}

pub(crate) fn target(script: usize) -> Target {
    Target { app: slug(script / SCRIPTS), path: format!("/s{}", script % SCRIPTS) }
}

/// The first script of the app in the middle: it says hello.
pub(crate) fn hello_in_the_middle(apps: usize) -> usize {
    apps / 2 * SCRIPTS
}

/// All scripts but one, in an order without order; the same in every run.
pub(crate) fn shuffled(scripts: usize, but: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..scripts).filter(|script| *script != but).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for last in (1..all.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        all.swap(last, (state % (last as u64 + 1)) as usize);
    }
    all
}

fn slug(app: usize) -> String {
    format!("app-{app}")
}

fn manifest(app: usize) -> Value {
    let mut scripts = Map::new();
    for script in 0..SCRIPTS {
        let routes = json!([{ "path": format!("/s{script}"), "method": "GET" }]);
        scripts.insert(format!("s{script}"), json!({ "source": source(app, script), "routes": routes }));
    }
    json!({ "scripts": scripts })
}

/// Hello, or 2 KiB; no two of the latter are the same.
fn source(app: usize, script: usize) -> String {
    if script == 0 {
        return HELLO.to_owned();
    }
    steps(app) + format!("#{{ app: {app}, script: {script}, step: step_3(7) }}\n").as_str()
}
