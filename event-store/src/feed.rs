//! The live events of one process: one JetStream consumer for all who follow the log here, so that each
//! event comes once and is read and opened once. Nobody depends on it: what it does not bring, a
//! [`Subscription`](crate::Subscription) reads from the log.

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
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{broadcast, watch},
    time::timeout,
};

/// How many events are kept for whoever is slower than the others. Who falls further behind reads the log.
const KEPT: usize = 512;
/// The most events that are opened together.
const TOGETHER: usize = 100;
/// How long JetStream may take to make a consumer.
const CONNECT: Duration = Duration::from_secs(1);
/// How long to leave a lost JetStream alone before it is tried again.
const RECONNECT: Duration = Duration::from_millis(500);
/// How often it is looked whether anybody still follows.
const IDLE: Duration = Duration::from_secs(1);

/// Where the live events of a process come from. Clones are the same feed.
#[derive(Clone)]
pub struct Feed(Arc<Shared>);

struct Shared {
    log: Log,
    nats: async_nats::Client,
    events: broadcast::Sender<Arc<RecordedEvent>>,
    consumer: watch::Sender<Consumer>,
    runs: Mutex<bool>,
}

/// The consumer that brings events now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Consumer {
    /// Counts consumers: what came before this one did, or was left out, is in the log.
    pub number: u64,
    /// Whether it brings anything.
    pub live: bool,
}

/// One follower's part of a feed.
pub(crate) struct Live {
    pub events: broadcast::Receiver<Arc<RecordedEvent>>,
    pub consumer: watch::Receiver<Consumer>,
}

impl Feed {
    /// A feed of what is published from now on, opened by `log`. It consumes while somebody follows.
    pub fn new(log: Log, nats: async_nats::Client) -> Self {
        Self(Arc::new(Shared {
            log,
            nats,
            events: broadcast::Sender::new(KEPT),
            consumer: watch::Sender::default(),
            runs: Mutex::default(),
        }))
    }

    pub(crate) fn log(&self) -> &Log {
        &self.0.log
    }

    pub(crate) fn listen(&self) -> Live {
        let live = Live {
            events: self.0.events.subscribe(),
            consumer: self.0.consumer.subscribe(),
        };
        let mut runs = self.0.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut *runs, true) {
            let running = Running(self.0.clone());
            tokio::spawn(async move { running.0.run().await });
        }
        live
    }
}

/// A feed whose task breaks says so: followers read the log, and who comes later starts it anew.
struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *self.0.runs.lock().unwrap_or_else(PoisonError::into_inner) = false;
            self.0
                .consumer
                .send_modify(|consumer| consumer.live = false);
        }
    }
}

impl Shared {
    /// Makes a consumer, passes on what it brings, and makes another when it ends, as long as somebody
    /// listens. A server that is away is not asked, and one that does not answer only after a pause.
    async fn run(&self) {
        while !self.abandoned() {
            if self.nats.connection_state() == State::Connected {
                match timeout(CONNECT, consume(&self.nats)).await {
                    Ok(Ok(stream)) => {
                        self.begins();
                        self.pass_on(stream).await;
                        self.consumer.send_modify(|consumer| consumer.live = false);
                    }
                    Ok(Err(error)) => {
                        tracing::debug!(%error, "feed: no JetStream; followers read the log");
                    }
                    Err(_) => {
                        tracing::debug!("feed: JetStream does not answer; followers read the log");
                    }
                }
            }
            tokio::time::sleep(RECONNECT).await;
        }
    }

    /// Whether nobody listens any more; who comes later starts the feed anew.
    fn abandoned(&self) -> bool {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let abandoned = self.events.receiver_count() == 0;
        if abandoned {
            *runs = false;
        }
        abandoned
    }

    /// All who listen look into the log once for what came before.
    fn begins(&self) {
        self.consumer.send_modify(|consumer| {
            consumer.number += 1;
            consumer.live = true;
        });
    }

    /// Until the consumer ends or nobody listens.
    async fn pass_on(&self, mut stream: pull::Stream) {
        while self.events.receiver_count() > 0 {
            let Ok(next) = timeout(IDLE, stream.next()).await else {
                continue;
            };
            let mut sealed = vec![];
            let mut message = next;
            loop {
                match message {
                    Some(Ok(message)) => sealed.extend(read(&message)),
                    Some(Err(error)) => {
                        tracing::debug!(%error, "feed: JetStream failed");
                        return;
                    }
                    None => return,
                }
                if sealed.len() >= TOGETHER {
                    break;
                }
                match stream.next().now_or_never() {
                    Some(next) => message = next,
                    None => break,
                }
            }
            match self.log.open(sealed).await {
                Ok(events) => {
                    for event in events {
                        // Without a listener there is nobody to miss it.
                        let _ = self.events.send(Arc::new(event));
                    }
                }
                // Whoever reads the log meets the same fault there, and knows what to do about it.
                Err(error) => {
                    tracing::debug!(%error, "feed: events cannot be opened; followers read the log");
                    self.begins();
                }
            }
        }
    }
}

/// The event in a message; none when it cannot be read, which the log tells better. It goes on with the
/// trace of its publication; what is read from the log, with that of its append.
fn read(message: &jetstream::Message) -> Option<SealedEvent> {
    let mut event: SealedEvent = serde_json::from_slice(&message.payload).ok()?;
    let headers = message.headers.as_ref();
    let place = headers.and_then(|headers| headers.get(TRACEPARENT));
    let place = place.filter(|place| trace::is_traceparent(place.as_str()));
    if let (Some(place), Some(metadata)) = (place, event.metadata.as_object_mut()) {
        metadata.insert(TRACEPARENT.into(), place.as_str().into());
    }
    Some(event)
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
