//! A large answer, given bit by bit, so that what its client has not taken is known, and bounded, here.
//!
//! The server would take a whole body at once and hold it until it is sent, however slowly. Of pieces it takes the next when
//! there is room.

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::fair::Place;
use crate::limits::ANSWER_PIECE_BYTES;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

/// The same body, in pieces; `room` is given back when the last one was taken.
pub(super) fn slowly(body: Body, room: Place) -> Body {
    Body::new(Held { body, piece: Bytes::new(), _room: room })
}

struct Held {
    body: Body,
    /// Of what the body gave, the rest.
    piece: Bytes,
    _room: Place,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.piece.is_empty() {
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.piece = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        let bytes = self.piece.len().min(ANSWER_PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.piece.split_to(bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.piece.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, here) = (self.body.size_hint(), self.piece.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + here);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + here);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt as _;

    use super::*;
    use crate::fair::{Ask, Fair, Size};
    use crate::id::AppId;

    #[tokio::test]
    async fn a_body_comes_whole_in_pieces_and_gives_its_room_back_with_the_last() {
        let room = Fair::new(&[Size { places: 2, kept_bytes: 0 }], 9);
        let ask = Ask { app: AppId(uuid::Uuid::nil()), class: 0, bytes: 9, held_max: 1, weight: 100 };
        let (place, content) = (room.enter(ask, Duration::ZERO).await.unwrap(), vec![7u8; 3 * ANSWER_PIECE_BYTES + 1]);
        let mut body = slowly(Body::from(content.clone()), place);
        assert_eq!(body.size_hint().exact(), Some(content.len() as u64));
        let mut taken = Vec::new();
        for left in [3 * ANSWER_PIECE_BYTES + 1 - ANSWER_PIECE_BYTES, ANSWER_PIECE_BYTES + 1, 1, 0] {
            let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert!(piece.len() <= ANSWER_PIECE_BYTES);
            taken.extend_from_slice(&piece);
            assert_eq!((body.size_hint().exact(), room.bytes_held()), (Some(left as u64), 9));
        }
        assert!(body.is_end_stream() && body.frame().await.is_none());
        drop(body);
        assert_eq!((taken, room.bytes_held()), (content, 0));
    }
}
