//! `picloud:sandbox/http`.

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use super::door::{self, Given};
use super::guest::Guest;
use super::trace;
use crate::model::grant::{Capability, Need};
use crate::model::http;
use crate::service;
use crate::wit::http::{Redirects, Request, Response};

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = trace::interface(linker, "picloud:sandbox/http@0.1.0")?;
    instance.func_wrap_async("send", |store, (request,): (Request,)| Box::new(send(store, request)))
}

async fn send(store: StoreContextMut<'_, Guest>, request: Request) -> door::Answer<Response> {
    let bytes_out =
        request.method.len() + request.url.len() + bytes_of(&request.headers) + request.body.as_ref().map_or(0, Vec::len);
    // What must be granted is the host, so the request is read before it is known.
    let request = match http::Request::read(from_guest(request)) {
        Ok(request) => request,
        Err(error) => return door::refused(store, bytes_out, error).await,
    };
    let need = Need::new(Capability::Http, request.target.host());
    let allowance = store.data().outbound.clone();
    door::outward(store, need, bytes_out, async move |reach| {
        let response = service::http::send(&reach.services, reach.app_id, request, &allowance, reach.caller.trace).await?;
        let bytes = bytes_of(&response.headers) + response.body.len();
        Ok(Given { value: to_guest(response), bytes })
    })
    .await
}

pub(super) fn bytes_of(headers: &[(String, String)]) -> usize {
    headers.iter().map(|(name, value)| name.len() + value.len()).sum()
}

pub(super) fn from_guest(request: Request) -> http::Asked {
    http::Asked {
        method: request.method,
        url: request.url,
        headers: request.headers,
        body: request.body,
        redirects: match request.redirects {
            Redirects::Follow => http::Redirects::Follow,
            Redirects::Answer => http::Redirects::Answer,
        },
        timeout_ms: request.timeout_ms,
    }
}

pub(super) fn to_guest(response: http::Response) -> Response {
    Response { status: response.status, headers: response.headers, body: response.body }
}
