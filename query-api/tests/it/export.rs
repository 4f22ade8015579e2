//! What is held on a person, as one archive.

use crate::house::House;
use domain::review::Decision;
use serde_json::{Value, json};
use std::{
    io::{Cursor, Read},
    time::Duration,
};
use zip::ZipArchive;

type Archive = ZipArchive<Cursor<Vec<u8>>>;

fn file(archive: &mut Archive, name: &str) -> Vec<u8> {
    let mut bytes = vec![];
    let mut file = archive
        .by_name(name)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    file.read_to_end(&mut bytes).expect("a whole file");
    bytes
}

fn rows(archive: &mut Archive, name: &str) -> Vec<Value> {
    serde_json::from_slice(&file(archive, name)).expect("a JSON array")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_gets_all_of_their_own_and_nothing_of_others() {
    let (house, _running) = House::new().await;
    let (amina, bilal) = (house.person("amina").await, house.person("bilal").await);
    let project = house.project(&amina, "Letters").await;
    let role = domain::ProjectRole::Reviewer;
    house.join(&amina, project, &bilal, role).await;
    let text = house.raw_text(&amina, project, "A title").await;
    house.submit(&amina, text).await;
    house
        .decide(&bilal, text, Decision::Reject, Some("too short"))
        .await;
    let name = "../letter.pdf";
    let document = house
        .document(&amina, project, name, b"%PDF-1.4 hers")
        .await;
    house.settled().await;

    let answer = house.get(&amina, "/auth/me/export").await;
    assert_eq!(answer.header("content-type"), Some("application/zip"));
    let mut archive = ZipArchive::new(Cursor::new(answer.bytes)).expect("an archive");
    let account: Value =
        serde_json::from_slice(&file(&mut archive, "account.json")).expect("an object");
    assert_eq!(account["email"], amina.email);
    let memberships = rows(&mut archive, "memberships.json");
    assert_eq!(memberships.len(), 1);
    assert_eq!(memberships[0]["project"], "Letters");
    let mut items: Vec<Value> = rows(&mut archive, "items.json")
        .iter()
        .map(|item| item["id"].clone())
        .collect();
    items.sort_by_key(Value::to_string);
    let mut expected = vec![json!(text), json!(document)];
    expected.sort_by_key(Value::to_string);
    assert_eq!(items, expected);
    let path = format!("files/{document}/.._letter.pdf");
    assert_eq!(file(&mut archive, &path), b"%PDF-1.4 hers");
    let deeds = rows(&mut archive, "history.json");
    assert!(deeds.len() > 3);
    assert!(
        deeds
            .iter()
            .all(|deed| deed["actor_user_id"] == json!(amina.id))
    );
    assert_eq!(rows(&mut archive, "missing.json"), Vec::<Value>::new());

    let answer = house.get(&bilal, "/auth/me/export").await;
    let mut archive = ZipArchive::new(Cursor::new(answer.bytes)).expect("an archive");
    assert_eq!(rows(&mut archive, "items.json"), Vec::<Value>::new());
    let decisions = rows(&mut archive, "decisions.json");
    assert_eq!(decisions.len(), 1);
    assert_eq!(decisions[0]["feedback"], "too short");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_an_export_has_no_other_and_keeps_nobody_from_theirs() {
    let (house, _running) = House::new().await;
    let (amina, bilal) = (house.person("amina").await, house.person("bilal").await);
    let project = house.project(&amina, "Letters").await;
    let bytes = vec![7; 8 << 20];
    house.document(&amina, project, "long.pdf", &bytes).await;
    house.settled().await;
    let unread = house.open(&amina, "/auth/me/export").await;
    assert_eq!(unread.status(), 200);
    let refused = house.get(&amina, "/auth/me/export").await;
    assert_eq!(refused.refusal(), (503, "EXPORT_BUSY".to_owned()));
    assert_eq!(refused.header("retry-after"), Some("10"));
    assert_eq!(house.get(&bilal, "/auth/me/export").await.status, 200);
    drop(unread);
    let again = async {
        loop {
            let answer = house.get(&amina, "/auth/me/export").await;
            if answer.status == 200 {
                break answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let again = tokio::time::timeout(Duration::from_secs(30), again).await;
    let again = again.expect("the turn ends with the answer");
    assert!(again.bytes.len() > bytes.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_it_compressed_gets_it_whole() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    house.settled().await;
    let headers = [("accept-encoding", "gzip")];
    let answer = house.get_with(&amina, "/auth/me/export", &headers).await;
    assert_eq!(answer.status.as_u16(), 200);
    assert!(!answer.bytes.is_empty());
}
