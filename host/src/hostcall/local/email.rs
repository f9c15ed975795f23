//! `picloud:sandbox/email`, in a world: mail is judged, and kept.

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use super::Role;
use super::answers::Called;
use crate::hostcall::door::{self, Given};
use crate::hostcall::email::{bytes_of, from_guest};
use crate::hostcall::guest::Guest;
use crate::limits;
use crate::model::email;
use crate::model::grant::{Capability, Need};
use crate::wit::email::Message;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = linker.instance("picloud:sandbox/email@0.1.0")?;
    instance.func_wrap_async("send", |store, (message,): (Message,)| Box::new(send(store, message)))
}

async fn send(store: StoreContextMut<'_, Guest>, message: Message) -> door::Answer<String> {
    let bytes_out = bytes_of(&message);
    let called = Called::about("email.send", Need::any(Capability::Email), &message.to.join(","))
        .with("from", message.from.as_deref())
        .with("to", message.to.as_slice())
        .with("cc", message.cc.as_slice())
        .with("bcc", message.bcc.as_slice())
        .with("subject", message.subject.as_str())
        .with("text", message.text.as_deref())
        .with("html", message.html.as_deref());
    let allowance = store.data().outbound.clone();
    door::world(store, called, bytes_out, move |here| {
        allowance.take()?;
        let message = from_guest(message);
        message.check()?;
        // Who sends where the script does not say is the node's own affair.
        if let (Role::Script, Some(from)) = (here.role, message.from.as_deref()) {
            here.world.require(&Need::new(Capability::Email, &email::comparable(from)))?;
        }
        let now = here.world.now();
        let mut state = here.world.lock();
        let id = format!("<{}@localhost>", state.id(now));
        if state.mails.len() < limits::LOCAL_EVENTS_MAX {
            state.mails.push(message);
        }
        Ok(Given { bytes: id.len(), value: id })
    })
    .await
}
