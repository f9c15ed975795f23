//! Places: as many as the quota says, and what waits for others holds its own app's.

use super::gate::Gate;
use super::{HELLO, Neighbour, Storm, node, now, retry_after, running, set_quota};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_runs_as_many_requests_at_once_as_its_quota_says_and_not_one_more() {
    let gate = Gate::shut().await;
    let app = gate.node().await;
    let neighbour = Neighbour::of(&app).await;
    let (shop, _) = gate.app(&app, "shop").await;
    shop.deploy("/hello/:n", HELLO).await;
    set_quota(&shop, serde_json::json!({ "concurrency": 4 })).await;
    let begin = |calls: usize| -> Vec<_> {
        (0..calls)
            .map(|_| {
                let shop = shop.clone();
                tokio::spawn(async move { shop.get("/wait").await })
            })
            .collect()
    };
    let mut held = begin(4);
    gate.has(4).await;
    assert_eq!(now(&shop, "requests_running").await, 4);

    // Its wait for a place is over, whatever it wanted to run.
    for path in ["/wait", "/hello/1"] {
        let refused = shop.get(path).await.fails(503, "overloaded");
        assert!(retry_after(&refused) >= 1, "{path}");
    }
    assert_eq!((gate.waiting(), now(&shop, "requests_running").await), (4, 4));
    neighbour.is_served(3).await;

    // One more by the quota is one more at the gate, at once.
    set_quota(&shop, serde_json::json!({ "concurrency": 5 })).await;
    held.extend(begin(1));
    gate.has(5).await;
    shop.get("/hello/1").await.fails(503, "overloaded");

    gate.open();
    for call in held {
        call.await.expect("a call").expect(200);
    }
    shop.get("/hello/1").await.expect(200);
    assert_eq!(now(&shop, "requests_running").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_wait_for_a_host_hold_places_of_their_own_app_alone() {
    let gate = Gate::shut().await;
    let app = gate.node().await;
    let neighbour = Neighbour::of(&app).await;
    let ((one, _), (two, _)) = (gate.app(&app, "one").await, gate.app(&app, "two").await);
    let expected: &[(u16, &str)] = &[(200, ""), (503, "overloaded")];
    let first = Storm::begin(&one, "/wait", 20, expected);
    gate.has(8).await;
    let second = Storm::begin(&two, "/wait", 20, expected);
    // The second has half of what the first left.
    gate.has(12).await;
    running(&two, 4).await;
    assert_eq!((now(&one, "requests_running").await, now(&two, "requests_running").await), (8, 4));
    neighbour.is_served(10).await;
    neighbour.is_handled(3).await;
    assert_eq!(gate.waiting(), 12, "they wait all the while");
    assert_eq!(node(&app).await["running"], 12);
    gate.open();
    for storm in [first, second] {
        let tally = storm.end().await;
        assert!(tally.contains_key(&(200, String::new())), "{tally:?}");
    }
    super::at_rest(&app).await;
}
