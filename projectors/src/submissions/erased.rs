//! What an erasure leaves of items, and the list of them for holders of released data.

use super::Seen;
use sqlx::PgConnection;

/// An item's owner was erased: the names of their files go, and all words between them and others.
pub(super) async fn owner(
    tx: &mut PgConnection,
    seen: Seen,
    position: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH reviewed AS (
             UPDATE submissions SET feedback = NULL
             WHERE reviewed_by_id = $1 AND owner_id <> $1 AND feedback IS NOT NULL
         ), owned AS (
             UPDATE submissions SET original_filename = NULL, feedback = NULL
             WHERE owner_id = $1
             RETURNING id, project_id, item_type
         )
         INSERT INTO erasures (item_id, project_id, item_type, erased_at, position, reason)
         SELECT id, project_id, item_type, $2, $3, 'owner_erased' FROM owned
         ON CONFLICT (item_id) DO NOTHING",
        seen.id,
        seen.at,
        position,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// An item was erased with its owner: nothing of what it held is left.
pub(super) async fn item(
    tx: &mut PgConnection,
    seen: Seen,
    position: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH gone AS (
             DELETE FROM results WHERE item_id = $1
         ), emptied AS (
             UPDATE submissions SET deleted = true, original_filename = NULL, title = NULL,
                 content = NULL, content_key = NULL, domain = NULL, language = NULL, tags = NULL,
                 extra_metadata = NULL, processed = false, processed_text = NULL, text_key = NULL,
                 result = NULL, result_key = NULL, shown_result = NULL, audio = NULL,
                 waveform_key = NULL, last_error = NULL, version = $2, updated_at = $3
             WHERE id = $1 AND version < $2
             RETURNING id, project_id, item_type
         )
         INSERT INTO erasures (item_id, project_id, item_type, erased_at, position, reason)
         SELECT id, project_id, item_type, $3, $4, 'item_erased' FROM emptied
         ON CONFLICT (item_id) DO UPDATE
         SET reason = excluded.reason, erased_at = excluded.erased_at, position = excluded.position",
        seen.id,
        seen.version,
        seen.at,
        position,
    )
    .execute(tx)
    .await?;
    Ok(())
}
