//! The bounds, for people and programs to read.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::Api;
use crate::limits;
use crate::model::quota::{Bound, Limits as Bounds, Quota};

/// Every bound that concerns people.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(example = example())]
pub(super) struct Limits {
    items: Vec<Limit>,
}

/// `default` holds where nobody asked for more; `ceiling` is the most anyone may ask for. Both are the same where the
/// bound is not for asking. `floor`, where there is one, is the least.
#[derive(Debug, Serialize, JsonSchema)]
struct Limit {
    name: &'static str,
    /// For whom it can be set.
    level: Level,
    unit: &'static str,
    default: u64,
    ceiling: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<u64>,
    about: &'static str,
}

/// A script asks for its limits when it is published, no more than its app's quota of the same name; an app's quota is set by
/// administrators of the instance; what is the platform's is the same for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "LimitLevel")]
enum Level {
    Script,
    App,
    Platform,
}

fn example() -> Value {
    json!({
        "items": [{
            "name": "timeout_ms",
            "level": "script",
            "unit": "ms",
            "default": 10_000,
            "ceiling": 300_000,
            "floor": 10,
            "about": "wall clock of one invocation, host calls included"
        }]
    })
}

pub(super) async fn list(State(api): State<Api>) -> Json<Limits> {
    Json(Limits { items: all(api.invoker.pool().memory_mb_max.into()) })
}

/// On a machine that gives an instance so much memory at most, MiB.
fn all(memory_mb_max: u64) -> Vec<Limit> {
    let script = Bounds::BOUNDS.iter().map(|bound| settable(Level::Script, bound));
    let app = Quota::BOUNDS.iter().map(|bound| settable(Level::App, bound));
    let mut all: Vec<_> = script.chain(app).chain(fixed_ones()).collect();
    for limit in all.iter_mut().filter(|limit| limit.name == "memory_mb") {
        limit.ceiling = limit.ceiling.min(memory_mb_max);
        limit.default = limit.default.min(limit.ceiling);
    }
    all
}

fn settable(level: Level, bound: &Bound) -> Limit {
    let Bound { name, unit, floor, default, ceiling, about } = *bound;
    Limit { name, level, unit, default, ceiling, floor: Some(floor), about }
}

#[rustfmt::skip]
fn fixed_ones() -> Vec<Limit> {
    use limits::*;
    vec![
        fixed("request_header_bytes", "bytes", REQUEST_HEADER_BYTES_MAX, "headers of a request"),
        fixed("response_headers", "headers", RESPONSE_HEADERS_MAX, "headers of a script's answer"),
        fixed("response_header_bytes", "bytes", RESPONSE_HEADER_BYTES_MAX, "headers of a script's answer, together"),
        fixed("host_call_fuel_base", "fuel", HOST_CALL_FUEL_BASE, "charged for one host call"),
        fixed("host_call_fuel_per_byte", "fuel", HOST_CALL_FUEL_PER_BYTE, "charged for each byte that crosses in a host call"),
        fixed("script_name_chars", "characters", SCRIPT_NAME_CHARS_MAX, "name of a script"),
        fixed("script_description_chars", "characters", SCRIPT_DESCRIPTION_CHARS_MAX, "description of a script"),
        fixed("app_slug_chars", "characters", APP_SLUG_CHARS_MAX, "slug of an app"),
        fixed("app_name_chars", "characters", APP_NAME_CHARS_MAX, "name of an app"),
        fixed("app_cors_origins", "origins", APP_CORS_ORIGINS_MAX, "origins that may call an app from a browser"),
        fixed("route_path_chars", "characters", ROUTE_PATH_CHARS_MAX, "path pattern of a route"),
        fixed("route_segments", "segments", ROUTE_SEGMENTS_MAX, "segments of a route's path"),
        fixed("route_host_chars", "characters", ROUTE_HOST_CHARS_MAX, "host pattern of a route"),
        fixed("kv_entry_use_bytes", "bytes", KV_ENTRY_USE_BYTES, "what a KV entry counts beside its names and value"),
        fixed("document_use_bytes", "bytes", DOCUMENT_USE_BYTES, "what a document counts beside its names and data"),
        fixed("file_use_bytes", "bytes", FILE_USE_BYTES, "what a file counts beside its names and content"),
        fixed("record_bytes", "bytes", RECORD_BYTES, "what the record of an execution counts beside its log lines"),
        fixed("usage_periods", "periods", USAGE_PERIODS_MAX as u64, "minutes, hours or days that one request may ask for"),
        fixed("public_body_bytes", "bytes", PUBLIC_BODY_BYTES_MAX, "body of a request to this API from nobody in particular"),
        fixed("kv_key_bytes", "bytes", KV_KEY_BYTES_MAX, "one KV key"),
        fixed("kv_ttl_s", "s", KV_TTL_S_MAX, "how long after its write a KV entry may expire"),
        fixed("secret_name_bytes", "bytes", SECRET_NAME_BYTES_MAX, "name of a secret"),
        fixed("secret_value_bytes", "bytes", SECRET_VALUE_BYTES_MAX, "value of a secret"),
        fixed("secrets_per_app", "secrets", SECRETS_PER_APP_MAX, "secrets of one app"),
        asked("secrets_page_items", "names", (1, SECRETS_PAGE_ITEMS_DEFAULT.into(), SECRETS_PAGE_ITEMS_MAX.into()), "one page of secrets::list"),
        fixed("collection_name_bytes", "bytes", COLLECTION_NAME_BYTES_MAX, "name of a collection"),
        asked("kv_page_entries", "entries", (1, KV_PAGE_ENTRIES_DEFAULT.into(), KV_PAGE_ENTRIES_MAX.into()), "one page of kv list"),
        fixed("kv_page_bytes", "bytes", KV_PAGE_BYTES_MAX, "values of one page of kv list, together; the page ends early"),
        fixed("file_bytes", "bytes", FILE_BYTES_MAX, "one file"),
        fixed("file_upload_ms", "ms", FILE_UPLOAD_MS, "how long the content of a file may take that a person sends"),
        fixed("followers", "streams", FOLLOWERS_MAX, "logs followed at once on a node"),
        fixed("followers_per_app", "streams", FOLLOWERS_PER_APP_MAX, "of these, of one app"),
        fixed("follow_stream_ms", "ms", FOLLOW_STREAM_MS, "after which a stream ends, to be gone on with"),
        fixed("follow_text_bytes", "bytes", FOLLOW_TEXT_BYTES_MAX, "text that a log is searched for"),
        asked("follow_tail", "items", (0, FOLLOW_TAIL_DEFAULT.into(), FOLLOW_TAIL_MAX.into()), "newest lines and ends of a log"),
        fixed("file_piece_bytes", "bytes", FILE_PIECE_BYTES, "what one host call moves of a file"),
        fixed("file_name_bytes", "bytes", FILE_NAME_BYTES_MAX, "name of a file"),
        fixed("file_content_type_bytes", "bytes", FILE_CONTENT_TYPE_BYTES_MAX, "content type of a file"),
        asked("file_page_entries", "entries", (1, FILE_PAGE_ENTRIES_DEFAULT.into(), FILE_PAGE_ENTRIES_MAX.into()), "one page of files list"),
        fixed("docs_data_bytes", "bytes", DOCS_DATA_BYTES_MAX, "one document, as stored"),
        fixed("docs_depth", "levels", DOCS_DEPTH_MAX, "nesting of maps and arrays in a document"),
        fixed("docs_id_bytes", "bytes", DOCS_ID_BYTES_MAX, "id of a document"),
        fixed("docs_filter_bytes", "bytes", DOCS_FILTER_BYTES_MAX, "a filter of documents, as JSON"),
        fixed("docs_filter_depth", "levels", DOCS_FILTER_DEPTH_MAX, "nesting of a filter"),
        fixed("docs_filter_tests", "conditions", DOCS_FILTER_TESTS_MAX, "conditions of a filter"),
        fixed("docs_in_values", "values", DOCS_IN_VALUES_MAX, "values of one $in or $nin"),
        fixed("docs_filter_values", "values", DOCS_FILTER_VALUES_MAX, "values that a filter tests for equality, in all"),
        fixed("docs_path_steps", "steps", DOCS_PATH_STEPS_MAX, "steps of a path in a filter"),
        fixed("docs_path_step_bytes", "bytes", DOCS_PATH_STEP_BYTES_MAX, "one step of a path in a filter"),
        fixed("docs_sort_keys", "keys", DOCS_SORT_KEYS_MAX, "keys of one $sort, beside the id"),
        fixed("docs_sort_text_chars", "characters", DOCS_SORT_TEXT_CHARS, "how much of a string counts in $sort"),
        asked("docs_page_items", "documents", (1, DOCS_PAGE_ITEMS_DEFAULT.into(), DOCS_PAGE_ITEMS_MAX.into()), "one page of docs find or list"),
        fixed("docs_page_bytes", "bytes", DOCS_PAGE_BYTES_MAX, "documents of one page, together; the page ends early"),
        fixed("http_url_bytes", "bytes", HTTP_URL_BYTES_MAX, "URL of a script's outbound request"),
        fixed("http_request_body_bytes", "bytes", HTTP_REQUEST_BODY_BYTES_MAX, "body of an outbound request"),
        fixed("http_request_headers", "headers", HTTP_REQUEST_HEADERS_MAX, "headers that a script gives an outbound request"),
        fixed("http_request_header_bytes", "bytes", HTTP_REQUEST_HEADER_BYTES_MAX, "headers that a script gives an outbound request, together"),
        fixed("http_response_body_bytes", "bytes", HTTP_RESPONSE_BODY_BYTES_MAX, "body of the answer to an outbound request, as sent and as unpacked"),
        fixed("http_response_headers", "headers", HTTP_RESPONSE_HEADERS_MAX, "headers of the answer to an outbound request"),
        fixed("http_response_header_bytes", "bytes", HTTP_RESPONSE_HEADER_BYTES_MAX, "headers of the answer to an outbound request, together"),
        asked("http_timeout_ms", "ms", (1, HTTP_TIMEOUT_MS_DEFAULT.into(), HTTP_TIMEOUT_MS_MAX.into()), "one call of http, redirects included"),
        fixed("http_connect_ms", "ms", HTTP_CONNECT_MS, "looking a host up, connecting and TLS, together"),
        fixed("http_redirects", "redirects", HTTP_REDIRECTS_MAX, "redirects of one call of http"),
        fixed("http_calls_per_app", "calls", HTTP_CALLS_PER_APP_MAX, "calls of http that an app may have under way on a node"),
        fixed("email_recipients", "addresses", EMAIL_RECIPIENTS_MAX, "recipients of one message, in all"),
        fixed("email_address_bytes", "bytes", EMAIL_ADDRESS_BYTES_MAX, "one address of a message"),
        fixed("email_subject_bytes", "bytes", EMAIL_SUBJECT_BYTES_MAX, "subject of a message"),
        fixed("email_body_bytes", "bytes", EMAIL_BODY_BYTES_MAX, "text and HTML of a message, together"),
        fixed("email_timeout_ms", "ms", EMAIL_TIMEOUT_MS, "one message handed to the relay"),
        fixed("email_sends_per_app", "messages", EMAIL_SENDS_PER_APP_MAX, "messages that an app may have under way on a node"),
        asked("delivery_attempts", "attempts", (1, DELIVERY_ATTEMPTS_DEFAULT.into(), DELIVERY_ATTEMPTS_MAX.into()), "attempts of a delivery, the first included"),
        asked("delivery_base_delay_ms", "ms", (0, DELIVERY_BASE_DELAY_MS_DEFAULT.into(), DELIVERY_DELAY_MS_MAX.into()), "wait after a delivery's first attempt"),
        asked("delivery_max_delay_ms", "ms", (0, DELIVERY_MAX_DELAY_MS_DEFAULT.into(), DELIVERY_DELAY_MS_MAX.into()), "longest wait between two attempts"),
        fixed("queue_name_bytes", "bytes", QUEUE_NAME_BYTES_MAX, "name of a queue"),
        fixed("topic_name_bytes", "bytes", TOPIC_NAME_BYTES_MAX, "name of a topic"),
        fixed("topics_per_app", "topics", TOPICS_PER_APP_MAX, "registered topics of one app"),
        fixed("topic_messages_kept", "messages", TOPIC_MESSAGES_KEPT_MAX, "of one topic, for subscribers who come back"),
        fixed("topic_message_keep_s", "s", TOPIC_MESSAGE_KEEP_S, "how long a message is kept for them"),
        fixed("topic_bytes_kept_per_app", "bytes", TOPIC_BYTES_KEPT_PER_APP_MAX, "messages kept for them, of all topics of an app"),
        fixed("subscribers", "streams", SUBSCRIBERS_MAX, "topics subscribed to at once on a node"),
        fixed("subscribers_per_app", "streams", SUBSCRIBERS_PER_APP_MAX, "of these, of one app"),
        fixed("subscribe_stream_ms", "ms", SUBSCRIBE_STREAM_MS, "after which a stream ends, to be gone on with"),
        asked("subscriber_token_ttl_s", "s", (SUBSCRIBER_TOKEN_TTL_S_MIN.unsigned_abs(), SUBSCRIBER_TOKEN_TTL_S_DEFAULT.unsigned_abs(), SUBSCRIBER_TOKEN_TTL_S_MAX.unsigned_abs()), "how long a subscriber's token is good"),
        fixed("subscriber_token_topics", "topics", SUBSCRIBER_TOKEN_TOPICS_MAX, "topics, or patterns, of one token"),
        fixed("subscriber_tokens_per_app", "tokens", SUBSCRIBER_TOKENS_PER_APP_MAX, "of one app that have not expired"),
        fixed("message_bytes", "bytes", MESSAGE_BYTES_MAX, "a message of a queue or a topic, as JSON"),
        fixed("queue_delay_s", "s", QUEUE_DELAY_S_MAX, "how long a message may be delayed"),
        fixed("queue_key_bytes", "bytes", QUEUE_KEY_BYTES_MAX, "deduplication key of a message"),
        fixed("queue_key_window_s", "s", QUEUE_KEY_WINDOW_S, "how long a deduplication key counts"),
        fixed("events_waiting", "events", EVENTS_WAITING_MAX, "events of an app that wait to be handled; past it nothing is sent, published or accepted (503)"),
        fixed("events_waiting_bytes", "bytes", EVENTS_WAITING_BYTES_MAX, "what those events tell, together"),
        fixed("event_places_percent", "%", EVENT_PLACES_PERCENT as u64, "handlers that may run at once, of the invocations that may: beside those"),
        fixed("deliveries_claimed", "deliveries", DELIVERIES_CLAIMED_MAX, "deliveries that a node holds claimed"),
        fixed("deliveries_claimed_per_app", "deliveries", DELIVERIES_CLAIMED_PER_APP_MAX, "of these, of one app; at most half of what the others leave"),
        fixed("delivery_lease_ms", "ms", DELIVERY_LEASE_MS, "how long a claim holds unless its node renews it"),
        fixed("delivery_lost", "claims", DELIVERY_LOST_MAX, "claims of a delivery that may be lost with their nodes; one more and it is a dead letter"),
        fixed("attempt_log_bytes", "bytes", ATTEMPT_LOG_BYTES_MAX, "what a failed attempt keeps of its log, the last lines"),
        fixed("timezone_chars", "characters", TIMEZONE_CHARS_MAX, "name of a time zone"),
        fixed("schedule_preview_ticks", "ticks", SCHEDULE_PREVIEW_TICKS, "ticks that are shown of a schedule"),
        fixed("schedule_chars", "characters", SCHEDULE_CHARS_MAX, "a cron expression"),
        fixed("email_signature_s", "s", EMAIL_SIGNATURE_S, "how far the time of a signed request that brings mail in may be off"),
        fixed("dead_letter_reason_chars", "characters", DEAD_LETTER_REASON_CHARS_MAX, "reason for resolving a dead letter"),
        fixed("dead_letter_page_items", "letters", DEAD_LETTER_PAGE_ITEMS_MAX, "dead letters of one page of a script"),
        fixed("dead_letter_page_bytes", "bytes", DEAD_LETTER_PAGE_BYTES_MAX, "what the events of one page of dead letters tell, together; the page ends early"),
        fixed("dead_letter_replay_batch", "letters", DEAD_LETTER_REPLAY_BATCH, "dead letters replayed by one request"),
        fixed("dead_letter_keep_s", "s", DEAD_LETTER_KEEP_S, "how long a dead letter is kept"),
        fixed("dead_letter_resolved_keep_s", "s", DEAD_LETTER_RESOLVED_KEEP_S, "how long a dead letter is kept that someone resolved"),
        fixed("execution_keep_s", "s", EXECUTION_KEEP_S, "how long records of executions and their logs are kept"),
        fixed("api_body_bytes", "bytes", API_BODY_BYTES_MAX, "body of a request to this API"),
        asked("api_page_items", "items", (1, API_PAGE_ITEMS_DEFAULT.into(), API_PAGE_ITEMS_MAX.into()), "one page of a list of this API"),
        fixed("users", "users", USERS_MAX, "people of one instance"),
        fixed("members_per_app", "members", MEMBERS_PER_APP_MAX, "members of one app"),
        fixed("api_keys_per_user", "keys", API_KEYS_PER_USER_MAX, "API keys of one person"),
        fixed("api_key_name_bytes", "bytes", API_KEY_NAME_BYTES_MAX, "name of an API key"),
        fixed("login_failures_per_user", "logins", LOGIN_FAILURES_PER_USER_MAX, "wrong logins of one name in a window"),
        fixed("login_failures_per_address", "logins", LOGIN_FAILURES_PER_ADDRESS_MAX, "wrong logins from one address in a window"),
        fixed("login_window_s", "s", LOGIN_WINDOW_S, "that window"),
        fixed("idempotency_key_bytes", "bytes", IDEMPOTENCY_KEY_BYTES_MAX, "an Idempotency-Key"),
        fixed("idempotency_window_s", "s", IDEMPOTENCY_WINDOW_S, "how long an Idempotency-Key is remembered"),
        fixed("idempotency_keys_per_user", "keys", IDEMPOTENCY_KEYS_PER_USER_MAX, "Idempotency-Keys of one person in that time"),
        fixed("idempotent_answer_bytes", "bytes", IDEMPOTENT_ANSWER_BYTES_MAX, "an answer that is kept for an Idempotency-Key"),
        fixed("domains_per_app", "domains", DOMAINS_PER_APP_MAX, "domains of one app, claimed or proven"),
        fixed("domain_host_chars", "characters", DOMAIN_HOST_CHARS_MAX, "host of a domain"),
        fixed("domain_proof_ms", "ms", DOMAIN_PROOF_MS, "one look at the proof of a domain"),
        fixed("domain_proofs_per_app", "looks", DOMAIN_PROOFS_PER_APP_MAX, "looks at proofs of one app at once"),
        fixed("former_slugs_per_app", "slugs", FORMER_SLUGS_PER_APP_MAX, "slugs that an app had before and that still lead to it"),
        fixed("archive_bytes", "bytes", ARCHIVE_BYTES_MAX, "an archive that is uploaded"),
        fixed("archive_unpacked_bytes", "bytes", ARCHIVE_UNPACKED_BYTES_MAX, "an archive, unpacked"),
        fixed("username_chars", "characters", USERNAME_CHARS_MAX, "name of a user"),
        fixed("password_bytes", "bytes", PASSWORD_BYTES_MAX, "a password"),
        fixed("session_idle_s", "s", SESSION_IDLE_S, "a session ends this long after its last use"),
        fixed("admission_wait_ms", "ms", ADMISSION_WAIT_MS, "how long an invocation waits for a place before 503"),
        fixed("backlog_ms", "ms", BACKLOG_MS, "how long a request may wait for a thread before some are answered 503 at once"),
    ]
}

fn fixed(name: &'static str, unit: &'static str, bound: impl TryInto<u64>, about: &'static str) -> Limit {
    let bound = bound.try_into().unwrap_or(u64::MAX);
    Limit { name, level: Level::Platform, unit, default: bound, ceiling: bound, floor: None, about }
}

fn asked(name: &'static str, unit: &'static str, (floor, default, ceiling): (u64, u64, u64), about: &'static str) -> Limit {
    Limit { name, level: Level::Platform, unit, default, ceiling, floor: Some(floor), about }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_lies_in_order_under_its_own_name() {
        let mut names = std::collections::HashSet::new();
        for limit in all(86) {
            assert!(limit.floor.unwrap_or(0) <= limit.default && limit.default <= limit.ceiling, "{}", limit.name);
            assert!(names.insert((limit.level, limit.name)), "{}", limit.name);
        }
    }
}
