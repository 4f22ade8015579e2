//! What handing in, withdrawing, deciding and taking a decision back do to an item's row.

use super::Seen;
use domain::{Personal, UserId, review::Decision};
use sqlx::PgConnection;

pub(super) async fn submitted(
    tx: &mut PgConnection,
    seen: Seen,
    round: u32,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE submissions SET status = 'pending_review', round = $2, submitted_at = $4,
             handed_in_at = $4, reviewed_by_id = NULL, feedback = NULL, version = $3, updated_at = $4
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

/// Which stream tells how a round ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    ByReview,
    ByItem,
}

/// How a round ended. It comes twice, from the review and from the item's own stream; whichever
/// comes first changes the status, the other finds it changed. A round can end again after its
/// decision was taken back: an event that was counted before is told by its place in its stream.
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
        seen: Seen,
        told: Told,
    ) -> Result<(), sqlx::Error> {
        let version = |by| (told == by).then_some(seen.version);
        sqlx::query!(
            "UPDATE submissions SET version = greatest(version, $6),
                 review_version = greatest(review_version, $8),
                 status = CASE WHEN waits THEN $3 ELSE status END,
                 reviewed_by_id = CASE WHEN waits THEN $4 ELSE reviewed_by_id END,
                 feedback = CASE WHEN waits THEN $5 ELSE feedback END,
                 submitted_at = CASE WHEN waits AND $3 = 'draft' THEN NULL ELSE submitted_at END,
                 updated_at = CASE WHEN waits THEN $7 ELSE updated_at END
             FROM (SELECT status = 'pending_review' AND round = $2
                          AND coalesce(version < $6, true) AND coalesce(review_version < $8, true)
                          AS waits
                   FROM submissions WHERE id = $1) AS before
             WHERE id = $1",
            seen.id,
            i32::try_from(self.round).unwrap_or(i32::MAX),
            self.status,
            self.reviewer_id,
            self.feedback,
            version(Told::ByItem),
            seen.at,
            version(Told::ByReview),
        )
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// A decision was taken back: the item waits again since it was handed in.
pub(super) async fn reverted(
    tx: &mut PgConnection,
    seen: Seen,
    round: u32,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE submissions SET status = 'pending_review', submitted_at = handed_in_at,
             reviewed_by_id = NULL, feedback = NULL, version = $3, updated_at = $4
         WHERE id = $1 AND round = $2 AND version < $3",
        seen.id,
        i32::try_from(round).unwrap_or(i32::MAX),
        seen.version,
        seen.at,
    )
    .execute(tx)
    .await?;
    Ok(())
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
