//! The row of a new item, from its first event.

use super::{Seen, described::columns};
use domain::{
    ItemType, Personal,
    submission::{ContentRef, Description, StoredFile, SubmissionEvent},
};
use sqlx::PgConnection;
use uuid::Uuid;

/// A new item's row, as far as the first event fills it.
#[derive(Default)]
pub(super) struct Created {
    item_type: &'static str,
    project_id: Uuid,
    owner_id: Uuid,
    original_filename: Option<String>,
    title: Option<String>,
    content: Option<String>,
    content_ref: Option<ContentRef>,
    file: Option<StoredFile>,
    pages: Option<u32>,
    duration_seconds: Option<f64>,
    is_raw: bool,
    description: Option<Description>,
}

impl Created {
    pub(super) fn from_event(event: SubmissionEvent) -> Option<Self> {
        match event {
            SubmissionEvent::DocumentUploaded {
                project_id,
                uploaded_by_id,
                original_filename,
                file,
                pages,
                is_raw,
                description,
            } => Some(Self {
                item_type: ItemType::Document.as_str(),
                project_id,
                owner_id: uploaded_by_id,
                original_filename: original_filename.into_value(),
                file: Some(file),
                pages,
                is_raw,
                description: description.into_value(),
                ..Self::default()
            }),
            SubmissionEvent::VoiceSampleUploaded {
                project_id,
                uploaded_by_id,
                original_filename,
                file,
                duration_seconds,
                description,
            } => Some(Self {
                item_type: ItemType::VoiceSample.as_str(),
                project_id,
                owner_id: uploaded_by_id,
                original_filename: original_filename.into_value(),
                file: Some(file),
                duration_seconds,
                description: description.into_value(),
                ..Self::default()
            }),
            SubmissionEvent::RawTextCreated {
                project_id,
                created_by_id,
                title,
                content,
                content_ref,
                description,
            } => Some(Self {
                item_type: ItemType::RawText.as_str(),
                project_id,
                owner_id: created_by_id,
                title: title.into_value(),
                content: content.and_then(Personal::into_value),
                content_ref,
                description: description.into_value(),
                ..Self::default()
            }),
            _ => None,
        }
    }

    pub(super) async fn insert(self, tx: &mut PgConnection, seen: Seen) -> Result<(), sqlx::Error> {
        let file = self.file.as_ref();
        let (domain, language, tags, extra_metadata) = columns(self.description);
        sqlx::query!(
            "INSERT INTO submissions (id, item_type, project_id, owner_id, status, version,
                 original_filename, title, content, content_key, object_key, gcs_uri, sha256,
                 size_bytes, media_type, pages, duration_seconds, is_raw, domain, language, tags,
                 extra_metadata, created_at, updated_at)
             VALUES ($1, $2, $3, $4, 'draft', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
                     $17, $18, $19, $20, $21, $22, $22)
             ON CONFLICT (id) DO NOTHING",
            seen.id,
            self.item_type,
            self.project_id,
            self.owner_id,
            seen.version,
            self.original_filename,
            self.title,
            self.content,
            self.content_ref.map(|content| content.key),
            file.map(|file| file.key.as_str()),
            file.map(|file| file.uri.as_str()),
            file.map(|file| file.sha256.as_str()),
            file.and_then(|file| i64::try_from(file.size_bytes).ok()),
            file.map(|file| file.media_type.as_str()),
            self.pages.and_then(|pages| i32::try_from(pages).ok()),
            self.duration_seconds,
            self.is_raw,
            domain,
            language,
            tags,
            extra_metadata,
            seen.at,
        )
        .execute(tx)
        .await?;
        Ok(())
    }
}
