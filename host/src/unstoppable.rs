//! Work that its caller drives while it waits, and that goes on by itself when the caller has gone.
//!
//! A task for each call would do the same, at the price of waking another thread for it and being woken by it.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use futures_util::future::CatchUnwind;

/// In its box before anything is put around it: wrapping a future copies it whole.
type Work<F> = CatchUnwind<AssertUnwindSafe<Pin<Box<F>>>>;

/// Resolves to what the work came to, or to nothing when it panicked.
pub struct Unstoppable<F: Future<Output: Send> + Send + 'static> {
    work: Option<Work<F>>,
}

impl<F: Future<Output: Send> + Send + 'static> Unstoppable<F> {
    pub fn new(work: F) -> Self {
        Self { work: Some(AssertUnwindSafe(Box::pin(work)).catch_unwind()) }
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for Unstoppable<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(work) = &mut self.work else { return Poll::Ready(None) };
        let done: Poll<Result<F::Output, Box<dyn Any + Send>>> = work.poll_unpin(cx);
        done.map(|done| {
            self.work = None;
            done.ok()
        })
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Unstoppable<F> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_is_done_where_it_is_waited_for() {
        let here = std::thread::current().id();
        assert_eq!(Unstoppable::new(async { std::thread::current().id() }).await, Some(here));
    }

    #[tokio::test]
    async fn work_goes_on_when_its_caller_has_gone() {
        let (go, gone) = oneshot::channel::<()>();
        let (done, finished) = oneshot::channel();
        let work = async move {
            gone.await.unwrap();
            done.send(7).unwrap();
        };
        let waited = tokio::time::timeout(Duration::from_millis(10), Unstoppable::new(work)).await;
        assert!(waited.is_err());
        go.send(()).unwrap();
        assert_eq!(finished.await, Ok(7));
    }

    #[tokio::test]
    async fn work_that_was_never_waited_for_is_done_too() {
        let (done, finished) = oneshot::channel();
        drop(Unstoppable::new(async move { done.send(7).unwrap() }));
        assert_eq!(finished.await, Ok(7));
    }

    #[tokio::test]
    async fn a_panic_ends_the_work_and_not_its_caller() {
        assert_eq!(
            Unstoppable::new(async {
                if true {
                    panic!("boom")
                }
            })
            .await,
            None::<()>
        );
    }
}
