//! Items at their limits, changed, deleted and brought back.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{items::text, team::Team};

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
async fn what_cannot_be_removed_cannot_be_null_and_what_changes_nothing_is_no_event() {
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
    let updated = json!({"id": item, "status": "updated"});
    for nothing in [
        json!({}),
        json!({"title": "A title"}),
        json!({"unknown": 1}),
        json!({"domain": null}),
    ] {
        let reply = house.put(&contributor, &path, nothing).await.is(200);
        assert_eq!(reply.body, updated);
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
        assert_eq!(reply.body, updated);
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
