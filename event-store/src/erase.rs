//! Destroying keys together with the event that says so, and deleting what is personal beside the
//! events: address claims, password hash, sessions, kept answers. Which values become unreadable is
//! decided by whose keys sealed them; the events themselves never change.

use crate::{EventStore, StoreError, append::AppendError};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Whose keys are destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erase {
    /// A person: their own key, those of invitations to their address, and those of words between
    /// them and others.
    Person(Uuid),
    /// An item: the key of its content.
    Item(Uuid),
}

/// Whether events of this type tell of destroyed keys.
pub fn erases(event_type: &str) -> bool {
    matches!(event_type, "UserErased" | "SubmissionErased")
}

/// Erases in the transaction of the event that says so.
pub(crate) async fn erase(tx: &mut PgConnection, what: Erase) -> Result<(), AppendError> {
    let subjects = match what {
        Erase::Item(item_id) => vec![item_id],
        Erase::Person(user_id) => {
            let mut subjects = invitations(tx, user_id).await?;
            subjects.extend(words(tx, user_id).await?);
            subjects.push(user_id);
            beside(tx, user_id).await?;
            subjects
        }
    };
    Ok(destroy(tx, &subjects).await?)
}

/// Destroys the keys of what was said while the person was erased. What stands beside the events went
/// with the erasure itself, and whoever asks for this may not touch it.
pub(crate) async fn erase_words(pool: &PgPool, user_id: Uuid) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    let mut subjects = words(&mut tx, user_id).await?;
    subjects.push(user_id);
    destroy(&mut tx, &subjects).await?;
    tx.commit().await
}

async fn destroy(tx: &mut PgConnection, subjects: &[Uuid]) -> Result<(), sqlx::Error> {
    // In one order, whoever else is erased at this moment.
    sqlx::query_scalar!(
        "SELECT subject_id FROM vault.subject_keys WHERE subject_id = ANY($1)
         ORDER BY subject_id FOR UPDATE",
        subjects,
    )
    .fetch_all(&mut *tx)
    .await?;
    // Who has no key gets a grave all the same: nothing new is sealed for them, and what stood in clear
    // before it was sealed reads as erased.
    sqlx::query!(
        "INSERT INTO vault.subject_keys AS k (subject_id, erased_at)
         SELECT subject, clock_timestamp()
         FROM (SELECT DISTINCT unnest($1::uuid[]) AS subject ORDER BY subject) subjects
         ON CONFLICT (subject_id) DO UPDATE SET wrapped_key = NULL, erased_at = excluded.erased_at
         WHERE k.wrapped_key IS NOT NULL",
        subjects,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Subjects of invitations to the person's address; that they are, is forgotten in the same statement, so
/// that none is forgotten and not destroyed.
async fn invitations(tx: &mut PgConnection, user_id: Uuid) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "DELETE FROM address_subjects a USING email_claims c
         WHERE c.user_id = $1 AND a.address_hmac = c.address_hmac RETURNING a.subject_id",
        user_id,
    )
    .fetch_all(tx)
    .await
}

/// Subjects of what reviewers said on the person's items, and of what the person said on others'.
/// The key of another person alone is never among them: it seals words from before they had a key of
/// two, and much else.
async fn words(tx: &mut PgConnection, user_id: Uuid) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"WITH items AS (
               SELECT aggregate_id FROM events
               WHERE metadata ->> 'actor_user_id' = $1 AND aggregate_type = 'submission'
                 AND event_type IN ('DocumentUploaded', 'VoiceSampleUploaded', 'RawTextCreated')
           ), said AS (
               SELECT payload -> event_type AS fields FROM events
               WHERE metadata ->> 'actor_user_id' = $1 AND aggregate_type = 'review'
               UNION ALL
               SELECT e.payload -> e.event_type FROM items i
               JOIN events e ON e.aggregate_type = 'review' AND e.aggregate_id = i.aggregate_id
           ), subjects AS (
               SELECT DISTINCT coalesce(fields -> 'feedback', fields -> 'text')
                               -> '$sealed' ->> 'subject' AS subject
               FROM said
           )
           SELECT subject::uuid AS "subject!" FROM subjects s
           WHERE subject IS NOT NULL AND NOT EXISTS (
               SELECT 1 FROM events
               WHERE aggregate_type = 'user' AND aggregate_id = s.subject AND sequence = 1
           )"#,
        user_id.to_string(),
    )
    .fetch_all(tx)
    .await
}

/// Deletes what stands beside the events.
async fn beside(tx: &mut PgConnection, user_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH address AS (
             DELETE FROM email_claims WHERE user_id = $1 RETURNING address_hmac
         ), suppressed AS (
             DELETE FROM suppressed_addresses s USING address
             WHERE s.address_hmac = address.address_hmac
         ), secured AS (
             DELETE FROM credentials WHERE user_id = $1
         ), kept AS (
             DELETE FROM command_log
             WHERE identity = $2
                OR identity IN (SELECT 'address:' || encode(address_hmac, 'hex') FROM address)
         )
         DELETE FROM sessions WHERE user_id = $1",
        user_id,
        user_id.to_string(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

impl EventStore {
    /// The streams in which somebody caused an event of one of these types, first of all those that
    /// they began.
    pub async fn streams_of(
        &self,
        actor_user_id: Uuid,
        event_types: &[&str],
    ) -> Result<Vec<Uuid>, StoreError> {
        let types: Vec<String> = event_types.iter().map(|name| (*name).into()).collect();
        let ids = sqlx::query_scalar!(
            "SELECT DISTINCT aggregate_id FROM events
             WHERE metadata ->> 'actor_user_id' = $1 AND event_type = ANY($2)",
            actor_user_id.to_string(),
            &types,
        )
        .fetch_all(self.pool())
        .await?;
        Ok(ids
            .iter()
            .filter_map(|id| Uuid::parse_str(id).ok())
            .collect())
    }

    /// Which of these people, or items, were erased.
    pub async fn erased_among(&self, ids: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
        if ids.is_empty() {
            return Ok(vec![]);
        }
        let erased = sqlx::query_scalar!(
            "SELECT subject_id FROM vault.subject_keys
             WHERE subject_id = ANY($1) AND erased_at IS NOT NULL",
            ids,
        )
        .fetch_all(self.pool())
        .await?;
        Ok(erased)
    }

    /// Which of these objects an item other than `item_id` refers to that was not erased: two items can
    /// share what was kept under its digest alone, before each item had a place of its own. Nothing new
    /// comes to be shared, so that the answer holds while it is acted on.
    pub async fn shared_content(
        &self,
        item_id: Uuid,
        keys: &[String],
    ) -> Result<Vec<String>, StoreError> {
        let own = format!("content/{item_id}/");
        let keys: Vec<String> = keys
            .iter()
            .filter(|key| !key.starts_with(&own))
            .cloned()
            .collect();
        if keys.is_empty() {
            return Ok(vec![]);
        }
        let shared = sqlx::query_scalar!(
            r#"SELECT DISTINCT r.key AS "key!" FROM events e
               CROSS JOIN LATERAL (VALUES ('content_ref'), ('text_ref'), ('result_ref'), ('waveform'),
                                          ('file')) AS f(field)
               CROSS JOIN LATERAL (SELECT e.payload -> e.event_type -> f.field ->> 'key' AS key) r
               WHERE e.aggregate_type = 'submission' AND e.aggregate_id <> $1 AND r.key = ANY($2)
                 AND NOT EXISTS (
                     SELECT 1 FROM events x
                     WHERE x.aggregate_type = 'submission' AND x.aggregate_id = e.aggregate_id
                       AND x.event_type = 'SubmissionErased')"#,
            item_id.to_string(),
            &keys,
        )
        .fetch_all(self.pool())
        .await?;
        Ok(shared)
    }
}
