//! What operations share in the document: nouns, headers, failures, the parameters of paths.

use serde_json::{Map, Value, json};

use crate::api::describe::Content;
use crate::limits;

/// Each noun, and so each module of handlers, with a sentence about it.
pub(super) static TAGS: [(&str, &str); 36] = [
    ("apps", "The tenants: whose the scripts, routes, data and secrets are."),
    ("archive", "An app as one file: taken out here, brought in elsewhere."),
    ("audit", "Who changed what, from where: an append-only chain."),
    ("dead_letters", "Deliveries that no attempt is left of: read, replayed, resolved."),
    ("deployments", "Apps as a whole: planned, applied, told apart, put back."),
    ("docs", "Documents that scripts keep: found, made, changed, deleted by people."),
    ("domains", "Host names that an app claims and proves to own."),
    ("execute", "A script run now, for someone who may."),
    ("executions", "Records of runs, and what scripts logged."),
    ("files", "Files that scripts keep: brought in, taken out, deleted by people."),
    ("follow", "What an app's scripts log, and how they end, as it is written."),
    ("grants", "What an app allows its scripts to reach."),
    ("health", "How an app does, at a glance."),
    ("keys", "One's own API keys: bearer credentials that may less than their owner."),
    ("kv", "Key-value entries that scripts keep: browsed, set, deleted by people."),
    ("limits", "The bounds that hold here."),
    ("members", "Who works in an app, and as what."),
    ("metrics", "What is measured on this node, for those who watch it."),
    ("node", "Whether this node works, what it is, what it does."),
    ("nodes", "The nodes that share the database."),
    ("openapi", "This document."),
    ("previews", "Links that let people see a deployment."),
    ("queues", "Queues and topics: what waits in them, and a way in for people."),
    ("quota", "What an app may use, and what it does now."),
    ("restrictions", "What the instance keeps an app from."),
    ("routes", "Which script answers at which host and path."),
    ("scripts", "Scripts, their versions, and what they say of themselves."),
    ("secrets", "Values that go in, are read by scripts, and never come out here."),
    ("sessions", "Logging in and out, one's logins, one's password."),
    ("splits", "A part of an app's requests for another of its deployments."),
    ("subscriber_tokens", "Tokens with which people outside subscribe to topics."),
    ("test_calls", "Scripts tried by those who work on them: run as a request would run them, with all that there is to know."),
    ("topics", "Topics that can be subscribed to, and who may."),
    ("triggers", "Rules that lead events to scripts: one way to register for each kind, one list for all."),
    ("usage", "What apps use: by the minute, the hour and the day."),
    ("users", "People of this instance."),
];

/// What answers carry beside the body, under the name by which an answer's type asks for it.
pub(super) static HEADERS: [(&str, &str); 7] = [
    ("X-Request-Id", "Id of the request, on every answer: quote it when something failed."),
    ("ETag", "Names the state of the thing, for `If-Match`."),
    ("Location", "Where the new thing is, a path of this plane."),
    ("Retry-After", "Seconds after which another try may do better."),
    ("Set-Cookie", "The session cookie of a browser: set by a login, taken away by a logout."),
    ("Idempotent-Replayed", "`true` on an answer that was given before, to a request with the same `Idempotency-Key`."),
    ("Picloud-Execution-Id", "Id of the execution: its record is at `/api/v1/executions/{execution_id}`."),
];

/// A status that failures have.
pub(super) struct Failure {
    pub(super) status: u16,
    /// Of the component.
    pub(super) name: &'static str,
    about: &'static str,
    code: &'static str,
    message: &'static str,
}

const fn failure(status: u16, name: &'static str, about: &'static str, code: &'static str, message: &'static str) -> Failure {
    Failure { status, name, about, code, message }
}

#[rustfmt::skip]
pub(super) static FAILURES: [Failure; 18] = [
    failure(400, "Malformed", "The bytes are not what they claim to be.", "malformed_json", "malformed JSON at line 1, column 12: expected value"),
    failure(401, "Unauthenticated", "No credential, or one that is not valid.", "unauthenticated", "log in, and send the token as `authorization: Bearer …` or as the session cookie"),
    failure(403, "Forbidden", "Known, without the right: `details.scope` names the scope that is missing. A cookie that writes from another origin is `cross_origin`.", "forbidden", "this needs the scope app:admin"),
    failure(404, "NotFound", "Not there, or nothing that the caller may know of.", "not_found", "no such app"),
    failure(408, "RequestTimeout", "The body took too long to arrive.", "request_timeout", "the body took too long to arrive"),
    failure(409, "Conflict", "Something is in the way, which `details` name; or the request of this `Idempotency-Key` is under way.", "conflict", "there is already an app with the slug shop"),
    failure(412, "PreconditionFailed", "The thing is in another state than `If-Match` says.", "precondition_failed", "this was changed meanwhile; read it again"),
    failure(413, "TooLarge", "More bytes than the bound.", "request_too_large", "the body may be 2097152 bytes long at most"),
    failure(415, "UnsupportedMediaType", "The body is of another type than the operation takes.", "unsupported_media_type", "the body must be JSON: send content-type: application/json"),
    failure(422, "Invalid", "Understood, and refused for what it says: `details` name the field, the unknown fields or the unknown parameters.", "invalid", "unknown field: nmae"),
    failure(429, "RateLimited", "An allowance is spent: come back after `Retry-After`.", "rate_limited", "too many tries; wait"),
    failure(431, "HeadersTooLarge", "The headers are more bytes than the bound.", "headers_too_large", "the request's headers are 70000 bytes: at most 65536 are taken"),
    failure(500, "Internal", "Something of ours failed; the log has the cause under the request id.", "internal", "something of ours failed; quote the request id"),
    failure(501, "NotConfigured", "What it needs is not set up on this instance.", "not_configured", "there is no mail relay"),
    failure(502, "InvalidResponse", "The script's answer is none (`invalid_response`), or too large (`response_too_large`).", "invalid_response", "statusCode must be an integer"),
    failure(503, "Unavailable", "Full for now, or the database is away: come back after `Retry-After`.", "overloaded", "no place came free in time"),
    failure(504, "TimedOut", "What was waited for did not come in time.", "deadline_exceeded", "the deadline of 10000 ms passed"),
    failure(507, "Exhausted", "The script spent its fuel (`fuel_exhausted`) or its memory (`memory_exceeded`), or the app has what it may have (`quota_exceeded`).", "fuel_exhausted", "the fuel of 500000000 is spent"),
];

impl Failure {
    pub(super) fn of(status: u16) -> Option<&'static Self> {
        FAILURES.iter().find(|failure| failure.status == status)
    }

    fn response(&self, envelope: &Value) -> Value {
        let example = json!({
            "error": { "code": self.code, "message": self.message, "request_id": "01990a6f-0001-7a10-8f3c-5e2d1c0b9a88" },
        });
        let mut headers = Map::new();
        headers.insert("X-Request-Id".to_owned(), header("X-Request-Id"));
        if matches!(self.status, 429 | 503) {
            headers.insert("Retry-After".to_owned(), header("Retry-After"));
        }
        json!({
            "description": self.about,
            "headers": headers,
            "content": { "application/json": { "schema": envelope, "example": example } },
        })
    }
}

/// A reference to one of [`HEADERS`].
pub(super) fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

/// Everything under `components`.
pub(super) fn components(schemas: Map<String, Value>, envelope: &Content) -> Value {
    let headers: Map<_, _> = HEADERS.iter().map(|(name, about)| ((*name).to_owned(), described_header(name, about))).collect();
    let responses: Map<_, _> =
        FAILURES.iter().map(|failure| (failure.name.to_owned(), failure.response(&envelope.schema))).collect();
    json!({
        "schemas": schemas,
        "headers": headers,
        "responses": responses,
        "parameters": {
            "IfMatch": {
                "name": "If-Match",
                "in": "header",
                "required": false,
                "description": "The `ETag` of the state that the write is meant for; `*` or none: whatever it is now.",
                "schema": { "type": "string" },
                "example": "\"1767323045678901\"",
            },
            "IdempotencyKey": {
                "name": "Idempotency-Key",
                "in": "header",
                "required": false,
                "description": "Has the request done once only: the second one with the same key is given the answer of the first. \
                                The same key with another request is refused (422).",
                "schema": { "type": "string", "minLength": 1, "maxLength": limits::IDEMPOTENCY_KEY_BYTES_MAX },
                "example": "deploy-2026-01-02",
            },
        },
        "securitySchemes": {
            "bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "The token of a login, or an API key (`pic_…`).",
            },
            "cookie": {
                "type": "apiKey",
                "in": "cookie",
                "name": "picloud_session",
                "description": "A browser's login; over https its name is `__Host-picloud_session`. It writes only from this \
                                plane's own origin.",
            },
        },
    })
}

fn described_header(name: &str, about: &str) -> Value {
    let schema = match name {
        "X-Request-Id" | "Picloud-Execution-Id" => json!({ "type": "string", "format": "uuid" }),
        "Retry-After" => json!({ "type": "integer", "minimum": 0 }),
        _ => json!({ "type": "string" }),
    };
    json!({ "description": about, "schema": schema })
}

/// What a parameter of a path is, by its name: in words, its schema where the handler does not read it, an example.
pub(super) fn of_path(name: &str) -> (&'static str, Value, Value) {
    const ID: &str = "01990a6e-7777-7a10-8f3c-5e2d1c0b9a88";
    let text = || json!({ "type": "string" });
    let id = |about| (about, json!({ "type": "string", "format": "uuid" }), json!(ID));
    match name {
        "app" => ("Id or slug of the app.", text(), json!("shop")),
        "name" => ("Its name.", text(), json!("orders")),
        "collection" => ("Name of the collection.", text(), json!("orders")),
        "key" => ("The key; what has a meaning in a URL is percent-encoded.", text(), json!("cart-17")),
        "document_id" => ("Id of the document.", text(), json!("order-17")),
        "topic" => ("Name of the topic.", text(), json!("orders.paid")),
        "number" => ("Number of the version, from 1.", json!({ "type": "integer" }), json!(3)),
        "user_id" => id("The person; of a member also by name."),
        "session_id" => id("The login."),
        "key_id" => id("The API key."),
        "file_id" => id("The file."),
        "domain_id" => id("The domain."),
        "script_id" => id("The script."),
        "route_id" => id("The route."),
        "trigger_id" => id("The trigger."),
        "letter_id" => id("The dead letter."),
        "execution_id" => id("The execution."),
        "token_id" => id("The token."),
        _ => ("", text(), Value::Null),
    }
}
