//! One operation as the document has it: what its handler's types say, what its row says, and what the gate adds to both.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::parts::{Failure, header, of_path};
use crate::api::describe::{Content, Operation, Reply};
use crate::api::endpoints::Endpoint;
use crate::api::idempotency::WITHOUT_KEY;
use crate::model::access::{Rule, Scope};

/// The operation of a row.
pub(super) fn of(endpoint: &Endpoint, operation: Operation) -> Value {
    let failures = failures(endpoint, &operation);
    let mut parameters = of_the_path(endpoint.path, &operation.path);
    parameters.extend(of_the_query(endpoint, &operation));
    parameters.extend(of_the_headers(endpoint, &operation));
    let security = if endpoint.rule == Rule::Public { json!([]) } else { json!([{ "bearer": [] }, { "cookie": [] }]) };
    let mut shown = json!({
        "operationId": id(endpoint.handler),
        "tags": [module(endpoint.handler)],
        "summary": endpoint.summary,
        "x-access": access(endpoint.rule),
        "security": security,
        "parameters": parameters,
        "responses": responses(endpoint, operation.answers.iter(), &failures),
    });
    if let (Some(shown), Some(body)) = (shown.as_object_mut(), &operation.body) {
        let body = json!({ "required": !operation.body_is_optional, "content": content(body) });
        shown.insert("requestBody".to_owned(), body);
    }
    shown
}

/// `…::api::apps::list` → `apps_list`; of a generic handler with the type that it is for: `triggers_create_kv`.
pub(super) fn id(handler: &str) -> String {
    let (path, of) = handler.split_once('<').map_or((handler, ""), |(path, of)| (path, of.trim_end_matches('>')));
    let function = path.rsplit("::").next().unwrap_or(path);
    let mut id = format!("{}_{function}", module(handler));
    for letter in of.rsplit("::").next().unwrap_or_default().chars() {
        if letter.is_ascii_uppercase() {
            id.push('_');
        }
        id.push(letter.to_ascii_lowercase());
    }
    id
}

/// `…::api::apps::list` → `apps`.
pub(super) fn module(handler: &str) -> &str {
    let path = handler.split_once('<').map_or(handler, |(path, _)| path);
    path.rsplit("::").nth(1).unwrap_or(path)
}

fn access(rule: Rule) -> Value {
    let scoped = |rule: &str, scope: Scope| json!({ "rule": rule, "scope": scope.as_str() });
    match rule {
        Rule::Public => json!({ "rule": "public" }),
        Rule::SignedIn => json!({ "rule": "signed_in" }),
        Rule::LoggedIn => json!({ "rule": "logged_in" }),
        Rule::Instance(scope) => scoped("instance", scope),
        Rule::App(scope) => scoped("app", scope),
        Rule::SomeApp(scope) => scoped("some_app", scope),
    }
}

/// Whether the gate has it done once only.
fn takes_key(endpoint: &Endpoint) -> bool {
    endpoint.method == Method::POST && !WITHOUT_KEY.contains(&endpoint.path)
}

fn failures(endpoint: &Endpoint, operation: &Operation) -> BTreeSet<u16> {
    let mut statuses = operation.failures.clone();
    statuses.extend(endpoint.failures);
    // Two hosts, too many headers, ours.
    statuses.extend([400_u16, 431, 500]);
    if endpoint.query.is_some() {
        statuses.insert(422);
    }
    match endpoint.rule {
        Rule::Public => {}
        Rule::SignedIn => statuses.extend([401_u16]),
        Rule::LoggedIn | Rule::Instance(_) | Rule::SomeApp(_) => statuses.extend([401_u16, 403]),
        Rule::App(_) => statuses.extend([401_u16, 403, 404]),
    }
    if endpoint.rule != Rule::Public && !endpoint.method.is_safe() {
        // A cookie from another origin.
        statuses.insert(403);
    }
    if takes_key(endpoint) {
        statuses.extend([408_u16, 409, 413, 422, 429]);
    }
    statuses
}

fn of_the_path(path: &str, read: &[Value]) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameters = names.enumerate().map(|(place, name)| {
        let (about, schema, example) = of_path(name);
        let schema = read.get(place).cloned().unwrap_or(schema);
        let mut parameter = json!({ "name": name, "in": "path", "required": true, "description": about, "schema": schema });
        if let Some(parameter) = parameter.as_object_mut().filter(|_| !example.is_null()) {
            parameter.insert("example".to_owned(), example);
        }
        parameter
    });
    parameters.collect()
}

fn of_the_query(endpoint: &Endpoint, operation: &Operation) -> Vec<Value> {
    if endpoint.query.is_none() {
        return vec![json!({
            "name": "query",
            "in": "query",
            "required": false,
            "description": "Whatever it is: the script sees it as `ctx.request.query`.",
            "style": "form",
            "explode": true,
            "schema": { "type": "object", "additionalProperties": { "type": "string" } },
        })];
    }
    let parameters = operation.query.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "in": "query",
            "required": false,
            "description": parameter.about,
            "schema": parameter.schema,
        })
    });
    parameters.collect()
}

fn of_the_headers(endpoint: &Endpoint, operation: &Operation) -> Vec<Value> {
    let mut parameters = Vec::new();
    if operation.is_conditional {
        parameters.push(json!({ "$ref": "#/components/parameters/IfMatch" }));
    }
    if takes_key(endpoint) {
        parameters.push(json!({ "$ref": "#/components/parameters/IdempotencyKey" }));
    }
    parameters
}

fn responses<'a>(
    endpoint: &Endpoint,
    answers: impl Iterator<Item = (&'a &'static str, &'a Reply)>,
    failures: &BTreeSet<u16>,
) -> Value {
    let mut responses = Map::new();
    for (status, reply) in answers {
        let mut names = vec!["X-Request-Id"];
        names.extend(&reply.headers);
        if takes_key(endpoint) && status.starts_with('2') {
            names.push("Idempotent-Replayed");
        }
        let headers: Map<_, _> = names.into_iter().map(|name| (name.to_owned(), header(name))).collect();
        let mut response = json!({ "description": reply.about, "headers": headers });
        if let (Some(response), Some(body)) = (response.as_object_mut(), &reply.content) {
            let mut by_type = content(body);
            if let (Some(all), Some(Value::Object(other))) = (by_type.as_object_mut(), reply.other.as_ref().map(content)) {
                all.extend(other);
            }
            response.insert("content".to_owned(), by_type);
        }
        responses.insert((*status).to_owned(), response);
    }
    for failure in failures.iter().filter_map(|status| Failure::of(*status)) {
        let reference = json!({ "$ref": format!("#/components/responses/{}", failure.name) });
        responses.insert(failure.status.to_string(), reference);
    }
    Value::Object(responses)
}

fn content(content: &Content) -> Value {
    let mut shown = json!({ "schema": content.schema });
    if let (Some(shown), Some(example)) = (shown.as_object_mut(), &content.example) {
        shown.insert("example".to_owned(), example.clone());
    }
    let by_type = Map::from_iter([(content.media_type.to_owned(), shown)]);
    Value::Object(by_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_named_after_its_handler() {
        for (handler, named, noun) in [
            ("picloud::api::apps::list", "apps_list", "apps"),
            ("picloud::api::triggers::create<picloud::api::triggers::Kv>", "triggers_create_kv", "triggers"),
            ("picloud::api::triggers::create<picloud::api::triggers::DeadLetter>", "triggers_create_dead_letter", "triggers"),
        ] {
            assert_eq!((id(handler).as_str(), module(handler)), (named, noun));
        }
    }

    #[test]
    fn a_parameter_that_no_handler_reads_is_known_by_its_name() {
        let parameters = of_the_path("/a/{app}/b/{number}", &[json!({ "type": "string" })]);
        assert_eq!((&parameters[0]["name"], &parameters[0]["example"]), (&json!("app"), &json!("shop")));
        assert_eq!((&parameters[1]["name"], &parameters[1]["schema"]["type"]), (&json!("number"), &json!("integer")));
    }
}
