//! One request through a plane, and what it tells of the connection's progress: when the request is there whole, when its
//! answer was handed over.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use hyper::body::{Frame, Incoming, SizeHint};
use tower::Service;

use super::head;
use super::progress::Progress;
use crate::ingress::LetIn;
use crate::model::proxies::{FORWARDING, Proxies};

/// An answer's body, on its way until it is dropped.
pub(super) struct Giving {
    body: Body,
    _answering: Answering,
}

/// A request's body on its way in.
struct Arriving {
    body: Incoming,
    progress: Arc<Progress>,
}

/// The answer to the request of that number was handed over, or will never be, once this is dropped.
struct Answering(Arc<Progress>, u64);

/// Has the plane answer. The head was read a moment ago. What the plane sees as the peer is who called, where proxies say that;
/// where none is believed, their headers are taken out.
pub(super) fn exchange<P>(
    mut plane: P,
    (proxies, peer): (&Proxies, SocketAddr),
    progress: Arc<Progress>,
    request: hyper::Request<Incoming>,
) -> impl Future<Output = io::Result<Response<Giving>>> + Send + use<P>
where
    P: Service<Request, Response = Response, Error = Infallible, Future: Send> + Send,
{
    let (mut parts, body) = request.into_parts();
    let is_whole = body.is_end_stream();
    let begun = progress.begin(is_whole);
    let answering = Answering(progress.clone(), progress.latest());
    let judged = head::judge(&parts);
    let answer = (begun && judged.is_ok()).then(|| {
        parts.extensions.insert(ConnectInfo(caller(proxies, peer, &mut parts.headers)));
        if progress.was_let_in() {
            parts.extensions.insert(LetIn);
        }
        let body = if is_whole { Body::empty() } else { Body::new(Arriving { body, progress: progress.clone() }) };
        plane.call(Request::from_parts(parts, body))
    });
    async move {
        let mut response = match (answer, judged) {
            (Some(answer), _) => {
                let Ok(response) = answer.await;
                response
            }
            (None, Err(refused)) if begun => refused.answer(),
            // The connection is somebody else's.
            (None, _) => return Err(io::ErrorKind::ConnectionAborted.into()),
        };
        progress.answer();
        if progress.has_large_head() {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response.map(|body| Giving { body, _answering: answering }))
    }
}

/// Who called; nothing that others say of it is left.
fn caller(proxies: &Proxies, peer: SocketAddr, headers: &mut HeaderMap) -> SocketAddr {
    if !proxies.has(peer.ip()) {
        for name in FORWARDING {
            headers.remove(name);
        }
        return peer;
    }
    let forwarded = headers.get_all("x-forwarded-for").iter().map(|value| value.to_str().unwrap_or_default());
    let address = proxies.caller(peer.ip(), forwarded);
    if address == peer.ip().to_canonical() { peer } else { SocketAddr::new(address, 0) }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.give(self.1);
    }
}

impl HttpBody for Giving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.progress.answer();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
