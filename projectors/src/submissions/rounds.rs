//! What handing in, withdrawing and deciding do to an item's row.

use super::Seen;
use domain::{Personal, UserId, review::Decision};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

pub(super) async fn submitted(
    tx: &mut PgConnection,
    seen: Seen,
    round: u32,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE submissions SET status = 'pending_review', round = $2, submitted_at = $4,
             reviewed_by_id = NULL, feedback = NULL, version = $3, updated_at = $4
         WHERE id = $1 AND version < $3",
        seen.id,
        i32::try_from(round).unwrap_or(i32::MAX),
        seen.version,
        seen.at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// How a round ended. It comes twice, from the review and from the item's own stream; whichever
/// comes first changes the status, the other finds it changed.
pub(super) struct Ending {
    round: u32,
    status: &'static str,
    reviewer_id: Option<UserId>,
    feedback: Option<String>,
}

impl Ending {
    pub(super) const fn withdrawn(round: u32) -> Self {
        Self {
            round,
            status: "draft",
            reviewer_id: None,
            feedback: None,
        }
    }

    pub(super) fn decided(
        round: u32,
        decision: Decision,
        reviewer_id: UserId,
        feedback: Option<Personal<String>>,
    ) -> Self {
        let status = match decision {
            Decision::Approve => "approved",
            Decision::Reject => "rejected",
            Decision::RequestChanges => "draft",
        };
        Self {
            round,
            status,
            reviewer_id: Some(reviewer_id),
            feedback: feedback.and_then(Personal::into_value),
        }
    }

    pub(super) async fn write(
        self,
        tx: &mut PgConnection,
        id: Uuid,
        version: Option<i64>,
        at: OffsetDateTime,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "UPDATE submissions SET version = greatest(version, coalesce($6, version)),
                 status = CASE WHEN waits THEN $3 ELSE status END,
                 reviewed_by_id = CASE WHEN waits THEN $4 ELSE reviewed_by_id END,
                 feedback = CASE WHEN waits THEN $5 ELSE feedback END,
                 submitted_at = CASE WHEN waits AND $3 = 'draft' THEN NULL ELSE submitted_at END,
                 updated_at = CASE WHEN waits THEN $7 ELSE updated_at END
             FROM (SELECT status = 'pending_review' AND round = $2 AS waits
                   FROM submissions WHERE id = $1) AS before
             WHERE id = $1",
            id,
            i32::try_from(self.round).unwrap_or(i32::MAX),
            self.status,
            self.reviewer_id,
            self.feedback,
            version,
            at,
        )
        .execute(tx)
        .await?;
        Ok(())
    }
}

pub(super) async fn reopened(tx: &mut PgConnection, seen: Seen) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE submissions SET status = 'draft', submitted_at = NULL, version = $2, updated_at = $3
         WHERE id = $1 AND version < $2",
        seen.id,
        seen.version,
        seen.at,
    )
    .execute(tx)
    .await?;
    Ok(())
}
