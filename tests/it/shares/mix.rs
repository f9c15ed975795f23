//! Everything at once, and logs without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use super::{Neighbour, SOON, Storm, Tally, answer, hostile, node, sum};
use crate::support::{TestApp, eventually};

/// Ten kinds of attack, in pairs that share an app.
const KINDS: [[&str; 2]; 5] = [
    ["endless_loop", "string_doubling"],
    ["endless_range", "array_bomb"],
    ["catch_all", "map_bomb"],
    ["sort_bomb", "kv_hammer"],
    ["regex_bomb", "json_bomb"],
];
/// Invocations of all kinds together.
const INVOCATIONS: u64 = 500;
/// How attacks end.
const ENDS: &[(u16, &str)] =
    &[(422, "script_error"), (503, "overloaded"), (504, "deadline_exceeded"), (507, "fuel_exhausted"), (507, "memory_exceeded")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_attacks_of_ten_kinds_spoil_no_call_of_a_neighbour() {
    let app = TestApp::start().await;
    let neighbour = Neighbour::of(&app).await;
    let begun = Arc::new(AtomicU64::new(0));
    let (mut attackers, mut callers) = (Vec::new(), Vec::new());
    for (n, kinds) in KINDS.into_iter().enumerate() {
        let attacker = app.create_app(&format!("attacker-{n}")).await;
        for kind in kinds {
            let limits = json!({ "limits": { "fuel": 60_000_000, "memory_mb": 16, "host_calls": 50 } });
            attacker.deploy_with(&format!("/{kind}"), &hostile(kind), limits).await;
        }
        attackers.push((attacker, kinds));
    }
    for (attacker, kinds) in &attackers {
        for kind in kinds.iter().cycle().take(4) {
            let (attacker, path, begun) = (attacker.clone(), format!("/{kind}"), begun.clone());
            callers.push(tokio::spawn(async move {
                let mut tally = Tally::new();
                while begun.fetch_add(1, Ordering::Relaxed) < INVOCATIONS {
                    let came = answer(&attacker, &path, ENDS).await;
                    *tally.entry(came).or_default() += 1;
                }
                tally
            }));
        }
    }
    neighbour.is_served(10).await;
    while begun.load(Ordering::Relaxed) < INVOCATIONS {
        neighbour.is_served(1).await;
    }
    neighbour.is_handled(3).await;
    let tally = sum(callers).await;
    assert_eq!(tally.values().sum::<u64>(), INVOCATIONS, "{tally:?}");
    // What was attacked from is as good as before.
    super::at_rest(&app).await;
    for (attacker, _) in &attackers {
        attacker.deploy("/hello/:n", super::HELLO).await;
        attacker.get("/hello/1").await.expect(200);
    }
    neighbour.is_served(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_log_lines_holds_up_nobody_and_is_accounted_for() {
    let app = TestApp::start().await;
    let (neighbour, flooder) = (Neighbour::of(&app).await, app.create_app("flooder").await);
    let limits = json!({ "limits": { "fuel": 60_000_000 } });
    flooder.deploy_with("/flood", &hostile("log_flood"), limits).await;
    let rounds = 20;
    let storm = Storm::begin(&flooder, "/flood", 12, &[(507, "fuel_exhausted"), (503, "overloaded")]);
    neighbour.is_served(rounds).await;
    let tally = storm.end().await;
    let calls = tally.values().sum::<u64>() + rounds * Neighbour::CALLS;
    // Every call is a record, or one that is counted as lost.
    let recorder = eventually("every record is written or counted", SOON, async || {
        let recorder = node(&app).await["recorder"].clone();
        let count = |name: &str| recorder[name].as_u64().unwrap_or(0);
        let known = count("written") + count("dropped") + count("records_over_quota");
        (count("queued") == 0 && known >= calls).then(|| (known, recorder.clone()))
    })
    .await;
    assert_eq!(recorder.0, calls, "{}", recorder.1);
}
