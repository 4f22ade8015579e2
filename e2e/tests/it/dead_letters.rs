//! Mails that could not be sent, as an operator meets them: over HTTP and at the command line.

use crate::house::House;
use anyhow::{Context, Result, ensure};
use e2e::Answer;
use serde_json::json;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use test_kit::{MailCatcher, MailMode};

const PATIENCE: Duration = Duration::from_secs(30);

/// What `alta dead-letters` prints beside a running service.
async fn at_the_command_line(house: &House, arguments: &[&str]) -> Result<String> {
    house
        .alta_says(&[&["dead-letters"], arguments].concat())
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_that_were_given_up_are_seen_sent_again_and_set_aside() -> Result<()> {
    let catcher = MailCatcher::start().await?;
    catcher.set_mode(MailMode::Refuse(421));
    let mut house = House::start_with(&[
        ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", &catcher.port().to_string()),
        ("SMTP_TLS", "none"),
        ("JOB_MAX_RETRIES", "0"),
    ])
    .await?;
    let root = e2e::super_admin(&house.anybody, "root@example.org", e2e::PASSWORD).await?;
    let addresses = ["amal@example.org", "badr@example.org", "dana@example.org"];
    for email in addresses {
        let account = json!({ "email": email, "password": e2e::PASSWORD });
        house
            .anybody
            .post("/auth/register", account)
            .await?
            .expect(201)?;
    }
    let all = |answer: &Answer| answer.body.as_array().map(Vec::len) == Some(addresses.len());
    let letters = root
        .client
        .until("/ops/dead-letters", PATIENCE, all)
        .await?;
    let ids: Vec<String> = letters
        .body
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|letter| letter["id"].as_str().map(str::to_owned))
        .collect();
    let printed = at_the_command_line(&house, &["list"]).await?;
    assert_eq!(printed.lines().count(), addresses.len(), "{printed}");
    for id in &ids {
        let line = printed.lines().find(|line| line.starts_with(id));
        let line = line.with_context(|| format!("no {id} in {printed}"))?;
        assert!(
            line.contains("email") && line.contains("1 attempts"),
            "{line}"
        );
    }

    catcher.set_mode(MailMode::Accept);
    let path = format!("/ops/dead-letters/{}/retry", ids[0]);
    root.client.trigger(&path).await?.expect(202)?;
    root.client.trigger(&path).await?.expect(404)?;
    at_the_command_line(&house, &["retry", &ids[1]]).await?;
    let begun = Instant::now();
    while catcher.mails().len() < 2 {
        ensure!(begun.elapsed() < PATIENCE, "they are not sent");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let printed = at_the_command_line(&house, &["discard", &ids[2]]).await?;
    assert!(printed.contains("was set aside"), "{printed}");
    let again = at_the_command_line(&house, &["discard", &ids[2]]).await;
    let refused = again.expect_err("it is gone").to_string();
    assert!(
        refused.contains("There is no such dead letter."),
        "{refused}"
    );
    let left = root.client.get("/ops/dead-letters").await?.expect(200)?;
    assert_eq!(left.body, json!([]));
    let printed = at_the_command_line(&house, &["list"]).await?;
    assert_eq!(printed.trim(), "there are no dead letters");
    let sent: BTreeSet<_> = catcher
        .mails()
        .into_iter()
        .flat_map(|mail| mail.to)
        .collect();
    assert_eq!(sent.len(), 2, "{sent:?}");
    house.alta.terminate().await?;
    Ok(())
}
