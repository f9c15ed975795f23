//! What this program serves itself, in a process of its own: the same answer with no wall between tenants, and with no tenants.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::routing::get;
use axum::{Json, Router};
use rhai::Map;
use serde_json::{Value, json};

use crate::support::Failure;
use crate::support::native::Native;
use crate::support::scripts::HELLO;

/// This program as a baseline: the address to listen on.
pub(crate) const AXUM_MODE: &str = "serve-axum";
pub(crate) const NATIVE_MODE: &str = "serve-native";

pub(crate) fn serve(mode: &str, address: &str) -> Result<(), Failure> {
    let router = if mode == NATIVE_MODE { native_rhai()? } else { Router::new().route("/hello", get(axum_hello)) };
    tokio::runtime::Runtime::new()?
        .block_on(async { Ok(axum::serve(tokio::net::TcpListener::bind(address).await?, router).await?) })
}

async fn axum_hello(uri: Uri) -> Json<Value> {
    Json(json!({ "hello": uri.path(), "n": 42 }))
}

/// Each call on the blocking pool, so that a busy script does not stop the server.
fn native_rhai() -> Result<Router, Failure> {
    Ok(Router::new().route("/hello", get(native_hello)).with_state(Arc::new(Native::new(HELLO)?)))
}

async fn native_hello(State(native): State<Arc<Native>>, uri: Uri) -> Json<Value> {
    let answer = tokio::task::spawn_blocking(move || {
        let answer = native.call(uri.path()).cast::<Map>();
        let body = answer["body"].clone().cast::<Map>();
        json!({ "hello": body["hello"].to_string(), "n": body["n"].as_int().expect("an integer") })
    });
    Json(answer.await.expect("the script runs"))
}
