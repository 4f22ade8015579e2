//! The log over HTTP: everything in order for auditors, nothing for others, open for who follows.

use crate::house::{House, Person};
use axum::{body::Body, http::StatusCode};
use domain::{GlobalRole, User, user::UserCommand};
use event_store::Context;
use futures::StreamExt;
use serde_json::{Value, json};
use std::time::Duration;

/// The lines of a finished answer.
fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn positions(lines: &[Value]) -> Vec<i64> {
    let position = |line: &Value| line["position"].as_i64().expect("a position");
    lines.iter().map(position).collect()
}

/// A body that is still coming.
struct Coming {
    body: axum::body::BodyDataStream,
    rest: Vec<u8>,
}

impl Coming {
    /// The next line, or `None` at the end.
    async fn line(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).expect("JSON"));
            }
            let next = tokio::time::timeout(Duration::from_secs(30), self.body.next());
            match next.await.expect("something comes, or the end") {
                Some(bytes) => self.rest.extend(bytes.expect("no break")),
                None => return None,
            }
        }
    }
}

fn coming(body: Body) -> Coming {
    Coming {
        body: body.into_data_stream(),
        rest: vec![],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_log_is_for_super_admins_alone_and_in_order() {
    let (house, _running) = House::new().await;
    let (amina, root) = (house.person("amina").await, house.super_admin("root").await);
    let project = house.project(&amina, "Letters").await;
    let item = house.raw_text(&amina, project, "Rain").await;
    let refusal = house.get(&amina, "/events").await.refusal();
    assert_eq!(refusal, (403, "FORBIDDEN".into()));
    house.settled().await;
    let answer = house.get(&root, "/events").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let all = lines(&answer.bytes);
    let expected: Vec<i64> = (1..=all.len() as i64).collect();
    assert_eq!(positions(&all), expected);
    let created = all
        .iter()
        .find(|event| event["event_type"] == "RawTextCreated");
    let created = created.expect("the text");
    house.settled().await;
    let looks = house.get(&root, "/events?event_type=SensitiveRead").await;
    let look = &lines(&looks.bytes)[0];
    assert_eq!(
        look["payload"]["operation"], "GET /events",
        "the look itself"
    );
    assert_eq!(look["actor_user_id"], json!(root.id));
    assert_eq!(created["aggregate_id"], json!(item));
    assert_eq!(created["payload"]["title"], "Rain");
    assert!(!String::from_utf8_lossy(&answer.bytes).contains("$personal"));
    let of_item = house
        .get(
            &root,
            &format!("/events?aggregate_id={item}&aggregate_type=submission"),
        )
        .await;
    assert_eq!(lines(&of_item.bytes), std::slice::from_ref(created));
    let some = house
        .get(&root, "/events?from_position=2&to_position=4&limit=2")
        .await;
    assert_eq!(positions(&lines(&some.bytes)), [2, 3]);
    let none = house.get(&root, "/events?event_type=NoSuchEvent").await;
    assert_eq!((none.status, none.bytes.len()), (StatusCode::OK, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_make_no_sense_are_refused() {
    let (house, _running) = House::new().await;
    let root = house.super_admin("root").await;
    for bad in [
        "from_position=0",
        "from_position=x",
        "to_position=-1",
        "from_position=5&to_position=4",
        "aggregate_id=1",
        "aggregate_type=a%20b",
        "event_type=%27",
        "limit=0",
        "follow=perhaps",
    ] {
        let refusal = house.get(&root, &format!("/events?{bad}")).await.refusal();
        assert_eq!(refusal, (400, "INVALID_PARAMETER".into()), "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_has_just_written_is_in_the_log_that_one_reads() {
    let (house, _running) = House::new().await;
    let root = house.super_admin("root").await;
    for n in 0..20 {
        let name = format!("Project {n}");
        house.project(&root, &name).await;
        let answer = house.get(&root, "/events?event_type=ProjectCreated").await;
        let last = lines(&answer.bytes).pop().expect("an event");
        assert_eq!(last["payload"]["name"], name);
    }
}

async fn follow(house: &House, who: &Person) -> Coming {
    let answer = house
        .open(who, "/events?follow=true&event_type=ProjectCreated")
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
    let encoding = answer.headers().get("content-encoding");
    assert_eq!(encoding, None, "lines would wait in a compressor");
    coming(answer.into_body())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_gets_each_event_as_it_comes_until_the_service_stops() {
    let (house, _running) = House::new().await;
    let root = house.super_admin("root").await;
    house.project(&root, "Before").await;
    let mut coming = follow(&house, &root).await;
    assert_eq!(
        coming.line().await.expect("one")["payload"]["name"],
        "Before"
    );
    for name in ["One", "Two"] {
        house.project(&root, name).await;
        assert_eq!(coming.line().await.expect("one")["payload"]["name"], name);
    }
    house.closing.cancel();
    assert_eq!(coming.line().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_ends_with_the_rights_of_its_reader() {
    let (house, _running) = House::new().await;
    let (root, other) = (
        house.super_admin("root").await,
        house.super_admin("other").await,
    );
    house.settled().await;
    let (mut demoted, mut signed_out) = (follow(&house, &root).await, follow(&house, &other).await);
    let command = UserCommand::Change {
        name: None,
        global_role: Some(GlobalRole::User),
        suspended: None,
    };
    house
        .store
        .execute::<User>(root.id, command, &Context::default())
        .await
        .expect("a demotion");
    sqlx::query("UPDATE sessions SET revoked_at = now() WHERE user_id = $1")
        .bind(other.id)
        .execute(&house.database.pool)
        .await
        .expect("signed out");
    assert_eq!(demoted.line().await, None);
    assert_eq!(signed_out.line().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_fails_within_breaks_off_and_does_not_just_end() {
    let (house, _running) = House::new().await;
    let root = house.super_admin("root").await;
    house.settled().await;
    // What is sealed under it cannot be opened.
    sqlx::query("UPDATE vault.subject_keys SET wrapped_key = '\\x00' WHERE subject_id = $1")
        .bind(root.id)
        .execute(&house.database.pool)
        .await
        .expect("a broken key");
    let answer = house.open(&root, "/events").await;
    assert_eq!(answer.status(), StatusCode::OK);
    let mut body = answer.into_body().into_data_stream();
    let mut broke = false;
    while let Some(part) = body.next().await {
        broke |= part.is_err();
    }
    assert!(broke, "an error, and no ordinary end");
}
