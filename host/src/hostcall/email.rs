//! `picloud:sandbox/email`.

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use super::door::{self, Given};
use super::guest::Guest;
use super::trace;
use crate::model::email;
use crate::model::grant::{Capability, Need};
use crate::service;
use crate::wit::email::Message;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = trace::interface(linker, "picloud:sandbox/email@0.1.0")?;
    instance.func_wrap_async("send", |store, (message,): (Message,)| Box::new(send(store, message)))
}

async fn send(store: StoreContextMut<'_, Guest>, message: Message) -> door::Answer<String> {
    let bytes_out = bytes_of(&message);
    let allowance = store.data().outbound.clone();
    // Who sends where the script does not say is known to the service, which judges the sender.
    door::outward(store, Need::any(Capability::Email), bytes_out, async move |reach| {
        allowance.take()?;
        let id = service::email::send(&reach.services, reach.app_id, from_guest(message)).await?;
        Ok(Given { bytes: id.len(), value: id })
    })
    .await
}

pub(super) fn bytes_of(message: &Message) -> usize {
    let Message { from, to, cc, bcc, reply_to, subject, text, html } = message;
    let optional = [from, reply_to, text, html].into_iter().flatten();
    let texts = optional.chain(to).chain(cc).chain(bcc).chain([subject]);
    texts.map(String::len).sum()
}

pub(super) fn from_guest(message: Message) -> email::Message {
    let Message { from, to, cc, bcc, reply_to, subject, text, html } = message;
    email::Message { from, to, cc, bcc, reply_to, subject, text, html }
}
