//! Personal values: sealed at rest, bound to their place, gone with their key.

use crate::house::{House, MASTER};
use domain::{Submission, User};
use event_store::{Log, Vault};
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
    assert!(log.read(0, 10).await.is_err());
    relay.stop().await;
}

#[tokio::test]
async fn what_a_client_makes_up_is_never_taken_for_a_marker() {
    use domain::submission::{Description, FreeJson, SubmissionCommand, Text};
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
        .and_then(|item| item.description.extra_metadata.clone());
    assert_eq!(kept.map(|free| free.json), Some(forged));
}
