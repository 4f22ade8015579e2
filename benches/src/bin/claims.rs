//! How fast many reviewers take items on, and whether any two ever get the same one.
//!
//! A project's texts are made and handed in over HTTP; then all reviewers ask for the next item until
//! there is none, each over a connection of its own, each asking again as soon as it is answered
//! (closed loop). Rate limits are off. Who gets an item twice, or leaves one, fails the run.
//!
//! `cargo run -p benches --bin claims -- [items] [reviewers]`

use anyhow::{Result, ensure};
use e2e::{Client, Mailbox, Person};
use futures::{StreamExt, TryStreamExt, future::try_join_all, stream};
use serde_json::json;
use std::{collections::HashSet, time::Duration};
use test_kit::AltaProcess;
use tokio::time::Instant;

/// How many people or texts are made side by side.
const AT_ONCE: usize = 8;
/// The most items that one call hands in.
const AT_A_TIME: usize = 500;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let items: usize = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    let reviewers: usize = arguments.next().map_or(Ok(50), |text| text.parse())?;
    let mut alta = AltaProcess::new()?.env("RATE_LIMIT_ENABLED", "false");
    alta.start().await?;
    let (anybody, mailbox) = (Client::new(&alta.url())?, Mailbox::of(&alta.data_dir()));
    let owner = Person::register(&anybody, &mailbox, "owner@example.org").await?;
    let project = owner.project("Bench").await?;
    let begun = Instant::now();
    let waiting = hand_in(&owner.client, &project, items).await?;
    let callers = reviewers_of(&alta, &owner, &project, &mailbox, reviewers).await?;
    println!(
        "{items} texts handed in over HTTP and {reviewers} reviewers brought in within {:.1} s",
        begun.elapsed().as_secs_f64()
    );

    let path = format!("/review/claim-next?project_id={project}");
    let begun = Instant::now();
    let drained = try_join_all(callers.iter().map(|caller| drain(caller, &path))).await?;
    let took = begun.elapsed();
    let got: Vec<&String> = drained.iter().flat_map(|calls| &calls.items).collect();
    let once: HashSet<&String> = got.iter().copied().collect();
    ensure!(
        once.len() == got.len(),
        "{} items were served twice",
        got.len() - once.len()
    );
    ensure!(
        once == waiting.iter().collect(),
        "{} items of {items} were served",
        once.len()
    );
    let mut calls: Vec<Duration> = drained.into_iter().flat_map(|calls| calls.took).collect();
    println!(
        "{reviewers} callers drained {items} items, each served once: {:.1} s, {:.0} items/s",
        took.as_secs_f64(),
        items as f64 / took.as_secs_f64()
    );
    print("claim-next", &mut calls);
    alta.terminate().await?;
    Ok(())
}

/// The items that one caller got, and how long each call took.
struct Calls {
    items: Vec<String>,
    took: Vec<Duration>,
}

/// Asks for the next item until there is none.
async fn drain(caller: &Client, path: &str) -> Result<Calls> {
    let mut calls = Calls {
        items: vec![],
        took: vec![],
    };
    loop {
        let asked = Instant::now();
        let answer = caller.trigger(path).await?;
        if answer.status == 204 {
            return Ok(calls);
        }
        calls.took.push(asked.elapsed());
        calls.items.push(answer.expect(200)?.text("id")?);
    }
}

/// Makes texts and hands all of them in.
async fn hand_in(owner: &Client, project: &str, items: usize) -> Result<Vec<String>> {
    let made = stream::iter(0..items).map(|n| async move {
        let text =
            json!({ "project_id": project, "title": format!("Text {n}"), "content": "A text." });
        owner.post("/raw-text", text).await?.expect(201)?.text("id")
    });
    let ids: Vec<String> = made.buffered(AT_ONCE).try_collect().await?;
    for some in ids.chunks(AT_A_TIME) {
        let answer = owner
            .post("/submit", json!({ "raw_text_ids": some }))
            .await?;
        let handed_in = &answer.expect(200)?.body["submitted_count"];
        ensure!(
            *handed_in == some.len(),
            "{handed_in} of {} were handed in",
            some.len()
        );
    }
    Ok(ids)
}

/// Reviewers of the project, each with a connection of its own.
async fn reviewers_of(
    alta: &AltaProcess,
    owner: &Person,
    project: &str,
    mailbox: &Mailbox,
    count: usize,
) -> Result<Vec<Client>> {
    let url = alta.url();
    let made = stream::iter(0..count).map(|n| {
        let url = &url;
        async move {
            let client = Client::new(url)?;
            let address = format!("reviewer{n}@example.org");
            let person = Person::register(&client, mailbox, &address).await?;
            owner
                .bring_in(project, "reviewer", &person, mailbox)
                .await?;
            anyhow::Ok(person.client)
        }
    });
    made.buffered(AT_ONCE).try_collect().await
}

fn print(what: &str, took: &mut [Duration]) {
    took.sort_unstable();
    let at = |share: f64| {
        let index = (took.len().saturating_sub(1)) as f64 * share;
        let took = took.get(index.round() as usize).copied();
        took.map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
    };
    println!(
        "{what:<40} p50 {:>7.1} ms  p99 {:>7.1} ms  max {:>7.1} ms  ({} samples)",
        at(0.5),
        at(0.99),
        at(1.0),
        took.len()
    );
}
