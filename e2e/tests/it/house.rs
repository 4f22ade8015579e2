//! The running service with its first people.

use anyhow::{Result, ensure};
use e2e::{Client, Mailbox, Person, Upload};
use serde_json::{Value, json};
use std::time::Duration;
use test_kit::AltaProcess;

/// Long enough for one page or one short recording on a busy machine.
pub const PROCESSED_WITHIN: Duration = Duration::from_mins(2);

pub struct House {
    pub alta: AltaProcess,
    pub anybody: Client,
    pub mailbox: Mailbox,
}

impl House {
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// With these environment variables besides.
    pub async fn start_with(environment: &[(&str, &str)]) -> Result<Self> {
        let mut alta = AltaProcess::new()?
            .env("SUPER_ADMIN_EMAIL", "root@example.org")
            .env("SUPER_ADMIN_PASSWORD", e2e::PASSWORD);
        for (name, value) in environment {
            alta = alta.env(name, value);
        }
        alta.start().await?;
        Ok(Self {
            anybody: Client::new(&alta.url())?,
            mailbox: Mailbox::of(&alta.data_dir()),
            alta,
        })
    }

    /// What a command prints beside the running service.
    pub async fn alta_says(&self, arguments: &[&str]) -> Result<String> {
        let directory = self.alta.data_dir().display().to_string();
        let mut command = AltaProcess::new()?
            .arguments(arguments)
            .env("ALTA_DATA_DIR", &directory)
            .env("RUST_LOG", "off");
        command.launch()?;
        let status = command.wait().await?;
        let printed = command.output();
        ensure!(status.success(), "{arguments:?}: {status}: {printed}");
        Ok(printed)
    }

    pub async fn person(&self, email: &str) -> Result<Person> {
        Person::register(&self.anybody, &self.mailbox, email).await
    }
}

pub fn sample(name: &str, claimed_type: &str) -> Result<Upload> {
    let path = test_kit::workspace().join("media/testdata").join(name);
    Ok(Upload {
        name: name.to_owned(),
        claimed_type: claimed_type.to_owned(),
        bytes: std::fs::read(path)?,
    })
}

pub fn raw_text(project: &str, title: &str) -> Value {
    json!({ "project_id": project, "title": title, "content": format!("The text of {title}.") })
}
