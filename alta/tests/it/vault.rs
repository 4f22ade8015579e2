//! `alta vault`, from the shell, beside a service that runs: the master key is changed, and a start
//! without the key that it needs is refused.

use std::path::Path;

use serde_json::Value;
use test_kit::AltaProcess;

const NEXT: &str = "the next master key of more than 32 bytes";

/// Runs `alta` with these words under these settings; its exit status and what it wrote.
async fn alta(home: &Path, words: &[&str], set: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut alta = AltaProcess::new()
        .expect("a place")
        .arguments(words)
        .env("ALTA_DATA_DIR", &home.display().to_string());
    for (name, value) in set {
        alta = alta.env(name, value);
    }
    alta.launch().expect("it runs");
    let status = alta.wait().await.expect("it ends");
    (status.code(), alta.output())
}

/// The JSON that a command prints which must succeed.
async fn told(home: &Path, words: &[&str], set: &[(&str, &str)]) -> Value {
    let (status, said) = alta(home, words, set).await;
    assert_eq!(status, Some(0), "{words:?}: {said}");
    let line = said.lines().find(|line| line.starts_with('{'));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no JSON: {said}"))).expect("JSON")
}

#[tokio::test]
async fn the_master_key_is_changed_beside_the_service_and_needed_from_then_on() {
    let first = [
        ("SUPER_ADMIN_EMAIL", "root@example.org"),
        ("SUPER_ADMIN_PASSWORD", "long enough 2718"),
    ];
    let mut service = AltaProcess::new().expect("a place");
    for (name, value) in first {
        service = service.env(name, value);
    }
    service.start().await.expect("it starts");
    let home = service.data_dir();
    let before = told(&home, &["vault", "status", "--json"], &[]).await;
    let derived = before["current"].as_str().expect("a name").to_owned();
    let keys = before["master_keys"][0]["keys"].as_i64().expect("a count");
    assert!(keys > 0, "{before}");
    assert!(service.terminate().await.expect("it ends").success());

    let mut service = service.env("VAULT_KEY", NEXT);
    service.start().await.expect("it knows both");
    let set = [("VAULT_KEY", NEXT)];
    let between = told(&home, &["vault", "status", "--json"], &set).await;
    assert_ne!(between["current"], derived.as_str());
    assert_eq!(between["master_keys"][0]["master_key"], derived.as_str());
    assert_eq!(between["master_keys"][0]["known"], true);
    let rotated = told(&home, &["vault", "rotate", "--json"], &set).await;
    assert_eq!(rotated["rewrapped"], keys);
    let again = told(&home, &["vault", "rotate", "--json"], &set).await;
    assert_eq!(
        (&again["rewrapped"], &again["complete"]),
        (&0.into(), &true.into())
    );
    let replayed = told(&home, &["events", "replay", "--limit", "1"], &set).await;
    assert_eq!(replayed["payload"]["email"], "root@example.org");
    assert!(service.terminate().await.expect("it ends").success());

    let (status, said) = alta(&home, &["up"], &[]).await;
    assert_eq!(status, Some(1), "{said}");
    let refusal = said.lines().last().expect("a line");
    assert!(
        refusal.starts_with("alta: SECRET_KEY cannot be used: "),
        "{said}"
    );
    let current = between["current"].as_str().expect("a name");
    assert!(
        refusal.contains(current) && !refusal.contains(NEXT),
        "{said}"
    );
    let (status, said) = alta(&home, &["vault", "status"], &[]).await;
    assert_eq!(status, Some(1), "{said}");
    assert!(
        said.contains("UNKNOWN") && said.contains("VAULT_PREVIOUS_KEYS"),
        "{said}"
    );
    let kept = [("VAULT_PREVIOUS_KEYS", NEXT)];
    let status = told(&home, &["vault", "status", "--json"], &kept).await;
    assert_eq!(status["current"], derived.as_str());
    assert_eq!(status["master_keys"][0]["known"], true);
}
