//! Keeps all projectors going: each takes the lead for its name, follows the events from its
//! checkpoint, and starts over with a growing delay after any fault. No event is ever skipped.
//!
//! The processors follow in much the same way (`processors::follow`), and only the lead and the
//! back-off are shared on purpose. What differs is the middle of the loop: a projector that meets an
//! event that it cannot read stands still, because rows without it would be wrong for ever, while a
//! follower there narrows the batch down, parks that one event and goes on; and a projector's
//! checkpoint has a version that can have its tables made anew. One loop for both would ask at each of these
//! places which kind it is.

use crate::{
    Access, Analytics, History, ReviewQueue, Search, Submissions, progress,
    projector::{BATCH, ProjectionError, Projector, catch_up, checkpoint},
    rebuild::{self, Attempt, Outcome, RebuildError, RebuildSettings},
    traced::Batch,
};
use event_store::{Log, Subscription, beating, lead, notify::Heads};
use media::ObjectStorage;
use runtime::backoff::{Backoff, jitter};
use sqlx::postgres::PgConnectOptions;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long to wait for a rebuild that another process does.
const REBUILT_ELSEWHERE: Duration = Duration::from_millis(500);
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));

/// What projectors run on.
#[derive(Clone)]
pub struct Settings {
    /// PostgreSQL: one connection per projector, one for the metrics, and those of rebuilds.
    pub connect: PgConnectOptions,
    /// Opens a subscription to the events after a position.
    pub subscribe: Arc<dyn Fn(i64) -> Subscription + Send + Sync>,
    /// Where events are read again: for what is made anew, and for what an erasure touches.
    pub log: Log,
    /// Where new positions are announced.
    pub heads: Heads,
    /// Where long texts are, whose words are searched.
    pub storage: ObjectStorage,
}

impl Settings {
    fn for_rebuilds(&self) -> RebuildSettings {
        RebuildSettings {
            connect: self.connect.clone(),
            log: self.log.clone(),
            storage: self.storage.clone(),
        }
    }
}

/// Runs all projectors until `shutdown`; what is under way then is finished or rolled back.
///
/// Any number of processes may do this at once: for each projector one leads, and another takes over
/// when it goes away. An error is returned only when a projector's task itself broke.
pub async fn run(
    mut settings: Settings,
    shutdown: CancellationToken,
) -> Result<(), tokio::task::JoinError> {
    // Rows and checkpoint are one transaction that can be made again from the events: losing the
    // last ones in a crash loses nothing, so no flush is waited for.
    settings.connect = settings.connect.options([("synchronous_commit", "off")]);
    let mut tasks = JoinSet::new();
    tasks.spawn(keep_going(Access, settings.clone(), shutdown.clone()));
    tasks.spawn(keep_going(Submissions, settings.clone(), shutdown.clone()));
    tasks.spawn(keep_going(ReviewQueue, settings.clone(), shutdown.clone()));
    tasks.spawn(keep_going(Analytics, settings.clone(), shutdown.clone()));
    let history = History {
        log: settings.log.clone(),
    };
    tasks.spawn(keep_going(history, settings.clone(), shutdown.clone()));
    let search = Search {
        storage: settings.storage.clone(),
    };
    tasks.spawn(keep_going(search, settings.clone(), shutdown.clone()));
    tasks.spawn(rebuild::when_asked(
        settings.for_rebuilds(),
        shutdown.clone(),
    ));
    tasks.spawn(progress::report(settings.connect, shutdown));
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    Ok(())
}

async fn keep_going<P: Projector>(projector: P, settings: Settings, shutdown: CancellationToken) {
    let mut failures = Failures::default();
    while !shutdown.is_cancelled() {
        match follow(&projector, &settings, &shutdown, &mut failures).await {
            Ok(()) => return,
            Err(error) => failures.log::<P>(&error),
        }
        metrics::counter!("alta_projection_failures_total", "projection" => P::NAME).increment(1);
        let delay = BACKOFF.delay(failures.in_a_row, jitter());
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(delay) => {}
        }
    }
}

/// What went wrong since the last success, so that a lasting fault is logged once.
#[derive(Default)]
struct Failures {
    in_a_row: u32,
    position: i64,
    last: Option<String>,
}

impl Failures {
    fn log<P: Projector>(&mut self, error: &ProjectionError) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        let words = error.to_string();
        if self.last.as_ref() == Some(&words) {
            return;
        }
        tracing::error!(
            projection = P::NAME,
            position = self.position,
            error = words,
            "{} stands still after position {}: {words}",
            P::NAME,
            self.position
        );
        self.last = Some(words);
    }

    fn over<P: Projector>(&mut self, position: i64) {
        if self.in_a_row > 0 {
            tracing::info!(
                projection = P::NAME,
                position,
                "{} goes on after {} failures, at position {position}",
                P::NAME,
                self.in_a_row
            );
        }
        *self = Self {
            position,
            ..Self::default()
        };
    }
}

/// Leads and follows until `shutdown` (`Ok`) or the first fault.
async fn follow<P: Projector>(
    projector: &P,
    settings: &Settings,
    shutdown: &CancellationToken,
    failures: &mut Failures,
) -> Result<(), ProjectionError> {
    let Some(mut connection) = lead(&settings.connect, P::NAME, shutdown).await? else {
        return Ok(());
    };
    let mut found = checkpoint::<P>(&mut connection).await?;
    while found.outdated {
        let made = made_anew(projector, settings, shutdown);
        if !beating(&mut connection, made).await?? {
            return Ok(());
        }
        found = checkpoint::<P>(&mut connection).await?;
    }
    let mut position = found.position;
    failures.position = position;
    tracing::info!(
        projection = P::NAME,
        position,
        "{} leads from position {position}",
        P::NAME
    );
    settings.heads.projected(P::NAME, position);
    let mut events = (settings.subscribe)(position);
    loop {
        let batch = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            batch = beating(&mut connection, events.next_batch(BATCH)) => batch??,
        };
        let spans = Batch::begun(P::NAME, &batch, batch.len() == BATCH);
        let applied = catch_up(projector, &mut connection, position, &batch).await;
        position = applied.inspect_err(|error| spans.failed(error))?;
        drop(spans);
        settings.heads.projected(P::NAME, position);
        progress::applied(P::NAME, position, batch.len());
        failures.over::<P>(position);
    }
}

/// Fills the tables of older code anew, beside the old ones, which are read as they are until then.
/// `false` when `shutdown` came first.
async fn made_anew<P: Projector>(
    projector: &P,
    settings: &Settings,
    shutdown: &CancellationToken,
) -> Result<bool, ProjectionError> {
    let attempt = Attempt::of_service(shutdown.clone());
    match rebuild::rebuild(projector, &settings.for_rebuilds(), &attempt).await {
        Ok(Outcome::Swapped(_)) => Ok(true),
        Ok(Outcome::Interrupted(_)) => Ok(false),
        Err(RebuildError::Projection(error)) => Err(error),
        // Somebody else is at it; what they make is looked at again.
        Err(_) => {
            tokio::select! {
                () = shutdown.cancelled() => Ok(false),
                () = tokio::time::sleep(REBUILT_ELSEWHERE) => Ok(true),
            }
        }
    }
}
