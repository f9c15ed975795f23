//! Work that does not end: of requests, of handlers.

use serde_json::json;

use super::{Neighbour, Storm, hostile, running};
use crate::support::TestApp;

const BURNT: &[(u16, &str)] = &[(507, "fuel_exhausted"), (503, "overloaded")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apps_that_burn_all_they_can_hold_up_nobody() {
    let app = TestApp::start().await;
    let neighbour = Neighbour::of(&app).await;
    let mut storms = Vec::new();
    for (slug, attacks) in [("one", ["endless_loop", "sort_bomb"]), ("two", ["string_builder", "throw_storm"])] {
        let burner = app.create_app(slug).await;
        for attack in attacks {
            let path = format!("/{attack}");
            burner.deploy_with(&path, &hostile(attack), json!({ "limits": { "fuel": 1_000_000_000 } })).await;
            storms.push(Storm::begin(&burner, &path, 12, BURNT));
        }
        // Of 16 places the first may hold 8, the second 4.
        running(&burner, if slug == "one" { 8 } else { 4 }).await;
    }
    neighbour.is_served(20).await;
    neighbour.is_handled(5).await;
    for storm in storms {
        let tally = storm.end().await;
        assert!(tally.contains_key(&(507, "fuel_exhausted".to_owned())), "{tally:?}");
    }
    super::at_rest(&app).await;
}

/// Calls that are over at once, one after the other, as fast as they come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_calls_without_end_hold_up_nobody() {
    let app = TestApp::start().await;
    let (neighbour, burner) = (Neighbour::of(&app).await, app.create_app("burner").await);
    burner.deploy("/short", "let n = 0; for i in 0..10000 { n += i; } n").await;
    let storm = Storm::begin(&burner, "/short", 24, &[(200, ""), (503, "overloaded")]);
    neighbour.is_served(20).await;
    neighbour.is_handled(5).await;
    let tally = storm.end().await;
    assert!(tally.contains_key(&(200, String::new())), "{tally:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_of_burning_handlers_holds_up_neither_requests_nor_the_events_of_others() {
    let app = TestApp::start().await;
    let (neighbour, burner) = (Neighbour::of(&app).await, app.create_app("burner").await);
    // More than could be handled in minutes.
    let limits = json!({ "limits": { "fuel": 5_000_000_000_u64, "timeout_ms": 60_000 } });
    let handler = burner.upload_with("handler", &hostile("endless_loop"), limits).await;
    let trigger = burner.trigger("queue", &handler, json!({ "queue": "q", "max_attempts": 1 })).await;
    burner.run(r#"for n in 0..300 { queue::send("q", n); }"#).await.expect(200);
    super::eventually("handlers burn", super::SOON, async || (super::now(&burner, "events_running").await > 0).then_some(()))
        .await;
    neighbour.is_served(15).await;
    neighbour.is_handled(5).await;
    let left = super::now(&burner, "events_running").await;
    assert!(left > 0, "the backlog outlives what was served beside it");
    burner.change_trigger(&trigger, json!({ "enabled": false })).await;
}
