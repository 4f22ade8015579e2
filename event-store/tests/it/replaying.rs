//! The log again: what is asked for, in order, once, and what comes later to whoever follows.

use crate::house::{House, context, registration};
use domain::{Submission, User, submission::SubmissionEvent};
use event_store::{Envelope, Filter, Log, StoreError, Vault, Wanted};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;
use sqlx::Executor;
use std::time::Duration;

async fn replay(log: &Log, filter: Filter) -> Vec<Envelope> {
    log.replay(filter).try_collect().await.expect("a replay")
}

fn positions(envelopes: &[Envelope]) -> Vec<i64> {
    envelopes.iter().map(|envelope| envelope.position).collect()
}

#[tokio::test]
async fn a_replay_is_what_was_recorded_in_order_of_position() {
    let house = House::new().await;
    let relay = house.relay().await;
    let amina = house.register("amina@example.org").await;
    // More than a batch.
    for n in 0..300 {
        house.raw_text(amina, &format!("text {n}")).await;
    }
    let recorded = house.whole_log().await;
    let replayed = replay(&house.log, Filter::default()).await;
    assert_eq!(positions(&replayed), (1..=301).collect::<Vec<_>>());
    let ids = |envelopes: &[Envelope]| envelopes.iter().map(|e| e.event_id).collect::<Vec<_>>();
    let recorded_ids: Vec<_> = recorded.iter().map(|event| event.event_id).collect();
    assert_eq!(ids(&replayed), recorded_ids);
    let hashes: Vec<Vec<u8>> = sqlx::query_scalar("SELECT hash FROM event_log ORDER BY position")
        .fetch_all(&house.database.pool)
        .await
        .expect("hashes");
    assert!(
        replayed
            .iter()
            .zip(&hashes)
            .all(|(e, hash)| e.hash[..] == hash[..])
    );
    relay.stop().await;
}

#[tokio::test]
async fn an_envelope_shows_everything_plainly_and_what_was_erased_as_erased() {
    let house = House::new().await;
    let relay = house.relay().await;
    let amina = house.register("amina@example.org").await;
    house.whole_log().await;
    let first = replay(&house.log, Filter::default()).await.remove(0);
    let shown = serde_json::to_value(&first).expect("JSON");
    let fields: Vec<&String> = shown.as_object().expect("an object").keys().collect();
    let mut expected = vec![
        "position",
        "event_id",
        "aggregate_type",
        "aggregate_id",
        "sequence",
        "event_type",
        "event_version",
        "recorded_at",
        "actor_user_id",
        "request_id",
        "causation_id",
        "correlation_id",
        "ip_address",
        "user_agent",
        "payload",
        "hash",
    ];
    expected.sort_unstable();
    let mut fields: Vec<&str> = fields.into_iter().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, expected);
    assert_eq!(shown["actor_user_id"], json!(amina));
    assert_eq!(shown["ip_address"], "203.0.113.9");
    assert_eq!(shown["payload"]["email"], "amina@example.org");
    assert_eq!(shown["payload"]["name"], "Amina");
    assert!(
        shown["recorded_at"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z'))
    );
    assert_eq!(shown["hash"].as_str().map(str::len), Some(64));
    house
        .database
        .pool
        .execute("UPDATE vault.subject_keys SET wrapped_key = NULL, erased_at = now()")
        .await
        .expect("the erasure");
    let vault = Vault::new(house.database.pool.clone(), crate::house::MASTER);
    let log = Log::new(house.database.pool.clone(), vault);
    let erased = replay(&log, Filter::default()).await.remove(0);
    assert_eq!(erased.payload["email"], json!({"erased": true}));
    assert_eq!((erased.ip_address, erased.user_agent), (None, None));
    assert_eq!(erased.hash, first.hash);
    relay.stop().await;
}

#[tokio::test]
async fn what_is_read_in_bulk_is_what_is_wanted_opened_where_it_is_wanted() {
    let house = House::new().await;
    let relay = house.relay().await;
    let amina = house.register("amina@example.org").await;
    for text in ["Rain", "Snow"] {
        house.raw_text(amina, text).await;
    }
    let log = house.whole_log().await;
    let head = log.len() as i64;
    let wanted = Wanted {
        event_types: &["RawTextCreated"],
        personal: &["title"],
    };
    let read = async |after| {
        let mut events = house.log.plain(wanted, after, head);
        let mut read = vec![];
        while let Some(stretch) = events.next().await.expect("read") {
            assert!(stretch.until <= head);
            read.extend(stretch.events);
        }
        read
    };
    let events = read(0).await;
    let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
    assert_eq!(positions, [2, 3]);
    assert_eq!(read(2).await.len(), 1);
    let first = &events[0];
    assert!(first.is::<Submission>() && first.aggregate_id == log[1].aggregate_id);
    let SubmissionEvent::RawTextCreated { title, content, .. } =
        first.decode::<Submission>().expect("read")
    else {
        panic!("another event: {first:?}");
    };
    assert_eq!(title.get().map(String::as_str), Some("A title"));
    assert_eq!(content.expect("it has some").get(), None, "nobody asked");
    relay.stop().await;
}

#[tokio::test]
async fn a_filter_brings_exactly_what_it_names() {
    let house = House::new().await;
    let relay = house.relay().await;
    let amina = house.register("amina@example.org").await;
    house.raw_text(amina, "one").await;
    house.raw_text(amina, "two").await;
    let bilal = house.register("bilal@example.org").await;
    let item = house.whole_log().await[1].aggregate_id;
    let of = |filter: Filter| {
        let log = house.log.clone();
        async move { positions(&replay(&log, filter).await) }
    };
    let some = |text: &str| Some(text.to_owned());
    let filters = [
        (
            Filter {
                from_position: Some(3),
                ..Filter::default()
            },
            vec![3, 4],
        ),
        (
            Filter {
                to_position: Some(2),
                ..Filter::default()
            },
            vec![1, 2],
        ),
        (
            Filter {
                from_position: Some(2),
                to_position: Some(3),
                ..Filter::default()
            },
            vec![2, 3],
        ),
        (
            Filter {
                from_position: Some(9),
                ..Filter::default()
            },
            vec![],
        ),
        (
            Filter {
                limit: Some(3),
                ..Filter::default()
            },
            vec![1, 2, 3],
        ),
        (
            Filter {
                aggregate_type: some("user"),
                ..Filter::default()
            },
            vec![1, 4],
        ),
        (
            Filter {
                event_type: some("RawTextCreated"),
                limit: Some(1),
                ..Filter::default()
            },
            vec![2],
        ),
        (
            Filter {
                aggregate_id: Some(item),
                ..Filter::default()
            },
            vec![2],
        ),
        (
            Filter {
                aggregate_id: Some(bilal),
                ..Filter::default()
            },
            vec![4],
        ),
        (
            Filter {
                aggregate_type: some("user"),
                aggregate_id: Some(item),
                ..Filter::default()
            },
            vec![],
        ),
        (
            Filter {
                aggregate_id: Some(amina),
                event_type: some("EmailVerified"),
                ..Filter::default()
            },
            vec![],
        ),
        (
            Filter {
                event_type: some("NoSuchEvent"),
                ..Filter::default()
            },
            vec![],
        ),
    ];
    for (filter, expected) in filters {
        let words = format!("{filter:?}");
        assert_eq!(of(filter).await, expected, "{words}");
    }
    relay.stop().await;
}

#[tokio::test]
async fn whoever_follows_gets_what_comes_later_until_their_last_position() {
    let house = House::new().await;
    let relay = house.relay().await;
    house.register("first@example.org").await;
    house.whole_log().await;
    let filter = Filter {
        to_position: Some(3),
        follow: true,
        ..Filter::default()
    };
    let mut following = Box::pin(house.log.replay(filter));
    let next = following.next().await.expect("an event").expect("read");
    assert_eq!(next.position, 1);
    let quiet = tokio::time::timeout(Duration::from_millis(300), following.next()).await;
    assert!(quiet.is_err(), "nothing is there yet");
    for name in ["second", "third", "fourth"] {
        house.register(&format!("{name}@example.org")).await;
    }
    let rest: Vec<_> = following
        .map_ok(|envelope| envelope.position)
        .try_collect()
        .await
        .expect("the rest");
    assert_eq!(rest, [2, 3]);
    relay.stop().await;
}

#[tokio::test]
async fn what_cannot_be_opened_ends_a_replay_with_an_error() {
    let house = House::new().await;
    let relay = house.relay().await;
    let id = house.ids.next();
    house
        .store
        .execute::<User>(id, registration(id, "a@example.org"), &context(Some(id)))
        .await
        .expect("a registration");
    house.whole_log().await;
    let stranger = Vault::new(house.database.pool.clone(), [8; 32]);
    let log = Log::new(house.database.pool.clone(), stranger);
    let replayed: Vec<_> = log.replay(Filter::default()).collect().await;
    assert!(
        matches!(replayed[..], [Err(StoreError::UnknownMasterKey(Some(_)))]),
        "{replayed:?}"
    );
    relay.stop().await;
}
