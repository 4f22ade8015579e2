//! Raw texts: making, changing, deleting, bringing back; and who may.

use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::team::Team;

fn text(project: Uuid) -> Value {
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
            "NOT_FOUND",
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
    let now = user.item().expect("an item");
    assert_eq!(
        (
            now.description.domain.as_deref(),
            now.description.tags.len()
        ),
        (Some("law"), 0)
    );

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

#[tokio::test]
async fn what_is_exactly_at_a_limit_is_taken() {
    let Team {
        house,
        project,
        contributor,
        ..
    } = Team::new().await;
    // {"a":"…"} has 8 bytes around its words.
    let good = [
        ("title", json!("ä".repeat(300))),
        ("content", json!("x".repeat(512 * 1024))),
        (
            "tags",
            json!((0..50).map(|n| format!("tag {n}")).collect::<Vec<_>>()),
        ),
        ("tags", json!(["ä".repeat(64)])),
        ("extra_metadata", json!({"a": "x".repeat(16 * 1024 - 8)})),
        ("extra_metadata", json!({"a": [[[[[[[1]]]]]]]})),
        ("domain", json!("x".repeat(100))),
    ];
    for (field, value) in good {
        let mut body = text(project);
        body[field] = value.clone();
        let made = house.post(&contributor, "/raw-text", body).await.is(201);
        let path = format!("/raw-text/{}", house.raw_text(&contributor, project).await);
        let change = json!({field: value});
        house.put(&contributor, &path, change).await.is(200);
        drop(made);
    }
    let one_more = [
        ("extra_metadata", json!({"a": "x".repeat(16 * 1024 - 7)})),
        ("extra_metadata", json!({"a": [[[[[[[[1]]]]]]]]})),
    ];
    let path = format!("/raw-text/{}", house.raw_text(&contributor, project).await);
    for (field, value) in one_more {
        let change = house.put(&contributor, &path, json!({field: value}));
        house.refused(change, 422, "VALIDATION_ERROR").await;
    }
}

#[tokio::test]
async fn what_cannot_be_removed_cannot_be_null_and_what_changes_nothing_says_so() {
    let Team {
        house,
        project,
        contributor,
        ..
    } = Team::new().await;
    let item = house.raw_text(&contributor, project).await;
    let path = format!("/raw-text/{item}");
    for field in ["title", "content"] {
        let null = house.put(&contributor, &path, json!({field: null}));
        let reply = house.refused(null, 422, "VALIDATION_ERROR").await;
        assert!(reply.body["error"]["details"][field].is_array());
    }
    let unchanged = json!({"id": item, "status": "unchanged"});
    for nothing in [
        json!({}),
        json!({"title": "A title"}),
        json!({"unknown": 1}),
        json!({"domain": null}),
    ] {
        let reply = house.put(&contributor, &path, nothing).await.is(200);
        assert_eq!(reply.body, unchanged);
        assert_eq!(reply.header("etag"), Some("\"1\""));
    }
    let headers = [("idempotency-key", "n1")];
    let nothing = json!({});
    for replayed in [None, Some("true")] {
        let reply = house
            .ask(
                Method::PUT,
                &path,
                Some(&contributor),
                &headers,
                Some(&nothing),
            )
            .await
            .is(200);
        assert_eq!(reply.body, unchanged);
        assert_eq!(reply.header("idempotency-replayed"), replayed);
    }
    let removed = house.put(&contributor, &path, json!({"tags": ["x"], "domain": "law"}));
    assert_eq!(removed.await.is(200).body["status"], "updated");
    let removed = house.put(&contributor, &path, json!({"tags": null, "domain": null}));
    assert_eq!(removed.await.is(200).body["status"], "updated");
}

#[tokio::test]
async fn a_deleted_draft_is_brought_back_by_its_owner_alone() {
    let Team {
        house,
        project,
        admin,
        contributor,
        reviewer,
        stranger,
    } = Team::new().await;
    let item = house.raw_text(&contributor, project).await;
    let path = format!("/raw-text/{item}");
    house.delete(&contributor, &path).await.is(200);
    let restore = format!("{path}/restore");
    for who in [&admin, &reviewer, &stranger] {
        let asked = house.post_bare(who, &restore);
        house.refused(asked, 404, "ITEM_NOT_FOUND").await;
    }
    let back = house.post_bare(&contributor, &restore).await.is(200);
    assert_eq!(back.header("etag"), Some("\"3\""));
    house.submit(&contributor, item).await;
}

#[tokio::test]
async fn every_change_of_every_kind_of_item_can_ask_for_a_version() {
    let Team {
        house,
        project,
        contributor,
        ..
    } = Team::new().await;
    let upload = |path: String, name: &'static str, bytes: Vec<u8>| {
        let (house, contributor) = (&house, &contributor);
        async move {
            let parts: [(&str, Option<&str>, &[u8]); 1] = [("file", Some(name), &bytes)];
            let made = crate::uploads::upload(house, contributor, &path, &parts).await;
            made.is(201).id()
        }
    };
    let document = format!("/documents?project_id={project}&is_raw=true");
    let voice = format!("/voice?project_id={project}");
    let items = [
        format!("/raw-text/{}", house.raw_text(&contributor, project).await),
        format!(
            "/documents/{}",
            upload(document, "a.png", crate::uploads::png()).await
        ),
        format!(
            "/voice/{}",
            upload(voice, "a.wav", crate::uploads::wav(0.5)).await
        ),
    ];
    for path in items {
        let send = |method: Method, tag: String, body: Option<Value>| {
            let (house, contributor, path) = (&house, &contributor, &path);
            async move {
                let headers = [("if-match", tag.as_str())];
                house
                    .ask(method, path, Some(contributor), &headers, body.as_ref())
                    .await
            }
        };
        let old = "\"99\"".to_owned();
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            let body = (method != Method::DELETE).then(|| json!({"domain": "law"}));
            let asked = send(method, old.clone(), body);
            house.refused(asked, 412, "VERSION_MISMATCH").await;
        }
        let first = send(
            Method::PATCH,
            "*".to_owned(),
            Some(json!({"domain": "law"})),
        );
        let tag = first
            .await
            .is(200)
            .header("etag")
            .expect("a tag")
            .to_owned();
        let second = send(Method::PUT, tag, Some(json!({"domain": "art"})));
        let tag = second
            .await
            .is(200)
            .header("etag")
            .expect("a tag")
            .to_owned();
        send(Method::DELETE, tag, None).await.is(200);
    }
}
