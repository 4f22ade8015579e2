//! When something was recorded: the times in answers are the events' own.

use event_store::Context;
use serde_json::{Value, json};
use sqlx::PgPool;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::CommandApi;

/// The times of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// Of its first event.
    pub created_at: OffsetDateTime,
    /// Of the last event that the request in question appended, else of the very last.
    pub updated_at: OffsetDateTime,
    /// The version after that event.
    pub version: i64,
}

impl Times {
    /// Puts them into those of the two fields that `body` has.
    pub fn fill(&self, body: &mut Value) {
        for (field, at) in [
            ("created_at", self.created_at),
            ("updated_at", self.updated_at),
        ] {
            if let Some(place) = body.get_mut(field) {
                *place = json!(rfc3339(at));
            }
        }
    }
}

impl CommandApi {
    /// Fills in the times of a stream that this request appended to.
    pub(crate) async fn fill_times(
        &self,
        body: &mut Value,
        aggregate_type: &str,
        id: Uuid,
        context: &Context,
    ) -> Result<(), sqlx::Error> {
        let times = times(self.store.pool(), aggregate_type, id, &context.request_id).await?;
        if let Some(times) = times {
            times.fill(body);
        }
        Ok(())
    }
}

/// A time as it stands in answers.
pub(crate) fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

/// The times of a stream as one request left them; `None` for a stream that does not exist. What
/// happens to a project's members does not change the project.
pub(crate) async fn times(
    pool: &PgPool,
    aggregate_type: &str,
    id: Uuid,
    request_id: &str,
) -> Result<Option<Times>, sqlx::Error> {
    let id = id.to_string();
    let row = sqlx::query!(
        r#"WITH stream AS (
               SELECT sequence, recorded_at, metadata ->> 'request_id' = $3 AS own,
                      aggregate_type <> 'project_membership' OR event_type LIKE 'Project%' AS counts
               FROM events WHERE aggregate_type = $1 AND aggregate_id = $2
           ), last AS (
               SELECT coalesce(max(sequence) FILTER (WHERE own), max(sequence)) AS sequence
               FROM stream
           )
           SELECT min(recorded_at) AS created_at,
                  max(recorded_at) FILTER (WHERE counts AND stream.sequence <= last.sequence)
                      AS updated_at,
                  max(last.sequence) AS version
           FROM stream, last"#,
        aggregate_type,
        id,
        request_id,
    )
    .fetch_one(pool)
    .await?;
    Ok(row.created_at.map(|created_at| Times {
        created_at,
        updated_at: row.updated_at.unwrap_or(created_at),
        version: row.version.unwrap_or(1),
    }))
}
