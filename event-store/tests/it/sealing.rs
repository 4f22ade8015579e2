//! Personal values: sealed at rest, bound to their place, gone with their key.

use crate::house::{House, MASTER};
use domain::{Submission, User, submission::SubmissionCommand};
use event_store::{Also, Context, Erase, Log, StoreError, Vault, Wanted};
use sqlx::Executor;

#[tokio::test]
async fn nothing_personal_stands_in_clear_in_the_table() {
    let house = House::new().await;
    let owner = house.register("amina@example.org").await;
    house.raw_text(owner, "a text of mine").await;
    let stored: Vec<String> =
        sqlx::query_scalar("SELECT payload::text || metadata::text FROM events")
            .fetch_all(&house.database.pool)
            .await
            .expect("the rows");
    for row in &stored {
        for secret in [
            "amina",
            "Amina",
            "a text of mine",
            "A title",
            "old letters",
            "203.0.113.9",
            "curl",
        ] {
            assert!(!row.contains(secret), "{secret} in {row}");
        }
    }
    assert_eq!(stored.len(), 2);
    let user = house
        .store
        .load::<User>(owner)
        .await
        .expect("a user")
        .aggregate;
    let email = user.standing().and_then(|s| s.email.get().cloned());
    assert_eq!(email.as_deref(), Some("amina@example.org"));
}

#[tokio::test]
async fn a_destroyed_key_makes_its_values_unreadable_and_leaves_the_rest() {
    let house = House::new().await;
    let relay = house.relay().await;
    let erased = house.register("gone@example.org").await;
    let kept = house.register("kept@example.org").await;
    house
        .database
        .pool
        .execute(
            format!(
                "UPDATE vault.subject_keys SET wrapped_key = NULL, erased_at = now()
                 WHERE subject_id = '{erased}'"
            )
            .as_str(),
        )
        .await
        .expect("the erasure");
    let vault = Vault::new(house.database.pool.clone(), MASTER);
    let log = Log::new(house.database.pool.clone(), vault);
    assert_eq!(house.whole_log().await.len(), 2);
    let events = log.read(0, 10).await.expect("the log");
    let gone = format!("{:?}", events[0]);
    assert!(
        !gone.contains("gone@") && !gone.contains("203.0.113.9"),
        "{gone}"
    );
    assert!(gone.contains("$erased"), "{gone}");
    assert_eq!(events[0].metadata.actor_user_id, Some(erased));
    assert!(format!("{:?}", events[1]).contains("kept@example.org"));
    assert_eq!(events[1].aggregate_id, kept);
    relay.stop().await;
}

#[tokio::test]
async fn a_sealed_value_that_was_moved_or_changed_does_not_open() {
    let house = House::new().await;
    let owner = house.register("a@example.org").await;
    let other = house.ids.next();
    // The same sealed payload under another stream: authenticated for the first one only.
    house
        .database
        .pool
        .execute(
            format!(
                "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
                 SELECT aggregate_type, '{other}', 1, event_type, event_version, payload, metadata
                 FROM events WHERE aggregate_id = '{owner}'"
            )
            .as_str(),
        )
        .await
        .expect("a moved event");
    assert!(house.store.load::<User>(other).await.is_err());
    assert!(house.store.load::<User>(owner).await.is_ok());
}

#[tokio::test]
async fn another_master_key_opens_nothing() {
    let house = House::new().await;
    let relay = house.relay().await;
    house.register("a@example.org").await;
    assert_eq!(house.whole_log().await.len(), 1);
    let vault = Vault::new(house.database.pool.clone(), [8; 32]);
    let log = Log::new(house.database.pool.clone(), vault);
    let refused = log.read(0, 10).await;
    assert!(matches!(
        refused,
        Err(StoreError::UnknownMasterKey(Some(_)))
    ));
    relay.stop().await;
}

#[tokio::test]
async fn what_a_client_makes_up_is_never_taken_for_a_marker() {
    use domain::submission::{Description, FreeJson, Text};
    let house = House::new().await;
    let owner = house.register("a@example.org").await;
    let id = house.ids.next();
    let forged = serde_json::json!({
        "$sealed": { "subject": owner, "data": "AAAA" },
    });
    let command = SubmissionCommand::CreateRawText {
        item_id: id,
        project_id: owner,
        created_by_id: owner,
        title: "t".into(),
        content: Text::Inline(domain::Personal::new(id, "{\"$personal\":1}".into())),
        description: Description {
            extra_metadata: Some(FreeJson {
                json: forged.clone(),
            }),
            ..Description::default()
        },
    };
    house
        .store
        .execute::<Submission>(id, command, &crate::house::context(Some(owner)))
        .await
        .expect("a raw text");
    let item = house
        .store
        .load::<Submission>(id)
        .await
        .expect("it loads")
        .aggregate;
    let kept = item
        .item()
        .and_then(|item| item.description.get()?.extra_metadata.clone());
    assert_eq!(kept.map(|free| free.json), Some(forged));
}

/// An upload as it was written before descriptions were sealed.
async fn old_upload(house: &House, owner: uuid::Uuid) -> uuid::Uuid {
    let id = house.ids.next();
    let payload = serde_json::json!({"DocumentUploaded": {
        "project_id": owner,
        "uploaded_by_id": owner,
        "original_filename": {"$erased": {"subject": owner}},
        "file": {"key": "k", "uri": "local://k", "sha256": "00", "size_bytes": 1,
                 "media_type": "application/pdf"},
        "pages": null,
        "is_raw": true,
        "description": {"domain": "poetry", "language": null, "tags": ["amina's own"],
                        "extra_metadata": null},
    }});
    sqlx::query(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version,
                             payload, metadata)
         VALUES ('submission', $1, 1, 'DocumentUploaded', '1', $2, $3)",
    )
    .bind(id.to_string())
    .bind(payload)
    .bind(
        serde_json::json!({"event_id": house.ids.next(), "request_id": "r",
                             "correlation_id": "r"}),
    )
    .execute(&house.database.pool)
    .await
    .expect("an old event");
    id
}

#[tokio::test]
async fn what_stood_in_clear_in_an_old_shape_reads_as_erased_once_its_item_is() {
    let house = House::new().await;
    let relay = house.relay().await;
    let owner = house.register("amina@example.org").await;
    let item = old_upload(&house, owner).await;
    let tags = async || {
        let loaded = house.store.load::<Submission>(item).await;
        let item = loaded.expect("it loads").aggregate;
        let item = item.item_even_deleted().expect("an item").clone();
        item.description.get().map(|said| said.tags.clone())
    };
    assert_eq!(tags().await, Some(vec!["amina's own".to_owned()]));
    let said = async || {
        house.whole_log().await;
        let wanted = Wanted {
            event_types: &["DocumentUploaded"],
            personal: &["description"],
        };
        let plain = house.log.plain(wanted, 0, 2).next().await;
        let plain = plain.expect("read").expect("a stretch").events;
        let log = house.log.read(1, 1).await.expect("the log");
        let first = plain[0].decode::<Submission>().expect("its shape");
        [format!("{log:?}"), format!("{first:?}")]
    };
    assert!(said().await.iter().all(|seen| seen.contains("amina's own")));

    let erase = Also {
        erase: Some(Erase::Item(item)),
        ..Also::default()
    };
    let (command, context) = (SubmissionCommand::Erase, Context::default());
    let erased = house
        .store
        .execute_with::<Submission>(item, command, &context, erase);
    erased.await.expect("erased");
    assert_eq!(tags().await, None);
    assert!(!said().await.iter().any(|seen| seen.contains("amina's own")));
    relay.stop().await;
}
