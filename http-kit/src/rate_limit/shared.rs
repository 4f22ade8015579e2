//! Counts that all replicas share, in PostgreSQL. Where it is away or slow, nobody waits for it: each
//! process then counts for itself, until it is back.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration as Patience,
};

use runtime::secret::SecretKey;
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use tokio::time::{Instant, sleep, timeout};

use super::windows::{Caller, Class, Key, LENGTH, Window};

/// How long a request waits for its count.
const COUNT_WITHIN: Patience = Patience::from_millis(150);
/// How long the database is left alone after it did not answer.
const ASK_AGAIN: Patience = Patience::from_secs(1);
/// How often what has ended is cleared away, and how long that may take.
const SWEEP_EVERY: Patience = Patience::from_mins(1);
const SWEEP_WITHIN: Patience = Patience::from_secs(10);
/// How many rows are cleared away at a time.
const BATCH: i64 = 1_000;

const PURPOSE: &str = "rate-limit-callers";

/// The table, and whether it answers.
#[derive(Clone)]
pub(super) struct Shared {
    inner: Arc<Inner>,
    /// How long a request waits for its count.
    patience: Patience,
}

struct Inner {
    pool: PgPool,
    key: SecretKey,
    away: AtomicBool,
    swept: Mutex<Instant>,
}

impl Shared {
    /// Counts in this database. Give it a pool of its own, whose connections are open already:
    /// opening one takes longer than a request waits.
    pub(super) fn new(pool: PgPool, secret: &SecretKey) -> Self {
        Self {
            inner: Arc::new(Inner {
                pool,
                key: SecretKey::from_bytes(secret.derive(PURPOSE)),
                away: AtomicBool::new(false),
                swept: Mutex::new(Instant::now()),
            }),
            patience: COUNT_WITHIN,
        }
    }

    /// The window with one more request; nothing when the database does not say in time.
    pub(super) async fn take(&self, key: Key, now: OffsetDateTime) -> Option<Window> {
        if self.inner.away.load(Ordering::Relaxed) {
            return None;
        }
        let counted = timeout(self.patience, count(&self.inner.pool, &self.hashed(key))).await;
        match counted {
            Ok(Ok((taken, seconds_left))) => {
                self.sweep_now_and_then();
                let left = Duration::seconds_f64(seconds_left).clamp(Duration::ZERO, LENGTH);
                Some(Window {
                    taken: u32::try_from(taken).unwrap_or(u32::MAX),
                    ends: now + left,
                })
            }
            Ok(Err(error)) => self.give_up(&error.to_string()),
            Err(_) => self.give_up("no answer in time"),
        }
    }

    /// What the caller is called in the table.
    pub(super) fn hashed(&self, key: Key) -> [u8; 32] {
        let class = match key.class {
            Class::Auth => "auth",
            Class::Upload => "upload",
            Class::General => "general",
        };
        let caller = match key.caller {
            Caller::Address(IpAddr::V4(address)) => address.to_string(),
            Caller::Address(IpAddr::V6(address)) => address.to_string(),
            Caller::User(id) => id.to_string(),
            Caller::Unknown => String::new(),
        };
        self.inner.key.derive(&format!("{class} {caller}"))
    }

    /// Once per outage: says so, and sends somebody to wait for the database.
    pub(super) fn give_up(&self, why: &str) -> Option<Window> {
        if !self.inner.away.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                error = why,
                "shared rate limits are out ({why}), counting in this process alone"
            );
            let shared = self.clone();
            tokio::spawn(async move { shared.wait_for_it().await });
        }
        None
    }

    #[cfg(test)]
    pub(super) fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    #[cfg(test)]
    pub(super) fn is_away(&self) -> bool {
        self.inner.away.load(Ordering::Relaxed)
    }

    async fn wait_for_it(&self) {
        loop {
            sleep(ASK_AGAIN).await;
            // What has ended is cleared away first: that is a write, as counting is.
            if let Ok(Ok(())) = timeout(SWEEP_WITHIN, sweep(&self.inner.pool)).await {
                break;
            }
        }
        self.inner.away.store(false, Ordering::Relaxed);
        tracing::info!("shared rate limits are back");
    }

    fn sweep_now_and_then(&self) {
        let mut swept = self
            .inner
            .swept
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if swept.elapsed() < SWEEP_EVERY {
            return;
        }
        *swept = Instant::now();
        let pool = self.inner.pool.clone();
        tokio::spawn(async move {
            if let Ok(Err(error)) = timeout(SWEEP_WITHIN, sweep(&pool)).await {
                tracing::debug!(%error, "old rate limits stay for now");
            }
        });
    }
}

/// How many requests came in the caller's minute, and how many seconds of it are left. By the
/// database's clock, which all replicas share. One statement: whoever comes at the same time waits
/// for the row, and no two get the same count.
async fn count(pool: &PgPool, caller: &[u8]) -> Result<(i32, f64), sqlx::Error> {
    let row = sqlx::query!(
        r#"INSERT INTO rate_limit_windows AS w (caller, taken, ends_at)
           VALUES ($1, 1, now() + interval '1 minute')
           ON CONFLICT (caller) DO UPDATE SET
               taken = CASE WHEN w.ends_at <= now() THEN 1 ELSE least(w.taken + 1, 2000000000) END,
               ends_at = CASE WHEN w.ends_at <= now() THEN excluded.ends_at ELSE w.ends_at END
           RETURNING taken, extract(epoch FROM ends_at - now())::float8 AS "seconds_left!""#,
        caller,
    )
    .fetch_one(pool)
    .await?;
    Ok((row.taken, row.seconds_left))
}

/// Clears away what has ended, a batch at a time, so that no caller waits for it.
pub(super) async fn sweep(pool: &PgPool) -> Result<(), sqlx::Error> {
    loop {
        let mut transaction = pool.begin().await?;
        // Longer than a count may take: the table may have grown.
        sqlx::query!("SET LOCAL statement_timeout = '5s'")
            .execute(&mut *transaction)
            .await?;
        let gone = sqlx::query!(
            "DELETE FROM rate_limit_windows WHERE ctid = ANY (ARRAY(
                 SELECT ctid FROM rate_limit_windows WHERE ends_at <= now()
                 LIMIT $1 FOR UPDATE SKIP LOCKED))",
            BATCH,
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        if gone.rows_affected() < BATCH.unsigned_abs() {
            return Ok(());
        }
    }
}
