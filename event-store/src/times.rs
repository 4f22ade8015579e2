//! When a stream's events were recorded and where they stand; what they say is not looked at.

use crate::{EventStore, RowId, StoreError};
use time::OffsetDateTime;
use uuid::Uuid;

/// The times of a stream as one request left it.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Of its first event.
    pub created_at: OffsetDateTime,
    /// Of the last event that the request appended, else of the very last.
    pub updated_at: OffsetDateTime,
    /// The version after that event.
    pub version: u64,
    /// The row of that event.
    pub row: RowId,
    /// Its position, once it has one.
    pub position: Option<i64>,
}

impl EventStore {
    /// The times of a stream as one request left them; `None` for a stream that does not exist.
    /// What happens to a project's members does not change the project.
    ///
    /// # Errors
    /// When PostgreSQL fails.
    pub async fn times_of(
        &self,
        aggregate_type: &str,
        id: Uuid,
        request_id: &str,
    ) -> Result<Option<Times>, StoreError> {
        let row = sqlx::query!(
            r#"WITH stream AS (
                   SELECT e.id, e.sequence, e.recorded_at, l.position,
                          e.metadata ->> 'request_id' = $3 AS own,
                          e.aggregate_type <> 'project_membership'
                              OR e.event_type LIKE 'Project%' AS counts
                   FROM events e LEFT JOIN event_log l ON l.event_id = e.id
                   WHERE e.aggregate_type = $1 AND e.aggregate_id = $2
               ), last AS (
                   SELECT coalesce(max(sequence) FILTER (WHERE own), max(sequence)) AS sequence
                   FROM stream
               )
               SELECT min(recorded_at) AS created_at,
                      max(recorded_at) FILTER (WHERE counts AND stream.sequence <= last.sequence)
                          AS updated_at,
                      max(last.sequence) AS version,
                      max(id) FILTER (WHERE stream.sequence = last.sequence) AS row,
                      max(position) FILTER (WHERE stream.sequence = last.sequence) AS position
               FROM stream, last"#,
            aggregate_type,
            id.to_string(),
            request_id,
        )
        .fetch_one(self.pool())
        .await?;
        let (Some(created_at), Some(last)) = (row.created_at, row.row) else {
            return Ok(None);
        };
        Ok(Some(Times {
            created_at,
            updated_at: row.updated_at.unwrap_or(created_at),
            version: row.version.map_or(1, i64::cast_unsigned),
            row: RowId(last),
            position: row.position,
        }))
    }

    /// When a membership of a project began; `None` for one that never did.
    ///
    /// # Errors
    /// When PostgreSQL fails.
    pub async fn membership_began(
        &self,
        project_id: Uuid,
        membership_id: Uuid,
    ) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(sqlx::query_scalar!(
            "SELECT recorded_at FROM events
             WHERE aggregate_type = 'project_membership' AND aggregate_id = $1
               AND event_type = 'MemberJoined'
               AND payload #>> '{MemberJoined,membership_id}' = $2
             ORDER BY sequence LIMIT 1",
            project_id.to_string(),
            membership_id.to_string(),
        )
        .fetch_optional(self.pool())
        .await?)
    }

    /// Those of `ids` under which nothing was ever recorded.
    ///
    /// # Errors
    /// When PostgreSQL fails.
    pub async fn without_stream(
        &self,
        aggregate_type: &str,
        ids: &[Uuid],
    ) -> Result<Vec<Uuid>, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"SELECT asked.id AS "id!" FROM UNNEST($2::uuid[]) asked(id)
               WHERE NOT EXISTS (SELECT 1 FROM events e
                                 WHERE e.aggregate_type = $1 AND e.aggregate_id = asked.id::text)"#,
            aggregate_type,
            ids,
        )
        .fetch_all(self.pool())
        .await?)
    }
}
