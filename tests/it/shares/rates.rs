//! What comes with time: requests, fuel. The clock stands still until it is advanced, and so do the buckets.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{HELLO, Neighbour, retry_after, set_quota};
use crate::events_bounds::stopped;
use crate::support::client::send;
use crate::support::events::KEEPS;

#[tokio::test]
async fn a_second_has_as_many_requests_as_the_quota_says_and_not_one_more() {
    let app = stopped().await;
    let (neighbour, shop) = (Neighbour::of(&app).await, app.create_app("shop").await);
    let script = shop.deploy("/hello/:n", HELLO).await;
    set_quota(&shop, json!({ "requests_per_s": 5 })).await;
    for second in 0..3 {
        for n in 0..5 {
            shop.get(&format!("/hello/{n}")).await.expect(200);
        }
        let refused = shop.get("/hello/5").await.fails(429, "rate_limited");
        assert_eq!(retry_after(&refused), 1, "second {second}");
        // Whoever comes by the control plane takes of the same.
        let direct = app.request(reqwest::Method::POST, &format!("/execute/{}", script.id)).bearer_auth(&app.token);
        let direct = send(direct.json(&json!({}))).await.fails(429, "rate_limited");
        assert_eq!(retry_after(&direct), 1, "second {second}");
        neighbour.is_served(2).await;
        app.advance(TimeDelta::seconds(1));
    }
    // A rest of a minute is worth no more than one of a second.
    app.advance(TimeDelta::minutes(1));
    for n in 0..5 {
        shop.get(&format!("/hello/{n}")).await.expect(200);
    }
    shop.get("/hello/5").await.fails(429, "rate_limited");
}

/// 10 million a second, of which three seconds' worth may be burnt at once.
fn small() -> serde_json::Value {
    json!({ "fuel_per_s": 10_000_000, "fuel_burst": 30_000_000 })
}

/// Burns 45 million.
fn burns() -> serde_json::Value {
    json!({ "limits": { "fuel": 45_000_000 } })
}

#[tokio::test]
async fn fuel_that_was_burnt_is_waited_off_for_as_long_as_the_caller_was_told() {
    let app = stopped().await;
    let (neighbour, shop) = (Neighbour::of(&app).await, app.create_app("shop").await);
    shop.deploy_with("/burn", "loop { }", burns()).await;
    shop.deploy("/hello/:n", HELLO).await;
    set_quota(&shop, small()).await;
    // Whoever has any may burn more than that.
    shop.get("/burn").await.fails(507, "fuel_exhausted");
    for path in ["/burn", "/hello/1"] {
        let wait = retry_after(&shop.get(path).await.fails(429, "rate_limited"));
        // 15 million are owed.
        assert_eq!(wait, 2, "{path}");
    }
    neighbour.is_served(2).await;
    app.advance(TimeDelta::seconds(1));
    let wait = retry_after(&shop.get("/hello/1").await.fails(429, "rate_limited"));
    assert_eq!(wait, 1, "a second of it is over");
    app.advance(TimeDelta::seconds(1));
    shop.get("/hello/1").await.expect(200);

    // After a long rest there is one burst, not several.
    app.advance(TimeDelta::hours(1));
    shop.get("/burn").await.fails(507, "fuel_exhausted");
    assert_eq!(retry_after(&shop.get("/burn").await.fails(429, "rate_limited")), 2);
}

#[tokio::test]
async fn handlers_of_an_app_without_fuel_wait_for_it_and_run_then() {
    let app = stopped().await;
    let (neighbour, shop) = (Neighbour::of(&app).await, app.create_app("shop").await);
    shop.deploy_with("/burn", "loop { }", burns()).await;
    let keeps = shop.upload("keeps", KEEPS).await;
    shop.trigger("queue", &keeps, json!({ "queue": "q" })).await;
    set_quota(&shop, small()).await;
    shop.get("/burn").await.fails(507, "fuel_exhausted");
    let wait = retry_after(&shop.get("/burn").await.fails(429, "rate_limited"));

    shop.send("q", json!("waits")).await;
    neighbour.is_handled(3).await;
    app.advance(TimeDelta::seconds(i64::try_from(wait).expect("a wait")));
    let seen = shop.seen(1).await;
    let execution = app.execution(seen[0]["execution"].as_str().expect("an id")).await;
    let started_at: DateTime<Utc> = execution["started_at"].as_str().expect("a time").parse().expect("a time");
    assert_eq!(started_at, app.clock.now(), "not before there was fuel again");
    shop.settled().await;
}
