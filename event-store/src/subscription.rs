//! Events from a position on, contiguous, for one consumer: live from JetStream, and from the log
//! whatever JetStream does not bring. The consumer's own checkpoint is the only memory: the JetStream
//! consumer is made anew at every (re)start, because a durable one would be a second checkpoint that
//! can disagree with the first.

use crate::{Log, RecordedEvent, StoreError, log::SealedEvent, relay::STREAM, traced::TRACEPARENT};
use async_nats::{
    connection::State,
    jetstream::{
        self,
        consumer::{AckPolicy, DeliverPolicy, pull},
    },
};
use futures::{FutureExt, StreamExt};
use runtime::trace;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Silence after which the log is asked.
const SILENCE: Duration = Duration::from_millis(500);
/// How long JetStream may take to make a consumer.
const CONNECT: Duration = Duration::from_secs(1);
/// How long to leave a lost JetStream alone before it is tried again.
const RECONNECT: Duration = Duration::from_millis(500);
/// How often the log is asked while there is no JetStream.
const POLL: Duration = Duration::from_millis(50);

/// A consumer's view of the log.
pub struct Subscription {
    log: Log,
    nats: async_nats::Client,
    taken: i64,
    live: Option<pull::Stream>,
    tried: Option<Instant>,
    /// Whether the log may have events that JetStream will not bring.
    behind: bool,
}

impl Subscription {
    /// Events after position `after`.
    pub const fn new(log: Log, nats: async_nats::Client, after: i64) -> Self {
        Self {
            log,
            nats,
            taken: after,
            live: None,
            tried: None,
            behind: true,
        }
    }

    /// The next events, at least one and at most `max`, contiguous by position. Waits for them.
    /// Dropping the future loses nothing. After an error, the same events come again.
    pub async fn next_batch(&mut self, max: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        loop {
            self.connect().await;
            let batch = if self.behind || self.live.is_none() {
                self.read_log(max).await?
            } else {
                self.read_jetstream(max).await?
            };
            if let Some(last) = batch.last() {
                self.taken = last.position;
                return Ok(batch);
            }
        }
    }

    /// Reads the log; when it has no more, what comes next is JetStream's.
    async fn read_log(&mut self, max: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        let batch = self.log.read(self.taken, max as i64).await?;
        self.behind = batch.len() == max;
        if batch.is_empty() && self.live.is_none() {
            tokio::time::sleep(POLL).await;
        }
        Ok(batch)
    }

    /// Takes what JetStream has. Whatever is not the very next event is for the log to tell.
    async fn read_jetstream(&mut self, max: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        let mut sealed: Vec<SealedEvent> = vec![];
        let mut expected = self.taken + 1;
        while sealed.len() < max {
            let Some(message) = self.next_message(sealed.is_empty()).await else {
                break;
            };
            let Ok(mut event) = serde_json::from_slice::<SealedEvent>(&message.payload) else {
                self.behind = true;
                break;
            };
            if event.position > expected {
                self.behind = true;
                break;
            }
            if event.position == expected {
                expected += 1;
                goes_on_from(&message, &mut event);
                sealed.push(event);
            }
        }
        self.log.open(sealed).await
    }

    /// One message: waited for when `wait`, else only if it is here already.
    async fn next_message(&mut self, wait: bool) -> Option<jetstream::Message> {
        let live = self.live.as_mut()?;
        let next = if wait {
            timeout(SILENCE, live.next()).await.ok()
        } else {
            live.next().now_or_never()
        };
        match next {
            Some(Some(Ok(message))) => return Some(message),
            Some(Some(Err(error))) => {
                tracing::debug!(%error, "subscription: JetStream failed");
                self.live = None;
                self.behind = true;
            }
            Some(None) => {
                self.live = None;
                self.behind = true;
            }
            None if wait => self.behind = true,
            None => {}
        }
        None
    }

    /// Makes a consumer of what comes from now on. What came before is in the log. A server that is
    /// away is not asked, and one that does not answer is asked again only after a pause in which the
    /// log is read.
    async fn connect(&mut self) {
        let rested = self.tried.is_none_or(|at| at.elapsed() >= RECONNECT);
        let connected = self.nats.connection_state() == State::Connected;
        if self.live.is_some() || !rested || !connected {
            return;
        }
        match timeout(CONNECT, consume(&self.nats)).await {
            Ok(Ok(stream)) => {
                self.live = Some(stream);
                self.behind = true;
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "subscription: no JetStream; reading the log");
            }
            Err(_) => tracing::debug!("subscription: JetStream does not answer; reading the log"),
        }
        self.tried = Some(Instant::now());
    }
}

/// What came by JetStream goes on with the trace of its publication; what is read from the log, with
/// that of its append.
fn goes_on_from(message: &jetstream::Message, event: &mut SealedEvent) {
    let headers = message.headers.as_ref();
    let place = headers.and_then(|headers| headers.get(TRACEPARENT));
    let place = place.filter(|place| trace::is_traceparent(place.as_str()));
    if let (Some(place), Some(metadata)) = (place, event.metadata.as_object_mut()) {
        metadata.insert(TRACEPARENT.into(), place.as_str().into());
    }
}

async fn consume(nats: &async_nats::Client) -> Result<pull::Stream, StoreError> {
    let failed = |error: &dyn std::fmt::Display| StoreError::Messaging(error.to_string());
    let stream = jetstream::new(nats.clone())
        .get_stream_no_info(STREAM)
        .await
        .map_err(|error| failed(&error))?;
    let consumer = stream
        .create_consumer(pull::Config {
            deliver_policy: DeliverPolicy::New,
            ack_policy: AckPolicy::None,
            inactive_threshold: Duration::from_secs(30),
            memory_storage: true,
            ..Default::default()
        })
        .await
        .map_err(|error| failed(&error))?;
    consumer
        .stream()
        .max_messages_per_batch(500)
        .heartbeat(Duration::from_secs(1))
        .expires(Duration::from_secs(3))
        .messages()
        .await
        .map_err(|error| failed(&error))
}
