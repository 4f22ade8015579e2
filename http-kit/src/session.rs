//! Whether the session of an access token still stands: the one look-up that both APIs make.

use sqlx::PgPool;
use time::OffsetDateTime;

use crate::{AccessClaims, ApiError};

/// Refuses a session that was ended, ran out, or belongs to somebody else. One query.
///
/// # Errors
/// 401; 503 when the database does not answer.
pub async fn must_stand(
    pool: &PgPool,
    claims: &AccessClaims,
    now: OffsetDateTime,
) -> Result<(), ApiError> {
    let stands = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT 1 FROM sessions
               WHERE session_id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > $3
           ) AS "stands!""#,
        claims.sid,
        claims.sub,
        now,
    )
    .fetch_one(pool)
    .await?;
    if stands {
        Ok(())
    } else {
        Err(ApiError::unauthenticated())
    }
}
