//! What this program serves itself, in a process of its own: the same answer with no wall between tenants, and with no tenants.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::routing::get;
use axum::{Json, Router};
use rhai::{AST, Dynamic, Engine, Map, Scope};
use serde_json::{Value, json};

use super::HELLO;
use crate::support::Failure;

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

/// The predecessor's way: one engine for all, a cached AST, each call on the blocking pool so that a busy script does not stop
/// the server.
fn native_rhai() -> Result<Router, Failure> {
    let engine = Engine::new();
    let ast = engine.compile(HELLO)?;
    Ok(Router::new().route("/hello", get(native_hello)).with_state(Arc::new((engine, ast))))
}

async fn native_hello(State(shared): State<Arc<(Engine, AST)>>, uri: Uri) -> Json<Value> {
    let answer = tokio::task::spawn_blocking(move || {
        let mut request = Map::new();
        request.insert("path".into(), uri.path().into());
        let mut ctx = Map::new();
        ctx.insert("request".into(), request.into());
        let mut scope = Scope::new();
        scope.push_constant("ctx", ctx);
        let (engine, ast) = &*shared;
        let answer = engine.eval_ast_with_scope::<Dynamic>(&mut scope, ast).expect("the script runs").cast::<Map>();
        let body = answer["body"].clone().cast::<Map>();
        json!({ "hello": body["hello"].to_string(), "n": body["n"].as_int().expect("an integer") })
    });
    Json(answer.await.expect("the script runs"))
}
