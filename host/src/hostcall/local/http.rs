//! `picloud:sandbox/http`, in a world: what a test has scripted, else what the world lets out.

use serde_json::Value;
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use super::Here;
use super::answers::{Called, Outcome};
use crate::egress::{Allowance, Traveller};
use crate::error::{Error, Kind, Result};
use crate::hostcall::door::{self, Given};
use crate::hostcall::guest::Guest;
use crate::hostcall::http::{bytes_of, from_guest, to_guest};
use crate::model::grant::{Capability, Need};
use crate::model::http::{Request, Response};
use crate::wit::http as wit;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = linker.instance("picloud:sandbox/http@0.1.0")?;
    instance.func_wrap_async("send", |store, (request,): (wit::Request,)| Box::new(send(store, request)))
}

async fn send(store: StoreContextMut<'_, Guest>, request: wit::Request) -> door::Answer<wit::Response> {
    let bytes_out =
        request.method.len() + request.url.len() + bytes_of(&request.headers) + request.body.as_ref().map_or(0, Vec::len);
    let url = request.url.clone();
    let request = match Request::read(from_guest(request)) {
        Ok(request) => request,
        Err(error) => return door::refused(store, bytes_out, error).await,
    };
    let what = format!("{} {url}", request.method);
    let headers: Vec<String> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let called = Called::about("http", Need::new(Capability::Http, request.target.host()), &what)
        .with("method", request.method.as_str())
        .with("url", url.as_str())
        .with("headers", headers.as_slice())
        .with("body", request.body.as_deref());
    let allowance = store.data().outbound.clone();
    door::world_waiting(store, called, bytes_out, async move |here: Here| {
        let response = answered(&here, &format!("http {what}"), request, &allowance).await?;
        let bytes = bytes_of(&response.headers) + response.body.len();
        Ok(Given { value: to_guest(response), bytes })
    })
    .await
}

async fn answered(here: &Here, what: &str, request: Request, allowance: &Allowance) -> Result<Response> {
    match here.world.scripted_answer(what) {
        Some(Outcome::Answer(answer)) => {
            allowance.take()?;
            return response(&answer);
        }
        Some(Outcome::Fail(code, message)) => {
            return Err(Error::invalid("what", format!("a request cannot fail with {code}: {message}")));
        }
        None => {}
    }
    let Some(way_out) = &here.world.way_out else {
        let request = what.strip_prefix("http ").unwrap_or(what);
        let message = if here.world.is_test() {
            format!(
                "nothing leaves a test, and no answer was scripted for {request}: \
                 test::answer(\"http {request}\", #{{ status: 200, body: #{{ }} }})"
            )
        } else {
            format!("nothing leaves here: {request}")
        };
        return Err(if here.world.is_test() {
            here.world.fault(message)
        } else {
            Error::new(Kind::Forbidden, "denied", message)
        });
    };
    let host = request.target.host();
    if !way_out.allowed.allows(Capability::Http, host) {
        let message = format!("the app may reach `{host}`, but nothing leaves this machine that --allow-http does not name");
        return Err(Error::new(Kind::Forbidden, "denied", message));
    }
    let traveller =
        Traveller { app: here.world.app_id, slug: &here.world.slug, grants: &way_out.allowed, allowance, may_go: &|| Ok(()) };
    way_out.client.send(traveller, request).await
}

/// `#{ status, headers, body }` as an answer: a text is sent as it is, `()` as nothing, anything else as JSON.
fn response(answer: &Value) -> Result<Response> {
    let wrong = |what: &str| Error::invalid("answer", format!("the answer that was scripted {what}"));
    let status = answer.get("status").map_or(Some(200), Value::as_u64).and_then(|status| u16::try_from(status).ok());
    let status = status.filter(|status| (100..=999).contains(status)).ok_or_else(|| wrong("has a `status` that is none"))?;
    let (body, kind) = match answer.get("body") {
        None | Some(Value::Null) => (Vec::new(), None),
        Some(Value::String(text)) => (text.as_bytes().to_vec(), Some("text/plain; charset=utf-8")),
        Some(value) => (value.to_string().into_bytes(), Some("application/json")),
    };
    let mut headers = Vec::new();
    for (name, value) in answer.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let values = value.as_array().map_or_else(|| vec![value.clone()], Clone::clone);
        for value in values {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            headers.push((name.to_ascii_lowercase(), text));
        }
    }
    if let Some(kind) = kind.filter(|_| !headers.iter().any(|(name, _)| name == "content-type")) {
        headers.push(("content-type".to_owned(), kind.to_owned()));
    }
    Ok(Response { status, headers, body })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_scripted_answer_is_what_a_script_would_see_of_one() {
        let answer =
            response(&json!({ "status": 201, "headers": { "Set-Cookie": ["a=1", "b=2"], "x-n": 7 }, "body": { "n": 1 } }));
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (201, &br#"{"n":1}"#[..]));
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            answer.headers,
            [
                header("set-cookie", "a=1"),
                header("set-cookie", "b=2"),
                header("x-n", "7"),
                header("content-type", "application/json")
            ]
        );
        let plain = response(&json!({ "body": "hi" })).unwrap();
        assert_eq!((plain.status, plain.body.as_slice()), (200, &b"hi"[..]));
        assert!(response(&json!({})).unwrap().headers.is_empty());
        for wrong in [json!({ "status": 99 }), json!({ "status": "ok" }), json!({ "status": 1000 })] {
            assert!(response(&wrong).is_err(), "{wrong}");
        }
    }
}
