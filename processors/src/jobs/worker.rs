//! Takes jobs of one kind and works on them, one at a time: woken by new ones, and looking for itself
//! every second. What it holds it renews; what it cannot finish in time it gives back.

use super::{
    Done, Failure, Kind,
    item_facts::ItemFacts,
    queue::{self, End, Leased},
    reading::{Progress, Reading, settled},
};
use crate::{Settings, email::Mailer, follow::unreadable};
use domain::{
    Submission,
    submission::{ProcessingOutcome, SubmissionCommand, SubmissionError},
};
use event_store::{Context, DispatchError, EventStore, notify::Heads};
use runtime::{
    backoff::{Backoff, jitter},
    config::jobs::JobsConfig,
    ids::Ids,
    trace::{self, TARGET},
};
use sqlx::PgPool;
use std::{fmt, pin::pin, sync::Arc, time::Duration};
use tokio::{sync::watch, task::AbortHandle};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

/// How often a worker without work looks for itself.
const POLL: Duration = Duration::from_secs(1);
/// How often a held job is renewed.
const RENEW: Duration = Duration::from_secs(8);
/// How long renewing may take.
const RENEWAL: Duration = Duration::from_secs(4);
/// Retries wait at most this long.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// What is said of a job that needs nothing more.
const MOOT: &str = "there was nothing to do any more";
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
    ids: Ids,
    config: JobsConfig,
    grace: Duration,
}

/// How a row is to end: with which word, and which error.
type Ending<'a> = (End, Option<(&'a str, &'a str)>);

impl Worker {
    pub(crate) fn new(kind: Kind, settings: &Settings) -> Self {
        Self {
            kind,
            store: settings.store.clone(),
            reading: Reading {
                store: settings.store.clone(),
                storage: settings.storage.clone(),
                limits: settings.limits.clone(),
                engines: settings.engines.clone(),
                clock: settings.clock.clone(),
            },
            mailer: Arc::new(Mailer::new(settings)),
            heads: settings.heads.clone(),
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
            if let Some(rest) = self.rest() {
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = tokio::time::sleep(rest) => {}
                }
                continue;
            }
            let wait = match self.take().await {
                Ok(Some(job)) => {
                    failures = 0;
                    self.work_traced(job, &shutdown).await;
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

    /// How long to wait before taking a job, while who would do it is left alone.
    fn rest(&self) -> Option<Duration> {
        match self.kind {
            Kind::Ocr => self.reading.engines.ocr.rest(),
            Kind::Transcription => self.reading.engines.transcription.rest(),
            Kind::Email => self.mailer.rest(),
        }
    }

    async fn take(&self) -> Result<Option<Leased>, sqlx::Error> {
        let most = self.config.max_retries + 1;
        queue::lease(self.pool(), self.kind, self.ids.next(), most).await
    }

    /// One attempt, which goes on with the trace of the event that asked for it, and what became of it in
    /// a line.
    async fn work_traced(&self, mut job: Leased, shutdown: &CancellationToken) {
        let kind = self.kind.as_str();
        let (job_id, attempt, causation_id) = (job.job_id, job.attempt, job.source_event_id);
        let span = tracing::trace_span!(
            target: TARGET,
            parent: None,
            "job",
            otel.name = format!("job {kind}"),
            otel.kind = "consumer",
            %job_id,
            attempt,
        );
        trace::continues(&span, job.task.traceparent.as_deref());
        job.task.traceparent = trace::traceparent(&span).or(job.task.traceparent);
        let request_id = job.task.request_id.clone();
        let work = self.work(job, shutdown).instrument(span.clone());
        let outcome = work.await;
        if !matches!(outcome, "succeeded" | "discarded" | "released") {
            trace::failed(&span, outcome);
        }
        tracing::info!(
            %job_id, kind, attempt, outcome, request_id, %causation_id,
            "{kind} job {job_id}, attempt {attempt}: {outcome}"
        );
    }

    /// One attempt, held all the while. Once it has ended, only the loss of the hold keeps its end
    /// from being written down.
    async fn work(&self, job: Leased, shutdown: &CancellationToken) -> &'static str {
        let (progress, told) = watch::channel(None);
        let mut attempt = tokio::spawn(self.clone().attempt(job.clone(), progress));
        let _stop = StopOnDrop(attempt.abort_handle());
        let began = tokio::time::Instant::now();
        let mut lost = pin!(self.hold(&job, told));
        let ended = tokio::select! {
            biased;
            ended = &mut attempt => Some(ended),
            () = self.stopped(shutdown) => {
                attempt.abort();
                Some(attempt.await)
            }
            () = &mut lost => None,
        };
        let outcome = match ended {
            None => taken_away(&job),
            Some(Err(error)) if error.is_cancelled() => self.give_back(&job).await,
            Some(ended) => {
                let result = ended.unwrap_or_else(|_| Err(broken()));
                tokio::select! {
                    outcome = self.conclude(&job, result) => outcome,
                    () = &mut lost => taken_away(&job),
                }
            }
        };
        let kind = self.kind.as_str();
        metrics::counter!("alta_jobs_total", "kind" => kind, "outcome" => outcome).increment(1);
        metrics::histogram!("alta_job_seconds", "kind" => kind)
            .record(began.elapsed().as_secs_f64());
        outcome
    }

    async fn attempt(self, job: Leased, progress: Progress) -> Result<Done, Failure> {
        match self.kind {
            Kind::Ocr | Kind::Transcription => self.reading.attempt(&job, progress).await,
            Kind::Email if job.exhausted => Err(Failure::worn_out()),
            Kind::Email => self.mailer.attempt(&job).await,
        }
    }

    /// Until the process is to stop and the grace is over.
    async fn stopped(&self, shutdown: &CancellationToken) {
        shutdown.cancelled().await;
        tokio::time::sleep(self.grace).await;
    }

    /// Renews the hold until somebody else has it, or may have.
    async fn hold(&self, job: &Leased, progress: watch::Receiver<Option<(u32, u32)>>) {
        let mut held_until = tokio::time::Instant::now() + queue::LEASE;
        loop {
            tokio::time::sleep(RENEW).await;
            let asked = tokio::time::Instant::now();
            let told = *progress.borrow();
            let renewal = queue::renew(self.pool(), job, told);
            match tokio::time::timeout(RENEWAL, renewal).await {
                Ok(Ok(true)) => held_until = asked + queue::LEASE,
                Ok(Ok(false)) => return,
                _ if tokio::time::Instant::now() + RENEW + RENEWAL < held_until => {}
                _ => return,
            }
        }
    }

    async fn give_back(&self, job: &Leased) -> &'static str {
        let job_id = job.job_id;
        // If this fails too, the hold runs out by itself.
        let _ = queue::release(self.pool(), job).await;
        tracing::info!(%job_id, "job {job_id} is given back: the process stops");
        "released"
    }

    /// Records what came of the attempt, first in the stream and then in the row: a crash between
    /// the two is found out by the next worker. Returns the outcome's word.
    async fn conclude(&self, job: &Leased, result: Result<Done, Failure>) -> &'static str {
        match result {
            Ok(Done::Result(outcome)) => self.end(job, *outcome, (End::Succeeded, None)).await,
            Ok(Done::Sent) => self.finish(job, (End::Succeeded, None)).await,
            Ok(Done::Settled(end)) => self.finish(job, (end, None)).await,
            Ok(Done::Skipped(why)) => self.finish(job, (End::Discarded, Some((why, MOOT)))).await,
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
            let outcome = failed_outcome(attempt, because);
            self.end(job, outcome, (End::Failed, Some(because))).await
        } else if last {
            let outcome = dead_outcome(attempt, because);
            self.end(job, outcome, (End::Dead, Some(because))).await
        } else {
            self.again(job, because).await;
            "retried"
        }
    }

    async fn again(&self, job: &Leased, because: (&str, &str)) {
        let wait = wait_before_retry(self.config.retry_delay, job.attempt);
        self.insist(job, || queue::retry_later(self.pool(), job, wait, because))
            .await;
    }

    /// Records the outcome and ends the row with what the stream says in the end.
    async fn end(
        &self,
        job: &Leased,
        outcome: ProcessingOutcome,
        ending: Ending<'_>,
    ) -> &'static str {
        let ending = match self.record(job, outcome).await {
            Some(Done::Settled(end)) => (end, None),
            Some(Done::Skipped(why)) => (End::Discarded, Some((why, MOOT))),
            _ => ending,
        };
        self.finish(job, ending).await
    }

    async fn finish(&self, job: &Leased, (end, error): Ending<'_>) -> &'static str {
        self.insist(job, || queue::finish(self.pool(), job, end, error))
            .await;
        end.as_str()
    }

    /// Says in the item's stream how the run ended; when that was said before, returns what. Repeats
    /// until the store takes it; the hold is renewed meanwhile, and when it is lost this future is
    /// dropped.
    async fn record(&self, job: &Leased, outcome: ProcessingOutcome) -> Option<Done> {
        let item_id = job.item_id.filter(|_| self.kind != Kind::Email)?;
        let context = job.task.context(job.source_event_id);
        self.insist(job, || async {
            let known = self.record_once(item_id, (job.job_id, &outcome), &context);
            match known.await {
                Err(error @ DispatchError::Conflict) => Err(error),
                Err(DispatchError::Store(error)) if !unreadable(&error) => Err(error.into()),
                Err(refusal) => {
                    tracing::warn!(%item_id, %refusal, "an outcome of {item_id} was refused: {refusal}");
                    Ok(None)
                }
                Ok(known) => Ok(known),
            }
        })
        .await
    }

    async fn record_once(
        &self,
        item_id: Uuid,
        (run_id, outcome): (Uuid, &ProcessingOutcome),
        context: &Context,
    ) -> Result<Option<Done>, DispatchError<SubmissionError>> {
        let command = SubmissionCommand::RecordProcessing {
            run_id,
            outcome: outcome.clone(),
        };
        let appended = self.store.execute::<Submission>(item_id, command, context);
        if !appended.await?.events.is_empty() {
            return Ok(None);
        }
        let facts = self.store.load::<ItemFacts>(item_id).await?.aggregate;
        Ok(settled(&facts, run_id))
    }

    /// Repeats until it succeeds.
    async fn insist<T, E: fmt::Display, F: Future<Output = Result<T, E>>>(
        &self,
        job: &Leased,
        what: impl Fn() -> F,
    ) -> T {
        let mut failures = 0;
        loop {
            let error = match what().await {
                Ok(done) => return done,
                Err(error) => error,
            };
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
fn broken() -> Failure {
    Failure::passing("ENGINE_FAILED", "the attempt panicked")
}

fn taken_away(job: &Leased) -> &'static str {
    let job_id = job.job_id;
    tracing::warn!(%job_id, "job {job_id} was taken from this worker");
    "lost"
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
}
