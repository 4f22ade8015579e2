//! What an item's owner does to its row besides handing it in.

use super::{Seen, described::columns};
use domain::{
    Personal,
    submission::{ContentRef, Description},
};
use sqlx::PgConnection;

pub(super) async fn edited(
    tx: &mut PgConnection,
    seen: Seen,
    description: Personal<Description>,
    title: Option<Personal<String>>,
    content: Option<Personal<String>>,
    content_ref: Option<ContentRef>,
) -> Result<(), sqlx::Error> {
    let (domain, language, tags, extra_metadata) = columns(description.into_value());
    let new_content = content.is_some() || content_ref.is_some();
    sqlx::query!(
        "UPDATE submissions SET domain = $2, language = $3, tags = $4, extra_metadata = $5,
             title = CASE WHEN $6 THEN $7 ELSE title END,
             content = CASE WHEN $8 THEN $9 ELSE content END,
             content_key = CASE WHEN $8 THEN $10 ELSE content_key END,
             version = $11, updated_at = $12
         WHERE id = $1 AND version < $11",
        seen.id,
        domain,
        language,
        tags,
        extra_metadata,
        title.is_some(),
        title.and_then(Personal::into_value),
        new_content,
        content.and_then(Personal::into_value),
        content_ref.map(|content| content.key),
        seen.version,
        seen.at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn set_deleted(
    tx: &mut PgConnection,
    seen: Seen,
    deleted: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE submissions SET deleted = $2, version = $3, updated_at = $4
         WHERE id = $1 AND version < $3",
        seen.id,
        deleted,
        seen.version,
        seen.at,
    )
    .execute(tx)
    .await?;
    Ok(())
}
