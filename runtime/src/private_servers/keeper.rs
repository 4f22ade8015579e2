//! Starts a server, keeps it up, and stops it.

use std::{sync::Arc, time::Duration};

use nix::sys::signal::Signal;
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{Child, ServerError};
use crate::backoff::{Backoff, jitter};

/// A crashed database may have much to recover before it is ready.
const READY_WITHIN: Duration = Duration::from_mins(3);
const ATTEMPTS: u32 = 5;
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
/// A server that was up this long did not fail at once.
const STEADY: Duration = Duration::from_secs(30);

/// A server that can be started any number of times, one at a time.
pub trait Server: Send + Sync + 'static {
    /// Its name, for people.
    fn name(&self) -> &'static str;
    /// Starts the process. Blocks while an earlier one closes down.
    fn launch(&self) -> Result<Child, ServerError>;
    /// Whether the process takes requests by now.
    fn is_ready(&self, child: &Child) -> bool;
    /// Why the process ended, from its logs.
    fn failure(&self) -> ServerError;
    /// Chooses another port, when the first may have been taken.
    fn move_to_another_port(&mut self) -> Result<(), ServerError>;
    /// What makes it close down in good order, and what ends it when it does not.
    fn stop_signals(&self) -> [Signal; 2];
}

/// A server that is up, and is started again whenever it dies, until it is stopped.
#[derive(Debug)]
pub struct Kept<S> {
    server: Arc<S>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl<S: Server> Kept<S> {
    /// Starts `server` and waits until it is ready. Its port may change on the way.
    pub async fn start(mut server: S) -> Result<Self, ServerError> {
        let mut failures = 0;
        let (server, child) = loop {
            let shared = Arc::new(server);
            match start_once(&shared).await {
                Ok(child) => break (shared, child),
                Err(error) => {
                    failures += 1;
                    let Some(mut again) = Arc::into_inner(shared).filter(|_| failures < ATTEMPTS)
                    else {
                        return Err(error);
                    };
                    tracing::warn!(%error, "{error}; trying again");
                    tokio::time::sleep(BACKOFF.delay(failures, jitter())).await;
                    again.move_to_another_port()?;
                    server = again;
                }
            }
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(keep(server.clone(), child, stop.clone()));
        Ok(Self { server, stop, task })
    }

    /// The server.
    pub fn server(&self) -> &S {
        &self.server
    }

    /// Stops the server: in good order within 20 seconds, else by force.
    pub async fn stop(self) {
        self.stop.cancel();
        if self.task.await.is_err() {
            tracing::error!("the keeper of {} died", self.server.name());
        }
    }
}

/// Starts the server once and waits until it is ready.
pub async fn start_once<S: Server>(server: &Arc<S>) -> Result<Child, ServerError> {
    let launching = server.clone();
    let launched = tokio::task::spawn_blocking(move || launching.launch()).await;
    let child = launched.map_err(|error| {
        let source = std::io::Error::other(error);
        ServerError::Run {
            program: server.name().to_owned(),
            source,
        }
    })??;
    let deadline = Instant::now() + READY_WITHIN;
    while !server.is_ready(&child) {
        if child.status().is_some() || Instant::now() > deadline {
            child.signal(Signal::SIGKILL);
            child.wait().await;
            return Err(server.failure());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(child)
}

async fn keep<S: Server>(server: Arc<S>, mut child: Child, stop: CancellationToken) {
    let name = server.name();
    let mut failures = 0;
    loop {
        let up_since = Instant::now();
        tokio::select! {
            () = stop.cancelled() => return end(&*server, &child).await,
            status = child.wait() => {
                tracing::error!(%status, "{name} died ({status}), starting it again");
            }
        }
        failures = if up_since.elapsed() > STEADY {
            0
        } else {
            failures
        };
        child = loop {
            failures += 1;
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(BACKOFF.delay(failures, jitter())) => {}
            }
            match start_once(&server).await {
                Ok(child) => break child,
                Err(error) => tracing::error!(%error, failures, "{error}; trying again"),
            }
        };
        tracing::info!("{name} is up again");
    }
}

async fn end<S: Server>(server: &S, child: &Child) {
    for signal in server.stop_signals() {
        child.signal(signal);
        if tokio::time::timeout(Duration::from_secs(20), child.wait())
            .await
            .is_ok()
        {
            return;
        }
        tracing::warn!("{} does not end by {signal}", server.name());
    }
    child.signal(Signal::SIGKILL);
    child.wait().await;
}
