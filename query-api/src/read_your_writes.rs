//! Nobody reads older than they have written, and nobody reads tables that are being filled anew. One
//! statement says who asks, what they wrote last, and how far the projections are; whoever is ahead
//! of them waits, and is told so rather than misled when that takes too long.
//!
//! "Wrote last" is two questions: the position of the caller's newest numbered event, and whether
//! there are events of theirs that the relay has not numbered yet. What is recorded of what they tried or
//! read is nothing that they wrote: who reads the audit trail does not wait for the trace of that. News from the projectors ends a
//! wait; what counts is the next answer of the same statement.
//!
//! Where the tables are read on a replica, that statement is asked on the primary all the same, and the
//! replica says itself how far its projections are. It must have passed what the caller wrote, and the
//! newest position at which anybody's rights changed: a replica that has not heard of it grants nothing.

use crate::{ProjectionWatch, QueryApi, caller::Account};
use axum::http::StatusCode;
use futures::future::select_all;
use http_kit::{AccessClaims, ApiError};
use sqlx::PgPool;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;

/// How long a wait lasts at most before the tables are asked again.
const POLL: Duration = Duration::from_millis(20);
/// How many roles are brought along with who asks; whoever has more is asked about each.
const MOST_ROLES: i64 = 100;
/// How long it lasts at least from the second time on: what was heard may be ahead of the tables,
/// as it is when a projection is filled again.
const BREATH: Duration = Duration::from_millis(5);

/// Who reads.
pub(crate) struct Reader {
    pub account: Account,
    /// The caller's roles by project, deleted ones left out; `None` when they are too many to be brought
    /// along.
    pub roles: Option<Vec<(Uuid, String)>>,
    /// All projections that are read have passed this position.
    pub position: i64,
}

/// The caller's account and roles, and the position that all of `projections` have passed, once they show
/// everything that the caller wrote.
///
/// # Errors
/// 401 for whoever may not act (any more), 503 `READ_MODEL_BEHIND` when the projections do not come
/// far enough in time.
pub(crate) async fn fresh(
    api: &QueryApi,
    claims: &AccessClaims,
    projections: &'static [&'static str],
) -> Result<Reader, ApiError> {
    let deadline = Instant::now() + api.read_your_writes_timeout;
    let breath = if api.replica_of.is_some() {
        POLL
    } else {
        BREATH
    };
    let mut waited = false;
    // As rights were when the request came: what is changed while it waits is not waited for.
    let mut access = None;
    loop {
        // Listens before it looks, so that no news is missed in between.
        let news = News::listen(&api.watch, projections);
        let seen = look(api, claims, projections).await?;
        if !seen.stands {
            return Err(ApiError::unauthenticated());
        }
        let fresh = seen.is_fresh(*access.get_or_insert(seen.access));
        match seen.account {
            Some(account) if fresh => {
                if waited {
                    metrics::counter!("alta_reads_waited_total").increment(1);
                }
                return account.map(|account| Reader {
                    account,
                    roles: seen.roles,
                    position: seen.reached,
                });
            }
            // A session without an account: its registration is not projected yet.
            _ if Instant::now() < deadline => {}
            None if fresh => {
                return Err(ApiError::unauthenticated());
            }
            _ => return Err(behind()),
        }
        if waited {
            tokio::time::sleep(breath).await;
        }
        waited = true;
        let target = (!seen.unnumbered).then_some(seen.wrote);
        let left = deadline.saturating_duration_since(Instant::now());
        news.wait(target, POLL.min(left)).await;
    }
}

/// 503: nothing is wrong with the request, but an answer now would be stale.
fn behind() -> ApiError {
    metrics::counter!("alta_reads_refused_behind_total").increment(1);
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "READ_MODEL_BEHIND",
        "What has been written does not show yet. Try again in a moment.",
    )
    .with_retry_after(1)
}

/// What is known when a request comes.
struct Seen {
    /// The session was neither ended nor ran out.
    stands: bool,
    /// The account, or the refusal of one that may not act.
    account: Option<Result<Account, ApiError>>,
    /// What the caller is in which project.
    roles: Option<Vec<(Uuid, String)>>,
    /// The position of the caller's newest numbered event.
    wrote: i64,
    /// There are newer ones without a position.
    unnumbered: bool,
    /// Where somebody's rights changed last, as far as the primary's tables show that.
    access: i64,
    /// What the tables that are read show of rights.
    granted: i64,
    /// What all projections have passed; -1, which is before everything, while one of them is filled.
    reached: i64,
}

impl Seen {
    fn is_fresh(&self, access: i64) -> bool {
        self.reached >= self.wrote && self.granted >= access && !self.unnumbered
    }
}

/// One statement, and where the tables are read on a replica, one more there: both at once, since a
/// replica only moves on.
async fn look(
    api: &QueryApi,
    claims: &AccessClaims,
    projections: &[&str],
) -> Result<Seen, ApiError> {
    let names: Vec<String> = projections.iter().map(|&name| name.to_owned()).collect();
    let primary = look_on_primary(api.primary(), claims, api.clock.now(), &names);
    if api.replica_of.is_none() {
        return primary.await;
    }
    let replica = look_on_replica(&api.pool, &names);
    let (seen, (reached, granted)) = tokio::try_join!(primary, replica)?;
    let lag = seen.reached.saturating_sub(reached).max(0);
    metrics::gauge!("alta_read_replica_lag_events").set(lag as f64);
    Ok(Seen {
        granted,
        reached,
        ..seen
    })
}

/// What all projections have passed on a replica, and how far its rights are.
async fn look_on_replica(replica: &PgPool, names: &[String]) -> Result<(i64, i64), ApiError> {
    let row = sqlx::query!(
        r#"SELECT CASE WHEN count(*) FILTER (WHERE position >= complete_at)
                                = cardinality($1::text[])
                       THEN min(position) ELSE -1 END AS "reached!",
                  coalesce(min(position) FILTER (WHERE name = 'access'), -1) AS "granted!"
           FROM projection_checkpoints WHERE name = ANY($1)"#,
        names,
    )
    .fetch_one(replica)
    .await?;
    Ok((row.reached, row.granted))
}

/// The look-up in `event_log` stands in a scalar subquery, because the planner would make a join of
/// `NOT EXISTS` and read the whole log for a caller with many events. And it is not shown who asks where
/// some have much and others little: it would plan anew each time, which takes longer than the answer.
async fn look_on_primary(
    pool: &PgPool,
    claims: &AccessClaims,
    now: OffsetDateTime,
    names: &[String],
) -> Result<Seen, ApiError> {
    let row = sqlx::query!(
        r#"SELECT
               EXISTS (SELECT 1 FROM sessions
                       WHERE session_id = $1 AND user_id = $2 AND revoked_at IS NULL
                         AND expires_at > $3) AS "stands!",
               coalesce((SELECT position FROM actor_positions WHERE actor_user_id = $2::uuid::text), 0)
                   AS "wrote!",
               EXISTS (SELECT 1 FROM events e
                       WHERE e.metadata ->> 'actor_user_id' = (SELECT $2::uuid::text)
                         AND e.aggregate_type <> 'access'
                         AND e.id > (SELECT low_id FROM sequencer_state)
                         AND (SELECT l.position FROM event_log l WHERE l.event_id = e.id) IS NULL)
                   AS "unnumbered!",
               (SELECT CASE WHEN count(*) FILTER (WHERE position >= complete_at)
                                     = cardinality($4::text[])
                            THEN min(position) ELSE -1 END
                FROM projection_checkpoints WHERE name = ANY($4)) AS "reached!",
               coalesce((SELECT least(s.access_position, c.position)
                         FROM sequencer_state s, projection_checkpoints c WHERE c.name = 'access'), 0)
                   AS "access!",
               u.id AS "id?", u.email, u.name, u.is_verified AS "is_verified?",
               u.global_role AS "global_role?", u.suspended OR u.deactivated AS "barred?",
               u.created_at AS "created_at?", u.updated_at AS "updated_at?",
               roles.projects AS "projects!", roles.words AS "roles!"
           FROM (VALUES (1)) AS one LEFT JOIN users u ON u.id = $2
           CROSS JOIN LATERAL (
               SELECT coalesce(array_agg(project_id), '{}') AS projects, coalesce(array_agg(role), '{}') AS words
               FROM (SELECT m.project_id, m.role FROM project_members m
                     JOIN projects p ON p.id = m.project_id AND NOT p.deleted
                     WHERE m.user_id = (SELECT $2::uuid) LIMIT $5) AS few
           ) AS roles"#,
        claims.sid,
        claims.sub,
        now,
        names,
        MOST_ROLES + 1,
    )
    .fetch_one(pool)
    .await?;
    let account = match (
        row.id,
        row.is_verified,
        row.global_role,
        row.created_at,
        row.updated_at,
    ) {
        (Some(id), Some(is_verified), Some(global_role), Some(created_at), Some(updated_at)) => {
            Some(Account {
                id,
                email: row.email,
                name: row.name,
                is_verified,
                global_role,
                created_at,
                updated_at,
            })
        }
        _ => None,
    };
    let barred = row.barred.unwrap_or(false);
    let few = row.projects.len() as i64 <= MOST_ROLES;
    let roles = few.then(|| row.projects.into_iter().zip(row.roles).collect());
    Ok(Seen {
        roles,
        stands: row.stands,
        account: account.map(|account| {
            if barred {
                Err(ApiError::unauthenticated())
            } else {
                Ok(account)
            }
        }),
        wrote: row.wrote,
        access: row.access,
        granted: row.access,
        unnumbered: row.unnumbered,
        reached: row.reached,
    })
}

/// News of the projections that a read is about.
struct News(Vec<tokio::sync::watch::Receiver<i64>>);

impl News {
    fn listen(watch: &ProjectionWatch, projections: &[&str]) -> Self {
        let mut receivers: Vec<_> = projections.iter().map(|&name| watch(name)).collect();
        for receiver in &mut receivers {
            receiver.mark_unchanged();
        }
        Self(receivers)
    }

    /// Waits until all are said to have passed `target` (without one: until any has moved), at most
    /// `longest`.
    async fn wait(mut self, target: Option<i64>, longest: Duration) {
        let _ = tokio::time::timeout(longest, async {
            let Some(target) = target else {
                let moved = self
                    .0
                    .iter_mut()
                    .map(|receiver| Box::pin(receiver.changed()));
                if select_all(moved).await.0.is_err() {
                    // Nobody tells any more; the time-out ends the wait.
                    std::future::pending::<()>().await;
                }
                return;
            };
            for receiver in &mut self.0 {
                if receiver.wait_for(|at| *at >= target).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        })
        .await;
    }
}
