//! One of everything that a path can name, in an app that has a neighbour.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::json;

use super::people::{self, id};
use crate::support::client::send;
use crate::support::{Tenant, TestApp};

pub(crate) struct World {
    pub(crate) app: TestApp,
    /// Has one of everything. Its script `answers` answers 2.
    pub(crate) shop: Tenant,
    /// Has the script `theirs`, of one version.
    pub(crate) other: Tenant,
    /// That script.
    pub(crate) theirs: String,
    /// What of the shop stands for the parameters of paths.
    names: BTreeMap<&'static str, String>,
}

impl World {
    /// With a person `ada`, who is app_admin of the shop. Nothing is under way when this returns.
    pub(crate) async fn start() -> Self {
        let app = TestApp::start().await;
        let (shop, other) = (app.create_app("shop").await, app.create_app("other").await);
        let script = shop.upload("answers", "1").await;
        app.put(&format!("/admin/scripts/{}", script.id), json!({ "source": "2" })).await.expect(200);
        let theirs = other.upload("theirs", "1").await.id;
        let route = shop.route(&script, json!({ "path": "/x" })).await;
        let trigger = shop.trigger("cron", &script, json!({ "schedule": "0 0 0 1 JAN *" })).await;
        let broken = shop.upload("broken", "throw 1").await;
        shop.trigger("queue", &broken, json!({ "queue": "failing", "max_attempts": 1 })).await;
        shop.send("failing", json!(1)).await;
        let letter = shop.letters(1).await.remove(0);
        app.put("/admin/apps/shop/secrets/key", json!({ "value": "not told" })).await.expect(201);
        let domain = app.post("/admin/apps/shop/domains", json!({ "host": "shop.example.com" })).await.expect(201).json();
        app.put("/admin/apps/shop/kv/things/one", json!({ "value": 1 })).await.expect(201);
        app.post("/admin/apps/shop/docs/things", json!({ "id": "one", "data": {} })).await.expect(201);
        let upload = app.request(Method::POST, "/admin/apps/shop/files/things?name=one").bearer_auth(&app.token);
        let file = send(upload.body("one")).await.expect(201).json();
        app.put("/admin/apps/shop/topics/news", json!({ "access": "token" })).await.expect(201);
        let token = app.post("/admin/apps/shop/subscriber_tokens", json!({ "topics": ["news"] })).await.expect(201).json();
        let ada = people::add(&app, "ada", "member").await;
        people::admit(&shop, "ada", "app_admin").await;
        let ran = app.post(&format!("/execute/{}", script.id), json!({})).await.expect(200);
        let execution = app.execution(ran.execution_id()).await;
        let key = people::key(&app, json!({ "name": "the world's", "scopes": ["script:read"] })).await;
        shop.settled().await;
        let names = BTreeMap::from([
            ("app", shop.id.clone()),
            ("collection", "things".to_owned()),
            ("document_id", "one".to_owned()),
            ("domain_id", id(&domain)),
            ("execution_id", id(&execution)),
            ("file_id", id(&file)),
            ("key", "one".to_owned()),
            ("key_id", id(&key)),
            ("letter_id", id(&letter)),
            ("name", "key".to_owned()),
            ("number", "2".to_owned()),
            ("route_id", id(&route)),
            ("script_id", script.id),
            ("session_id", people::session_id(&app).await),
            ("token_id", id(&token)),
            ("topic", "news".to_owned()),
            ("trigger_id", id(&trigger)),
            ("user_id", ada),
        ]);
        Self { app, shop, other, theirs, names }
    }

    /// The path with the shop's things in place of its parameters.
    pub(crate) fn path(&self, template: &str) -> String {
        self.path_with(template, &[])
    }

    /// The same, with something else for some of them.
    pub(crate) fn path_with(&self, template: &str, instead: &[(&str, &str)]) -> String {
        let mut path = Vec::new();
        for part in template.split('/') {
            let Some(name) = parameter(part) else {
                path.push(part);
                continue;
            };
            let other = instead.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
            let found = other.or(self.names.get(name).map(String::as_str));
            path.push(found.unwrap_or_else(|| panic!("{template}: nothing stands for {name}, add it here")));
        }
        path.join("/")
    }
}

/// The name of a part of a path that stands for something.
pub(crate) fn parameter(part: &str) -> Option<&str> {
    part.strip_prefix('{')?.strip_suffix('}')
}
