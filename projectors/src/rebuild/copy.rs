//! The copy of one projection's tables: made, filled, put in the place of the live ones. Its connection
//! holds the lock of that rebuild, and its search path leads to the copy alone: were the copy gone, a
//! statement would fail instead of reaching the live tables.

use super::{Attempt, Progress, RebuildError};
use crate::{ProjectionError, Projector, bulk};
use event_store::{Log, RecordedEvent, try_lead};
use sqlx::{Connection, Executor, PgConnection, postgres::PgConnectOptions};

/// The most events that are applied in one transaction.
const BATCH: i64 = 2_000;
/// The most events that are applied while the live projector waits.
const LAST: i64 = 200;

/// A copy that this process fills.
pub(super) struct Copy {
    connection: PgConnection,
    name: &'static str,
    from: i64,
    position: i64,
    keyed: bool,
}

/// How trying to put a copy in the live one's place ended.
pub(super) enum Swap {
    /// It is there.
    Done,
    /// The live one is too far ahead.
    Behind,
    /// Somebody reads the live tables for longer than others should wait for.
    Busy,
}

/// Where the live tables stand.
struct Live {
    version: i32,
    position: i64,
}

impl Copy {
    /// Takes the lock, and the copy as it was left; makes an empty one where there is none, where it
    /// was filled by other code, or where the live tables have another shape by now.
    pub(super) async fn begin<P: Projector>(
        connect: &PgConnectOptions,
    ) -> Result<Self, RebuildError> {
        let place = format!("rebuild_{}", P::NAME);
        let connect = connect.clone().options([
            ("search_path", place.as_str()),
            // What is lost in a crash is filled again.
            ("synchronous_commit", "off"),
            ("client_min_messages", "warning"),
        ]);
        let Some(mut connection) = try_lead(&connect, &place).await? else {
            return Err(RebuildError::UnderWay(P::NAME));
        };
        let live = live::<P>(&mut connection).await?;
        if live.version > P::VERSION {
            return Err(ProjectionError::NewerCode(live.version).into());
        }
        let position = take_up::<P>(&mut connection).await?;
        Ok(Self {
            connection,
            name: P::NAME,
            from: position,
            position,
            keyed: false,
        })
    }

    /// Of the last event that is in the copy.
    pub(super) const fn position(&self) -> i64 {
        self.position
    }

    /// How far the copy is to come: to where the live one is, never beyond, so that the live projector
    /// finds its checkpoint where it left it. Tables of older code have no projector that moves them:
    /// then to the end of the log.
    pub(super) async fn aim<P: Projector>(&mut self, log: &Log) -> Result<i64, RebuildError> {
        let live = live::<P>(&mut self.connection).await?;
        let target = if live.version < P::VERSION {
            log.head().await?.max(live.position)
        } else {
            live.position
        };
        sqlx::query!(
            "UPDATE public.projection_rebuilds SET target = $2, moved_at = clock_timestamp()
             WHERE name = $1",
            self.name,
            target,
        )
        .execute(&mut self.connection)
        .await?;
        Ok(target)
    }

    /// Applies events until `target`; `false` when it was told to stop before.
    pub(super) async fn fill<P: Projector>(
        &mut self,
        projector: &P,
        log: &Log,
        target: i64,
        attempt: &Attempt,
    ) -> Result<bool, RebuildError> {
        self.tell(target, attempt);
        if self.position == 0
            && !self.keyed
            && bulk::worth_it(target)
            && let Some(fold) = projector.fold()
        {
            return self.fill_at_once(fold, log, target, attempt).await;
        }
        self.key().await?;
        let mut next = self.read(log, self.position, target).await?;
        while let Some(last) = next.last() {
            if attempt.shutdown.is_cancelled() {
                return Ok(false);
            }
            let after = log.read(last.position, BATCH.min(target - last.position));
            let (applied, read) = tokio::join!(self.apply(projector, &next), after);
            applied?;
            self.tell(target, attempt);
            next = read?;
        }
        Ok(true)
    }

    async fn read(
        &self,
        log: &Log,
        after: i64,
        target: i64,
    ) -> Result<Vec<RecordedEvent>, RebuildError> {
        Ok(log.read(after, BATCH.min((target - after).max(0))).await?)
    }

    fn tell(&self, target: i64, attempt: &Attempt) {
        let (from, position) = (self.from, self.position);
        attempt.progress.send_replace(Progress {
            from,
            position,
            target,
        });
    }

    /// Applies a batch and moves the copy's position past it, in one transaction.
    async fn apply<P: Projector>(
        &mut self,
        projector: &P,
        events: &[RecordedEvent],
    ) -> Result<(), RebuildError> {
        let Some(last) = events.last() else {
            return Ok(());
        };
        let mut tx = self.connection.begin().await?;
        moved(&mut tx, self.name, self.position, last.position).await?;
        projector.apply(&mut tx, events).await?;
        tx.commit().await?;
        self.position = last.position;
        Ok(())
    }

    /// Reads the log into memory and writes the rows at once. Nothing of it stays if it is interrupted.
    async fn fill_at_once(
        &mut self,
        fold: Box<dyn bulk::Fold>,
        log: &Log,
        target: i64,
        attempt: &Attempt,
    ) -> Result<bool, RebuildError> {
        let mut reading = bulk::Reading::new(fold, log, target);
        while let Some(position) = reading.next().await? {
            if attempt.shutdown.is_cancelled() {
                return Ok(false);
            }
            self.seen(position, target, attempt).await?;
        }
        let mut tx = self.connection.begin().await?;
        moved(&mut tx, self.name, self.position, target).await?;
        bulk::write(reading.folded(), &mut tx).await?;
        tx.commit().await?;
        self.position = target;
        Ok(true)
    }

    /// Notes how much was read into memory.
    async fn seen(
        &mut self,
        position: i64,
        target: i64,
        attempt: &Attempt,
    ) -> Result<(), RebuildError> {
        let from = self.from;
        attempt.progress.send_replace(Progress {
            from,
            position,
            target,
        });
        sqlx::query!(
            "UPDATE public.projection_rebuilds SET seen = $2, moved_at = clock_timestamp()
             WHERE name = $1",
            self.name,
            position,
        )
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// Makes the keys that applying events needs.
    async fn key(&mut self) -> Result<(), RebuildError> {
        if !self.keyed {
            sqlx::query!("SELECT public.projection_index($1, true)", self.name)
                .execute(&mut self.connection)
                .await?;
            self.keyed = true;
        }
        Ok(())
    }

    /// Makes all indexes that are not there yet.
    pub(super) async fn index(&mut self) -> Result<(), RebuildError> {
        sqlx::query!("SELECT public.projection_index($1, false)", self.name)
            .execute(&mut self.connection)
            .await?;
        self.keyed = true;
        Ok(())
    }

    /// Puts the copy in the live one's place. The checkpoint's row is locked first, so that the live
    /// projector waits before its next batch; then the last events are applied; then the tables are
    /// exchanged. Nobody waits for a lock long, so that nobody waits for us long.
    pub(super) async fn swap<P: Projector>(
        &mut self,
        projector: &P,
        log: &Log,
    ) -> Result<Swap, RebuildError> {
        match self.try_swap(projector, log).await {
            Err(RebuildError::Projection(ProjectionError::Sql(error))) if held_up(&error) => {
                Ok(Swap::Busy)
            }
            outcome => outcome,
        }
    }

    async fn try_swap<P: Projector>(
        &mut self,
        projector: &P,
        log: &Log,
    ) -> Result<Swap, RebuildError> {
        let mut tx = self.connection.begin().await?;
        tx.execute("SET LOCAL lock_timeout = '250ms'").await?;
        // Whoever hangs from here on keeps everybody else waiting.
        tx.execute("SET LOCAL idle_in_transaction_session_timeout = '30s'")
            .await?;
        tx.execute("SET LOCAL synchronous_commit = on").await?;
        let live = sqlx::query_as!(
            Live,
            "SELECT version, position FROM public.projection_checkpoints WHERE name = $1 FOR UPDATE",
            self.name,
        )
        .fetch_one(&mut *tx)
        .await?;
        if live.version > P::VERSION {
            return Err(ProjectionError::NewerCode(live.version).into());
        }
        let lacking = (live.position - self.position).max(0);
        if lacking > LAST {
            return Ok(Swap::Behind);
        }
        let last = log.read(self.position, lacking).await?;
        projector.apply(&mut tx, &last).await?;
        let position = self.position + lacking;
        sqlx::query!("SELECT public.projection_swap($1)", self.name)
            .execute(&mut *tx)
            .await?;
        sqlx::query!(
            "UPDATE public.projection_checkpoints SET version = $2, position = $3 WHERE name = $1",
            self.name,
            P::VERSION,
            position,
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "UPDATE public.projection_rebuilds
             SET state = 'done', position = $2, seen = $2, target = $2, error = NULL,
                 moved_at = clock_timestamp(), finished_at = clock_timestamp()
             WHERE name = $1",
            self.name,
            position,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.position = position;
        Ok(Swap::Done)
    }

    /// Notes that it was told to stop.
    pub(super) async fn interrupted(&mut self, by_operator: bool) -> Result<(), RebuildError> {
        if by_operator {
            sqlx::query!(
                "UPDATE public.projection_rebuilds SET state = 'interrupted', seen = position
                 WHERE name = $1",
                self.name,
            )
            .execute(&mut self.connection)
            .await?;
        }
        Ok(())
    }

    /// Lets go of the lock now, and not only when the server has noticed that nobody is there.
    pub(super) async fn leave(mut self) {
        let left = self.connection.execute("SELECT pg_advisory_unlock_all()");
        if let Err(error) = left.await {
            tracing::debug!(%error, "the lock of the rebuild of {} ends with its connection", self.name);
        }
    }

    /// Notes why it stopped, as far as PostgreSQL still listens.
    pub(super) async fn failed(&mut self, error: &RebuildError, by_operator: bool) {
        let noted = sqlx::query!(
            "UPDATE public.projection_rebuilds
             SET error = $2, seen = position,
                 state = CASE WHEN $3 THEN 'interrupted' ELSE state END
             WHERE name = $1",
            self.name,
            error.to_string(),
            by_operator,
        )
        .execute(&mut self.connection)
        .await;
        if let Err(error) = noted {
            tracing::debug!(%error, "why the rebuild of {} stopped is not noted", self.name);
        }
    }
}

async fn live<P: Projector>(connection: &mut PgConnection) -> Result<Live, RebuildError> {
    sqlx::query_as!(
        Live,
        "SELECT version, position FROM public.projection_checkpoints WHERE name = $1",
        P::NAME,
    )
    .fetch_optional(connection)
    .await?
    .ok_or(RebuildError::NotBegun(P::NAME))
}

/// Makes the copy and its row what they must be to begin or to go on. Returns the copy's position.
async fn take_up<P: Projector>(connection: &mut PgConnection) -> Result<i64, RebuildError> {
    let mut tx = connection.begin().await?;
    sqlx::query!(
        "INSERT INTO public.projection_rebuilds (name, state) VALUES ($1, 'requested')
         ON CONFLICT (name) DO NOTHING",
        P::NAME,
    )
    .execute(&mut *tx)
    .await?;
    let row = sqlx::query!(
        "SELECT state, version, position FROM public.projection_rebuilds WHERE name = $1 FOR UPDATE",
        P::NAME,
    )
    .fetch_one(&mut *tx)
    .await?;
    let made = stage(&mut tx, P::NAME).await?;
    let goes_on = !made && row.state != "done" && row.version == P::VERSION && row.position > 0;
    if !made && !goes_on {
        sqlx::query!("SELECT public.projection_discard($1)", P::NAME)
            .execute(&mut *tx)
            .await?;
        stage(&mut tx, P::NAME).await?;
    }
    let position = if goes_on { row.position } else { 0 };
    sqlx::query!(
        "UPDATE public.projection_rebuilds
         SET state = 'filling', version = $2, position = $3, seen = $3, resumed_from = $3,
             resumed_at = clock_timestamp(), moved_at = clock_timestamp(), finished_at = NULL,
             started_at = CASE WHEN $3::bigint > 0 AND started_at IS NOT NULL THEN started_at
                               ELSE clock_timestamp() END
         WHERE name = $1",
        P::NAME,
        P::VERSION,
        position,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(position)
}

async fn stage(tx: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT public.projection_stage($1) AS "made!""#, name)
        .fetch_one(tx)
        .await
}

/// Moves the copy's position, which fences whoever lost the lock without noticing.
async fn moved(
    tx: &mut PgConnection,
    name: &str,
    from: i64,
    to: i64,
) -> Result<(), ProjectionError> {
    let moved = sqlx::query!(
        "UPDATE public.projection_rebuilds
         SET position = $3, seen = $3, moved_at = clock_timestamp()
         WHERE name = $1 AND position = $2 AND state = 'filling'",
        name,
        from,
        to,
    )
    .execute(tx)
    .await?;
    if moved.rows_affected() == 1 {
        Ok(())
    } else {
        Err(ProjectionError::LeadLost)
    }
}

/// Whether a lock was not to be had in time.
fn held_up(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("55P03" | "40P01"))
}
