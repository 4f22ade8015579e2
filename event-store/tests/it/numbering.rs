//! Positions: contiguous, none skipped, per stream in order, chained, under concurrent writers.

use crate::house::{House, context, raw_text, until};
use domain::{
    Access, Submission,
    access::{AccessCommand, AccessEvent},
};
use event_store::{GENESIS, Link};
use sqlx::{Acquire, Executor, Row};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use time::OffsetDateTime;

const INSERT: &str = "INSERT INTO events
    (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
    VALUES ('probe', $1, $2, 'Probed', '1', '{\"Probed\": {}}', jsonb_build_object('event_id', gen_random_uuid()))";

/// What an auditor would do: recompute every hash from what is stored.
async fn chain_holds(house: &House) -> i64 {
    let rows = sqlx::query(
        "SELECT l.position, l.hash, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type,
                e.event_version, e.payload::text AS payload, e.metadata::text AS metadata, e.recorded_at
         FROM event_log l JOIN events e ON e.id = l.event_id ORDER BY l.position",
    )
    .fetch_all(&house.database.pool)
    .await
    .expect("the log");
    let mut previous = GENESIS;
    for (row, expected) in rows.iter().zip(1..) {
        let position: i64 = row.get("position");
        assert_eq!(position, expected, "positions are contiguous from 1");
        let recorded_at: OffsetDateTime = row.get("recorded_at");
        let link = Link {
            position,
            aggregate_type: row.get("aggregate_type"),
            aggregate_id: row.get("aggregate_id"),
            sequence: row.get("sequence"),
            event_type: row.get("event_type"),
            event_version: row.get("event_version"),
            recorded_at_micros: (recorded_at.unix_timestamp_nanos() / 1_000) as i64,
            payload: row.get("payload"),
            metadata: row.get("metadata"),
        };
        previous = link.hash(&previous);
        assert_eq!(row.get::<Vec<u8>, _>("hash"), previous, "at {position}");
    }
    rows.len() as i64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_event_is_skipped_under_concurrent_writers_rollbacks_an_open_writer_and_new_leaders() {
    let house = Arc::new(House::new().await);
    let mut relay = house.relay().await;
    let pool = house.database.another_pool(34).await.expect("a pool");

    // One writer draws its ids early and commits at the very end.
    let mut held = pool.acquire().await.expect("a session").detach();
    let mut open = held.begin().await.expect("a transaction");
    sqlx::query(INSERT)
        .bind("held")
        .bind(1i64)
        .execute(&mut *open)
        .await
        .expect("held row");

    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..32)
        .map(|writer| {
            let (pool, stop) = (pool.clone(), stop.clone());
            tokio::spawn(async move {
                let (mut committed, mut turn) = (0i64, 0u64);
                while !stop.load(Ordering::Relaxed) {
                    turn += 1;
                    let mut transaction = pool.begin().await.expect("a transaction");
                    let events = 1 + (turn % 3) as i64;
                    for n in 1..=events {
                        sqlx::query(INSERT)
                            .bind(format!("writer-{writer}"))
                            .bind(committed + n)
                            .execute(&mut *transaction)
                            .await
                            .expect("a row");
                    }
                    if turn % 50 == writer {
                        // A slow writer: others overtake it with higher ids.
                        transaction
                            .execute("SELECT pg_sleep(0.03)")
                            .await
                            .expect("a nap");
                    }
                    if turn % 20 == writer % 20 {
                        transaction.rollback().await.expect("rolled back");
                    } else {
                        transaction.commit().await.expect("committed");
                        committed += events;
                    }
                }
                committed
            })
        })
        .collect();

    for leader in 0..4 {
        let before = house.log.head().await.expect("a head");
        until("the log grows", async || {
            house.log.head().await.expect("a head") > before + 500
        })
        .await;
        if leader % 2 == 0 {
            relay.kill().await;
        } else {
            relay.stop().await;
        }
        relay = house.relay().await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut committed = 0;
    for writer in writers {
        committed += writer.await.expect("a writer");
    }
    until("all but the held one have positions", async || {
        house.log.head().await.expect("a head") == committed
    })
    .await;
    open.commit().await.expect("the held writer commits");
    until("the held one has a position too", async || {
        house.log.head().await.expect("a head") == committed + 1
    })
    .await;

    assert_eq!(chain_holds(&house).await, committed + 1);
    let rows = sqlx::query(
        "SELECT e.aggregate_id, e.sequence FROM event_log l JOIN events e ON e.id = l.event_id ORDER BY l.position",
    )
    .fetch_all(&house.database.pool)
    .await
    .expect("the log");
    let mut last: HashMap<String, i64> = HashMap::new();
    for row in rows {
        let sequence: i64 = row.get("sequence");
        let before = last.insert(row.get("aggregate_id"), sequence).unwrap_or(0);
        assert_eq!(sequence, before + 1, "each stream is in order");
    }
    relay.stop().await;
}

#[tokio::test]
async fn a_gap_is_not_given_up_while_a_transaction_that_could_fill_it_runs() {
    let house = House::new().await;
    // The transaction id of the held writer is the newest there is: the snapshot's xmax does not
    // exceed it, which is what makes fencing with xmax lose it.
    let mut held = house
        .database
        .another_pool(1)
        .await
        .expect("a pool")
        .acquire()
        .await
        .expect("a session")
        .detach();
    let mut open = held.begin().await.expect("a transaction");
    sqlx::query(INSERT)
        .bind("held")
        .bind(1i64)
        .execute(&mut *open)
        .await
        .expect("held row");
    let relay = house.relay().await;
    for n in 1..=20i64 {
        sqlx::query(INSERT)
            .bind("other")
            .bind(n)
            .execute(&house.database.pool)
            .await
            .expect("a row");
        until("it has a position", async || {
            house.log.head().await.expect("a head") == n
        })
        .await;
    }
    let low: i64 = sqlx::query_scalar("SELECT low_id FROM sequencer_state")
        .fetch_one(&house.database.pool)
        .await
        .expect("the state");
    let gap: i64 = sqlx::query_scalar("SELECT min(event_id) - 1 FROM event_log")
        .fetch_one(&house.database.pool)
        .await
        .expect("the gap");
    assert!(low < gap, "low_id {low} stays below the open gap {gap}");
    open.commit().await.expect("it commits late");
    until("the late one is numbered", async || {
        house.log.head().await.expect("a head") == 21
    })
    .await;
    chain_holds(&house).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_rolled_back_gap_is_given_up_and_low_id_moves_on() {
    let house = House::new().await;
    let relay = house.relay().await;
    let mut transaction = house.database.pool.begin().await.expect("a transaction");
    sqlx::query(INSERT)
        .bind("gone")
        .bind(1i64)
        .execute(&mut *transaction)
        .await
        .expect("a row");
    transaction.rollback().await.expect("rolled back");
    let mut sequence = 0i64;
    until("low_id catches up with the newest row", async || {
        sequence += 1;
        sqlx::query(INSERT)
            .bind("other")
            .bind(sequence)
            .execute(&house.database.pool)
            .await
            .expect("a row");
        until("it has a position", async || {
            house.log.head().await.expect("a head") == sequence
        })
        .await;
        let caught_up: bool = sqlx::query_scalar(
            "SELECT low_id >= (SELECT max(id) - 1 FROM events) FROM sequencer_state",
        )
        .fetch_one(&house.database.pool)
        .await
        .expect("the state");
        caught_up
    })
    .await;
    relay.stop().await;
}

#[tokio::test]
async fn two_relays_number_each_event_once() {
    let house = House::new().await;
    let (one, other) = (house.relay().await, house.relay().await);
    let owner = house.register("a@example.org").await;
    for n in 0..50 {
        house.raw_text(owner, &format!("text {n}")).await;
    }
    assert_eq!(house.whole_log().await.len(), 51);
    one.kill().await;
    house.raw_text(owner, "after the first leader died").await;
    assert_eq!(house.whole_log().await.len(), 52);
    assert_eq!(chain_holds(&house).await, 52);
    other.stop().await;
}

#[tokio::test]
async fn a_success_is_told_its_position_and_its_actor_s_newest_position_moves() {
    let house = House::new().await;
    let relay = house.relay().await;
    let owner = house.register("a@example.org").await;
    let id = house.ids.next();
    let appended = house
        .store
        .execute::<Submission>(id, raw_text(id, owner, "text"), &context(Some(owner)))
        .await
        .expect("a raw text");
    let position = house
        .store
        .position_of(appended.last_row.expect("a row"))
        .await;
    assert_eq!(position, Some(2));
    let newest: i64 =
        sqlx::query_scalar("SELECT position FROM actor_positions WHERE actor_user_id = $1")
            .bind(owner.to_string())
            .fetch_one(&house.database.pool)
            .await
            .expect("the actor");
    assert_eq!(newest, 2);
    let read = AccessCommand::Record(AccessEvent::SensitiveRead {
        operation: "GET /audit".into(),
        resource_id: None,
        project_id: None,
    });
    let (record, context) = (house.ids.next(), context(Some(owner)));
    let recorded = house.store.execute::<Access>(record, read, &context);
    recorded.await.expect("a record");
    assert_eq!(house.whole_log().await.len(), 3);
    let still = sqlx::query_scalar("SELECT position FROM actor_positions WHERE actor_user_id = $1")
        .bind(owner.to_string())
        .fetch_one(&house.database.pool);
    assert_eq!(still.await.ok(), Some(2_i64), "a look is nothing written");
    relay.stop().await;
}
