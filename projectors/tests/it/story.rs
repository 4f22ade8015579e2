//! Events as the log would tell them, and the tables that projectors make of them.

use cqrs_es::{Aggregate, DomainEvent};
use domain::{
    GlobalRole, Personal, ProjectMembership, ProjectRole, Review, Submission, User,
    project_membership::ProjectEvent,
    review::{Decision, ReviewEvent},
    submission::{Description, FreeJson, ProcessingKind, StoredFile, SubmissionEvent},
    user::UserEvent,
};
use event_store::{Log, Metadata, RecordedEvent, Vault};
use projectors::{History, Projector, catch_up, checkpoint};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use std::{collections::HashMap, ops::Range, sync::Arc};
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

/// When the first event of a story happens; each later one happens a second later.
pub const BEGIN: OffsetDateTime = datetime!(2026-01-15 10:00 UTC);

pub const OWNER: Uuid = Uuid::from_u128(0xA1);
pub const REVIEWER: Uuid = Uuid::from_u128(0xA2);
pub const PROJECT: Uuid = Uuid::from_u128(0xB1);
pub const DOCUMENT: Uuid = Uuid::from_u128(0xC1);
pub const VOICE: Uuid = Uuid::from_u128(0xC2);
pub const TEXT: Uuid = Uuid::from_u128(0xC3);
pub const RUN: Uuid = Uuid::from_u128(0xD1);

#[derive(Default)]
pub struct Story {
    pub events: Vec<RecordedEvent>,
    sequences: HashMap<(String, Uuid), i64>,
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a story reads better without ampersands"
)]
impl Story {
    fn tell<A: Aggregate>(&mut self, id: Uuid, event: &A::Event) -> &mut Self {
        let sequence = self.sequences.entry((A::TYPE.into(), id)).or_default();
        *sequence += 1;
        let position = self.events.len() as i64 + 1;
        self.events.push(RecordedEvent {
            position,
            event_id: Uuid::from_u128(0xE000 + position as u128),
            aggregate_type: A::TYPE.into(),
            aggregate_id: id,
            sequence: *sequence,
            event_type: event.event_type(),
            event_version: event.event_version(),
            recorded_at: BEGIN + Duration::seconds(position - 1),
            metadata: Metadata {
                event_id: Uuid::from_u128(0xE000 + position as u128),
                actor_user_id: Some(OWNER),
                request_id: format!("request-{position}"),
                correlation_id: format!("request-{position}"),
                causation_id: None,
                traceparent: None,
                ip_address: Some("203.0.113.9".into()),
                user_agent: None,
            },
            payload: Arc::new(serde_json::to_value(event).expect("an event has a JSON form")),
        });
        self
    }

    pub fn user(&mut self, id: Uuid, event: UserEvent) -> &mut Self {
        self.tell::<User>(id, &event)
    }

    pub fn project(&mut self, event: ProjectEvent) -> &mut Self {
        self.tell::<ProjectMembership>(PROJECT, &event)
    }

    pub fn item(&mut self, id: Uuid, event: SubmissionEvent) -> &mut Self {
        self.tell::<Submission>(id, &event)
    }

    pub fn review(&mut self, id: Uuid, event: ReviewEvent) -> &mut Self {
        self.tell::<Review>(id, &event)
    }

    /// The same story, its events told otherwise.
    pub fn retold(&self, otherwise: impl Fn(&mut RecordedEvent)) -> Self {
        let mut events = self.events.clone();
        events.iter_mut().for_each(otherwise);
        Self {
            events,
            sequences: self.sequences.clone(),
        }
    }

    /// Applies what was told so far to a fresh database.
    pub async fn shown_by<P: Projector>(&self, projector: P) -> PgPool {
        let database = test_kit::postgres().await;
        self.applied(&projector, &database.pool, usize::MAX).await;
        database.pool
    }

    /// Puts a part of what was told into a log that ends where the part begins.
    pub async fn recorded(&self, pool: &PgPool, part: Range<usize>) {
        let events = &self.events[part];
        let column = |of: fn(&RecordedEvent) -> String| events.iter().map(of).collect::<Vec<_>>();
        let metadata = events.iter().map(|event| {
            json!({"event_id": event.event_id, "actor_user_id": event.metadata.actor_user_id,
                   "request_id": event.metadata.request_id,
                   "correlation_id": event.metadata.correlation_id,
                   "ip_address": Personal::new(OWNER, event.metadata.ip_address.clone())})
        });
        sqlx::query(
            "WITH added AS (
                 INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type,
                                     event_version, payload, metadata, recorded_at)
                 SELECT * FROM unnest($1::text[], $2::text[], $3::int8[], $4::text[], $5::text[],
                                      $6::jsonb[], $7::jsonb[], $8::timestamptz[])
                 RETURNING id, metadata ->> 'event_id' AS event_id
             )
             INSERT INTO event_log (position, event_id, hash)
             SELECT told.position, added.id, decode(repeat('00', 32), 'hex')
             FROM added JOIN unnest($9::text[], $10::int8[]) AS told (event_id, position)
                 ON told.event_id = added.event_id",
        )
        .bind(column(|event| event.aggregate_type.clone()))
        .bind(column(|event| event.aggregate_id.to_string()))
        .bind(
            events
                .iter()
                .map(|event| event.sequence)
                .collect::<Vec<_>>(),
        )
        .bind(column(|event| event.event_type.clone()))
        .bind(column(|event| event.event_version.clone()))
        .bind(
            events
                .iter()
                .map(|event| Value::clone(&event.payload))
                .collect::<Vec<_>>(),
        )
        .bind(metadata.collect::<Vec<_>>())
        .bind(
            events
                .iter()
                .map(|event| event.recorded_at)
                .collect::<Vec<_>>(),
        )
        .bind(column(|event| event.event_id.to_string()))
        .bind(
            events
                .iter()
                .map(|event| event.position)
                .collect::<Vec<_>>(),
        )
        .execute(pool)
        .await
        .expect("recorded");
    }

    /// Applies what was told so far, in batches.
    pub async fn applied<P: Projector>(&self, projector: &P, pool: &PgPool, batch: usize) {
        let mut connection = pool.acquire().await.expect("a connection");
        let connection: &mut PgConnection = &mut connection;
        let mut position = checkpoint::<P>(connection)
            .await
            .expect("a checkpoint")
            .position;
        for events in self.events.chunks(batch.min(self.events.len())) {
            position = catch_up(projector, connection, position, events)
                .await
                .expect("a batch applies");
        }
    }
}

/// The projector of histories, for stories in which nobody is erased: it never asks its log.
pub fn history() -> History {
    let nowhere = PgPool::connect_lazy("postgres://localhost/nowhere").expect("an address");
    let vault = Vault::new(nowhere.clone(), [7; 32]);
    History {
        log: Log::new(nowhere, vault),
    }
}

pub fn registered() -> UserEvent {
    UserEvent::UserRegistered {
        email: Personal::new(OWNER, "amina@example.org".into()),
        name: Some(Personal::new(OWNER, "Amina".into())),
        global_role: GlobalRole::User,
        is_verified: false,
        verification_expires_at: None,
    }
}

pub fn project_created() -> ProjectEvent {
    ProjectEvent::ProjectCreated {
        name: "Letters".into(),
        description: Some("Old ones".into()),
        created_by_id: OWNER,
        allow_self_review: true,
    }
}

pub fn joined(user_id: Uuid, role: ProjectRole) -> ProjectEvent {
    ProjectEvent::MemberJoined {
        membership_id: user_id,
        user_id,
        role,
    }
}

/// What is said about an item.
pub fn said(id: Uuid, description: Description) -> Personal<Description> {
    Personal::new(id, description)
}

/// That nothing is said about it.
pub fn nothing_said(id: Uuid) -> Personal<Description> {
    said(id, Description::default())
}

pub fn description() -> Description {
    Description {
        domain: Some("letters".into()),
        language: Some("en".into()),
        tags: vec!["old".into()],
        extra_metadata: Some(FreeJson {
            json: json!({"box": 7}),
        }),
    }
}

fn file(name: &str, media_type: &str) -> StoredFile {
    StoredFile {
        key: format!("files/{name}"),
        uri: format!("local://files/{name}"),
        sha256: "ab".repeat(32),
        size_bytes: 1_234,
        media_type: media_type.into(),
    }
}

pub fn document() -> SubmissionEvent {
    SubmissionEvent::DocumentUploaded {
        project_id: PROJECT,
        uploaded_by_id: OWNER,
        original_filename: Personal::new(OWNER, "letter.pdf".into()),
        file: file("c1", "application/pdf"),
        pages: Some(2),
        is_raw: false,
        description: said(DOCUMENT, description()),
    }
}

pub fn recording() -> SubmissionEvent {
    SubmissionEvent::VoiceSampleUploaded {
        project_id: PROJECT,
        uploaded_by_id: OWNER,
        original_filename: Personal::new(OWNER, "talk.wav".into()),
        file: file("c2", "audio/wav"),
        duration_seconds: Some(3.25),
        description: nothing_said(VOICE),
    }
}

pub fn raw_text() -> SubmissionEvent {
    SubmissionEvent::RawTextCreated {
        project_id: PROJECT,
        created_by_id: OWNER,
        title: Personal::new(TEXT, "A title".into()),
        content: Some(Personal::new(TEXT, "Some words".into())),
        content_ref: None,
        description: nothing_said(TEXT),
    }
}

pub fn requested(kind: ProcessingKind) -> SubmissionEvent {
    SubmissionEvent::ProcessingRequested {
        run_id: RUN,
        kind,
        requested_by_id: None,
    }
}

pub fn succeeded(kind: ProcessingKind, run_id: Uuid) -> SubmissionEvent {
    SubmissionEvent::ProcessingSucceeded {
        run_id,
        kind,
        attempt: 2,
        engine: "tesseract".into(),
        engine_version: "5.3.0".into(),
        language: Some("en".into()),
        confidence: Some(0.93),
        duration_seconds: None,
        started_at: BEGIN,
        parameters: None,
        text: Some(Personal::new(DOCUMENT, "Dear Sir".into())),
        text_ref: None,
        result: Some(Personal::new(DOCUMENT, json!({"pages": [{"page": 1}]}))),
        result_ref: None,
    }
}

pub fn opened(id: Uuid, round: u32) -> ReviewEvent {
    let item_type = if id == DOCUMENT {
        domain::ItemType::Document
    } else {
        domain::ItemType::RawText
    };
    ReviewEvent::ReviewOpened {
        round,
        project_id: PROJECT,
        item_type,
        submitter_id: OWNER,
    }
}

pub fn decided(round: u32, decision: Decision, words: Option<&str>) -> ReviewEvent {
    ReviewEvent::ReviewDecided {
        round,
        decision,
        reviewer_id: REVIEWER,
        feedback: words.map(|words| Personal::new(OWNER, words.into())),
    }
}

/// All rows of a table, in an order of their own.
pub async fn rows(pool: &PgPool, table: &str) -> Vec<Value> {
    let statement = format!("SELECT to_jsonb(t) FROM {table} t ORDER BY to_jsonb(t)::text");
    sqlx::query_scalar(&statement)
        .fetch_all(pool)
        .await
        .expect("rows")
}

/// The one row of a table.
pub async fn row(pool: &PgPool, table: &str) -> Value {
    let mut rows = rows(pool, table).await;
    assert_eq!(rows.len(), 1, "{table}: {rows:?}");
    rows.remove(0)
}

/// Whether `row` has all these values.
#[track_caller]
pub fn assert_has(row: &Value, expected: &Value) {
    let expected = expected.as_object().expect("an object");
    for (field, value) in expected {
        assert_eq!(&row[field], value, "{field} in {row}");
    }
}
