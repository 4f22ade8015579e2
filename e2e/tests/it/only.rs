//! Processors that do only what they are told to: what nobody is there for waits, and is done once
//! somebody is.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::{Client, Mailbox, Person};
use serde_json::json;
use sqlx::PgPool;
use tokio::time::sleep;

use crate::{
    house::{PROCESSED_WITHIN, sample},
    place::Place,
};

/// Longer than anybody who looks for work waits between two looks.
const A_FEW_LOOKS: Duration = Duration::from_secs(3);

impl Place {
    /// How many jobs of a kind there are in a state, of so many attempts.
    async fn jobs(&self, kind: &str, state: &str, attempts: i32) -> Result<i64> {
        let asked = "SELECT count(*) FROM jobs WHERE kind = $1 AND state = $2 AND attempts = $3";
        let pool: &PgPool = &self.database.pool;
        let count = sqlx::query_scalar(asked)
            .bind(kind)
            .bind(state)
            .bind(attempts);
        Ok(count.fetch_one(pool).await?)
    }

    /// Waits until so many jobs of a kind have succeeded at their first attempt.
    async fn succeeded(&self, kind: &str, count: i64) -> Result<()> {
        let begun = Instant::now();
        while self.jobs(kind, "succeeded", 1).await? != count {
            ensure!(begun.elapsed() < PROCESSED_WITHIN, "{kind} is not done");
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Of each kind one job waits, which nobody has tried.
    async fn waits(&self, kinds: &[&str]) -> Result<()> {
        let begun = Instant::now();
        for kind in kinds {
            while self.jobs(kind, "queued", 0).await? != 1 {
                ensure!(begun.elapsed() < PROCESSED_WITHIN, "no {kind} job waits");
                sleep(Duration::from_millis(50)).await;
            }
        }
        sleep(A_FEW_LOOKS).await;
        for kind in kinds {
            ensure!(self.jobs(kind, "queued", 0).await? == 1, "{kind} was tried");
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_is_there_for_waits_until_somebody_is() -> Result<()> {
    let place = Place::new().await?;
    let _relay = place.part(&["relay"]).await?;
    let commands = place.part(&["command-api"]).await?;
    let anybody = Client::new(&commands.url())?;
    let reading = ["processors", "--only", "intake", "--only", "ocr"];
    let _reading = place.part(&reading).await?;

    let mut mails = place.part(&["processors", "--only", "email"]).await?;
    let mailbox = Mailbox::of(&mails.data_dir());
    let amal = Person::register(&anybody, &mailbox, "amal@example.org").await?;
    place.succeeded("email", 1).await?;
    ensure!(mails.terminate().await?.success(), "{}", mails.output());

    let project = amal.project("Letters").await?;
    for (path, upload) in [
        ("documents", sample("page.png", "image/png")?),
        ("voice", sample("go-forward.wav", "audio/wav")?),
    ] {
        let path = format!("/{path}?project_id={project}");
        amal.client.upload(&path, upload).await?.expect(201)?;
    }
    let account = json!({ "email": "badr@example.org", "password": e2e::PASSWORD });
    let registered = anybody.post("/auth/register", account).await?;
    registered.expect(201)?;
    place.succeeded("ocr", 1).await?;
    place.waits(&["transcription", "email"]).await?;

    let mails = place.part(&["processors", "--only", "email"]).await?;
    place.succeeded("email", 2).await?;
    Mailbox::of(&mails.data_dir())
        .wait("badr@example.org", 1)
        .await?;
    place.waits(&["transcription"]).await?;

    let _listening = place
        .part(&["processors", "--only", "transcription"])
        .await?;
    place.succeeded("transcription", 1).await?;
    Ok(())
}
