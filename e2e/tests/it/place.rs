//! Where every part of the service is a process of its own.

use anyhow::{Result, ensure};
use test_kit::{AltaProcess, Home, TestDatabase, TestNats};

/// Servers, and what processes have in common.
pub struct Place {
    pub database: TestDatabase,
    nats: TestNats,
    home: Home,
}

impl Place {
    pub async fn new() -> Result<Self> {
        let (database, nats) = tokio::join!(test_kit::postgres(), test_kit::nats());
        let home = Home::new()?;
        std::fs::create_dir(home.path().join("objects"))?;
        Ok(Self {
            database,
            nats,
            home,
        })
    }

    /// `alta` with these arguments, once it is ready.
    pub async fn part(&self, arguments: &[&str]) -> Result<AltaProcess> {
        let mut process = self.alta(arguments)?;
        process.start().await?;
        Ok(process)
    }

    /// What a command prints that ends by itself.
    pub async fn says(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.alta(arguments)?.env("RUST_LOG", "off");
        command.launch()?;
        let status = command.wait().await?;
        let printed = command.output();
        ensure!(status.success(), "{arguments:?}: {status}: {printed}");
        Ok(printed)
    }

    /// How many events of a type there are.
    pub async fn events(&self, event_type: &str) -> Result<usize> {
        let asked = "SELECT count(*) FROM events WHERE event_type = $1";
        let pool = &self.database.pool;
        let count: i64 = sqlx::query_scalar(asked)
            .bind(event_type)
            .fetch_one(pool)
            .await?;
        Ok(count as usize)
    }

    fn alta(&self, arguments: &[&str]) -> Result<AltaProcess> {
        let objects = self.home.path().join("objects");
        let process = AltaProcess::new()?
            .arguments(arguments)
            .env("DATABASE_URL", &self.database.url)
            .env("DATABASE_MAX_CONNECTIONS", "8")
            .env("NATS_URL", &self.nats.url)
            .env("SECRET_KEY", "a key that all of these processes have")
            .env("STORAGE_URL", &format!("file://{}", objects.display()));
        Ok(process)
    }
}
