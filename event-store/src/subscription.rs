//! Events from a position on, contiguous, for one consumer: live from the process's [`Feed`], and from the
//! log whatever that does not bring. The consumer's own checkpoint is the only memory: the feed's JetStream
//! consumer is made anew at every (re)start, because a durable one would be a second checkpoint that
//! can disagree with the first.

use crate::{
    Feed, Log, RecordedEvent, StoreError,
    feed::{Consumer, Live},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::broadcast::error::TryRecvError, time::timeout};

/// Silence after which the log is asked.
const SILENCE: Duration = Duration::from_millis(500);
/// How often the log is asked while there is no JetStream.
const POLL: Duration = Duration::from_millis(50);

/// A consumer's view of the log.
pub struct Subscription {
    feed: Feed,
    live: Live,
    taken: i64,
    /// The consumer that brought events when it was looked last.
    known: Consumer,
    /// How many erasures had been heard of: what the feed opened before one may show too much.
    erasures: u64,
    /// Whether the log may have events that the feed will not bring, or should be asked again.
    behind: bool,
}

impl Subscription {
    /// Events after position `after`, from a feed of its own.
    pub fn new(log: Log, nats: async_nats::Client, after: i64) -> Self {
        Self::to(&Feed::new(log, nats), after)
    }

    /// Events after position `after`, from a feed that others follow too.
    pub fn to(feed: &Feed, after: i64) -> Self {
        Self {
            feed: feed.clone(),
            live: feed.listen(),
            taken: after,
            known: Consumer::default(),
            erasures: 0,
            behind: true,
        }
    }

    /// The next events, at least one and at most `max`, contiguous by position. Waits for them.
    /// Dropping the future loses nothing. After an error, the same events come again.
    pub async fn next_batch(&mut self, max: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        loop {
            let consumer = *self.live.consumer.borrow_and_update();
            let erasures = self.feed.log().erasures();
            self.behind |= consumer != self.known || erasures != self.erasures;
            (self.known, self.erasures) = (consumer, erasures);
            let batch = if self.behind || !consumer.live {
                self.read_log(max).await?
            } else {
                self.read_live(max).await
            };
            if let Some(last) = batch.last() {
                self.taken = last.position;
                return Ok(batch);
            }
        }
    }

    /// Reads the log; when it has no more, what comes next is the feed's.
    async fn read_log(&mut self, max: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        let batch = self.feed.log().read(self.taken, max as i64).await?;
        self.behind = batch.len() == max;
        if batch.is_empty() && !self.known.live {
            // A feed that begins ends the wait.
            let _ = timeout(POLL, self.live.consumer.changed()).await;
        }
        Ok(batch)
    }

    /// Takes what the feed has. Whatever is not the very next event is for the log to tell.
    async fn read_live(&mut self, max: usize) -> Vec<RecordedEvent> {
        let mut batch = vec![];
        let mut expected = self.taken + 1;
        while batch.len() < max {
            let Some(event) = self.next_event(batch.is_empty()).await else {
                break;
            };
            if event.position > expected {
                self.behind = true;
                break;
            }
            if event.position == expected {
                expected += 1;
                batch.push(Arc::unwrap_or_clone(event));
            }
        }
        batch
    }

    /// One event: waited for when `wait`, else only if it is here already.
    async fn next_event(&mut self, wait: bool) -> Option<Arc<RecordedEvent>> {
        if !wait {
            let next = self.live.events.try_recv();
            self.behind |= !matches!(next, Ok(_) | Err(TryRecvError::Empty));
            return next.ok();
        }
        tokio::select! {
            biased;
            next = timeout(SILENCE, self.live.events.recv()) => {
                let next = next.ok().and_then(Result::ok);
                self.behind |= next.is_none();
                next
            }
            // Another consumer, or none.
            _ = self.live.consumer.changed() => None,
        }
    }
}
