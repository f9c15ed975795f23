//! A message that is larger than a page: one copy for whoever is given it, counted until nobody has it any more.

use std::sync::{Arc, Weak};

use bytes::Bytes;

use crate::fair;
use crate::model::topic::Message;

/// One, held.
#[derive(Debug, Clone)]
pub(super) struct Large(Arc<Counted>);

/// One that is there for as long as somebody holds it.
#[derive(Debug, Default)]
pub(super) struct Seen(Weak<Counted>);

#[derive(Debug)]
struct Counted {
    message: Message,
    _room: fair::Place,
}

impl Large {
    pub(super) fn new(message: Message, room: fair::Place) -> Self {
        Self(Arc::new(Counted { message, _room: room }))
    }

    pub(super) fn seq(&self) -> u64 {
        self.0.message.seq
    }

    /// The same bytes; whoever has them holds this.
    pub(super) fn message(&self) -> Message {
        Message { seq: self.seq(), text: Bytes::from_owner(self.clone()) }
    }

    pub(super) fn seen(&self) -> Seen {
        Seen(Arc::downgrade(&self.0))
    }
}

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.0.message.text
    }
}

impl Seen {
    pub(super) fn hold(&self) -> Option<Large> {
        self.0.upgrade().map(Large)
    }
}
