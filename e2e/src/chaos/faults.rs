//! Lets the faults of a plan happen, one after the other or several at a time, and undoes each.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex as Quick, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use sqlx::{Connection, Executor, PgConnection};
use test_kit::MailMode;
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    plan::{Fault, SESSIONS, Trouble},
    stage::Stage,
};

/// An event that is never there: its transaction is rolled back in the end. Until then, whoever gives
/// positions must neither wait for it nor forget it.
const INSERT: &str = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type,
        event_version, payload, metadata)
    VALUES ('submission', gen_random_uuid()::text, 1, 'RawTextCreated', '1', '{}', '{}')";
/// More than PostgreSQL has.
const MOST_CONNECTIONS: usize = 300;

/// When a fault was there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Happened {
    pub trouble: Trouble,
    pub from: std::time::Instant,
    pub to: std::time::Instant,
}

/// The faults under way.
pub(super) struct Faults {
    stage: Arc<Stage>,
    begun: Instant,
    under_way: JoinSet<Result<()>>,
    targets: HashMap<String, Arc<Mutex<()>>>,
    happened: Arc<Quick<Vec<Happened>>>,
    count: usize,
}

impl Faults {
    pub fn new(stage: &Arc<Stage>) -> Self {
        Self {
            stage: stage.clone(),
            begun: Instant::now(),
            under_way: JoinSet::new(),
            targets: HashMap::new(),
            happened: Arc::default(),
            count: 0,
        }
    }

    /// Lets one more fault happen, after its pause and once its target is free.
    pub async fn inject(&mut self, fault: Fault) -> Result<()> {
        sleep(fault.after).await;
        let target = self.targets.entry(fault.trouble.target()).or_default();
        let free = target.clone().lock_owned().await;
        self.count += 1;
        let at = self.begun.elapsed().as_secs_f64();
        println!("{at:7.1} s  fault {}: {fault}", self.count);
        let (stage, happened) = (self.stage.clone(), self.happened.clone());
        self.under_way.spawn(one(stage, fault, happened, free));
        while let Some(ended) = self.under_way.try_join_next() {
            ended??;
        }
        Ok(())
    }

    /// Waits until all faults are over.
    pub async fn over(&mut self) -> Result<()> {
        while let Some(ended) = self.under_way.join_next().await {
            ended??;
        }
        Ok(())
    }

    pub fn happened(&self) -> Vec<Happened> {
        let happened = self.happened.lock();
        happened.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn one(
    stage: Arc<Stage>,
    fault: Fault,
    happened: Arc<Quick<Vec<Happened>>>,
    _free: OwnedMutexGuard<()>,
) -> Result<()> {
    let from = std::time::Instant::now();
    let done = happen(&stage, fault).await;
    let mut happened = happened.lock().unwrap_or_else(PoisonError::into_inner);
    happened.push(Happened {
        trouble: fault.trouble,
        from,
        to: std::time::Instant::now(),
    });
    done.with_context(|| fault.to_string())
}

async fn happen(stage: &Stage, Fault { trouble, lasts, .. }: Fault) -> Result<()> {
    match trouble {
        Trouble::Kill { part } => stage.parts[part].kill(lasts).await?,
        Trouble::Freeze { part } => stage.parts[part].freeze(lasts).await,
        Trouble::NatsNode { node } => {
            let mut nats = stage.nats.lock().await;
            nats.stop(node).await;
            sleep(lasts).await;
            nats.start(node).await?;
        }
        Trouble::NatsAll => {
            let mut nats = stage.nats.lock().await;
            nats.stop_all().await;
            sleep(lasts).await;
            nats.start_all().await?;
        }
        Trouble::NatsWiped => {
            let mut nats = stage.nats.lock().await;
            nats.stop_and_wipe().await?;
            sleep(lasts).await;
            nats.start_all().await?;
        }
        Trouble::Postgres => {
            let mut postgres = stage.postgres.lock().await;
            postgres.stop_immediately().await;
            sleep(lasts).await;
            postgres.start().await?;
        }
        // What PostgreSQL itself does to these sessions meanwhile is as good.
        Trouble::Severed { part } => drop(sever(stage, part).await),
        Trouble::OpenWriter { inserts } => drop(stay_open(stage, inserts, lasts).await),
        Trouble::Crowd => crowd(stage, lasts).await,
        Trouble::EngineHangs => {
            stage.engine.hang(true);
            sleep(lasts).await;
            stage.engine.hang(false);
        }
        Trouble::MailHangsUp => {
            stage.mails.set_mode(MailMode::HangUp);
            sleep(lasts).await;
            stage.mails.set_mode(MailMode::Accept);
        }
        Trouble::Clock { part, by } => {
            stage.set_clock(part, by)?;
            sleep(lasts).await;
            stage.set_clock(part, 0)?;
        }
    }
    Ok(())
}

async fn sever(stage: &Stage, part: Option<usize>) -> Result<(), sqlx::Error> {
    let mut session = PgConnection::connect(&stage.database_url).await?;
    let all = SESSIONS.iter().enumerate();
    let names: Vec<&str> = all
        .filter(|(index, _)| part.is_none_or(|part| part == *index))
        .flat_map(|(_, (_, names))| names.iter().copied())
        .collect();
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = ANY($1)",
    )
    .bind(names)
    .execute(&mut session)
    .await?;
    Ok(())
}

async fn stay_open(stage: &Stage, inserts: bool, lasts: Duration) -> Result<(), sqlx::Error> {
    let mut session = PgConnection::connect(&stage.database_url).await?;
    let mut transaction = session.begin().await?;
    let statement = if inserts {
        INSERT
    } else {
        "SELECT pg_current_xact_id()"
    };
    transaction.execute(statement).await?;
    sleep(lasts).await;
    transaction.rollback().await
}

/// Takes all that are free, ends the service's own and takes those too.
async fn crowd(stage: &Stage, lasts: Duration) {
    let until = Instant::now() + lasts;
    let mut taken = vec![];
    let mut severed = false;
    while Instant::now() < until && taken.len() < MOST_CONNECTIONS {
        match PgConnection::connect(&stage.database_url).await {
            Ok(session) => taken.push(session),
            Err(_) if severed => sleep(Duration::from_millis(20)).await,
            Err(_) => {
                let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE application_name LIKE 'alta%'";
                if let Some(session) = taken.last_mut() {
                    // It may have been severed itself.
                    let _ = session.execute(others).await;
                }
                severed = true;
            }
        }
    }
}
