//! Keeps parts running: one that ends or panics is started again after a growing delay, until it
//! is told to stop.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use runtime::backoff::{Backoff, jitter};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30));
/// A part that ran this long did not fail at once.
const STEADY: Duration = Duration::from_mins(1);

/// What a part does from its start to its end; started anew each time.
pub(crate) type Start =
    Arc<dyn Fn(CancellationToken) -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

/// A part that can be run.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    start: Start,
}

impl Part {
    /// A part that runs what `start` gives until the token is cancelled.
    pub(crate) fn new<F>(
        name: &'static str,
        start: impl Fn(CancellationToken) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        Self {
            name,
            start: Arc::new(move |shutdown| start(shutdown).boxed()),
        }
    }
}

/// A part that runs.
#[derive(Debug)]
pub(crate) struct Running {
    name: &'static str,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// Runs a part.
    pub(crate) fn start(part: Part) -> Self {
        let stop = CancellationToken::new();
        let name = part.name;
        let task = tokio::spawn(supervise(part, stop.clone()));
        Self { name, stop, task }
    }

    /// Lets the part finish what it is at until `deadline`, then ends it.
    async fn stop(mut self, deadline: Instant) {
        self.stop.cancel();
        if tokio::time::timeout_at(deadline, &mut self.task)
            .await
            .is_err()
        {
            tracing::warn!(
                part = self.name,
                "{} did not finish in time, ending it",
                self.name
            );
            self.task.abort();
        }
    }
}

/// Stops all of them together; none has less time than `patience` because another is slow.
pub(crate) async fn stop_all(parts: impl IntoIterator<Item = Running>, patience: Duration) {
    let deadline = Instant::now() + patience;
    join_all(parts.into_iter().map(|part| part.stop(deadline))).await;
}

async fn supervise(part: Part, stop: CancellationToken) {
    let name = part.name;
    let mut failures = 0;
    while !stop.is_cancelled() {
        let started = Instant::now();
        let outcome = AssertUnwindSafe((part.start)(stop.child_token()))
            .catch_unwind()
            .await;
        if stop.is_cancelled() {
            return;
        }
        let reason = match outcome {
            Ok(Ok(())) => "it ended by itself".to_owned(),
            Ok(Err(error)) => format!("{error:#}"),
            Err(panic) => format!("it panicked: {}", panic_words(&*panic)),
        };
        failures = if started.elapsed() > STEADY {
            1
        } else {
            failures + 1
        };
        metrics::counter!("alta_part_restarts_total", "part" => name).increment(1);
        let delay = BACKOFF.delay(failures, jitter());
        tracing::error!(
            part = name,
            reason,
            "{name} stopped ({reason}), starting again in {delay:?}"
        );
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(delay) => {}
        }
    }
}

fn panic_words(panic: &(dyn std::any::Any + Send)) -> &str {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    words
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_part_that_ends_fails_or_panics_is_started_again() {
        let (started, mut starts) = mpsc::unbounded_channel();
        let count = AtomicU32::new(0);
        let part = Part::new("shaky", move |shutdown: CancellationToken| {
            let run = count.fetch_add(1, Ordering::Relaxed);
            let started = started.clone();
            async move {
                started.send(run)?;
                match run {
                    0 => Ok(()),
                    1 => anyhow::bail!("it failed"),
                    2 => panic!("it panicked"),
                    _ => {
                        shutdown.cancelled().await;
                        Ok(())
                    }
                }
            }
        });
        let running = Running::start(part);
        for run in 0..4 {
            assert_eq!(starts.recv().await, Some(run));
        }
        running.stop(Instant::now() + Duration::from_secs(1)).await;
        assert_eq!(starts.recv().await, None);
    }

    #[tokio::test]
    async fn a_part_that_does_not_stop_is_ended() {
        let part = Part::new("deaf", |_| std::future::pending());
        let running = Running::start(part);
        running
            .stop(Instant::now() + Duration::from_millis(20))
            .await;
    }

    #[tokio::test]
    async fn a_part_that_does_not_stop_takes_no_time_from_another() {
        let (told, mut heard) = mpsc::unbounded_channel();
        let deaf = Part::new("deaf", |_| std::future::pending());
        let obedient = Part::new("obedient", move |shutdown: CancellationToken| {
            let told = told.clone();
            async move {
                shutdown.cancelled().await;
                told.send(())?;
                Ok(())
            }
        });
        let parts = [deaf, obedient].map(Running::start);
        let stopping = tokio::spawn(stop_all(parts, Duration::from_hours(1)));
        assert_eq!(heard.recv().await, Some(()));
        stopping.abort();
    }
}
