//! The row of a new item, from its first event.

use super::{
    Seen,
    described::{Described, columns},
};
use domain::{
    ItemType, Personal,
    submission::{ContentRef, StoredFile, SubmissionEvent},
};
use serde_json::Value;
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
    described: Described,
}

impl Created {
    /// The new item; the event itself when it is about an item that is there.
    pub(super) fn from_event(event: SubmissionEvent) -> Result<Self, Box<SubmissionEvent>> {
        match event {
            SubmissionEvent::DocumentUploaded {
                project_id,
                uploaded_by_id,
                original_filename,
                file,
                pages,
                is_raw,
                description,
            } => Ok(Self {
                item_type: ItemType::Document.as_str(),
                project_id,
                owner_id: uploaded_by_id,
                original_filename: original_filename.into_value(),
                file: Some(file),
                pages,
                is_raw,
                described: columns(description.into_value()),
                ..Self::default()
            }),
            SubmissionEvent::VoiceSampleUploaded {
                project_id,
                uploaded_by_id,
                original_filename,
                file,
                duration_seconds,
                description,
            } => Ok(Self {
                item_type: ItemType::VoiceSample.as_str(),
                project_id,
                owner_id: uploaded_by_id,
                original_filename: original_filename.into_value(),
                file: Some(file),
                duration_seconds,
                described: columns(description.into_value()),
                ..Self::default()
            }),
            SubmissionEvent::RawTextCreated {
                project_id,
                created_by_id,
                title,
                content,
                content_ref,
                description,
            } => Ok(Self {
                item_type: ItemType::RawText.as_str(),
                project_id,
                owner_id: created_by_id,
                title: title.into_value(),
                content: content.and_then(Personal::into_value),
                content_ref,
                described: columns(description.into_value()),
                ..Self::default()
            }),
            event => Err(Box::new(event)),
        }
    }
}

/// Adds rows of new items; those that are there already stay as they are.
pub(super) async fn insert(
    tx: &mut PgConnection,
    new: Vec<(Seen, Created)>,
) -> Result<(), sqlx::Error> {
    if new.is_empty() {
        return Ok(());
    }
    let texts = |of: fn(&Created) -> Option<&String>| {
        let column = new.iter().map(|(_, created)| of(created).cloned());
        column.collect::<Vec<Option<String>>>()
    };
    let file = |of: fn(&StoredFile) -> &String| {
        let files = new.iter().map(|(_, created)| created.file.as_ref());
        files
            .map(|file| file.map(|file| of(file).clone()))
            .collect::<Vec<Option<String>>>()
    };
    sqlx::query!(
        "INSERT INTO submissions (id, item_type, project_id, owner_id, status, version,
             original_filename, title, content, content_key, object_key, gcs_uri, sha256,
             size_bytes, media_type, pages, duration_seconds, is_raw, domain, language, tags,
             extra_metadata, created_at, updated_at)
         SELECT n.id, n.item_type, n.project_id, n.owner_id, 'draft', n.version,
             n.original_filename, n.title, n.content, n.content_key, n.object_key, n.gcs_uri, n.sha256,
             n.size_bytes, n.media_type, n.pages, n.duration_seconds, n.is_raw, n.domain, n.language,
             n.tags, n.extra_metadata, n.at, n.at
         FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::int8[], $6::text[], $7::text[],
                     $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::int8[],
                     $14::text[], $15::int4[], $16::float8[], $17::bool[], $18::text[], $19::text[],
                     $20::jsonb[], $21::jsonb[], $22::timestamptz[])
             AS n(id, item_type, project_id, owner_id, version, original_filename, title,
                  content, content_key, object_key, gcs_uri, sha256, size_bytes,
                  media_type, pages, duration_seconds, is_raw, domain, language,
                  tags, extra_metadata, at)
         ON CONFLICT (id) DO NOTHING",
        &new.iter().map(|(seen, _)| seen.id).collect::<Vec<_>>(),
        &new.iter()
            .map(|(_, created)| created.item_type.to_owned())
            .collect::<Vec<_>>(),
        &new.iter()
            .map(|(_, created)| created.project_id)
            .collect::<Vec<_>>(),
        &new.iter()
            .map(|(_, created)| created.owner_id)
            .collect::<Vec<_>>(),
        &new.iter()
            .map(|(seen, _)| seen.version)
            .collect::<Vec<_>>(),
        &texts(|created| created.original_filename.as_ref()) as &[Option<String>],
        &texts(|created| created.title.as_ref()) as &[Option<String>],
        &texts(|created| created.content.as_ref()) as &[Option<String>],
        &texts(|created| created.content_ref.as_ref().map(|content| &content.key))
            as &[Option<String>],
        &file(|file| &file.key) as &[Option<String>],
        &file(|file| &file.uri) as &[Option<String>],
        &file(|file| &file.sha256) as &[Option<String>],
        &new.iter()
            .map(|(_, created)| i64::try_from(created.file.as_ref()?.size_bytes).ok())
            .collect::<Vec<_>>() as &[Option<i64>],
        &file(|file| &file.media_type) as &[Option<String>],
        &new.iter()
            .map(|(_, created)| i32::try_from(created.pages?).ok())
            .collect::<Vec<_>>() as &[Option<i32>],
        &new.iter()
            .map(|(_, created)| created.duration_seconds)
            .collect::<Vec<_>>() as &[Option<f64>],
        &new.iter().map(|(_, created)| created.is_raw).collect::<Vec<_>>(),
        &texts(|created| created.described.0.as_ref()) as &[Option<String>],
        &texts(|created| created.described.1.as_ref()) as &[Option<String>],
        &new.iter()
            .map(|(_, created)| created.described.2.clone())
            .collect::<Vec<_>>() as &[Option<Value>],
        &new.iter()
            .map(|(_, created)| created.described.3.clone())
            .collect::<Vec<_>>() as &[Option<Value>],
        &new.iter().map(|(seen, _)| seen.at).collect::<Vec<_>>(),
    )
    .execute(tx)
    .await?;
    Ok(())
}
