//! Histories after an erasure: an entry says which value became which, so that one unreadable value
//! changes other entries too. The histories that held one are written again, from the log as it
//! reads now.

use super::write;
use crate::projector::{BATCH, ProjectionError};
use domain::User;
use event_store::{AsOf, Log, RecordedEvent, beating};
use sqlx::PgConnection;
use uuid::Uuid;

/// The streams that make histories.
const STREAMS: [&str; 4] = ["user", "project_membership", "submission", "review"];
/// How many histories are written again together.
const AT_ONCE: usize = 100;

/// Writes again what `event` made unreadable, up to that event.
pub(super) async fn erase(
    tx: &mut PgConnection,
    log: &Log,
    event: &RecordedEvent,
) -> Result<(), ProjectionError> {
    let resources = if event.is::<User>() {
        forget_origin(tx, event.aggregate_id).await?;
        of_person(tx, event.aggregate_id).await?
    } else {
        vec![event.aggregate_id.to_string()]
    };
    for some in resources.chunks(AT_ONCE) {
        let ids: Vec<Uuid> = some
            .iter()
            .filter_map(|id| Uuid::parse_str(id).ok())
            .collect();
        let streams: Vec<(&str, Uuid)> = ids
            .iter()
            .flat_map(|id| STREAMS.map(|kind| (kind, *id)))
            .collect();
        let until = AsOf::Position(event.position);
        let events = beating(tx, Box::pin(log.streams(&streams, until))).await??;
        remove(tx, some).await?;
        for batch in events.chunks(BATCH) {
            write(tx, batch).await?;
        }
    }
    Ok(())
}

/// From where the person acted, and from where somebody tried to sign in as them.
async fn forget_origin(tx: &mut PgConnection, user_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE history SET ip_address = NULL, user_agent = NULL
         WHERE actor_user_id = $1
            OR (resource_id = $1::uuid::text AND access AND actor_user_id IS NULL)",
        user_id,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Their account, their items, the items on which they said something, and the projects that invited
/// an address whose invitations became unreadable.
async fn of_person(tx: &mut PgConnection, user_id: Uuid) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT resource_id AS "resource_id!" FROM history_values WHERE owner_id = $1
           UNION
           SELECT resource_id FROM history
           WHERE actor_user_id = $1 AND event_type IN ('ReviewDecided', 'ReviewCommented')
           UNION
           SELECT h.resource_id FROM history h
           CROSS JOIN LATERAL jsonb_each(h.changes) AS c(field, change)
           JOIN vault.subject_keys k
             ON k.subject_id = CASE WHEN c.field LIKE 'invitations.%'
                                    THEN substr(c.field, 13)::uuid END
           WHERE h.event_type = 'MemberInvited' AND k.erased_at IS NOT NULL
             AND c.change -> 'new' ->> 'email' IS NOT NULL"#,
        user_id,
    )
    .fetch_all(tx)
    .await
}

async fn remove(tx: &mut PgConnection, resources: &[String]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH entries AS (DELETE FROM history WHERE resource_id = ANY($1) AND NOT access)
         DELETE FROM history_values WHERE resource_id = ANY($1)",
        resources,
    )
    .execute(tx)
    .await?;
    Ok(())
}
