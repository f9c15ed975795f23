//! Scripts as the API's description shows them.

use serde_json::{Value, json};

pub(super) fn script() -> Value {
    json!({
        "id": "01990a6e-8888-7a10-8f3c-5e2d1c0b9a88",
        "app_id": "01990a6e-7777-7a10-8f3c-5e2d1c0b9a88",
        "name": "hello",
        "kind": "endpoint",
        "description": "Says hello.",
        "version": 3,
        "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "capabilities": ["kv"],
        "limits": limits(),
        "links": {
            "self": "/api/v1/admin/scripts/01990a6e-8888-7a10-8f3c-5e2d1c0b9a88",
            "versions": "/api/v1/admin/scripts/01990a6e-8888-7a10-8f3c-5e2d1c0b9a88/versions",
            "routes": "/api/v1/admin/scripts/01990a6e-8888-7a10-8f3c-5e2d1c0b9a88/routes",
            "executions": "/api/v1/admin/scripts/01990a6e-8888-7a10-8f3c-5e2d1c0b9a88/executions",
            "logs": "/api/v1/admin/scripts/01990a6e-8888-7a10-8f3c-5e2d1c0b9a88/logs",
            "execute": "/api/v1/execute/01990a6e-8888-7a10-8f3c-5e2d1c0b9a88"
        },
        "created_at": "2026-01-02T03:04:05.678901Z",
        "updated_at": "2026-01-03T03:04:05.678901Z"
    })
}

pub(super) fn version() -> Value {
    json!({
        "script_id": "01990a6e-8888-7a10-8f3c-5e2d1c0b9a88",
        "version": 3,
        "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "capabilities": ["kv"],
        "limits": limits(),
        "message": "visits are counted by day",
        "created_by": "01990a6e-5a40-7c3e-9d0b-0d8f3b1c2a4e",
        "created_at": "2026-01-03T03:04:05.678901Z"
    })
}

pub(super) fn difference() -> Value {
    json!({
        "before": 2,
        "after": 3,
        "source": "@@ -1 +1 @@\n-1\n+kv::collection(\"visits\").get(\"ada\")\n",
        "limits_before": limits(),
        "limits_after": limits(),
        "gained": ["kv"],
        "lost": []
    })
}

pub(super) fn users() -> Value {
    json!({
        "items": [{
            "id": "01990a6e-9999-7a10-8f3c-5e2d1c0b9a88",
            "name": "orders",
            "kind": "endpoint",
            "version": 7,
            "direct": true
        }]
    })
}

fn limits() -> Value {
    json!(crate::model::script::Limits::default())
}
