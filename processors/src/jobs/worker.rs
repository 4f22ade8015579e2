//! Takes jobs of one kind and works on them, one at a time: woken by new ones, and looking for itself
//! every second. What it holds it renews; what it cannot finish in time it gives back.

use super::{
    Done, Failure, Kind,
    queue::{self, End, Leased},
    reading::{Progress, Reading},
};
use crate::{Settings, email::Mailer};
use domain::{
    Submission,
    submission::{ProcessingOutcome, SubmissionCommand},
};
use event_store::{DispatchError, EventStore, notify::Heads};
use runtime::{
    backoff::{Backoff, jitter},
    clock::Clock,
    config::jobs::JobsConfig,
    ids::Ids,
};
use sqlx::PgPool;
use std::{sync::Arc, time::Duration};
use time::OffsetDateTime;
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinError},
};
use tokio_util::sync::CancellationToken;

/// How often a worker without work looks for itself.
const POLL: Duration = Duration::from_secs(1);
/// How often a held job is renewed.
const RENEW: Duration = Duration::from_secs(10);
/// Retries wait at most this long.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// Between attempts at a database that is away.
const AWAY: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));

/// Works on jobs of one kind.
#[derive(Clone)]
pub(crate) struct Worker {
    kind: Kind,
    store: EventStore,
    reading: Reading,
    mailer: Arc<Mailer>,
    heads: Heads,
    clock: Clock,
    ids: Ids,
    config: JobsConfig,
    grace: Duration,
}

/// Why a held job was let go before it ended.
enum LetGo {
    /// Somebody else has it, or may have.
    Lost,
    /// The process is to stop and the grace is over.
    Stopped,
}

impl Worker {
    pub(crate) fn new(kind: Kind, settings: &Settings) -> Self {
        Self {
            kind,
            store: settings.store.clone(),
            reading: Reading {
                store: settings.store.clone(),
                storage: settings.storage.clone(),
                limits: settings.limits.clone(),
                engine: settings.engine.clone(),
            },
            mailer: Arc::new(Mailer::new(settings)),
            heads: settings.heads.clone(),
            clock: settings.clock.clone(),
            ids: settings.ids.clone(),
            config: settings.jobs.clone(),
            grace: settings.grace,
        }
    }

    /// Works until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut woken = self.heads.watch_projection(self.kind.wake());
        let mut failures = 0;
        while !shutdown.is_cancelled() {
            let wait = match self.take().await {
                Ok(Some(job)) => {
                    failures = 0;
                    self.work(job, &shutdown).await;
                    continue;
                }
                Ok(None) => {
                    failures = 0;
                    POLL
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(kind = %self.kind, %error, "no {} job can be taken: {error}", self.kind);
                    AWAY.delay(failures, jitter())
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                Ok(()) = woken.changed(), if failures == 0 => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn take(&self) -> Result<Option<Leased>, sqlx::Error> {
        let most = self.config.max_retries + 1;
        queue::lease(
            self.pool(),
            self.kind,
            self.ids.next(),
            self.clock.now(),
            most,
        )
        .await
    }

    /// One attempt, held all the while.
    async fn work(&self, job: Leased, shutdown: &CancellationToken) {
        let (progress, told) = watch::channel(None);
        let attempt = self.clone().attempt(job.clone(), progress);
        let attempt = tokio::spawn(attempt);
        let _stop = StopOnDrop(attempt.abort_handle());
        let began = tokio::time::Instant::now();
        let finished = async {
            let result = attempt.await.unwrap_or_else(|error| Err(broken(&error)));
            self.conclude(&job, result).await
        };
        let outcome = tokio::select! {
            outcome = finished => outcome,
            let_go = self.hold(&job, told, shutdown) => self.let_go(&job, let_go).await,
        };
        let kind = self.kind.as_str();
        metrics::counter!("alta_jobs_total", "kind" => kind, "outcome" => outcome).increment(1);
        metrics::histogram!("alta_job_seconds", "kind" => kind)
            .record(began.elapsed().as_secs_f64());
    }

    async fn attempt(self, job: Leased, progress: Progress) -> Result<Done, Failure> {
        if job.exhausted {
            let detail = "every attempt ended with the death of its worker";
            return Err(Failure::passing("ENGINE_FAILED", detail));
        }
        match self.kind {
            Kind::Ocr | Kind::Transcription => self.reading.attempt(&job, progress).await,
            Kind::Email => self.mailer.attempt(&job).await,
        }
    }

    /// Renews the hold until it is lost or the process has to stop.
    async fn hold(
        &self,
        job: &Leased,
        progress: watch::Receiver<Option<(u32, u32)>>,
        shutdown: &CancellationToken,
    ) -> LetGo {
        let stop = async {
            shutdown.cancelled().await;
            tokio::time::sleep(self.grace).await;
        };
        let renewed = async {
            let mut held_until = tokio::time::Instant::now() + queue::LEASE;
            loop {
                tokio::time::sleep(RENEW).await;
                let told = *progress.borrow();
                match queue::renew(self.pool(), job, self.clock.now(), told).await {
                    Ok(true) => held_until = tokio::time::Instant::now() + queue::LEASE,
                    Err(_) if tokio::time::Instant::now() + RENEW < held_until => {}
                    Ok(false) | Err(_) => return,
                }
            }
        };
        tokio::select! {
            () = stop => LetGo::Stopped,
            () = renewed => LetGo::Lost,
        }
    }

    async fn let_go(&self, job: &Leased, why: LetGo) -> &'static str {
        let job_id = job.job_id;
        match why {
            LetGo::Lost => {
                tracing::warn!(%job_id, "job {job_id} was taken from this worker");
                "lost"
            }
            LetGo::Stopped => {
                // If this fails too, the hold runs out by itself.
                let _ = queue::release(self.pool(), job, self.clock.now()).await;
                tracing::info!(%job_id, "job {job_id} is given back: the process stops");
                "released"
            }
        }
    }

    /// Records what came of the attempt, first in the stream and then in the row: a crash between
    /// the two is found out by the next worker. Returns the outcome's word.
    async fn conclude(&self, job: &Leased, result: Result<Done, Failure>) -> &'static str {
        match result {
            Ok(Done::Result(outcome)) => {
                self.record(job, *outcome).await;
                self.finish(job, End::Succeeded, None).await
            }
            Ok(Done::Sent) => self.finish(job, End::Succeeded, None).await,
            Ok(Done::Settled(end)) => self.finish(job, end, None).await,
            Ok(Done::Skipped(why)) => {
                let words = "there was nothing to do any more";
                self.finish(job, End::Discarded, Some((why, words))).await
            }
            Err(failure) => self.failed(job, failure).await,
        }
    }

    async fn failed(&self, job: &Leased, failure: Failure) -> &'static str {
        let (job_id, kind, attempt) = (job.job_id, self.kind, job.attempt);
        let Failure {
            code,
            detail,
            permanent,
        } = failure;
        let detail = queue::shortened(&detail);
        let last = job.exhausted || attempt > self.config.max_retries;
        let because = (code.as_str(), detail.as_str());
        tracing::warn!(%job_id, %kind, attempt, code, "{kind} job {job_id}, attempt {attempt}: {code}: {detail}");
        if permanent {
            self.record(job, failed_outcome(attempt, because)).await;
            self.finish(job, End::Failed, Some(because)).await
        } else if last {
            self.record(job, dead_outcome(attempt, because)).await;
            self.finish(job, End::Dead, Some(because)).await
        } else {
            self.again(job, because).await;
            "retried"
        }
    }

    async fn again(&self, job: &Leased, because: (&str, &str)) {
        let run_after = self.clock.now() + wait_before_retry(self.config.retry_delay, job.attempt);
        self.insist(job, || {
            queue::retry_later(self.pool(), job, run_after, because)
        })
        .await;
    }

    async fn finish(&self, job: &Leased, end: End, error: Option<(&str, &str)>) -> &'static str {
        let now: OffsetDateTime = self.clock.now();
        self.insist(job, || queue::finish(self.pool(), job, end, now, error))
            .await;
        end.as_str()
    }

    /// Says in the item's stream how the run ended. Repeats until the store takes it; the hold is
    /// renewed meanwhile, and when it is lost this future is dropped.
    async fn record(&self, job: &Leased, outcome: ProcessingOutcome) {
        let Some(item_id) = job.item_id.filter(|_| self.kind != Kind::Email) else {
            return;
        };
        let context = job.task.context(job.source_event_id);
        let command = SubmissionCommand::RecordProcessing {
            run_id: job.job_id,
            outcome,
        };
        self.insist(job, || async {
            match self
                .store
                .execute::<Submission>(item_id, command.clone(), &context)
                .await
            {
                Err(error @ (DispatchError::Store(_) | DispatchError::Conflict)) => Err(error),
                Err(refusal) => {
                    tracing::warn!(%item_id, %refusal, "an outcome of {item_id} was refused: {refusal}");
                    Ok(())
                }
                Ok(_) => Ok(()),
            }
        })
        .await;
    }

    /// Repeats until it succeeds.
    async fn insist<E: std::fmt::Display, F: Future<Output = Result<(), E>>>(
        &self,
        job: &Leased,
        what: impl Fn() -> F,
    ) {
        let mut failures = 0;
        while let Err(error) = what().await {
            failures += 1;
            let job_id = job.job_id;
            tracing::warn!(%job_id, %error, "job {job_id}: its end cannot be recorded yet: {error}");
            tokio::time::sleep(AWAY.delay(failures, jitter())).await;
        }
    }

    fn pool(&self) -> &PgPool {
        self.store.pool()
    }
}

/// How long to wait before the attempt that follows a failed one: the configured delay, doubled for
/// every failure before it.
pub(crate) fn wait_before_retry(first: Duration, failed_attempts: u32) -> Duration {
    Backoff::new(first, LONGEST_WAIT.max(first)).delay(failed_attempts, jitter())
}

fn failed_outcome(attempts: u32, (code, error): (&str, &str)) -> ProcessingOutcome {
    ProcessingOutcome::Failed {
        attempts,
        error_code: code.to_owned(),
        error: error.to_owned(),
    }
}

fn dead_outcome(attempts: u32, (code, error): (&str, &str)) -> ProcessingOutcome {
    ProcessingOutcome::DeadLettered {
        attempts,
        error_code: code.to_owned(),
        error: error.to_owned(),
    }
}

/// A panic says something about us, not about the file; its words may quote the file.
fn broken(error: &JoinError) -> Failure {
    let detail = if error.is_panic() {
        "the attempt panicked"
    } else {
        "the attempt was cut off"
    };
    Failure::passing("ENGINE_FAILED", detail)
}

/// An attempt whose worker lets go of the job must not go on in the background.
struct StopOnDrop(AbortHandle);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_attempt_to_attempt_with_at_most_half_taken_off() {
        let first = Duration::from_secs(5);
        for (failed, longest) in [(1, 5), (2, 10), (3, 20)] {
            let longest = Duration::from_secs(longest);
            let wait = wait_before_retry(first, failed);
            assert!(
                (longest / 2..=longest).contains(&wait),
                "{failed}: {wait:?}"
            );
        }
        assert!(wait_before_retry(first, 1_000) <= LONGEST_WAIT);
        assert_eq!(wait_before_retry(Duration::ZERO, 3), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_panic_counts_as_a_failed_attempt_and_its_words_are_not_kept() {
        let attempt = tokio::spawn(async { panic!("a word of the file") });
        let failure = broken(&attempt.await.expect_err("it panicked"));
        let expected = Failure::passing("ENGINE_FAILED", "the attempt panicked");
        assert_eq!(failure, expected);
    }
}
