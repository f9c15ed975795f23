//! Triggers, and what came of them.

use std::time::Duration;

use picloud::id::RequestId;
use picloud::model::event::Origin;
use serde_json::{Value, json};

use super::client::{Script, Tenant};
use super::{Reply, eventually};

/// Nothing here takes long: past this it does not come any more.
const WITHIN: Duration = Duration::from_secs(20);

/// Of what no event caused.
pub(crate) fn origin() -> Origin {
    Origin::of(RequestId(uuid::Uuid::nil()))
}

/// A handler that keeps what it was given, in the order of its runs, in the collection `seen`.
pub(crate) const KEEPS: &str = r#"
    let n = kv::collection("seen").increment("n");
    kv::collection("seen").set(`e${n}`, #{ event: ctx.event, type: ctx.invocation_type, execution: ctx.execution_id });
"#;

impl Tenant {
    /// Registers a trigger for a script.
    pub(crate) async fn trigger(&self, kind: &str, script: &Script, body: Value) -> Value {
        self.try_trigger(kind, script, body).await.expect(201).json()
    }

    pub(crate) async fn try_trigger(&self, kind: &str, script: &Script, mut body: Value) -> Reply {
        body["script_id"] = json!(script.id);
        self.client.post(&format!("/admin/apps/{}/triggers/{kind}", self.slug), body).await
    }

    /// The trigger as it is now.
    pub(crate) async fn trigger_now(&self, trigger: &Value) -> Value {
        let id = trigger["id"].as_str().expect("an id");
        self.client.get(&format!("/admin/apps/{}/triggers/{id}", self.slug)).await.expect(200).json()
    }

    pub(crate) async fn change_trigger(&self, trigger: &Value, change: Value) -> Value {
        let id = trigger["id"].as_str().expect("an id");
        self.client.patch(&format!("/admin/apps/{}/triggers/{id}", self.slug), change).await.expect(200).json()
    }

    /// A message into a queue, by a person; its id.
    pub(crate) async fn send(&self, queue: &str, message: Value) -> String {
        self.send_with(queue, json!({ "message": message })).await
    }

    pub(crate) async fn send_with(&self, queue: &str, body: Value) -> String {
        let path = format!("/admin/apps/{}/queues/{queue}/messages", self.slug);
        self.client.post(&path, body).await.expect(201).json()["id"].as_str().expect("an id").to_owned()
    }

    pub(crate) async fn publish_to(&self, topic: &str, message: Value) -> String {
        let path = format!("/admin/apps/{}/topics/{topic}/messages", self.slug);
        let sent = self.client.post(&path, json!({ "message": message })).await.expect(201).json();
        sent["id"].as_str().expect("an id").to_owned()
    }

    /// What a handler [`KEEPS`] once it has seen `count` events.
    pub(crate) async fn seen(&self, count: usize) -> Vec<Value> {
        let app: uuid::Uuid = self.id.parse().expect("an id");
        let mut db = sqlx_connection(self).await;
        eventually(&format!("{count} events are handled"), WITHIN, async || {
            let rows: Vec<Vec<u8>> = sqlx::query_scalar(
                "SELECT value FROM kv_entries WHERE app_id = $1 AND collection = 'seen' AND key LIKE 'e%' ORDER BY length(key), key",
            )
            .bind(app)
            .fetch_all(&mut db)
            .await
            .expect("the database answers");
            let seen: Vec<Value> = rows.iter().map(|row| serde_json::from_slice(row).expect("JSON")).collect();
            (seen.len() >= count).then_some(seen)
        })
        .await
    }

    /// The app's dead letters, newest first, once there are `count`.
    pub(crate) async fn letters(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} dead letters are there"), WITHIN, async || {
            let page = self.client.get(&format!("/admin/apps/{}/dead_letters", self.slug)).await.expect(200).json();
            let items = page["items"].as_array().expect("items").clone();
            (items.len() >= count).then_some(items)
        })
        .await
    }

    /// One letter with all that is known of it.
    pub(crate) async fn letter(&self, letter: &Value) -> Value {
        let id = letter["id"].as_str().expect("an id");
        self.client.get(&format!("/admin/apps/{}/dead_letters/{id}", self.slug)).await.expect(200).json()
    }

    /// Until nothing waits or runs.
    pub(crate) async fn settled(&self) {
        let app: uuid::Uuid = self.id.parse().expect("an id");
        let mut db = sqlx_connection(self).await;
        eventually("everything is settled", WITHIN, async || {
            let left: i64 = sqlx::query_scalar(
                "SELECT (SELECT count(*) FROM outbox WHERE app_id = $1)
                      + (SELECT count(*) FROM deliveries WHERE app_id = $1 AND state <> 'dead')",
            )
            .bind(app)
            .fetch_one(&mut db)
            .await
            .expect("the database answers");
            (left == 0).then_some(())
        })
        .await;
    }
}

async fn sqlx_connection(tenant: &Tenant) -> sqlx::PgConnection {
    use sqlx::Connection as _;
    let url = tenant.client.database.as_deref().expect("a tenant of a TestApp");
    sqlx::PgConnection::connect(url).await.expect("the test's database answers")
}
