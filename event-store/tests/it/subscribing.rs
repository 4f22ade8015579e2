//! A subscription is contiguous whatever happens to JetStream.

use crate::house::{House, context, until};
use event_store::{Feed, Subscription};
use std::{sync::Arc, time::Duration};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_when_jetstream_is_killed_wiped_and_started_again() {
    let mut house = House::new().await;
    let relay = house.relay().await;
    let owner = house.register("a@example.org").await;
    let mut subscription = Subscription::new(house.log.clone(), house.client.clone(), 0);
    let reader = tokio::spawn(async move {
        let mut seen = vec![];
        while seen.len() < 301 {
            let batch = subscription.next_batch(50).await.expect("a batch");
            seen.extend(batch.into_iter().map(|event| event.position));
        }
        seen
    });
    for n in 0..300 {
        house.raw_text(owner, &format!("text {n}")).await;
        match n {
            75 => house.nats.restart_wiped().await.expect("wiped"),
            150 => house.nats.stop().await,
            225 => house.nats.start().await.expect("started"),
            _ => {}
        }
    }
    let seen = tokio::time::timeout(Duration::from_mins(1), reader)
        .await
        .expect("the reader gets everything")
        .expect("the reader");
    assert_eq!(seen, (1..=301).collect::<Vec<i64>>());
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn messages_that_never_reach_jetstream_are_read_from_the_log() {
    let house = Arc::new(House::new().await);
    let relay = house.relay().await;
    let owner = house.register("a@example.org").await;
    let mut subscription = Subscription::new(house.log.clone(), house.client.clone(), 0);
    let first = subscription.next_batch(10).await.expect("a batch");
    assert_eq!(first.len(), 1);
    // Purging as fast as the relay publishes drops many on the way.
    let jetstream = async_nats::jetstream::new(house.client.clone());
    let purging = tokio::spawn(async move {
        loop {
            if let Ok(stream) = jetstream.get_stream("ALTA_EVENTS").await {
                let _ = stream.purge().await;
            }
            tokio::task::yield_now().await;
        }
    });
    let writer = {
        let house = house.clone();
        tokio::spawn(async move {
            for n in 0..200 {
                house.raw_text(owner, &format!("text {n}")).await;
            }
        })
    };
    let mut expected = 2;
    while expected <= 201 {
        for event in subscription.next_batch(20).await.expect("a batch") {
            assert_eq!(event.position, expected);
            expected += 1;
        }
    }
    writer.await.expect("the writer");
    purging.abort();
    relay.stop().await;
}

#[tokio::test]
async fn a_dropped_wait_loses_nothing() {
    let house = House::new().await;
    let relay = house.relay().await;
    let mut subscription = Subscription::new(house.log.clone(), house.client.clone(), 0);
    for n in 0..30 {
        let waited =
            tokio::time::timeout(Duration::from_millis(n % 7), subscription.next_batch(10)).await;
        assert!(waited.is_err() || n > 0);
    }
    house.register("a@example.org").await;
    let batch = subscription.next_batch(10).await.expect("a batch");
    assert_eq!(batch.len(), 1);
    assert_eq!(batch[0].event_type, "UserRegistered");
    assert_eq!(batch[0].metadata.ip_address.as_deref(), Some("203.0.113.9"));
    relay.stop().await;
}

#[tokio::test]
async fn without_nats_events_are_numbered_and_read_all_the_same() {
    let mut house = House::new().await;
    let relay = house.relay().await;
    let owner = house.register("a@example.org").await;
    let mut subscription = Subscription::new(house.log.clone(), house.client.clone(), 0);
    assert_eq!(subscription.next_batch(10).await.expect("a batch").len(), 1);
    house.nats.stop().await;
    // More announcements than the client can hold while it is not connected.
    for n in 0..5_000 {
        house.heads.projected("anything", n);
    }
    for n in 0..20 {
        house.raw_text(owner, &format!("text {n}")).await;
    }
    assert_eq!(house.whole_log().await.len(), 21);
    let mut read = 1;
    let reading = async {
        while read < 21 {
            read += subscription.next_batch(50).await.expect("a batch").len();
        }
    };
    tokio::time::timeout(Duration::from_secs(5), reading)
        .await
        .expect("the log is read without JetStream");
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn followers_of_one_feed_share_a_consumer_and_each_gets_everything() {
    let house = House::new().await;
    let relay = house.relay().await;
    let feed = Feed::new(house.log.clone(), house.client.clone());
    let followers: Vec<_> = (0..3)
        .map(|_| {
            let mut subscription = Subscription::to(&feed, 0);
            tokio::spawn(async move {
                let mut seen = vec![];
                while seen.len() < 201 {
                    let batch = subscription.next_batch(50).await.expect("a batch");
                    seen.extend(batch.into_iter().map(|event| event.position));
                }
                (seen, subscription)
            })
        })
        .collect();
    let owner = house.register("a@example.org").await;
    for n in 0..200 {
        house.raw_text(owner, &format!("text {n}")).await;
    }
    let mut held = vec![];
    for follower in followers {
        let (seen, subscription) = follower.await.expect("a follower");
        assert_eq!(seen, (1..=201).collect::<Vec<i64>>());
        held.push(subscription);
    }
    assert_eq!(consumers(&house).await, 1);
    // Nobody follows for a while, and the feed rests.
    drop(held);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    // Who follows later starts the feed anew.
    let mut subscription = Subscription::to(&feed, 201);
    house.raw_text(owner, "one more").await;
    assert_eq!(subscription.next_batch(10).await.expect("a batch").len(), 1);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_slower_than_the_feed_reads_on_in_the_log() {
    // More than the feed keeps.
    const MANY: i64 = 2_200;
    let house = Arc::new(House::new().await);
    let relay = house.relay().await;
    let owner = house.register("a@example.org").await;
    let feed = Feed::new(house.log.clone(), house.client.clone());
    let mut slow = Subscription::to(&feed, 0);
    assert_eq!(slow.next_batch(10).await.expect("a batch").len(), 1);
    let mut quick = Subscription::to(&feed, 1);
    let quick = tokio::spawn(async move {
        let mut expected = 2;
        while expected <= 1 + MANY {
            for event in quick.next_batch(100).await.expect("a batch") {
                assert_eq!(event.position, expected);
                expected += 1;
            }
        }
    });
    let writers = (0..20).map(|writer| {
        let house = house.clone();
        tokio::spawn(async move {
            for n in 0..MANY / 20 {
                house.raw_text(owner, &format!("text {writer} {n}")).await;
            }
        })
    });
    futures::future::join_all(writers).await;
    quick.await.expect("the quick one has everything");
    let mut expected = 2;
    while expected <= 1 + MANY {
        for event in slow.next_batch(500).await.expect("a batch") {
            assert_eq!(event.position, expected);
            expected += 1;
        }
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_comes_after_an_erasure_is_not_shown_what_the_feed_had_opened_before() {
    let house = House::new().await;
    let relay = house.relay().await;
    house.claimed("amal@example.org").await;
    let feed = Feed::new(house.log.clone(), house.client.clone());
    let mut quick = Subscription::to(&feed, 0);
    let mut slow = Subscription::to(&feed, 0);
    for subscription in [&mut quick, &mut slow] {
        let first = subscription.next_batch(10).await.expect("a batch");
        assert_eq!(first.len(), 1);
    }
    until("the feed runs", async || consumers(&house).await == 1).await;
    // Looks into the log once more, now that it runs; from then on the feed brings the events.
    for n in 0..2 {
        house.claimed(&format!("another{n}@example.org")).await;
        assert_eq!(quick.next_batch(10).await.expect("a batch").len(), 1);
        assert_eq!(slow.next_batch(10).await.expect("a batch").len(), 1);
    }
    let badr = house.claimed("badr@example.org").await;
    let seen = quick.next_batch(1).await.expect("a batch");
    assert!(format!("{seen:?}").contains("badr@example.org"));
    let erased = house.erase(badr, &context(Some(badr))).await;
    erased.expect("erased");
    let late = slow.next_batch(1).await.expect("a batch");
    assert_eq!(late[0].position, seen[0].position);
    assert!(!format!("{late:?}").contains("badr@example.org"));
    relay.stop().await;
}

/// How many consumers the stream has; none while there is no stream.
async fn consumers(house: &House) -> usize {
    let jetstream = async_nats::jetstream::new(house.client.clone());
    let stream = jetstream.get_stream("ALTA_EVENTS").await;
    stream.map_or(0, |stream| stream.cached_info().state.consumer_count)
}
