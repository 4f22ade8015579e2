//! Makes a projection anew beside the live one: a copy of its tables is filled from the log by the
//! projector's own code, caught up, and put in the place of the live tables in one transaction. Reads
//! and the live projector go on meanwhile (docs/decisions/0012).
//!
//! One process rebuilds a projection at a time: it holds a session lock of that name. Rows, position
//! and state of the copy are in PostgreSQL, so that whoever gets the lock next goes on from there.

mod copy;
mod requests;
mod verify;

pub(crate) use requests::when_asked;
pub use requests::{discard, discard_outlived};
pub use verify::{Difference, TableDrift, Verified, verify};

use crate::{
    Access, Analytics, History, ProjectionError, Projector, ReviewQueue, Search, Submissions,
};
use copy::{Copy, Swap};
use event_store::Log;
use media::ObjectStorage;
use sqlx::postgres::PgConnectOptions;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// All projections, in order of their names.
pub const NAMES: [&str; 6] = [
    Access::NAME,
    Analytics::NAME,
    History::NAME,
    ReviewQueue::NAME,
    Search::NAME,
    Submissions::NAME,
];

/// How long readers are left alone before the swap is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// What a rebuild works on.
#[derive(Clone)]
pub struct RebuildSettings {
    /// PostgreSQL, as the projectors' role.
    pub connect: PgConnectOptions,
    /// Where events are read.
    pub log: Log,
    /// Where long texts are, whose words are searched.
    pub storage: ObjectStorage,
}

/// How far a copy is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Where this attempt began.
    pub from: i64,
    /// Of the last event that was read for the copy.
    pub position: i64,
    /// Where the copy may take the live one's place.
    pub target: i64,
}

/// How one attempt is run, and who hears of it.
#[derive(Clone)]
pub struct Attempt {
    /// Ends the attempt; what was filled stays.
    pub shutdown: CancellationToken,
    /// Whether an operator's interruption is meant: then nobody goes on before it is asked for again.
    pub by_operator: bool,
    /// Hears how far it is.
    pub progress: watch::Sender<Progress>,
}

impl Attempt {
    /// An attempt of the service itself: at its end another process may go on.
    pub fn of_service(shutdown: CancellationToken) -> Self {
        Self {
            shutdown,
            by_operator: false,
            progress: watch::Sender::default(),
        }
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The copy is what is read now, up to this position.
    Swapped(i64),
    /// It was told to stop; the copy waits at this position.
    Interrupted(i64),
}

/// Why a projection was not rebuilt or compared.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// There is no projection of that name.
    #[error("there is no projection {0}")]
    Unknown(String),
    /// Another process does it at this moment.
    #[error("a rebuild of {0} is under way")]
    UnderWay(&'static str),
    /// No projector has begun to fill the live tables.
    #[error("{0} has not been filled for the first time yet")]
    NotBegun(&'static str),
    /// The live tables were filled by another version of the code: there is nothing to compare.
    #[error("{0} was filled by another version of the code; it is made anew at the next start")]
    Outdated(&'static str),
    /// It was told to stop before there was anything to say.
    #[error("interrupted")]
    Interrupted,
    /// Events could not be read or applied.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
}

impl From<sqlx::Error> for RebuildError {
    fn from(error: sqlx::Error) -> Self {
        Self::Projection(error.into())
    }
}

impl From<event_store::StoreError> for RebuildError {
    fn from(error: event_store::StoreError) -> Self {
        Self::Projection(error.into())
    }
}

/// Rebuilds the projection of that name.
pub async fn rebuild_named(
    name: &str,
    settings: &RebuildSettings,
    attempt: &Attempt,
) -> Result<Outcome, RebuildError> {
    match name {
        Access::NAME => rebuild(&Access, settings, attempt).await,
        Analytics::NAME => rebuild(&Analytics, settings, attempt).await,
        History::NAME => rebuild(&history(settings), settings, attempt).await,
        ReviewQueue::NAME => rebuild(&ReviewQueue, settings, attempt).await,
        Search::NAME => rebuild(&search(settings), settings, attempt).await,
        Submissions::NAME => rebuild(&Submissions, settings, attempt).await,
        _ => Err(RebuildError::Unknown(name.to_owned())),
    }
}

/// Compares the projection of that name with what the log says, row by row.
pub async fn verify_named(
    name: &str,
    settings: &RebuildSettings,
    attempt: &Attempt,
) -> Result<Verified, RebuildError> {
    match name {
        Access::NAME => verify(&Access, settings, attempt).await,
        Analytics::NAME => verify(&Analytics, settings, attempt).await,
        History::NAME => verify(&history(settings), settings, attempt).await,
        ReviewQueue::NAME => verify(&ReviewQueue, settings, attempt).await,
        Search::NAME => verify(&search(settings), settings, attempt).await,
        Submissions::NAME => verify(&Submissions, settings, attempt).await,
        _ => Err(RebuildError::Unknown(name.to_owned())),
    }
}

fn history(settings: &RebuildSettings) -> History {
    History {
        log: settings.log.clone(),
    }
}

fn search(settings: &RebuildSettings) -> Search {
    Search {
        storage: settings.storage.clone(),
    }
}

/// Fills a copy, or goes on with the one that is there, and puts it in the live one's place.
///
/// # Errors
/// [`RebuildError::UnderWay`] when another process does it. After any error, and when the future is
/// dropped, the copy stays where it is and a later call goes on from there.
pub async fn rebuild<P: Projector>(
    projector: &P,
    settings: &RebuildSettings,
    attempt: &Attempt,
) -> Result<Outcome, RebuildError> {
    let mut copy = Copy::begin::<P>(&settings.connect).await?;
    tracing::info!(
        projection = P::NAME,
        position = copy.position(),
        "{} is rebuilt beside the live one, from position {}",
        P::NAME,
        copy.position()
    );
    let outcome = fill_and_swap(projector, &mut copy, &settings.log, attempt).await;
    match &outcome {
        Ok(Outcome::Swapped(position)) => tracing::info!(
            projection = P::NAME,
            position,
            "the copy of {} took the live one's place at position {position}",
            P::NAME
        ),
        Ok(Outcome::Interrupted(_)) => copy.interrupted(attempt.by_operator).await?,
        Err(error) => copy.failed(error, attempt.by_operator).await,
    }
    copy.leave().await;
    outcome
}

async fn fill_and_swap<P: Projector>(
    projector: &P,
    copy: &mut Copy,
    log: &Log,
    attempt: &Attempt,
) -> Result<Outcome, RebuildError> {
    let mut complete = false;
    while !attempt.shutdown.is_cancelled() {
        let target = copy.aim::<P>(log).await?;
        if !copy.fill(projector, log, target, attempt).await? {
            break;
        }
        if !complete {
            // What was appended while the indexes were made is applied before the swap.
            copy.index().await?;
            complete = true;
            continue;
        }
        match copy.swap(projector, log).await? {
            Swap::Done => return Ok(Outcome::Swapped(copy.position())),
            Swap::Behind => {}
            Swap::Busy => tokio::time::sleep(PAUSE).await,
        }
    }
    Ok(Outcome::Interrupted(copy.position()))
}
