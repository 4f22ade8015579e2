//! Everything that runs: two of every part, on one PostgreSQL and a JetStream cluster of three, with a
//! mail server and a transcription engine that can misbehave.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use test_kit::{
    AltaProcess, DurablePostgres, Home, MailCatcher, TestNatsCluster, durable_postgres,
    nats_cluster,
};
use tokio::sync::Mutex;

use super::{
    engine::Engine,
    parts::Part,
    plan::{CLOCKS, PARTS, REPLICAS, part_name},
};

/// Where Debian's package `libfaketime` puts it, by machine.
const FAKETIME: &str = "faketime/libfaketimeMT.so.1";

/// The whole.
pub(super) struct Stage {
    pub database_url: String,
    pub postgres: Mutex<DurablePostgres>,
    pub nats: Mutex<TestNatsCluster>,
    pub mails: Arc<MailCatcher>,
    pub engine: Engine,
    /// In the order of [`PARTS`], replicas side by side.
    pub parts: Vec<Arc<Part>>,
    /// Whether clocks can be set here.
    pub clocks: bool,
    environment: Vec<(String, String)>,
    home: Home,
}

impl Stage {
    /// Starts all of it.
    pub async fn start() -> Result<Self> {
        let home = Home::new()?;
        let (postgres, nats) = tokio::join!(durable_postgres(), nats_cluster());
        let mails = Arc::new(MailCatcher::start().await?);
        let engine = Engine::start().await?;
        let objects = home.path().join("objects");
        std::fs::create_dir(&objects)?;
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let environment = vec![
            variable("DATABASE_URL", &postgres.url),
            variable("DATABASE_MAX_CONNECTIONS", "8"),
            variable("NATS_URL", &nats.url()),
            variable(
                "SECRET_KEY",
                "the key of the suite of faults, which keeps no secret",
            ),
            variable("STORAGE_URL", &format!("file://{}", objects.display())),
            variable("SMTP_HOST", "127.0.0.1"),
            variable("SMTP_PORT", &mails.port().to_string()),
            variable("SMTP_TLS", "none"),
            variable("TRANSCRIPTION_ENGINE", "openai"),
            variable(
                "OPENAI_BASE_URL",
                &format!("http://127.0.0.1:{}/v1", engine.port),
            ),
            variable("JOB_RETRY_DELAY", "1"),
            variable("JOB_MAX_RETRIES", "8"),
        ];
        let mut stage = Self {
            database_url: postgres.url.clone(),
            postgres: Mutex::new(postgres),
            nats: Mutex::new(nats),
            mails,
            engine,
            parts: vec![],
            clocks: faketime().is_some(),
            environment,
            home,
        };
        stage.run(&["migrate"]).await?;
        for part in 0..PARTS.len() * REPLICAS {
            stage.parts.push(Arc::new(stage.part(part)?));
        }
        try_join_all(stage.parts.iter().map(|part| part.start())).await?;
        Ok(stage)
    }

    /// Runs `alta` with these arguments to its end, which must be a success. Returns what it printed.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        let mut process = self.process(arguments)?.env("RUST_LOG", "warn");
        process.launch()?;
        let status = process.wait().await?;
        let output = process.output();
        ensure!(status.success(), "alta {arguments:?}: {status}\n{output}");
        Ok(output)
    }

    /// Waits until all servers are up and all parts serve.
    pub async fn ready(&self) -> Result<()> {
        self.nats.lock().await.start_all().await?;
        self.postgres.lock().await.start().await?;
        try_join_all(self.parts.iter().map(|part| part.ready())).await?;
        Ok(())
    }

    /// Sets the clock of a part off by so many seconds.
    pub fn set_clock(&self, part: usize, by: i64) -> Result<()> {
        let path = self.clock(part);
        // Another file in its place, so that it is never read half written.
        let new = path.with_extension("new");
        std::fs::write(&new, format!("{by:+}"))?;
        std::fs::rename(&new, &path).with_context(|| path.display().to_string())
    }

    fn clock(&self, part: usize) -> PathBuf {
        self.home.path().join(format!("clock-{part}"))
    }

    fn process(&self, arguments: &[&str]) -> Result<AltaProcess> {
        let mut process = AltaProcess::new()?.arguments(arguments);
        for (name, value) in &self.environment {
            process = process.env(name, value);
        }
        Ok(process)
    }

    fn part(&self, part: usize) -> Result<Part> {
        let mut process = self.process(&[PARTS[part / REPLICAS]])?;
        if let Some(library) = faketime().filter(|_| CLOCKS.contains(&part)) {
            self.set_clock(part, 0)?;
            let clock = self.clock(part).display().to_string();
            for (name, value) in [
                ("LD_PRELOAD", library.as_str()),
                ("FAKETIME_TIMESTAMP_FILE", clock.as_str()),
                ("FAKETIME_CACHE_DURATION", "1"),
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
                ("DONT_FAKE_MONOTONIC", "1"),
            ] {
                process = process.env(name, value);
            }
        }
        Part::new(part_name(part), process)
    }
}

/// The library that sets clocks, where it is installed.
fn faketime() -> Option<String> {
    let directories = std::fs::read_dir("/usr/lib").ok()?.flatten();
    let mut found = directories.map(|directory| directory.path().join(FAKETIME));
    found
        .find(|path| path.is_file())
        .map(|path| path.display().to_string())
}
