//! Starts what a process is to do by itself and keeps it going until told to stop. Any number of
//! processes may do this at once.

use crate::{
    Engines,
    email::{Authorities, Templates},
    follow::{Source, Subscribe, follow},
    jobs::{Kind, gauges, intake::Intake, sweep, worker::Worker},
    policies::Policies,
    when_user_erased_leave_nothing::Erasures,
};
use event_store::{EventStore, notify::Heads};
use media::{Limits, ObjectStorage};
use runtime::{
    clock::Clock,
    config::{jobs::JobsConfig, mail::MailConfig},
    ids::Ids,
    signed_token::SignedTokens,
};
use sqlx::postgres::PgConnectOptions;
use std::{path::PathBuf, str::FromStr, sync::Arc, time::Duration};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How many mails one process sends at a time.
const MAILS_AT_ONCE: usize = 4;

/// What the processors run on.
#[derive(Clone)]
pub struct Settings {
    /// PostgreSQL: one connection per follower beside the store's pool.
    pub connect: PgConnectOptions,
    /// Opens a subscription to the events after a position.
    pub subscribe: Subscribe,
    /// Where checkpoints are announced, which also wakes the workers.
    pub heads: Heads,
    /// Loads streams and takes commands; its pool serves the job table too.
    pub store: EventStore,
    /// Where files and large results are.
    pub storage: ObjectStorage,
    /// Makes the tokens in mails.
    pub tokens: SignedTokens,
    /// How mails are sent.
    pub mail: MailConfig,
    /// Who may vouch for the mail server.
    pub mail_authorities: Authorities,
    /// What links in mails begin with; no trailing slash.
    pub public_url: String,
    /// What mails say.
    pub mail_templates: Arc<Templates>,
    /// Where mails are written when there is no mail server.
    pub mail_directory: PathBuf,
    /// Retries and concurrency.
    pub jobs: JobsConfig,
    /// Bounds on what engines are given.
    pub limits: Limits,
    /// What reads documents and recordings.
    pub engines: Engines,
    /// The time.
    pub clock: Clock,
    /// New ids.
    pub ids: Ids,
    /// How long running jobs may take to finish once told to stop; then their leases are given back.
    pub grace: Duration,
    /// What this process does; all of it when empty.
    pub only: Vec<Part>,
}

/// One thing that processors do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Commands that follow from events.
    Policies,
    /// Turning events into jobs.
    Intake,
    /// Working on jobs of one kind.
    Work(Kind),
}

impl Part {
    /// Everything.
    pub const ALL: [Self; 5] = [
        Self::Policies,
        Self::Intake,
        Self::Work(Kind::Ocr),
        Self::Work(Kind::Transcription),
        Self::Work(Kind::Email),
    ];

    /// The word on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policies => "policies",
            Self::Intake => "intake",
            Self::Work(kind) => kind.as_str(),
        }
    }
}

/// The word names nothing that processors do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not one of policies, intake, ocr, transcription, email")]
pub struct UnknownPart(String);

impl FromStr for Part {
    type Err = UnknownPart;

    fn from_str(word: &str) -> Result<Self, UnknownPart> {
        Self::ALL
            .into_iter()
            .find(|part| part.as_str() == word)
            .ok_or_else(|| UnknownPart(word.to_owned()))
    }
}

/// Runs until `shutdown`; then takes no new work, and lets what runs finish within the grace.
/// An error is returned only when a task itself broke.
pub async fn run(
    settings: Settings,
    shutdown: CancellationToken,
) -> Result<(), tokio::task::JoinError> {
    let mut tasks = JoinSet::new();
    for part in Part::ALL {
        if settings.only.is_empty() || settings.only.contains(&part) {
            start(&mut tasks, part, &settings, &shutdown);
        }
    }
    let pool = settings.store.pool().clone();
    tasks.spawn(sweep::keep_sweeping_rows(pool.clone(), shutdown.clone()));
    tasks.spawn(sweep::keep_sweeping_directories(shutdown.clone()));
    tasks.spawn(gauges::report(pool, shutdown));
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    Ok(())
}

fn start(tasks: &mut JoinSet<()>, part: Part, settings: &Settings, shutdown: &CancellationToken) {
    // Checkpoints, and jobs with theirs, are made again from the events if a crash loses the last ones. What
    // a policy appended, and what a worker takes, is on disk before: other sessions flush for that.
    let connect = settings
        .connect
        .clone()
        .options([("synchronous_commit", "off")]);
    let source = || Source {
        connect: connect.clone(),
        subscribe: settings.subscribe.clone(),
        heads: settings.heads.clone(),
    };
    match part {
        Part::Policies => {
            let store = settings.store.clone();
            let erasures = Erasures {
                store: store.clone(),
                storage: settings.storage.clone(),
            };
            tasks.spawn(follow(Policies { store }, source(), shutdown.clone()));
            tasks.spawn(follow(erasures, source(), shutdown.clone()));
        }
        Part::Intake => {
            let store = settings.store.clone();
            tasks.spawn(follow(Intake { store }, source(), shutdown.clone()));
        }
        Part::Work(kind) => {
            let workers = match kind {
                Kind::Ocr => settings.jobs.ocr_concurrency,
                Kind::Transcription => settings.jobs.transcription_concurrency,
                Kind::Email => MAILS_AT_ONCE,
            };
            let worker = Worker::new(kind, settings);
            for _ in 0..workers {
                tasks.spawn(worker.clone().run(shutdown.clone()));
            }
        }
    }
}
