//! Rebuilds that were asked for: their rows are the request, the progress and what is left behind by a
//! process that died. The service takes them up one after the other, and throws away what stands still
//! and holds words of somebody who was erased meanwhile.

use super::{Attempt, NAMES, RebuildError, RebuildSettings, rebuild_named};
use event_store::try_lead;
use sqlx::{Connection, PgConnection};
use std::{collections::HashMap, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often requests are looked for.
const EVERY: Duration = Duration::from_secs(1);
/// How many looks a rebuild that failed is left alone for.
const REST: u32 = 10;

/// Takes up what was asked for, and what another process left behind, until `shutdown`; beside that,
/// since a rebuild may take hours, looks through what stands still.
pub(crate) async fn when_asked(settings: RebuildSettings, shutdown: CancellationToken) {
    tokio::join!(
        take_up(&settings, &shutdown),
        look_through(&settings, &shutdown)
    );
}

async fn look_through(settings: &RebuildSettings, shutdown: &CancellationToken) {
    let mut connection: Option<PgConnection> = None;
    while look_is_due(shutdown).await {
        if connection.is_none() {
            connection = PgConnection::connect_with(&settings.connect).await.ok();
        }
        let Some(open) = &mut connection else {
            continue;
        };
        if let Err(error) = discard_outlived(open, settings).await {
            tracing::warn!(%error, "copies that stand still are not looked through: {error}");
            connection = None;
        }
    }
}

/// Waits for the next look; false when there is to be none.
async fn look_is_due(shutdown: &CancellationToken) -> bool {
    tokio::select! {
        () = shutdown.cancelled() => false,
        () = tokio::time::sleep(EVERY) => true,
    }
}

async fn take_up(settings: &RebuildSettings, shutdown: &CancellationToken) {
    let mut connection: Option<PgConnection> = None;
    let mut resting: HashMap<String, u32> = HashMap::new();
    while look_is_due(shutdown).await {
        resting.retain(|_, looks| {
            *looks -= 1;
            *looks > 0
        });
        if connection.is_none() {
            connection = PgConnection::connect_with(&settings.connect).await.ok();
        }
        let Some(open) = &mut connection else {
            continue;
        };
        let Ok(names) = open_requests(open).await else {
            connection = None;
            continue;
        };
        for name in names {
            if resting.contains_key(&name) {
                continue;
            }
            let attempt = Attempt::of_service(shutdown.clone());
            match rebuild_named(&name, settings, &attempt).await {
                Ok(_) | Err(RebuildError::UnderWay(_)) => {}
                Err(error) => {
                    tracing::error!(
                        projection = name,
                        %error,
                        "the rebuild of {name} stands still: {error}"
                    );
                    resting.insert(name, REST);
                }
            }
        }
    }
}

async fn open_requests(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT name FROM projection_rebuilds WHERE state IN ('requested', 'filling')
         ORDER BY requested_at"
    )
    .fetch_all(connection)
    .await
}

/// Throws away what was filled before somebody, or something, was erased, and stands still: an operator
/// interrupted it, it failed, or it has waited for a minute to be taken up (a restart takes less).
/// Whoever goes on with it begins anew. Keys that were destroyed before it was
/// begun were nobody's to open any more, but for those that a process keeps for a minute. Returns of which
/// projections.
///
/// # Errors
/// When PostgreSQL fails.
pub async fn discard_outlived(
    connection: &mut PgConnection,
    settings: &RebuildSettings,
) -> Result<Vec<String>, RebuildError> {
    let outlived = sqlx::query!(
        "SELECT name, position FROM projection_rebuilds r
         WHERE position > 0 AND state <> 'done'
           AND (state = 'interrupted' OR error IS NOT NULL
                OR coalesce(moved_at, requested_at) < clock_timestamp() - interval '1 minute')
           AND EXISTS (SELECT 1 FROM events e JOIN event_log l ON l.event_id = e.id
                       WHERE e.event_type IN ('UserErased', 'SubmissionErased')
                         AND l.position > r.position
                         AND e.recorded_at > r.started_at - interval '2 minutes')
         ORDER BY name"
    )
    .fetch_all(connection)
    .await?;
    let mut discarded = vec![];
    for row in outlived {
        let name = row.name;
        // Who fills it at this moment follows the erasure when it comes to it.
        let Some(mut locked) = try_lead(&settings.connect, &place(&name)).await? else {
            continue;
        };
        let mut tx = locked.begin().await?;
        let emptied = sqlx::query!(
            "UPDATE projection_rebuilds SET position = 0, seen = 0
             WHERE name = $1 AND position = $2 AND state <> 'done'",
            name,
            row.position,
        )
        .execute(&mut *tx)
        .await?;
        if emptied.rows_affected() == 0 {
            // Somebody went on with it before it was locked.
            continue;
        }
        sqlx::query!("SELECT projection_discard($1)", name)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        tracing::info!(
            projection = name,
            "the copy of {name} that stood still is thrown away: it held what was erased since"
        );
        discarded.push(name);
    }
    Ok(discarded)
}

/// The schema of a copy, and the lock of who fills it.
fn place(name: &str) -> String {
    format!("rebuild_{name}")
}

/// Throws away a copy that nobody is to go on with. Whether there was one.
///
/// # Errors
/// [`RebuildError::UnderWay`] while a process fills it.
pub async fn discard(name: &str, settings: &RebuildSettings) -> Result<bool, RebuildError> {
    let Some(name) = NAMES.into_iter().find(|known| *known == name) else {
        return Err(RebuildError::Unknown(name.to_owned()));
    };
    let Some(mut connection) = try_lead(&settings.connect, &place(name)).await? else {
        return Err(RebuildError::UnderWay(name));
    };
    let mut tx = connection.begin().await?;
    sqlx::query!("SELECT projection_discard($1)", name)
        .execute(&mut *tx)
        .await?;
    let left = sqlx::query!(
        "UPDATE projection_rebuilds SET state = 'done', position = 0, seen = 0
         WHERE name = $1 AND state <> 'done'",
        name,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(left.rows_affected() == 1)
}
