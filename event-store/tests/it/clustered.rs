//! The stream on a cluster of three servers: as many copies as asked for, and none missed when one server
//! dies.

use crate::house::{House, until};
use async_nats::jetstream::stream::Info;
use event_store::Subscription;
use std::time::Duration;
use test_kit::TestNatsCluster;

const STREAM: &str = "ALTA_EVENTS";
/// Groups elect a new leader within seconds, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_mins(1);

impl House<TestNatsCluster> {
    /// What JetStream says of the stream; nothing while it has no leader.
    async fn stream(&self) -> Option<Info> {
        let mut jetstream = async_nats::jetstream::new(self.client.clone());
        jetstream.set_timeout(Duration::from_secs(1));
        let mut stream = jetstream.get_stream(STREAM).await.ok()?;
        stream.info().await.ok().cloned()
    }

    /// Waits until the stream is on three servers, all of them as far as the leader, and returns which
    /// that is.
    async fn leader_of_three(&self) -> usize {
        let mut leader = None;
        until("the stream is on three servers", async || {
            let Some(info) = self.stream().await else {
                return false;
            };
            let Some(group) = info.cluster else {
                return false;
            };
            leader = group.leader.and_then(|name| self.nats.named(&name));
            let all = group.replicas.iter().all(|peer| peer.current);
            info.config.num_replicas == 3 && group.replicas.len() == 2 && all
        })
        .await;
        leader.expect("it has a leader")
    }

    /// Waits until everything in the log is in the stream.
    async fn published(&self) -> Info {
        let head = self.whole_log().await.len() as u64;
        until("everything is published", async || {
            let info = self.stream().await;
            info.is_some_and(|info| info.state.messages == head)
        })
        .await;
        self.stream().await.expect("it is there")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_stream_is_on_as_many_servers_as_asked_and_survives_the_death_of_its_leader() {
    let mut house = House::clustered().await;
    let relay = house.relay().await;
    let owner = house.register("a@example.org").await;
    let alone = house.published().await;
    assert_eq!(alone.config.num_replicas, 1);
    relay.stop().await;

    let relay = house.relay_with(Some(3)).await;
    let leader = house.leader_of_three().await;
    let mut subscription = Subscription::new(house.log.clone(), house.client.clone(), 0);
    let reader = tokio::spawn(async move {
        let mut seen = vec![];
        while seen.len() < 91 {
            let batch = subscription.next_batch(50).await.expect("a batch");
            seen.extend(batch.into_iter().map(|event| event.position));
        }
        seen
    });
    for n in 0..90 {
        house.raw_text(owner, &format!("text {n}")).await;
        if n == 30 {
            house.nats.stop(leader).await;
        }
    }
    let seen = tokio::time::timeout(PATIENCE, reader)
        .await
        .expect("the reader gets everything")
        .expect("the reader");
    assert_eq!(seen, (1..=91).collect::<Vec<i64>>());
    let after = house.published().await;
    assert_eq!(after.created, alone.created, "it is the stream from before");
    assert_eq!(after.state.first_sequence, 1);
    let heir = after.cluster.and_then(|group| group.leader);
    let heir = heir.and_then(|name| house.nats.named(&name));
    assert!(heir.is_some_and(|heir| heir != leader), "{heir:?}");

    house.nats.start(leader).await.expect("it meets the others");
    let leader = house.leader_of_three().await;
    house.nats.stop(leader).await;
    house.raw_text(owner, "one more").await;
    let last = house.published().await;
    assert_eq!((last.created, last.state.messages), (alone.created, 92));
    relay.stop().await;
}

#[tokio::test]
async fn where_there_are_too_few_servers_nothing_is_published_and_the_log_goes_on() {
    let house = House::new().await;
    let relay = house.relay_with(Some(3)).await;
    house.register("a@example.org").await;
    assert_eq!(house.whole_log().await.len(), 1);
    let mut subscription = Subscription::new(house.log.clone(), house.client.clone(), 0);
    assert_eq!(subscription.next_batch(10).await.expect("a batch").len(), 1);
    relay.stop().await;
    let jetstream = async_nats::jetstream::new(house.client.clone());
    assert!(
        jetstream.get_stream(STREAM).await.is_err(),
        "not with fewer copies in silence"
    );
}
