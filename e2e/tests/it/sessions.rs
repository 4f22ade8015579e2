//! Sessions across faults and across both APIs.

use crate::house::{House, raw_text};
use anyhow::Result;
use e2e::{Answer, Client, Person};
use reqwest::Method;
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

const RENEWALS: usize = 240;

/// Asks for a new pair with the same key until there is an answer.
async fn renewed(client: &Client, token: &str, key: &str) -> Answer {
    loop {
        let request = client
            .request(Method::POST, "/auth/refresh")
            .header("Idempotency-Key", key)
            .timeout(Duration::from_secs(10))
            .json(&json!({ "refresh_token": token }));
        match client.send(request).await {
            Ok(answer) if answer.status < 500 => return answer,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// A spent token that comes again ends the session, so a client whose answer was lost in a crash must
/// get that very answer when it repeats the request.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_kills_in_the_middle_of_its_renewal() -> Result<()> {
    let mut house = House::start_with(&[("RATE_LIMIT_ENABLED", "false")]).await?;
    let person = house.person("a@example.org").await?;
    let done = Arc::new(AtomicUsize::new(0));
    let renewing = {
        let (client, done) = (house.anybody.clone(), done.clone());
        let mut token = person.refresh_token.clone();
        tokio::spawn(async move {
            for n in 0..RENEWALS {
                let key = format!("renewal-{n}");
                let answer = renewed(&client, &token, &key).await.expect(200)?;
                let again = renewed(&client, &token, &key).await.expect(200)?;
                assert_eq!(again.body, answer.body, "renewal {n}");
                token = answer.text("refresh_token")?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(token)
        })
    };
    for part in 1..=3 {
        while done.load(Ordering::Relaxed) < part * RENEWALS / 4 && !renewing.is_finished() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        house.alta.kill_tree().await?;
        house.alta.start().await?;
    }
    let token = renewing.await??;
    let last = renewed(&house.anybody, &token, "last").await.expect(200)?;
    let me = house.anybody.with_token(&last.text("access_token")?);
    assert_eq!(
        me.get("/auth/me").await?.expect(200)?.text("id")?,
        person.id
    );
    house.alta.terminate().await?;
    Ok(())
}

/// Both APIs know of a right that was taken away with the very next request.
#[tokio::test(flavor = "multi_thread")]
async fn rights_that_are_taken_away_are_gone_on_the_next_request() -> Result<()> {
    let mut house = House::start_with(&[("RATE_LIMIT_ENABLED", "false")]).await?;
    let root = e2e::super_admin(&house.anybody, "root@example.org", e2e::PASSWORD).await?;
    let admin = house.person("admin@example.org").await?;
    let reviewer = house.person("reviewer@example.org").await?;
    let project = admin.project("Letters").await?;
    admin
        .bring_in(&project, "reviewer", &reviewer, &house.mailbox)
        .await?;
    let text = admin
        .client
        .post("/raw-text", raw_text(&project, "A letter"))
        .await?
        .expect(201)?
        .text("id")?;
    let items = json!({ "raw_text_ids": [text] });
    admin.client.post("/submit", items).await?.expect(200)?;

    let queue = format!("/review?project_id={project}");
    let claim = format!("/review/{text}/claim");
    let membership = format!("/projects/{project}/members/{}", reviewer.id);
    let account = format!("/admin/users/{}", reviewer.id);
    let statuses = async |client: &Client| {
        let read = client.get(&queue).await?.status;
        let written = client.trigger(&claim).await?.status;
        if written == 200 {
            client.delete(&claim).await?;
        }
        anyhow::Ok((read, written))
    };
    let allowed = (200, 200);
    for _ in 0..20 {
        assert_eq!(statuses(&reviewer.client).await?, allowed);
        let role = json!({ "role": "contributor" });
        admin.client.put(&membership, role).await?.expect(200)?;
        assert_eq!(statuses(&reviewer.client).await?, (403, 403));
        let role = json!({ "role": "reviewer" });
        admin.client.put(&membership, role).await?.expect(200)?;
    }
    let suspended = |suspended: bool| json!({ "suspended": suspended });
    let mut again = reviewer.client.clone();
    for _ in 0..5 {
        assert_eq!(statuses(&again).await?, allowed);
        root.client
            .put(&account, suspended(true))
            .await?
            .expect(200)?;
        assert_eq!(statuses(&again).await?, (401, 401));
        root.client
            .put(&account, suspended(false))
            .await?
            .expect(200)?;
        // What was taken away does not come back by itself.
        assert_eq!(statuses(&again).await?, (401, 401));
        let (id, email) = (reviewer.id.clone(), &reviewer.email);
        let signed_in = Person::sign_in(&house.anybody, id, email, e2e::PASSWORD).await?;
        again = signed_in.client;
    }
    admin.client.delete(&membership).await?.expect(204)?;
    assert_eq!(statuses(&again).await?, (404, 404));
    house.alta.terminate().await?;
    Ok(())
}
