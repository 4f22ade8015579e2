//! The audit trail: who sees what of it, and that looking leaves a trace.

use crate::{
    deeds::by,
    house::{House, Person, keys},
};
use domain::{
    Access, ProjectRole,
    access::{AccessCommand, AccessEvent},
    review::Decision,
};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

fn actions(trail: &Value) -> Vec<&str> {
    let entries = trail.as_array().expect("a list").iter();
    entries
        .map(|entry| entry["action"].as_str().expect("a word"))
        .collect()
}

/// What the trail says of somebody refused.
async fn refused(house: &House, who: &Person, resource_id: Uuid) {
    let event = AccessEvent::CommandRefused {
        operation: "PATCH /review/{id}".into(),
        status: 403,
        code: "FORBIDDEN".into(),
        resource_id: Some(resource_id),
        project_id: None,
    };
    let mut context = by(who.id);
    context.ip_address = Some("198.51.100.7".into());
    house
        .store
        .execute::<Access>(house.ids.next(), AccessCommand::Record(event), &context)
        .await
        .expect("recorded");
}

struct Scene {
    house: House,
    _running: tokio_util::sync::DropGuard,
    amina: Person,
    bilal: Person,
    carla: Person,
    project: Uuid,
    submitted: Uuid,
    draft: Uuid,
}

/// Amina administers, Bilal reviews, Carla contributed one item that was rejected and one draft.
async fn scene() -> Scene {
    let (house, running) = House::new().await;
    let amina = house.person("amina").await;
    let bilal = house.person("bilal").await;
    let carla = house.person("carla").await;
    let project = house.project(&amina, "Letters").await;
    house
        .join(&amina, project, &bilal, ProjectRole::Reviewer)
        .await;
    house
        .join(&amina, project, &carla, ProjectRole::Contributor)
        .await;
    let submitted = house.raw_text(&carla, project, "Rain").await;
    house.submit(&carla, submitted).await;
    refused(&house, &carla, submitted).await;
    house
        .decide(&bilal, submitted, Decision::Reject, Some("Too wet"))
        .await;
    let draft = house.raw_text(&carla, project, "Snow").await;
    house.settled().await;
    Scene {
        house,
        _running: running,
        amina,
        bilal,
        carla,
        project,
        submitted,
        draft,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_says_who_did_what_from_where_and_whether_it_was_done() {
    let scene = scene().await;
    let house = &scene.house;
    let path = format!("/audit?project_id={}&status=failure", scene.project);
    let trail = house.get(&scene.amina, &path).await.ok();
    let entry = &trail[0];
    let fields = [
        "action",
        "actor_user_id",
        "created_at",
        "id",
        "ip_address",
        "metadata",
        "position",
        "project_id",
        "resource_id",
        "resource_type",
        "status",
        "user_agent",
    ];
    assert_eq!(keys(entry), fields);
    assert_eq!(entry["action"], "CommandRefused");
    assert_eq!(entry["actor_user_id"], json!(scene.carla.id));
    assert_eq!(entry["ip_address"], "198.51.100.7");
    assert_eq!(entry["resource_type"], "raw_text");
    assert_eq!(entry["resource_id"], json!(scene.submitted));
    assert_eq!(entry["status"], "failure");
    assert_eq!(entry["metadata"]["operation"], "PATCH /review/{id}");
    assert_eq!(entry["metadata"]["code"], "FORBIDDEN");
    assert_eq!(trail.as_array().map(Vec::len), Some(1));
    let history = format!("/submissions/{}/history", scene.submitted);
    let history = house.get(&scene.carla, &history).await.ok();
    assert!(!history.to_string().contains("CommandRefused"), "{history}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_what_concerns_them() {
    let scene = scene().await;
    let (house, project) = (&scene.house, scene.project);
    let root = house.super_admin("root").await;
    let stranger = house.person("stranger").await;
    let path = format!("/audit?project_id={project}");
    let everything = house.get(&root, "/audit").await.ok();
    assert!(actions(&everything).contains(&"UserRegistered"));
    let of_project = house.get(&scene.amina, &path).await.ok();
    assert!(actions(&of_project).contains(&"MemberJoined"));
    let of_carla = house.get(&scene.carla, &path).await.ok();
    assert_eq!(
        actions(&of_carla),
        [
            "RawTextCreated",
            "ReviewDecided",
            "ReviewOpened",
            "CommandRefused",
            "SubmissionSubmitted",
            "RawTextCreated"
        ]
    );
    assert_eq!(of_carla[3]["ip_address"], "198.51.100.7", "her own");
    let of_bilal = house.get(&scene.bilal, &path).await.ok();
    let draft = json!(scene.draft);
    let entries = of_bilal.as_array().expect("a list");
    assert_eq!(entries.len(), 5);
    assert!(entries.iter().all(|entry| entry["resource_id"] != draft));
    assert_eq!(of_bilal[1]["ip_address"], Value::Null, "another's");
    assert_eq!(house.get(&stranger, &path).await.refusal().0, 404);
    assert_eq!(house.get(&stranger, "/audit").await.refusal().0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_is_narrowed_and_paged() {
    let scene = scene().await;
    let (house, project) = (&scene.house, scene.project);
    let ask = async |filter: &str| {
        let path = format!("/audit?project_id={project}&{filter}");
        house.get(&scene.amina, &path).await
    };
    let decided = ask("action=ReviewDecided").await.ok();
    assert_eq!(actions(&decided), ["ReviewDecided"]);
    let of_bilal = ask(&format!("actor={}", scene.bilal.id)).await.ok();
    assert_eq!(
        actions(&of_bilal),
        [
            "ReviewDecided",
            "ReviewOpened",
            "MemberJoined",
            "InvitationAccepted"
        ]
    );
    let of_draft = ask(&format!("resource_id={}", scene.draft)).await.ok();
    assert_eq!(actions(&of_draft), ["RawTextCreated"]);
    let of_texts = ask("resource_type=raw_text").await.ok();
    assert_eq!(of_texts.as_array().map(Vec::len), Some(6));
    assert_eq!(actions(&ask("from=2999-01-01").await.ok()), [""; 0]);
    assert_eq!(actions(&ask("to=2001-01-01").await.ok()), [""; 0]);
    let today = ask("resource_type=raw_text&from=2001-01-01&to=2999-01-01")
        .await
        .ok();
    assert_eq!(today, of_texts);
    for bad in [
        "actor=x",
        "status=perhaps",
        "from=yesterday",
        "limit=0",
        "cursor=x",
    ] {
        assert_eq!(ask(bad).await.refusal().0, 400, "{bad}");
    }
    let mut seen = vec![];
    let mut page = ask("resource_type=raw_text&limit=4").await;
    loop {
        seen.extend(page.ok().as_array().expect("a list").clone());
        let Some(next) = page.next() else { break };
        page = house.get(&scene.amina, &next).await;
    }
    assert_eq!(Value::from(seen), of_texts);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_looks_is_seen() {
    let scene = scene().await;
    let (house, project) = (&scene.house, scene.project);
    let path = format!("/audit?project_id={project}&action=SensitiveRead");
    assert_eq!(actions(&house.get(&scene.amina, &path).await.ok()), [""; 0]);
    house.settled().await;
    let trail = house.get(&scene.amina, &path).await.ok();
    assert_eq!(actions(&trail), ["SensitiveRead"]);
    assert_eq!(trail[0]["metadata"]["operation"], "GET /audit");
    assert_eq!(trail[0]["resource_id"], json!(project));

    let file = house
        .document(&scene.carla, project, "a.pdf", b"0123456789")
        .await;
    house.submit(&scene.carla, file).await;
    let download = format!("/documents/{file}/download");
    for _ in 0..3 {
        house.get(&scene.carla, &download).await;
        house
            .get_with(&scene.bilal, &download, &[("range", "bytes=2-4")])
            .await;
    }
    house.settled().await;
    let path = format!("/audit?project_id={project}&resource_id={file}&action=SensitiveRead");
    let trail = house.get(&scene.amina, &path).await.ok();
    assert_eq!(
        actions(&trail),
        ["SensitiveRead"],
        "her own is no matter, his pieces are one read"
    );
    assert_eq!(trail[0]["actor_user_id"], json!(scene.bilal.id));
    assert_eq!(
        trail[0]["metadata"]["operation"],
        "GET /documents/{id}/download"
    );
    assert_eq!(trail[0]["resource_type"], "document");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_recorded_is_not_shown() {
    let scene = scene().await;
    let house = &scene.house;
    sqlx::query("REVOKE INSERT ON events FROM alta_audit")
        .execute(&house.database.pool)
        .await
        .expect("revoked");
    let path = format!("/audit?project_id={}", scene.project);
    assert_eq!(house.get(&scene.amina, &path).await.refusal().0, 503);
}

/// What the trail holds of refused reads, newest first.
async fn refused_reads(house: &House, root: &Person) -> Vec<Value> {
    let path = "/audit?action=ReadRefused&status=failure";
    let trail = house.get(root, path).await.ok();
    trail.as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_refused_a_look_is_seen_too_and_the_same_one_once() {
    let scene = scene().await;
    let (house, project) = (&scene.house, scene.project);
    let root = house.super_admin("root").await;
    let stranger = house.person("stranger").await;
    let file = house
        .document(&scene.carla, project, "a.pdf", b"0123456789")
        .await;
    house.settled().await;
    let asked = [
        (format!("/audit?project_id={project}"), 404, "GET /audit"),
        ("/audit".to_owned(), 403, "GET /audit"),
        ("/events?limit=1".to_owned(), 403, "GET /events"),
        (
            format!("/documents/{file}/download"),
            404,
            "GET /documents/{id}/download",
        ),
        (
            format!("/projects/{project}/access?user_id={}", root.id),
            404,
            "GET /projects/{id}/access",
        ),
    ];
    for _ in 0..2 {
        for (path, status, _) in &asked {
            assert_eq!(house.get(&stranger, path).await.refusal().0, *status);
        }
    }
    assert_eq!(
        house.get(&stranger, "/audit?limit=0").await.refusal().0,
        400
    );
    house.settled().await;
    let refused = refused_reads(house, &root).await;
    let told: Vec<_> = refused
        .iter()
        .rev()
        .map(|entry| {
            let told = &entry["metadata"];
            (told["operation"].clone(), told["http_status"].clone())
        })
        .collect();
    let expected: Vec<_> = asked
        .iter()
        .map(|(_, status, operation)| (json!(operation), json!(status)))
        .collect();
    assert_eq!(told, expected);
    assert!(
        refused
            .iter()
            .all(|entry| entry["actor_user_id"] == json!(stranger.id))
    );
    let download = &refused[1];
    assert_eq!(download["resource_id"], json!(file));
    assert_eq!(download["resource_type"], "document");
    assert_eq!(download["metadata"]["code"], "NOT_FOUND");
    let path = format!("/audit?project_id={project}&action=ReadRefused");
    let of_project = house.get(&scene.amina, &path).await.ok();
    assert_eq!(
        of_project.as_array().map(Vec::len),
        Some(3),
        "who administers the project sees who tried it and its file: {of_project}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_stands_whether_it_can_be_recorded_or_not_and_does_not_wait_for_that() {
    let scene = scene().await;
    let house = &scene.house;
    let root = house.super_admin("root").await;
    let stranger = house.person("stranger").await;
    house.settled().await;
    let mut held = house.database.pool.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE")
        .execute(&mut *held)
        .await
        .expect("nobody appends");
    let asked = house.get(&stranger, "/audit");
    let refused = tokio::time::timeout(Duration::from_secs(3), asked).await;
    assert_eq!(refused.expect("it does not wait").refusal().0, 403);
    held.rollback().await.expect("appending goes on");
    let recorded = async {
        while refused_reads(house, &root).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), recorded)
        .await
        .expect("it was recorded in the end");
    sqlx::query("REVOKE INSERT ON events FROM alta_audit")
        .execute(&house.database.pool)
        .await
        .expect("revoked");
    assert_eq!(house.get(&stranger, "/events").await.refusal().0, 403);
}
