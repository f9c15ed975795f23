//! `picloud:sandbox/retry`. In a world whose clock stands still, waiting moves it.

use std::time::Duration;

use serde_json::json;
use wasmtime::component::Linker;

use super::door;
use super::guest::Guest;
use super::trace;
use crate::error::Error;
use crate::limits::RETRY_PAUSE_MS_MAX;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    trace::interface(linker, "picloud:sandbox/retry@0.1.0")?.func_wrap_async("pause", |store, (ms,): (u32,)| {
        let here = store.data().here.clone();
        Box::new(door::waiting(store, async move {
            if ms > RETRY_PAUSE_MS_MAX {
                return Err(Error::invalid("ms", format!("a pause is at most {RETRY_PAUSE_MS_MAX} ms, and {ms} were asked for"))
                    .with_details(json!({ "field": "ms", "asked": ms, "allowed": RETRY_PAUSE_MS_MAX })));
            }
            let pause = Duration::from_millis(ms.into());
            match here {
                Some(here) => here.world.pause(pause).await,
                None => tokio::time::sleep(pause).await,
            }
            Ok(())
        }))
    })
}
