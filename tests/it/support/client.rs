//! Both planes as their users see them: over HTTP, whoever serves them.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::Reply;

pub(crate) const USERNAME: &str = "owner";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A logged-in owner, and anybody on the data plane.
#[derive(Clone)]
pub(crate) struct Client {
    /// `http://127.0.0.1:port` of the data plane.
    pub(crate) data: String,
    /// `http://127.0.0.1:port` of the control plane.
    pub(crate) admin: String,
    pub(crate) token: String,
    /// The database behind a [`super::TestApp`].
    pub(crate) database: Option<String>,
    pub(crate) http: reqwest::Client,
}

/// One app, reached at its own host name.
#[derive(Clone)]
pub(crate) struct Tenant {
    pub(crate) client: Client,
    pub(crate) id: String,
    pub(crate) slug: String,
    pub(crate) host: String,
}

/// A stored script.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The answer to the upload.
    pub(crate) created: Value,
}

impl Client {
    pub(crate) fn new(data: impl Into<String>, admin: impl Into<String>) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(60))
            .build()
            .expect("a client");
        Self { data: data.into(), admin: admin.into(), token: String::new(), database: None, http }
    }

    pub(crate) async fn login(&mut self, username: &str, password: &str) -> Value {
        let reply = self
            .anonymous(Method::POST, "/admin/auth/login", Some(&json!({ "username": username, "password": password })))
            .await
            .expect(200);
        let answer = reply.json();
        self.token = answer["token"].as_str().expect("a token").to_owned();
        answer
    }

    /// A control-plane request; `path` is relative to `/api/v1`.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}/api/v1{path}", self.admin))
    }

    pub(crate) async fn api(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let mut request = self.request(method, path).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        send(request).await
    }

    pub(crate) async fn anonymous(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        send(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.api(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.api(Method::POST, path, Some(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.api(Method::PUT, path, Some(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.api(Method::PATCH, path, Some(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.api(Method::DELETE, path, None).await
    }

    /// A data-plane request to a host name; the connection goes to the server under test.
    pub(crate) fn to(&self, host: &str, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        self.http.request(method, format!("{}{path}", self.data)).header("host", host)
    }

    pub(crate) async fn call(
        &self,
        host: &str,
        method: &str,
        path: &str,
        body: impl Into<reqwest::Body>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut request = self.to(host, method, path).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(request).await
    }

    pub(crate) async fn create_app(&self, slug: &str) -> Tenant {
        let created = self.post("/admin/apps", json!({ "slug": slug, "name": slug })).await.expect(201).json();
        Tenant {
            client: self.clone(),
            id: created["id"].as_str().expect("an id").to_owned(),
            slug: slug.to_owned(),
            host: format!("{slug}.localhost"),
        }
    }

    /// The record of an execution; recording runs behind the answer.
    pub(crate) async fn execution(&self, id: &str) -> Value {
        super::eventually("the execution is recorded", Duration::from_secs(10), async || {
            let reply = self.get(&format!("/executions/{id}")).await;
            (reply.status == 200).then(|| reply.json()).filter(|execution| !execution["outcome"].is_null())
        })
        .await
    }
}

impl Tenant {
    pub(crate) async fn upload(&self, name: &str, source: &str) -> Script {
        self.upload_with(name, source, json!({})).await
    }

    /// `extra` joins the body: `limits`, `kind`, `description`.
    pub(crate) async fn upload_with(&self, name: &str, source: &str, extra: Value) -> Script {
        let created = self.try_upload(name, source, extra).await.expect(201).json();
        Script { id: created["id"].as_str().expect("an id").to_owned(), name: name.to_owned(), created }
    }

    pub(crate) async fn try_upload(&self, name: &str, source: &str, extra: Value) -> Reply {
        let mut body = json!({ "app_id": self.id, "name": name, "source": source });
        for (key, value) in extra.as_object().expect("a map") {
            body[key] = value.clone();
        }
        self.client.post("/admin/scripts", body).await
    }

    pub(crate) async fn try_route(&self, script: &Script, route: Value) -> Reply {
        self.client.post(&format!("/admin/scripts/{}/routes", script.id), route).await
    }

    pub(crate) async fn route(&self, script: &Script, route: Value) -> Value {
        self.try_route(script, route).await.expect(201).json()
    }

    /// Uploads a script and routes a path to it; the name is the path's.
    pub(crate) async fn deploy(&self, path: &str, source: &str) -> Script {
        self.deploy_with(path, source, json!({})).await
    }

    pub(crate) async fn deploy_with(&self, path: &str, source: &str, extra: Value) -> Script {
        let name: String = path.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
        let script = self.upload_with(&format!("s{name}"), source, extra).await;
        self.route(&script, json!({ "path": path })).await;
        script
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, "", &[]).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str, content_type: &str) -> Reply {
        self.call("POST", path, body.to_owned(), &[("content-type", content_type)]).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: impl Into<reqwest::Body>, headers: &[(&str, &str)]) -> Reply {
        self.client.call(&self.host, method, path, body, headers).await
    }

    /// Deploys a script at a path of its own and answers what a GET there gives.
    pub(crate) async fn run(&self, source: &str) -> Reply {
        self.run_with(source, json!({})).await
    }

    pub(crate) async fn run_with(&self, source: &str, extra: Value) -> Reply {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = format!("/run/{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.deploy_with(&path, source, extra).await;
        self.get(&path).await
    }

    /// The value a script ends with, as JSON; the script must succeed.
    #[track_caller]
    pub(crate) fn value(&self, source: &str) -> impl Future<Output = Value> + use<> {
        let (tenant, source, caller) = (self.clone(), source.to_owned(), std::panic::Location::caller());
        async move {
            let reply = tenant.run(&format!("#{{ v: {{ {source}\n}} }}")).await;
            assert_eq!(reply.status, 200, "{caller}: {source}: {}", reply.text());
            reply.json()["v"].clone()
        }
    }

    /// What a statement throws, as `catch` sees it; null when it does not.
    #[track_caller]
    pub(crate) fn caught(&self, statement: &str) -> impl Future<Output = Value> + use<> {
        self.value(&format!("let caught = (); try {{ {statement}; }} catch (e) {{ caught = e; }} caught"))
    }

    /// The record behind an answer.
    pub(crate) async fn record(&self, reply: &Reply) -> Value {
        self.client.execution(reply.execution_id()).await
    }
}

pub(crate) async fn send(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.unwrap_or_else(|error| panic!("the server answers: {error:?}"));
    Reply::read(response).await
}
