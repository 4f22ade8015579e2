//! Append-only, optimistic lock, unique address, idempotency, size, and what the append must not do.

use crate::house::{House, context, raw_text, registration};
use cqrs_es::{Aggregate, persist::PersistedEventRepository};
use domain::{
    ItemType, Review, Submission, User,
    review::{Pending, ReviewCommand},
    submission::{Edit, SubmissionCommand},
};
use event_store::{
    Also, Context, DispatchError, EventRepository, Idempotency, IdempotencyKey, Loaded,
};
use futures::future::join_all;
use serde_json::json;
use sqlx::Executor;
use uuid::Uuid;

async fn count(house: &House, table: &str) -> i64 {
    sqlx::query_scalar(&format!("SELECT count(*) FROM {table}"))
        .fetch_one(&house.database.pool)
        .await
        .expect("a count")
}

#[tokio::test]
async fn no_role_can_change_or_remove_what_was_recorded() {
    let house = House::new().await;
    let relay = house.relay().await;
    house.register("a@example.org").await;
    assert_eq!(house.whole_log().await.len(), 1);
    let mut roles: Vec<String> = sqlx::query_scalar(
        "SELECT quote_ident(rolname) FROM pg_roles WHERE rolname LIKE 'alta\\_%' ORDER BY 1",
    )
    .fetch_all(&house.database.pool)
    .await
    .expect("the roles");
    assert!(roles.len() >= 7, "{roles:?}");
    roles.push("none".into());
    for role in roles {
        for table in ["events", "event_log"] {
            for statement in [
                format!(
                    "UPDATE {table} SET {} = {0}",
                    if table == "events" { "payload" } else { "hash" }
                ),
                format!("DELETE FROM {table}"),
                format!("TRUNCATE {table} CASCADE"),
            ] {
                let mut session = house.database.pool.acquire().await.expect("a session");
                session
                    .execute(format!("SET ROLE {role}").as_str())
                    .await
                    .expect("the role");
                let refused = session.execute(statement.as_str()).await;
                session.execute("RESET ROLE").await.expect("the owner");
                let error = refused.expect_err(&format!("{role} may {statement}"));
                let code = error
                    .as_database_error()
                    .and_then(sqlx::error::DatabaseError::code)
                    .map(String::from);
                let expected = if role == "none" { "ES001" } else { "42501" };
                assert_eq!(
                    code.as_deref(),
                    Some(expected),
                    "{role}: {statement}: {error}"
                );
            }
        }
    }
    assert_eq!(count(&house, "events").await, 1);
    assert_eq!(count(&house, "event_log").await, 1);
    relay.stop().await;
}

#[tokio::test]
async fn of_two_appends_at_the_same_version_one_is_refused() {
    let house = House::new().await;
    let owner = house.register("a@example.org").await;
    let repository = EventRepository::new(house.database.pool.clone(), house.vault.clone());
    let id = house.ids.next();
    let mut events = repository
        .get_events::<User>(&owner.to_string())
        .await
        .expect("a stream");
    for event in &mut events {
        event.aggregate_id = id.to_string();
    }
    let (one, other) = tokio::join!(
        repository.persist::<User>(&events, None),
        repository.persist::<User>(&events, None)
    );
    assert_ne!(one.is_ok(), other.is_ok(), "{one:?} {other:?}");
}

#[tokio::test]
async fn concurrent_commands_on_one_stream_are_retried_and_none_is_lost() {
    let house = House::new().await;
    let owner = house.register("a@example.org").await;
    let id = house.ids.next();
    let pending = Pending {
        round: 1,
        reopened: 0,
        project_id: Uuid::nil(),
        item_type: ItemType::RawText,
        submitter_id: owner,
    };
    let comments = join_all((0..6).map(|n| {
        let command = ReviewCommand::Comment {
            pending: Some(pending),
            comment_id: house.ids.next(),
            author_id: owner,
            text: format!("comment {n}"),
        };
        let house = &house;
        async move {
            house
                .store
                .execute::<Review>(id, command, &context(Some(owner)))
                .await
        }
    }))
    .await;
    assert!(comments.iter().all(Result::is_ok), "{comments:?}");
    let review = house.store.load::<Review>(id).await.expect("a review");
    assert_eq!(review.version, 7, "one opening and six comments");
}

#[tokio::test]
async fn a_command_for_another_version_is_refused_and_appends_nothing() {
    let house = House::new().await;
    let owner = house.register("a@example.org").await;
    let item = house.raw_text(owner, "text").await;
    let id = item
        .aggregate
        .item()
        .map(|_| ())
        .and(Some(item.events.len()));
    assert_eq!(id, Some(1));
    let stream: String =
        sqlx::query_scalar("SELECT aggregate_id FROM events WHERE event_type = 'RawTextCreated'")
            .fetch_one(&house.database.pool)
            .await
            .expect("the item");
    let stream = Uuid::parse_str(&stream).expect("an id");
    let edit = SubmissionCommand::Edit(Edit {
        domain: Some(Some("law".into())),
        ..Edit::default()
    });
    let stale = Context {
        expected_version: Some(5),
        ..context(Some(owner))
    };
    let refused = house
        .store
        .execute::<Submission>(stream, edit.clone(), &stale)
        .await;
    assert!(matches!(
        refused,
        Err(DispatchError::VersionMismatch { current: 1 })
    ));
    let fresh = Context {
        expected_version: Some(1),
        ..context(Some(owner))
    };
    let done = house
        .store
        .execute::<Submission>(stream, edit, &fresh)
        .await;
    assert_eq!(done.expect("an edit").version, 2);
}

#[tokio::test]
async fn of_twenty_registrations_of_one_address_exactly_one_wins() {
    let house = House::new().await;
    let outcomes = join_all((0..20).map(|n| {
        let house = &house;
        async move {
            let id = house.ids.next();
            let email = if n % 2 == 0 {
                "Same@Example.org"
            } else {
                "same@example.ORG"
            };
            let also = Also {
                claim_email: Some((email.into(), id)),
                password_hash: Some((id, "hash".into())),
                ..Also::default()
            };
            house
                .store
                .execute_with::<User>(id, registration(id, email), &context(Some(id)), also)
                .await
        }
    }))
    .await;
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let taken = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Err(DispatchError::EmailTaken)))
        .count();
    assert_eq!((won, taken), (1, 19));
    for table in [
        "events",
        "email_claims",
        "credentials",
        "vault.subject_keys",
    ] {
        assert_eq!(count(&house, table).await, 1, "{table}");
    }
    let holder = house
        .store
        .user_with_address("SAME@example.org")
        .await
        .expect("a look-up");
    assert!(holder.is_some());
}

fn key(text: &str, fingerprint: u8) -> IdempotencyKey {
    IdempotencyKey {
        identity: "me".into(),
        key: text.into(),
        fingerprint: [fingerprint; 32],
    }
}

#[tokio::test]
async fn twenty_concurrent_repeats_append_once_and_get_the_first_answer() {
    let house = House::new().await;
    let owner = house.register("a@example.org").await;
    let outcomes = join_all((0..20).map(|n| {
        let house = &house;
        async move {
            let id = house.ids.next();
            let also = Also {
                idempotency: Some(Idempotency {
                    key: key("once", 1),
                    answer: json!({ "id": id, "n": n }),
                }),
                ..Also::default()
            };
            let command = raw_text(id, owner, "text");
            match house
                .store
                .execute_with::<Submission>(id, command, &context(Some(owner)), also)
                .await
            {
                Ok(_) => json!({ "id": id, "n": n }),
                Err(DispatchError::Replayed(answer)) => answer,
                Err(error) => panic!("{error}"),
            }
        }
    }))
    .await;
    assert!(
        outcomes.iter().all(|answer| *answer == outcomes[0]),
        "{outcomes:?}"
    );
    assert_eq!(
        count(&house, "events WHERE aggregate_type = 'submission'").await,
        1
    );
    let other = house.store.first_answer(&key("once", 2)).await;
    assert!(matches!(
        other,
        Err(event_store::FirstAnswerError::KeyReused)
    ));
}

#[tokio::test]
async fn a_command_without_an_event_is_remembered_too() {
    let house = House::new().await;
    let owner = house.register("a@example.org").await;
    let also = |answer: &str| Also {
        idempotency: Some(Idempotency {
            key: key("quiet", 1),
            answer: json!(answer),
        }),
        ..Also::default()
    };
    let profile = domain::user::UserCommand::Change {
        name: Some(Some("Amina".into())),
        global_role: None,
        suspended: None,
    };
    for _ in 0..2 {
        let quiet = house
            .store
            .execute_with::<User>(owner, profile.clone(), &context(Some(owner)), also("first"))
            .await
            .expect("a quiet repeat");
        assert!(quiet.events.is_empty());
    }
    let kept = house
        .store
        .first_answer(&key("quiet", 1))
        .await
        .expect("an answer");
    assert_eq!(kept, Some(json!("first")));
}

#[tokio::test]
async fn an_event_of_more_than_256_kib_is_refused() {
    let house = House::new().await;
    let owner = house.register("a@example.org").await;
    let too_large: String = (0..300_000u32)
        .map(|n| char::from(b'a' + (n % 26) as u8))
        .collect();
    let id = house.ids.next();
    let refused = house
        .store
        .execute::<Submission>(id, raw_text(id, owner, &too_large), &context(Some(owner)))
        .await;
    let Err(DispatchError::Store(event_store::StoreError::Database(error))) = refused else {
        panic!("an event of 300 kB was taken");
    };
    let constraint = error.as_database_error().and_then(|e| e.constraint());
    assert_eq!(constraint, Some("events_small"));
}

#[tokio::test]
async fn the_append_notifies_nobody() {
    let house = House::new().await;
    let notifying: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
         WHERE t.tgrelid IN ('events'::regclass, 'event_log'::regclass) AND p.prosrc ILIKE '%notify%'",
    )
    .fetch_one(&house.database.pool)
    .await
    .expect("the triggers");
    assert_eq!(
        notifying, 0,
        "NOTIFY in the append takes a database-wide lock through the flush"
    );
    // A listener on every channel that ever had a NOTIFY would show in the queue.
    house.register("a@example.org").await;
    let queue: f64 = sqlx::query_scalar("SELECT pg_notification_queue_usage()")
        .fetch_one(&house.database.pool)
        .await
        .expect("the queue");
    assert!(queue.abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_severed_connection_neither_loses_nor_doubles_a_command() {
    let house = House::new().await;
    let owner = house.register("a@example.org").await;
    for n in 0..5 {
        house
            .database
            .pool
            .execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .await
            .expect("severed");
        // Every pooled connection is dead now; one retry may meet another dead one.
        let mut done = false;
        for _ in 0..50 {
            let id = house.ids.next();
            let command = raw_text(id, owner, &format!("text {n}"));
            if house
                .store
                .execute::<Submission>(id, command, &context(Some(owner)))
                .await
                .is_ok()
            {
                done = true;
                break;
            }
        }
        assert!(done);
    }
    assert_eq!(
        count(&house, "events WHERE aggregate_type = 'submission'").await,
        5
    );
}

#[tokio::test]
async fn an_event_of_an_old_shape_is_lifted_step_by_step_before_the_rules_see_it() {
    let house = House::new().await;
    let id = house.ids.next();
    sqlx::query(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
         VALUES ('review', $1, 1, 'ReviewClosed', '0.1.0', '{\"ReviewClosed\": {}}',
                 jsonb_build_object('event_id', gen_random_uuid()))",
    )
    .bind(id.to_string())
    .execute(&house.database.pool)
    .await
    .expect("an old event");
    let unread = house.store.load::<Review>(id).await;
    assert!(
        unread.is_err(),
        "without upcasters the old shape cannot be read"
    );
    let rename = |event: cqrs_es::persist::SerializedEvent, version: &str, payload| {
        cqrs_es::persist::SerializedEvent {
            event_version: version.into(),
            payload,
            ..event
        }
    };
    let repository = EventRepository::new(house.database.pool.clone(), house.vault.clone())
        .with_upcasters(vec![
            Box::new(Step("0.1.0", move |event| {
                rename(event, "0.2.0", json!({ "ReviewWithdrawn": {} }))
            })),
            Box::new(Step("0.2.0", move |event| {
                rename(event, "1", json!({ "ReviewWithdrawn": { "round": 1 } }))
            })),
        ]);
    let lifted = repository
        .get_events::<Review>(&id.to_string())
        .await
        .expect("a stream");
    assert_eq!(lifted[0].event_version, "1");
    assert_eq!(
        lifted[0].payload,
        json!({ "ReviewWithdrawn": { "round": 1 } })
    );
}

struct Step<F>(&'static str, F);

impl<F> cqrs_es::persist::EventUpcaster for Step<F>
where
    F: Fn(cqrs_es::persist::SerializedEvent) -> cqrs_es::persist::SerializedEvent + Send + Sync,
{
    fn can_upcast(&self, _event_type: &str, event_version: &str) -> bool {
        event_version == self.0
    }

    fn upcast(
        &self,
        event: cqrs_es::persist::SerializedEvent,
    ) -> cqrs_es::persist::SerializedEvent {
        (self.1)(event)
    }
}

#[tokio::test]
async fn the_repository_of_postgres_es_reads_the_same_table() {
    let house = House::new().await;
    let owner = house.register("a@example.org").await;
    let stock = postgres_es::PostgresEventRepository::new(house.database.pool.clone());
    let events = stock
        .get_events::<User>(&owner.to_string())
        .await
        .expect("a stream");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].aggregate_type, User::TYPE);
    assert_eq!(events[0].event_type, "UserRegistered");
    assert_eq!(events[0].sequence, 1);
}

#[tokio::test]
async fn a_stream_that_is_there_all_the_same_is_not_begun_again() {
    let house = House::new().await;
    let owner = house.register("a@example.org").await;
    let id = house.ids.next();
    let by_owner = context(Some(owner));
    let begin = async |text: &str| {
        let command = raw_text(id, owner, text);
        let also = Also::default();
        let (store, nothing) = (&house.store, Loaded::nothing());
        store
            .execute_on::<Submission>(id, nothing, command, &by_owner, also)
            .await
    };
    let first = begin("first").await.expect("it begins");
    assert_eq!(first.version, 1);
    let again = begin("second").await;
    assert!(
        matches!(again, Err(DispatchError::Refused(_))),
        "{:?}",
        again.map(|appended| appended.events)
    );
    let stored = house.store.load::<Submission>(id).await.expect("the item");
    assert_eq!(stored.version, 1);
}
