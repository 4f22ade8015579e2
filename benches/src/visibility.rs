//! How long from the commit of an event to its row in the review queue, under a steady load.
//!
//! A write is the submission of a text, over HTTP. Its commit is taken to be `recorded_at` (the database's
//! clock inside the append, so a little early), its visibility the arrival of the review queue's
//! announcement that its position was committed.

use crate::{
    http::Connection,
    load::{Report, Schedule, open_loop},
    scene::Scene,
    times::Times,
};
use anyhow::{Result, ensure};
use futures::StreamExt;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

/// How long the last event may take to be announced.
const PATIENCE: Duration = Duration::from_mins(1);

/// When each checkpoint of the review queue was announced, in microseconds since 1970.
#[derive(Clone)]
pub struct Announced(Arc<Mutex<BTreeMap<i64, i64>>>);

impl Announced {
    /// Listens from now on.
    ///
    /// # Errors
    /// When NATS cannot be reached.
    pub async fn listen(url: &str) -> Result<Self> {
        let nats = async_nats::connect(url).await?;
        let mut messages = nats.subscribe("alta.projected.review_queue").await?;
        nats.flush().await?;
        let announced = Self(Arc::default());
        let noted = announced.clone();
        tokio::spawn(async move {
            while let Some(message) = messages.next().await {
                if let Ok(position) = message.payload.as_ref().try_into() {
                    noted
                        .all()
                        .entry(i64::from_be_bytes(position))
                        .or_insert(now());
                }
            }
        });
        Ok(announced)
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<i64, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When this position was passed.
    fn passed(&self, position: i64) -> Option<i64> {
        self.all().range(position..).next().map(|(_, at)| *at)
    }
}

/// In microseconds since 1970.
fn now() -> i64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "compared with the database's clock"
    )]
    let now = SystemTime::now();
    let now = now.duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default().as_micros() as i64
}

/// Hands texts in on a schedule: how long the answers took, and from commit to visible.
///
/// # Errors
/// When nothing was committed, or is never announced.
pub async fn measure(
    scene: &Scene,
    announced: &Announced,
    database_url: &str,
    schedule: Schedule,
) -> Result<(Report, Times)> {
    let texts = scene.texts(schedule.count).await?;
    let after = crate::scene::settled(database_url).await?;
    let submit = async |connection: &mut Connection, number: usize| {
        let call = scene.submit(number, &texts[number]);
        connection.send(&call).await?;
        Ok(())
    };
    let report = open_loop(&scene.address, schedule, submit).await?;
    let last = crate::scene::settled(database_url).await?;
    let begun = Instant::now();
    while announced.passed(last).is_none() {
        ensure!(begun.elapsed() < PATIENCE, "{last} is never announced");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let pool = sqlx::PgPool::connect(database_url).await?;
    let committed: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT l.position, (extract(epoch FROM e.recorded_at) * 1000000)::bigint
         FROM event_log l JOIN events e ON e.id = l.event_id
         WHERE l.position > $1 AND e.event_type = 'SubmissionSubmitted' ORDER BY l.position",
    )
    .bind(after)
    .fetch_all(&pool)
    .await?;
    pool.close().await;
    ensure!(!committed.is_empty(), "nothing was committed");
    let visible = committed.iter().filter_map(|(position, at)| {
        let seen = announced.passed(*position)?;
        Some((seen - at) as f64 / 1e3)
    });
    Ok((report, Times::new(visible.collect())))
}
