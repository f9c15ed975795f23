//! What the code under test logs, for the test that asks.
//!
//! One subscriber for the process: were it set for a thread alone, a line first reached by another thread could be
//! switched off for all of them.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, Once};

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;

thread_local! {
    static WRITTEN: RefCell<Option<Log>> = const { RefCell::new(None) };
}

/// What threads log that no test has asked for, if one wants to see it.
static OTHERS: Mutex<Option<Log>> = Mutex::new(None);

/// Everything that this thread logs, from [`Log::of_this_thread`] on.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn of_this_thread() -> Self {
        install();
        let log = Self::default();
        WRITTEN.set(Some(log.clone()));
        log
    }

    /// The same, and what threads log that are no test's own: the lanes of every node in the process among them.
    pub(crate) fn of_this_thread_and_lanes() -> Self {
        let log = Self::of_this_thread();
        *OTHERS.lock().expect("a lock") = Some(log.clone());
        log
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("a lock")).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("a lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Before the code under test logs its first line.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = || OTHERS.lock().expect("a lock").clone();
        let asked =
            dynamic_filter_fn(move |_, _| WRITTEN.try_with(|log| log.borrow().is_some()).unwrap_or(false) || others().is_some());
        let of_thread = || WRITTEN.with_borrow(Clone::clone);
        let lines = tracing_subscriber::fmt::layer().with_writer(move || of_thread().or_else(others).unwrap_or_default());
        let log = tracing_subscriber::registry().with(lines.with_filter(asked));
        tracing::subscriber::set_global_default(log).expect("the only subscriber");
    });
}
