//! Raw texts: making, changing, deleting, bringing back; and who may.

use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::team::Team;

pub fn text(project: Uuid) -> Value {
    json!({"project_id": project, "title": "A title", "content": "Some words"})
}

#[tokio::test]
async fn a_text_is_typed_in() {
    let Team {
        house,
        project,
        contributor,
        ..
    } = Team::new().await;
    let mut body = text(project);
    body["domain"] = json!("law");
    body["tags"] = json!(["a", "b"]);
    body["extra_metadata"] = json!({"$personal": {"subject": "x"}, "deep": [1, {"a": null}]});
    let made = house.post(&contributor, "/raw-text", body).await.is(201);
    assert_eq!(
        (&made.body["title"], &made.body["status"]),
        (&json!("A title"), &json!("draft"))
    );
    assert!(
        made.body["created_at"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z'))
    );
    assert_eq!(made.header("etag"), Some("\"1\""));
    assert_eq!(house.stream(made.id()).await, ["RawTextCreated"]);
    let stored: String =
        sqlx::query_scalar("SELECT payload::text FROM events WHERE aggregate_id = $1")
            .bind(made.id().to_string())
            .fetch_one(house.pool())
            .await
            .expect("an event");
    assert!(
        !stored.contains("Some words"),
        "the text is sealed: {stored}"
    );
}

#[tokio::test]
async fn a_long_text_goes_to_the_object_store() {
    let Team {
        house,
        project,
        contributor,
        ..
    } = Team::new().await;
    let mut body = text(project);
    body["content"] = json!("w ".repeat(100_000));
    let made = house.post(&contributor, "/raw-text", body).await.is(201);
    let item = house
        .store
        .load::<domain::Submission>(made.id())
        .await
        .expect("loaded");
    assert_eq!(item.version, 1);
    let key: String = sqlx::query_scalar(
        "SELECT payload -> 'RawTextCreated' -> 'content_ref' ->> 'key' FROM events WHERE aggregate_id = $1",
    )
    .bind(made.id().to_string())
    .fetch_one(house.pool())
    .await
    .expect("a key");
    let kept = house
        .storage
        .get_bytes(&key, 1 << 20)
        .await
        .expect("the text");
    assert_eq!(kept.len(), 200_000);
}

#[tokio::test]
async fn what_exceeds_a_limit_is_refused() {
    let Team {
        house,
        project,
        contributor,
        ..
    } = Team::new().await;
    let deep = json!({"a": [[[[[[[[1]]]]]]]]});
    let bad = [
        ("title", json!("x".repeat(301))),
        ("title", json!(" ")),
        ("title", json!("a\nb")),
        ("content", json!("")),
        ("content", json!("x".repeat(512 * 1024 + 1))),
        ("content", json!(["x"])),
        ("tags", json!(vec!["x"; 51])),
        ("tags[0]", json!(["x".repeat(65)])),
        ("extra_metadata", json!([1])),
        ("extra_metadata", json!({"a": "x".repeat(16 * 1024)})),
        ("extra_metadata", deep),
        ("language", json!("not a language")),
        ("domain", json!("x".repeat(101))),
        ("project_id", json!("x")),
    ];
    for (field, value) in bad {
        let mut body = text(project);
        body[field.trim_end_matches("[0]")] = value;
        let reply = house
            .refused(
                house.post(&contributor, "/raw-text", body),
                422,
                "VALIDATION_ERROR",
            )
            .await;
        assert!(
            reply.body["error"]["details"][field].is_array(),
            "{field}: {}",
            reply.body
        );
    }
    let mut huge = text(project);
    huge["content"] = json!("x".repeat(1 << 20));
    house
        .refused(
            house.post(&contributor, "/raw-text", huge),
            413,
            "PAYLOAD_TOO_LARGE",
        )
        .await;
}

#[tokio::test]
async fn only_who_may_contribute_does() {
    let Team {
        house,
        project,
        admin,
        reviewer,
        stranger,
        ..
    } = Team::new().await;
    let root = house.super_admin().await;
    house.post(&admin, "/raw-text", text(project)).await.is(201);
    house
        .refused(
            house.post(&reviewer, "/raw-text", text(project)),
            403,
            "FORBIDDEN",
        )
        .await;
    house
        .refused(
            house.post(&root, "/raw-text", text(project)),
            403,
            "FORBIDDEN",
        )
        .await;
    house
        .refused(
            house.post(&stranger, "/raw-text", text(project)),
            404,
            "PROJECT_NOT_FOUND",
        )
        .await;
    let nowhere = text(Uuid::from_u128(1));
    house
        .refused(
            house.post(&admin, "/raw-text", nowhere),
            404,
            "PROJECT_NOT_FOUND",
        )
        .await;
}

#[tokio::test]
async fn a_draft_is_changed_deleted_and_brought_back_by_its_owner() {
    let Team {
        house,
        project,
        contributor,
        ..
    } = Team::new().await;
    let item = house.raw_text(&contributor, project).await;
    let path = format!("/raw-text/{item}");
    let change = json!({"title": "Another", "domain": "law", "tags": ["x"]});
    let changed = house.put(&contributor, &path, change.clone()).await.is(200);
    assert_eq!(changed.body, json!({"id": item, "status": "updated"}));
    assert_eq!(changed.header("etag"), Some("\"2\""));
    house.put(&contributor, &path, change).await.is(200);
    assert_eq!(
        house.stream(item).await.len(),
        2,
        "the same again appends nothing"
    );
    let patch = json!({"tags": null});
    house
        .ask(Method::PATCH, &path, Some(&contributor), &[], Some(&patch))
        .await
        .is(200);
    let user = house
        .store
        .load::<domain::Submission>(item)
        .await
        .expect("loaded")
        .aggregate;
    let now = user.item().and_then(|item| item.description.get());
    let now = now.expect("an item, and what is said about it");
    assert_eq!((now.domain.as_deref(), now.tags.len()), (Some("law"), 0));

    for _ in 0..2 {
        let deleted = house.delete(&contributor, &path).await.is(200);
        assert_eq!(deleted.body, json!({"id": item, "status": "deleted"}));
    }
    house
        .refused(
            house.put(&contributor, &path, json!({})),
            404,
            "ITEM_NOT_FOUND",
        )
        .await;
    house
        .post_bare(&contributor, &format!("{path}/restore"))
        .await
        .is(200);
    house
        .put(&contributor, &path, json!({"content": "New words"}))
        .await
        .is(200);
    house
        .refused(
            house.put(&contributor, &path, json!({"title": ""})),
            422,
            "VALIDATION_ERROR",
        )
        .await;
}

#[tokio::test]
async fn others_drafts_are_hidden_or_left_alone() {
    let Team {
        house,
        project,
        admin,
        contributor,
        reviewer,
        stranger,
    } = Team::new().await;
    let other = house.person("other@example.org").await;
    house.join(&admin, project, &other, "contributor").await;
    let path = format!("/raw-text/{}", house.raw_text(&contributor, project).await);
    for (who, status, code) in [
        (&admin, 403, "FORBIDDEN"),
        (&other, 404, "ITEM_NOT_FOUND"),
        (&reviewer, 404, "ITEM_NOT_FOUND"),
        (&stranger, 404, "ITEM_NOT_FOUND"),
    ] {
        house
            .refused(house.put(who, &path, json!({"title": "x"})), status, code)
            .await;
        house.refused(house.delete(who, &path), status, code).await;
        house
            .refused(
                house.post_bare(who, &format!("{path}/restore")),
                status,
                code,
            )
            .await;
    }
    let as_document = path.replace("raw-text", "documents");
    house
        .refused(
            house.put(&contributor, &as_document, json!({})),
            404,
            "ITEM_NOT_FOUND",
        )
        .await;
}

#[tokio::test]
async fn a_change_can_ask_for_the_version_it_saw() {
    let Team {
        house,
        project,
        contributor,
        ..
    } = Team::new().await;
    let item = house.raw_text(&contributor, project).await;
    let path = format!("/raw-text/{item}");
    let change = |tag: &'static str, title: &'static str| {
        let (house, contributor, path) = (&house, &contributor, &path);
        async move {
            let body = json!({"title": title});
            house
                .ask(
                    Method::PUT,
                    path,
                    Some(contributor),
                    &[("if-match", tag)],
                    Some(&body),
                )
                .await
        }
    };
    change("\"1\"", "First").await.is(200);
    house
        .refused(change("\"1\"", "Second"), 412, "VERSION_MISMATCH")
        .await;
    change("\"2\"", "Second").await.is(200);
    let delete = house.ask(
        Method::DELETE,
        &path,
        Some(&contributor),
        &[("if-match", "\"1\"")],
        None,
    );
    house.refused(delete, 412, "VERSION_MISMATCH").await;
}
