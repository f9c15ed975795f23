//! Memory: bombs end by themselves, and all instances together never need more than the node has for them.

use std::sync::Arc;
use std::time::Duration;

use picloud::clock::Clock;
use picloud::id::{ExecutionId, RequestId};
use picloud::invoke::Invoker;
use picloud::model::execution::FailureCode;
use picloud::model::invocation::{Call, Deployed, Ended, InvocationType, Request};
use picloud::sandbox::Sandbox;
use picloud::sandbox::probe::{Pool, Probe};
use picloud::service::Services;
use serde_json::json;
use tokio::task::JoinHandle;

use super::gate::Gate;
use super::{Neighbour, Storm, hostile, node};
use crate::support::{TestApp, cache_dir};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_bombs_of_many_apps_hold_up_nobody() {
    let app = TestApp::start().await;
    let neighbour = Neighbour::of(&app).await;
    let mut storms = Vec::new();
    for slug in ["one", "two", "three"] {
        let bomber = app.create_app(slug).await;
        for bomb in ["string_doubling", "array_bomb", "map_bomb"] {
            let path = format!("/{bomb}");
            bomber.deploy_with(&path, &hostile(bomb), json!({ "limits": { "memory_mb": 64 } })).await;
            storms.push(Storm::begin(&bomber, &path, 4, &[(507, "memory_exceeded"), (503, "overloaded")]));
        }
    }
    for _ in 0..15 {
        neighbour.is_served(1).await;
        let node = node(&app).await;
        let bytes = |name: &str| node[name].as_u64().unwrap_or_else(|| panic!("no `{name}` in {node}"));
        assert!(bytes("memory_held_bytes") <= bytes("memory_bytes"), "{node}");
    }
    neighbour.is_handled(3).await;
    for storm in storms {
        let tally = storm.end().await;
        assert!(tally.contains_key(&(507, "memory_exceeded".to_owned())), "{tally:?}");
    }
    super::at_rest(&app).await;
}

/// A node that has memory for so many of the usual instances.
async fn small_node(services: &Arc<Services>, instances: u64) -> Arc<Invoker> {
    let memory_bytes = instances * Pool::instance_bytes(picloud::limits::MEMORY_MB_DEFAULT);
    let pool = Pool { memory_bytes, ..Probe::take().choose(Some(16)) };
    let sandbox = Sandbox::open(&cache_dir(), pool, Clock::system(), &|_| {}).await.expect("the sandbox opens");
    Arc::new(Invoker::new(services.clone(), Arc::new(sandbox)).expect("an invoker"))
}

fn deployed(services: &Services, script: &str) -> Arc<Deployed> {
    services.routing.current().script(script.parse().expect("an id")).expect("a script").clone()
}

fn call(services: &Services, script: &str) -> Call {
    let now = Clock::system().now();
    Call {
        execution_id: ExecutionId::at(now),
        request_id: RequestId::at(now),
        script: deployed(services, script),
        invocation_type: InvocationType::Http,
        request: Request { method: "GET".to_owned(), path: "/".to_owned(), ..Request::default() },
        delivered: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_never_need_more_memory_than_the_node_has_for_them() {
    let gate = Gate::shut().await;
    let app = gate.node().await;
    let mut scripts = Vec::new();
    for slug in ["a", "b", "c", "d", "e"] {
        scripts.push(gate.app(&app, slug).await.1);
    }
    // Eight: of these one is kept for scripts that others wait for, and one for events.
    let node = small_node(&app.services, 8).await;
    let held_bytes = |instances: u64| instances * Pool::instance_bytes(picloud::limits::MEMORY_MB_DEFAULT);
    let begin = |script: &str| -> JoinHandle<Ended> {
        let (node, call) = (node.clone(), call(&app.services, script));
        tokio::spawn(async move { node.run(call).await })
    };
    let refused = async |script: &str| {
        let ended = node.run(call(&app.services, script)).await;
        assert_eq!(ended.result.expect_err("no memory").code, FailureCode::Overloaded);
        assert!(ended.retry_after.is_some_and(|wait| wait >= Duration::from_secs(1)), "{:?}", ended.retry_after);
    };
    // The first may have half of six, and not one more. Of whoever has none there is one instance, as long as that fits.
    let mut held: Vec<_> = (0..3).map(|_| begin(&scripts[0])).collect();
    gate.has(3).await;
    refused(&scripts[0]).await;
    for (more, script) in scripts[1..4].iter().enumerate() {
        held.push(begin(script));
        gate.has(4 + more).await;
    }
    assert_eq!(node.status().memory_held_bytes, held_bytes(6));
    tokio::join!(refused(&scripts[1]), refused(&scripts[4]));
    assert_eq!((gate.waiting(), node.status().memory_held_bytes), (6, held_bytes(6)));

    // What is kept for events is there for them.
    let script = deployed(&app.services, &scripts[4]);
    let place = tokio::time::timeout(super::SOON, node.place_for_event(&script)).await.expect("a place");
    assert_eq!(node.status().memory_held_bytes, held_bytes(7));
    drop(place);

    gate.open();
    for call in held {
        let answer = call.await.expect("a call").result.expect("an answer");
        assert_eq!(answer.status, 200);
    }
    assert_eq!(node.status().memory_held_bytes, 0);
    let last = begin(&scripts[4]).await.expect("a call");
    assert!(last.result.is_ok(), "{:?}", last.result);
}
