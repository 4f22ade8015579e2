//! Short messages between processes that end a wait early: "something was appended", "these rows
//! have these positions", "this projection is here". Core NATS, fire and forget: whoever waits also
//! polls, so that a lost message costs time and nothing else.

use crate::RowId;
use futures::{FutureExt, StreamExt};
use sqlx::PgPool;
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, mpsc, watch};

const WAKE: &str = "alta.wake";
const NUMBERED: &str = "alta.numbered";
const PROJECTED: &str = "alta.projected";
const ERASED: &str = "alta.erased";
/// How many row-to-position pairs are kept for those who ask a little late.
const KEPT_PAIRS: usize = 20_000;
/// How often a waiting reader looks for itself.
const POLL: Duration = Duration::from_millis(20);
/// Wake-ups are sent at most this often.
const COALESCE: Duration = Duration::from_millis(1);
/// How many announcements may wait for NATS. What comes on top is dropped: nobody who announces may
/// ever wait for those who listen.
const OUTGOING: usize = 1_024;

/// Hears and says where the log and the projections are.
#[derive(Clone)]
pub struct Heads {
    nats: async_nats::Client,
    outgoing: mpsc::Sender<Announcement>,
    wake: Wake,
    numbered: Arc<Numbered>,
    projections: Arc<Mutex<HashMap<String, watch::Sender<i64>>>>,
    erasures: watch::Sender<u64>,
}

struct Announcement {
    subject: String,
    payload: bytes::Bytes,
}

#[derive(Default)]
struct Numbered {
    recent: Mutex<Recent>,
    changed: Notify,
}

#[derive(Default)]
struct Recent {
    positions: HashMap<i64, i64>,
    order: VecDeque<i64>,
}

/// Tells the relay that there is something to number: the one that leads in this process at once, any
/// other by a message.
#[derive(Clone, Default)]
pub(crate) struct Wake(Arc<Waking>);

#[derive(Default)]
struct Waking {
    leads_here: AtomicBool,
    here: Notify,
    elsewhere: Notify,
}

impl Wake {
    pub(crate) fn wake(&self) {
        if self.0.leads_here.load(Ordering::SeqCst) {
            self.0.here.notify_one();
        } else {
            self.0.elsewhere.notify_one();
        }
    }
}

/// What wakes a relay while it leads.
pub(crate) struct Wakes {
    wake: Wake,
    messages: async_nats::Subscriber,
}

impl Wakes {
    /// Waits for a wake-up; all that came meanwhile are one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            () = self.wake.0.here.notified() => {}
            _ = self.messages.next() => {}
        }
        while self.messages.next().now_or_never().flatten().is_some() {}
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        self.wake.0.leads_here.store(false, Ordering::SeqCst);
    }
}

impl Heads {
    /// Starts to listen. The listening tasks end with the runtime.
    pub fn start(nats: async_nats::Client) -> Self {
        let (outgoing, waiting) = mpsc::channel(OUTGOING);
        let heads = Self {
            wake: Wake::default(),
            numbered: Arc::default(),
            projections: Arc::default(),
            erasures: watch::Sender::new(0),
            outgoing,
            nats: nats.clone(),
        };
        tokio::spawn(send(nats, waiting));
        tokio::spawn(heads.clone().send_wakes());
        tokio::spawn(heads.clone().hear_numbered());
        tokio::spawn(heads.clone().hear_projected());
        tokio::spawn(heads.clone().hear_erased());
        heads
    }

    pub(crate) fn wake(&self) -> Wake {
        self.wake.clone()
    }

    async fn send_wakes(self) {
        loop {
            self.wake.0.elsewhere.notified().await;
            self.announce(WAKE.into(), bytes::Bytes::new());
            tokio::time::sleep(COALESCE).await;
        }
    }

    async fn hear_numbered(self) {
        let mut messages = subscribe(&self.nats, NUMBERED.into()).await;
        while let Some(message) = messages.next().await {
            let pairs = message.payload.chunks_exact(16).map(|pair| {
                let (row, position) = pair.split_at(8);
                (RowId(number(row)), number(position))
            });
            self.numbered.keep(pairs);
        }
    }

    async fn hear_projected(self) {
        let mut messages = subscribe(&self.nats, format!("{PROJECTED}.*")).await;
        while let Some(message) = messages.next().await {
            let name = message.subject.rsplit('.').next().unwrap_or_default();
            if message.payload.len() == 8 {
                self.raise(name, number(&message.payload));
            }
        }
    }

    async fn hear_erased(self) {
        let mut messages = subscribe(&self.nats, ERASED.into()).await;
        while messages.next().await.is_some() {
            self.erasures.send_modify(|heard| *heard += 1);
        }
    }

    /// Announces that keys were destroyed, after the commit.
    pub(crate) fn announce_erasure(&self) {
        self.erasures.send_modify(|heard| *heard += 1);
        self.announce(ERASED.into(), bytes::Bytes::new());
    }

    /// Changes whenever keys were destroyed somewhere.
    pub(crate) fn watch_erasures(&self) -> watch::Receiver<u64> {
        self.erasures.subscribe()
    }

    fn raise(&self, name: &str, position: i64) {
        self.sender(name).send_if_modified(|known| {
            let newer = position > *known;
            *known = position.max(*known);
            newer
        });
    }

    fn sender(&self, name: &str) -> watch::Sender<i64> {
        let mut projections = lock(&self.projections);
        match projections.get(name) {
            Some(sender) => sender.clone(),
            None => projections
                .entry(name.into())
                .or_insert(watch::Sender::new(0))
                .clone(),
        }
    }

    /// Never waits.
    fn announce(&self, subject: String, payload: bytes::Bytes) {
        let announcement = Announcement { subject, payload };
        if self.outgoing.try_send(announcement).is_err() {
            metrics::counter!("alta_announcements_dropped_total").increment(1);
        }
    }

    /// Announces that rows were numbered.
    pub(crate) fn announce_numbered(&self, pairs: &[(RowId, i64)]) {
        self.numbered.keep(pairs.iter().copied());
        let payload: Vec<u8> = pairs
            .iter()
            .flat_map(|(row, position)| [row.0.to_be_bytes(), position.to_be_bytes()])
            .flatten()
            .collect();
        self.announce(NUMBERED.into(), payload.into());
    }

    /// Announces how far a projection is, after its commit.
    pub fn projected(&self, name: &str, position: i64) {
        self.raise(name, position);
        let payload = position.to_be_bytes().to_vec();
        self.announce(format!("{PROJECTED}.{name}"), payload.into());
    }

    /// How far a projection is, as far as was heard.
    pub fn watch_projection(&self, name: &str) -> watch::Receiver<i64> {
        self.sender(name).subscribe()
    }

    /// Waits until a row's position is heard.
    pub(crate) async fn position_of(&self, row: RowId) -> i64 {
        loop {
            let changed = self.numbered.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let known = lock(&self.numbered.recent).positions.get(&row.0).copied();
            match known {
                Some(position) => return position,
                None => changed.await,
            }
        }
    }

    /// Waits until a projection is at `position` or beyond: told by a message, or seen by a poll.
    pub async fn passed(&self, pool: &PgPool, projection: &str, position: i64) {
        let mut heard = self.watch_projection(projection);
        loop {
            // The guard that `wait_for` yields must not live across the next wait.
            let told = matches!(
                tokio::time::timeout(POLL, heard.wait_for(|at| *at >= position)).await,
                Ok(Ok(_))
            );
            if told {
                return;
            }
            let at = sqlx::query_scalar!(
                "SELECT position FROM projection_checkpoints WHERE name = $1",
                projection
            )
            .fetch_optional(pool)
            .await;
            if let Ok(Some(at)) = at {
                self.raise(projection, at);
            }
        }
    }

    /// What wakes the relay of this process, which leads from now on.
    pub(crate) async fn wakes(&self) -> Wakes {
        let messages = subscribe(&self.nats, WAKE.into()).await;
        self.wake.0.leads_here.store(true, Ordering::SeqCst);
        Wakes {
            wake: self.wake(),
            messages,
        }
    }
}

impl Numbered {
    fn keep(&self, pairs: impl Iterator<Item = (RowId, i64)>) {
        let mut recent = lock(&self.recent);
        for (row, position) in pairs {
            recent.keep(row.0, position);
        }
        drop(recent);
        self.changed.notify_waiters();
    }
}

impl Recent {
    fn keep(&mut self, row: i64, position: i64) {
        if self.positions.insert(row, position).is_none() {
            self.order.push_back(row);
        }
        while self.order.len() > KEPT_PAIRS {
            if let Some(oldest) = self.order.pop_front() {
                self.positions.remove(&oldest);
            }
        }
    }
}

/// Sends what waits. While NATS is away this task waits, alone.
async fn send(nats: async_nats::Client, mut waiting: mpsc::Receiver<Announcement>) {
    while let Some(announcement) = waiting.recv().await {
        let _ = nats
            .publish(announcement.subject, announcement.payload)
            .await;
    }
}

/// Subscribes; the client itself renews the subscription after a reconnect.
async fn subscribe(nats: &async_nats::Client, subject: String) -> async_nats::Subscriber {
    loop {
        match nats.subscribe(subject.clone()).await {
            Ok(subscriber) => return subscriber,
            Err(error) => {
                tracing::warn!(%error, subject, "cannot subscribe; trying again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

fn number(bytes: &[u8]) -> i64 {
    bytes.try_into().map_or(0, i64::from_be_bytes)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
