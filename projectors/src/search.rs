//! The words by which items are found: `search`. A projection of its own, because long texts are
//! fetched from the object store: while that is away, search alone stands still.
//!
//! It says who may see an item as far as that decides what is searched; whoever shows a hit looks at
//! the item itself again. `search_lexicon` counts the items that have each word.

mod lexicon;

use self::lexicon::Lexicon;
use crate::{
    gathered::Gathered,
    projector::{ProjectionError, Projector, unreadable},
};
use domain::{
    Personal, Review, Submission, User,
    review::{Decision, ReviewEvent},
    submission::{ContentRef, SubmissionEvent},
};
use event_store::{RecordedEvent, beating};
use futures::TryStreamExt;
use media::{ObjectStorage, StoreError, words};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// The most bytes of one text that are read, as many as are shown.
const MOST: u64 = 64 << 20;
/// A text with more words than these waits for no other.
const LONG: usize = 2_000;
/// How long one text may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);

/// The projector of words.
#[derive(Clone, Debug)]
pub struct Search {
    /// Where long texts are.
    pub storage: ObjectStorage,
}

impl Projector for Search {
    const NAME: &'static str = "search";
    const VERSION: i32 = 2;
    const TABLES: &'static [&'static str] = &["search", "search_lexicon"];

    fn concerns(event: &RecordedEvent) -> bool {
        event.is::<Submission>() || event.is::<Review>() || event.is::<User>()
    }

    async fn apply(
        &self,
        tx: &mut PgConnection,
        events: &[RecordedEvent],
    ) -> Result<(), ProjectionError> {
        let mut lexicon = Lexicon::default();
        let mut new = Gathered::default();
        for event in events {
            let seen = Seen {
                id: event.aggregate_id,
                version: event.sequence,
                at: event.recorded_at,
            };
            created(tx, &mut lexicon, new.due_before(event)).await?;
            if event.is::<Submission>() {
                let event = event.decode::<Submission>().map_err(unreadable(event))?;
                match self.new_item(tx, seen, event).await? {
                    Ok(row) => {
                        let long = row.body.len() > LONG;
                        new.add(seen.id, row);
                        if long {
                            created(tx, &mut lexicon, new.take()).await?;
                        }
                    }
                    Err(event) => self.item(tx, &mut lexicon, seen, *event).await?,
                }
            } else if event.is::<User>() && event.event_type == "UserErased" {
                erased_owner(tx, &mut lexicon, seen.id).await?;
            } else if event.is::<Review>() {
                let event = event.decode::<Review>().map_err(unreadable(event))?;
                review(tx, seen, event).await?;
            }
        }
        created(tx, &mut lexicon, new.take()).await?;
        Ok(lexicon.write(tx).await?)
    }
}

/// What every event says: which item, which event of its stream, when.
#[derive(Clone, Copy)]
struct Seen {
    id: Uuid,
    version: i64,
    at: OffsetDateTime,
}

/// A new item and its words.
struct New {
    seen: Seen,
    project_id: Uuid,
    owner_id: Uuid,
    name: Vec<String>,
    body: Vec<String>,
}

impl Search {
    /// The new item; the event itself when it is about an item that is there.
    async fn new_item(
        &self,
        tx: &mut PgConnection,
        seen: Seen,
        event: SubmissionEvent,
    ) -> Result<Result<New, Box<SubmissionEvent>>, ProjectionError> {
        let (project_id, owner_id, name, body) = match event {
            SubmissionEvent::DocumentUploaded {
                project_id,
                uploaded_by_id: owner_id,
                original_filename: name,
                ..
            }
            | SubmissionEvent::VoiceSampleUploaded {
                project_id,
                uploaded_by_id: owner_id,
                original_filename: name,
                ..
            } => (project_id, owner_id, name, vec![]),
            SubmissionEvent::RawTextCreated {
                project_id,
                created_by_id: owner_id,
                title,
                content,
                content_ref,
                ..
            } => {
                let body = self.of_text(tx, content, content_ref).await?;
                (project_id, owner_id, title, body)
            }
            event => return Ok(Err(Box::new(event))),
        };
        Ok(Ok(New {
            seen,
            project_id,
            owner_id,
            name: of_name(name),
            body,
        }))
    }

    async fn item(
        &self,
        tx: &mut PgConnection,
        lexicon: &mut Lexicon,
        seen: Seen,
        event: SubmissionEvent,
    ) -> Result<(), ProjectionError> {
        match event {
            SubmissionEvent::SubmissionEdited {
                description: _,
                title,
                content,
                content_ref,
            } => {
                let new = content.is_some() || content_ref.is_some();
                let body = self.of_text(tx, content, content_ref).await?;
                changed(tx, lexicon, seen, title.map(of_name), new.then_some(body)).await?;
            }
            SubmissionEvent::ProcessingSucceeded { text, text_ref, .. }
            | SubmissionEvent::ResultSelected { text, text_ref, .. } => {
                let body = self.of_text(tx, text, text_ref).await?;
                changed(tx, lexicon, seen, None, Some(body)).await?;
            }
            SubmissionEvent::SubmissionSubmitted { round }
            | SubmissionEvent::DecisionReverted { round, .. } => {
                handed_in(tx, seen, Some(number(round))).await?;
            }
            SubmissionEvent::SubmissionReopened {} => handed_in(tx, seen, None).await?,
            SubmissionEvent::SubmissionWithdrawn { round }
            | SubmissionEvent::ChangesRequested { round, .. } => back(tx, seen, round).await?,
            SubmissionEvent::SubmissionDeleted {} => {
                set_deleted(tx, lexicon, seen, true).await?;
            }
            SubmissionEvent::SubmissionRestored {} => {
                set_deleted(tx, lexicon, seen, false).await?;
            }
            SubmissionEvent::SubmissionErased {} => erased(tx, lexicon, seen).await?,
            // New items are written together; the rest has no words.
            SubmissionEvent::DocumentUploaded { .. }
            | SubmissionEvent::VoiceSampleUploaded { .. }
            | SubmissionEvent::RawTextCreated { .. }
            | SubmissionEvent::SubmissionApproved { .. }
            | SubmissionEvent::SubmissionRejected { .. }
            | SubmissionEvent::AudioMeasured { .. }
            | SubmissionEvent::ProcessingRequested { .. }
            | SubmissionEvent::ProcessingFailed { .. }
            | SubmissionEvent::ProcessingDeadLettered { .. } => {}
        }
        Ok(())
    }

    /// The words of a text that is in the event or, when large, in the store.
    async fn of_text(
        &self,
        tx: &mut PgConnection,
        inline: Option<Personal<String>>,
        stored: Option<ContentRef>,
    ) -> Result<Vec<String>, ProjectionError> {
        let text = match (inline.and_then(Personal::into_value), stored) {
            (Some(text), _) => text,
            (None, Some(stored)) => {
                // Many short ones in a row are silence too.
                tx.ping().await?;
                beating(tx, Box::pin(self.fetch(&stored.key))).await??
            }
            (None, None) => String::new(),
        };
        Ok(words::index(&text))
    }

    /// A text that is not there any more, or can never be read, has no words; a store that fails is
    /// asked again.
    async fn fetch(&self, key: &str) -> Result<String, ProjectionError> {
        let fetched = tokio::time::timeout(PATIENCE, self.storage.get_bytes(key, MOST)).await;
        match fetched.map_err(|_| ProjectionError::TextTooSlow)? {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error @ (StoreError::Store(_) | StoreError::Io(_))) => {
                Err(ProjectionError::Text(error))
            }
            Err(error) => {
                tracing::warn!(key, %error, "the words of {key} cannot be searched: {error}");
                Ok(String::new())
            }
        }
    }
}

/// The review says first that an item is its owner's draft again; its own stream follows.
async fn review(tx: &mut PgConnection, seen: Seen, event: ReviewEvent) -> Result<(), sqlx::Error> {
    match event {
        ReviewEvent::ReviewDecided {
            round,
            decision: Decision::RequestChanges,
            ..
        }
        | ReviewEvent::ReviewWithdrawn { round } => {
            sqlx::query!(
                "UPDATE search SET handed_in = nullif(handed_in, $3), review_version = $2
                 WHERE item_id = $1 AND review_version < $2",
                seen.id,
                seen.version,
                number(round),
            )
            .execute(tx)
            .await?;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn number(round: u32) -> i32 {
    i32::try_from(round).unwrap_or(i32::MAX)
}

fn of_name(name: Personal<String>) -> Vec<String> {
    words::index(&name.into_value().unwrap_or_default())
}

async fn created(
    tx: &mut PgConnection,
    lexicon: &mut Lexicon,
    new: Vec<New>,
) -> Result<(), sqlx::Error> {
    if new.is_empty() {
        return Ok(());
    }
    let found_by = sqlx::query_scalar!(
        r#"INSERT INTO search (item_id, project_id, owner_id, version, created_at, name, body)
           SELECT n.item_id, n.project_id, n.owner_id, n.version, n.created_at,
                  array_to_tsvector(ARRAY(SELECT jsonb_array_elements_text(n.name))),
                  array_to_tsvector(ARRAY(SELECT jsonb_array_elements_text(n.body)))
           FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int8[], $5::timestamptz[], $6::jsonb[],
                       $7::jsonb[]) AS n(item_id, project_id, owner_id, version, created_at, name, body)
           ON CONFLICT (item_id) DO NOTHING
           RETURNING tsvector_to_array(words)"#,
        &new.iter().map(|new| new.seen.id).collect::<Vec<_>>(),
        &new.iter().map(|new| new.project_id).collect::<Vec<_>>(),
        &new.iter().map(|new| new.owner_id).collect::<Vec<_>>(),
        &new.iter().map(|new| new.seen.version).collect::<Vec<_>>(),
        &new.iter().map(|new| new.seen.at).collect::<Vec<_>>(),
        &new.iter().map(|new| json!(new.name)).collect::<Vec<_>>(),
        &new.iter().map(|new| json!(new.body)).collect::<Vec<_>>(),
    )
    .fetch_all(tx)
    .await?;
    for words in found_by {
        lexicon.changes(None, words);
    }
    Ok(())
}

async fn changed(
    tx: &mut PgConnection,
    lexicon: &mut Lexicon,
    seen: Seen,
    name: Option<Vec<String>>,
    body: Option<Vec<String>>,
) -> Result<(), sqlx::Error> {
    if name.is_none() && body.is_none() {
        return Ok(());
    }
    let row = sqlx::query!(
        "UPDATE search s SET name = coalesce(array_to_tsvector($3::text[]), s.name),
             body = coalesce(array_to_tsvector($4::text[]), s.body), version = $2
         FROM search old
         WHERE s.item_id = $1 AND s.version < $2 AND old.item_id = s.item_id
         RETURNING tsvector_to_array(old.words) AS before, tsvector_to_array(s.words) AS after",
        seen.id,
        seen.version,
        name.as_deref(),
        body.as_deref(),
    )
    .fetch_optional(tx)
    .await?;
    if let Some(row) = row {
        lexicon.changes(row.before, row.after);
    }
    Ok(())
}

async fn set_deleted(
    tx: &mut PgConnection,
    lexicon: &mut Lexicon,
    seen: Seen,
    deleted: bool,
) -> Result<(), sqlx::Error> {
    let row = sqlx::query!(
        "UPDATE search s SET deleted = $3, version = $2
         FROM search old
         WHERE s.item_id = $1 AND s.version < $2 AND old.item_id = s.item_id
         RETURNING tsvector_to_array(old.words) AS before, tsvector_to_array(s.words) AS after",
        seen.id,
        seen.version,
        deleted,
    )
    .fetch_optional(tx)
    .await?;
    if let Some(row) = row {
        lexicon.changes(row.before, row.after);
    }
    Ok(())
}

/// Nothing of the item is found any more.
async fn erased(
    tx: &mut PgConnection,
    lexicon: &mut Lexicon,
    seen: Seen,
) -> Result<(), sqlx::Error> {
    let row = sqlx::query!(
        "UPDATE search s SET deleted = true, name = '', body = '', version = $2
         FROM search old
         WHERE s.item_id = $1 AND s.version < $2 AND old.item_id = s.item_id
         RETURNING tsvector_to_array(old.words) AS before",
        seen.id,
        seen.version,
    )
    .fetch_optional(tx)
    .await?;
    lexicon.changes(row.and_then(|row| row.before), None);
    Ok(())
}

/// The names of a person's files are found no more; what a text is called is the item's own. Which
/// is which stands in the type of the first event, in clear.
async fn erased_owner(
    tx: &mut PgConnection,
    lexicon: &mut Lexicon,
    owner_id: Uuid,
) -> Result<(), sqlx::Error> {
    let mut rows = sqlx::query!(
        "UPDATE search s SET name = ''
         FROM search old
         WHERE s.owner_id = $1 AND old.item_id = s.item_id AND EXISTS (
             SELECT 1 FROM public.events e
             WHERE e.aggregate_type = 'submission' AND e.aggregate_id = s.item_id::text
               AND e.sequence = 1 AND e.event_type <> 'RawTextCreated')
         RETURNING tsvector_to_array(old.words) AS before, tsvector_to_array(s.words) AS after",
        owner_id,
    )
    .fetch(tx);
    while let Some(row) = rows.try_next().await? {
        lexicon.changes(row.before, row.after);
    }
    Ok(())
}

async fn handed_in(
    tx: &mut PgConnection,
    seen: Seen,
    round: Option<i32>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE search SET handed_in = $3, version = $2 WHERE item_id = $1 AND version < $2",
        seen.id,
        seen.version,
        round,
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn back(tx: &mut PgConnection, seen: Seen, round: u32) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE search SET handed_in = nullif(handed_in, $3), version = $2
         WHERE item_id = $1 AND version < $2",
        seen.id,
        seen.version,
        number(round),
    )
    .execute(tx)
    .await?;
    Ok(())
}
