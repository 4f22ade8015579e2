//! A process that hangs keeps its connections, but not the lead.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::{Answer, Client, Mailbox, Person};
use nix::sys::signal::Signal;
use serde_json::json;
use test_kit::AltaProcess;
use tokio::time::sleep;

use crate::{house::raw_text, place::Place};

/// Five seconds after which a silent lead is taken away, thirty inside a transaction, and time to go on.
const TAKEN_OVER_WITHIN: Duration = Duration::from_mins(1);

/// The parts in which one process leads.
const LED: [&str; 3] = ["relay", "projectors", "processors"];

/// Hands a text in, and waits until reviewers see so many of them and the policy has opened their rounds.
async fn handed_in(
    place: &Place,
    owner: &Person,
    reads: &Client,
    (project, count): (&str, usize),
) -> Result<()> {
    let text = raw_text(project, &format!("Text {count}"));
    let made = owner.client.post("/raw-text", text).await?.expect(201)?;
    let item = json!({ "raw_text_ids": [made.text("id")?] });
    owner.client.post("/submit", item).await?.expect(200)?;
    let queue = format!("/review?project_id={project}");
    let all = |queue: &Answer| queue.body.as_array().map(Vec::len) == Some(count);
    reads.until(&queue, TAKEN_OVER_WITHIN, all).await?;
    let begun = Instant::now();
    while place.events("ReviewOpened").await? < count {
        ensure!(begun.elapsed() < TAKEN_OVER_WITHIN, "no round opens");
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Registers an account, and waits for its mail from whoever sends it.
async fn registered(anybody: &Client, mails: &Mailbox, email: &str) -> Result<()> {
    let account = json!({ "email": email, "password": e2e::PASSWORD });
    anybody.post("/auth/register", account).await?.expect(201)?;
    let begun = Instant::now();
    while mails.to(email).is_empty() {
        ensure!(begun.elapsed() < TAKEN_OVER_WITHIN, "no mail to {email}");
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hangs_loses_the_lead_and_does_nothing_twice_when_it_goes_on() -> Result<()> {
    let place = Place::new().await?;
    let mut first: Vec<AltaProcess> = vec![];
    for part in LED {
        first.push(place.part(&[part]).await?);
    }
    let commands = place.part(&["command-api"]).await?;
    let reads = place.part(&["query-api"]).await?;
    let anybody = Client::new(&commands.url())?;
    let mailbox = Mailbox::of(&first[2].data_dir());
    let amal = Person::register(&anybody, &mailbox, "amal@example.org").await?;
    let project = amal.project("Letters").await?;
    let reads = Client::new(&reads.url())?.with_token(amal.client.token());
    handed_in(&place, &amal, &reads, (&project, 1)).await?;
    let mut second = vec![];
    for part in LED {
        second.push(place.part(&[part]).await?);
    }

    for process in &first {
        process.signal(Signal::SIGSTOP);
    }
    handed_in(&place, &amal, &reads, (&project, 2)).await?;
    let others = Mailbox::of(&second[2].data_dir());
    registered(&anybody, &others, "badr@example.org").await?;
    for process in &first {
        process.signal(Signal::SIGCONT);
    }
    handed_in(&place, &amal, &reads, (&project, 3)).await?;

    for process in &mut first {
        let says = process.output();
        ensure!(process.ended().is_none(), "it ended: {says}");
        ensure!(process.terminate().await?.success(), "{says}");
    }
    handed_in(&place, &amal, &reads, (&project, 4)).await?;
    registered(&anybody, &others, "caro@example.org").await?;
    for arguments in [
        ["audit", "verify"].as_slice(),
        &["projections", "verify", "all"],
    ] {
        place.says(arguments).await?;
    }
    ensure!(place.events("ReviewOpened").await? == 4);
    for name in ["amal", "badr", "caro"] {
        let email = format!("{name}@example.org");
        let mails = mailbox.to(&email).len() + others.to(&email).len();
        ensure!(mails == 1, "{mails} mails to {email}");
    }
    drop((first, second));
    Ok(())
}
