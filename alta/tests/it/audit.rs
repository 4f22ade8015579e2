//! `alta events` and `alta audit`, from the shell: beside a service that runs, after it has stopped,
//! and far away from it with nothing but files.

use std::path::Path;

use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection};
use test_kit::AltaProcess;

/// Runs `alta` with these words; whether it succeeded, and what it wrote.
async fn alta(data_dir: &Path, words: &[&str]) -> (bool, String) {
    let mut alta = AltaProcess::new()
        .expect("a place")
        .arguments(words)
        .env("ALTA_DATA_DIR", &data_dir.display().to_string());
    alta.launch().expect("it runs");
    let status = alta.wait().await.expect("it ends");
    (status.success(), alta.output())
}

/// The same where it must succeed.
async fn good(data_dir: &Path, words: &[&str]) -> String {
    let (succeeded, said) = alta(data_dir, words).await;
    assert!(succeeded, "{words:?}: {said}");
    said
}

/// The same where it must fail: the JSON object on its first line.
async fn bad(data_dir: &Path, words: &[&str]) -> Value {
    let (succeeded, said) = alta(data_dir, words).await;
    assert!(!succeeded, "{words:?}: {said}");
    json(&said)
}

#[track_caller]
fn json(said: &str) -> Value {
    let line = said.lines().find(|line| line.starts_with('{'));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no JSON: {said}"))).expect("JSON")
}

async fn up() -> AltaProcess {
    let mut alta = AltaProcess::new()
        .expect("a place")
        .env("SUPER_ADMIN_EMAIL", "root@example.org")
        .env("SUPER_ADMIN_PASSWORD", "long enough 2718");
    alta.start().await.expect("it starts");
    alta
}

#[tokio::test]
async fn the_log_is_proved_beside_the_service_after_it_and_far_from_it() {
    let mut service = up().await;
    let home = service.data_dir();
    let replayed = good(&home, &["events", "replay"]).await;
    let first = json(&replayed);
    assert_eq!(first["position"], 1);
    assert_eq!(first["event_type"], "UserRegistered");
    assert_eq!(first["payload"]["email"], "root@example.org");
    let few = good(&home, &["events", "replay", "--event-type", "NoSuchEvent"]).await;
    assert!(!few.contains('{'), "{few}");
    let followed = ["events", "tail", "--from-position", "1", "--limit", "1"];
    assert_eq!(json(&good(&home, &followed).await), first);

    let verified = json(&good(&home, &["audit", "verify", "--json"]).await);
    assert_eq!(
        (&verified["ok"], &verified["from_position"]),
        (&true.into(), &1.into())
    );
    let files = tempfile::tempdir().expect("a directory");
    let file = |name: &str| files.path().join(name).display().to_string();
    let (export, checkpoint) = (file("log.ndjson"), file("checkpoint.json"));
    let written = good(&home, &["audit", "export", "--output", &export, "--json"]).await;
    assert_eq!(json(&written)["count"], verified["count"]);
    let signed = good(
        &home,
        &["audit", "checkpoint", "--output", &checkpoint, "--json"],
    )
    .await;
    assert_eq!(json(&signed)["hash"], verified["hash"]);
    let key = json(&good(&home, &["audit", "key", "--json"]).await)["public_key"].clone();
    let key = key.as_str().expect("a key").to_owned();
    let by_itself = || {
        let written = std::fs::read_dir(home.join("checkpoints")).expect("a directory");
        written.count() > 0
    };
    let begun = std::time::Instant::now();
    while !by_itself() {
        let waited = begun.elapsed();
        assert!(
            waited < std::time::Duration::from_mins(1),
            "one is written soon"
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(service.terminate().await.expect("it ends").success());

    let against = ["audit", "verify", "--checkpoint", &checkpoint, "--json"];
    let held = json(&good(&home, &against).await);
    assert_eq!(held["checkpoint"], held["to_position"]);
    let elsewhere = files.path().join("nothing");
    let offline = [
        "audit",
        "verify",
        "--json",
        "--export",
        &export,
        "--checkpoint",
        &checkpoint,
        "--key",
        &key,
    ];
    assert_eq!(
        json(&good(&elsewhere, &offline).await)["hash"],
        verified["hash"]
    );
    assert!(!elsewhere.exists(), "nothing is made there");
    let keyless = bad(&elsewhere, &offline[..7]).await;
    assert!(
        keyless["message"]
            .as_str()
            .is_some_and(|why| why.contains("--key")),
        "{keyless}"
    );
    let another = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29";
    let mut with_another = offline;
    with_another[8] = another;
    let refused = bad(&elsewhere, &with_another).await;
    assert!(
        refused["message"]
            .as_str()
            .is_some_and(|why| why.contains("another key")),
        "{refused}"
    );
}

#[tokio::test]
async fn a_changed_event_is_named_and_ends_with_status_one() {
    let service = up().await;
    let home = service.data_dir();
    let url = service.database_url().expect("it runs");
    let mut connection = PgConnection::connect(&url).await.expect("the owner");
    for statement in [
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "UPDATE events SET metadata = metadata || '{\"request_id\": \"forged\"}'",
    ] {
        connection.execute(statement).await.expect(statement);
    }
    let found = bad(&home, &["audit", "verify", "--json"]).await;
    assert_eq!(
        (&found["ok"], &found["position"]),
        (&false.into(), &1.into())
    );
    let (succeeded, said) = alta(&home, &["audit", "verify"]).await;
    assert!(
        !succeeded && said.starts_with("alta: position 1: "),
        "{said}"
    );
}

#[tokio::test]
async fn where_there_is_no_database_nothing_is_made_and_that_is_said() {
    let nowhere = tempfile::tempdir().expect("a directory");
    let said = bad(nowhere.path(), &["audit", "verify", "--json"]).await;
    assert!(
        said["message"]
            .as_str()
            .is_some_and(|why| why.contains("there is no database")),
        "{said}"
    );
    assert_eq!(std::fs::read_dir(nowhere.path()).expect("there").count(), 0);
}
