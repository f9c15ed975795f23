//! People beside the owner, and what proves who they are.

use serde_json::{Value, json};

use crate::support::{Client, Tenant};

/// Of everybody that is added here.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Adds a person of an instance role; their id.
pub(crate) async fn add(by: &Client, username: &str, role: &str) -> String {
    let new = json!({ "username": username, "password": PASSWORD, "role": role });
    id(&by.post("/admin/users", new).await.expect(201).json())
}

/// The same planes, with a login of somebody who was added.
pub(crate) async fn login(on: &Client, username: &str) -> Client {
    let mut client = on.clone();
    client.login(username, PASSWORD).await;
    client
}

/// The same planes, with another credential.
pub(crate) fn holding(on: &Client, token: &str) -> Client {
    Client { token: token.to_owned(), ..on.clone() }
}

/// Makes an API key of whoever asks: what is told of it this once, its token among it.
pub(crate) async fn key(by: &Client, new: Value) -> Value {
    by.post("/admin/api-keys", new).await.expect(201).json()
}

/// The same planes, with a new API key of whoever asks.
pub(crate) async fn with_key(by: &Client, scopes: &[&str]) -> Client {
    let key = key(by, json!({ "name": "a key", "scopes": scopes })).await;
    holding(by, text(&key["token"]))
}

/// Makes a person a member of the app, or changes what they are.
pub(crate) async fn admit(shop: &Tenant, username: &str, role: &str) -> Value {
    let path = format!("/admin/apps/{}/members/{username}", shop.slug);
    shop.client.put(&path, json!({ "role": role })).await.expect(200).json()
}

/// The same app, as somebody else asks it.
pub(crate) fn asking(shop: &Tenant, client: &Client) -> Tenant {
    Tenant { client: client.clone(), ..shop.clone() }
}

/// The login that a client has.
pub(crate) async fn session_id(of: &Client) -> String {
    let sessions = of.get("/admin/auth/sessions").await.expect(200).json();
    let current = sessions["items"].as_array().expect("items").iter().find(|session| session["current"] == true);
    id(current.expect("a login"))
}

/// The id of a thing.
pub(crate) fn id(thing: &Value) -> String {
    text(&thing["id"]).to_owned()
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}
