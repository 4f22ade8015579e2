//! One process of the service, kept up as a supervisor of the machine would keep it up: whoever ends
//! is started again, unless a fault wants it to stay down.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, bail, ensure};
use nix::sys::signal::Signal;
use reqwest::Method;
use test_kit::AltaProcess;
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    actor::Fleet,
    record::{Finding, Ledger},
};
use crate::Client;

const LOOK_EVERY: Duration = Duration::from_millis(200);
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// How long a part may take to serve again once nothing is wrong any more.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// One replica of one part.
pub(super) struct Part {
    pub name: String,
    pub client: Client,
    process: Mutex<AltaProcess>,
    /// Whether a fault keeps it down.
    held: AtomicBool,
    /// Whether it served since it was last started.
    served: AtomicBool,
}

impl Part {
    pub fn new(name: String, process: AltaProcess) -> Result<Self> {
        Ok(Self {
            name,
            client: Client::new(&process.url())?,
            process: Mutex::new(process),
            held: AtomicBool::new(false),
            served: AtomicBool::new(false),
        })
    }

    pub async fn start(&self) -> Result<()> {
        self.process.lock().await.start().await?;
        self.served.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Kills it, and starts it again after a while.
    pub async fn kill(&self, down: Duration) -> Result<()> {
        self.held.store(true, Ordering::SeqCst);
        let mut process = self.process.lock().await;
        if process.ended().is_none() {
            process.kill().await?;
        }
        drop(process);
        sleep(down).await;
        self.served.store(false, Ordering::SeqCst);
        self.process.lock().await.launch()?;
        self.held.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Stops it in the middle of whatever it does, and lets it go on after a while.
    pub async fn freeze(&self, still: Duration) {
        self.process.lock().await.signal(Signal::SIGSTOP);
        sleep(still).await;
        self.process.lock().await.signal(Signal::SIGCONT);
    }

    /// Waits until it serves.
    pub async fn ready(&self) -> Result<()> {
        let begun = Instant::now();
        while !self.is_ready().await {
            if begun.elapsed() > READY_WITHIN {
                bail!("{} is not ready:\n{}", self.name, self.last_words().await);
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Asks it to end, and waits until it has.
    pub async fn terminate(&self) -> Result<()> {
        self.held.store(true, Ordering::SeqCst);
        let status = self.process.lock().await.terminate().await?;
        ensure!(
            status.success(),
            "{}: {status}: {}",
            self.name,
            self.last_words().await
        );
        Ok(())
    }

    /// The end of what it has printed.
    pub async fn last_words(&self) -> String {
        tail(&self.process.lock().await.output())
    }

    /// Everything that it has printed.
    pub async fn output(&self) -> String {
        self.process.lock().await.output()
    }

    async fn is_ready(&self) -> bool {
        let request = self.client.request(Method::GET, "/health/ready");
        let answer = self.client.send(request.timeout(ANSWERS_WITHIN)).await;
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// Starts it again when it has ended; that it ended is a finding once it had served.
    async fn look_after(&self, ledger: &Ledger) -> Result<()> {
        if !self.served.load(Ordering::SeqCst) && self.is_ready().await {
            self.served.store(true, Ordering::SeqCst);
        }
        let mut process = self.process.lock().await;
        let Some(status) = process.ended() else {
            return Ok(());
        };
        if self.held.load(Ordering::SeqCst) {
            return Ok(());
        }
        if self.served.swap(false, Ordering::SeqCst) {
            let (name, words) = (&self.name, tail(&process.output()));
            let detail = format!("{name} ended with {status}:\n{words}");
            ledger.find(Finding::new("no part that serves ends by itself", detail));
        }
        process.launch()
    }
}

/// Looks after all parts until this is dropped.
pub(super) fn keep_up(parts: &[Arc<Part>], fleet: &Arc<Fleet>) -> JoinSet<Result<()>> {
    let mut keepers = JoinSet::new();
    for part in parts {
        let (part, fleet) = (part.clone(), fleet.clone());
        keepers.spawn(async move {
            loop {
                part.look_after(&fleet.ledger).await?;
                sleep(LOOK_EVERY).await;
            }
        });
    }
    keepers
}

fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
