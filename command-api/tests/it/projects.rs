//! Projects: made, changed, deleted, brought back; who may.

use serde_json::json;
use uuid::Uuid;

use crate::{house::House, team::Team};

#[tokio::test]
async fn a_project_is_made_changed_deleted_and_brought_back() {
    let house = House::new().await;
    let (root, admin) = (
        house.super_admin().await,
        house.person("a@example.org").await,
    );
    let made = house
        .post(
            &admin,
            "/projects",
            json!({"name": " Letters ", "description": "Old"}),
        )
        .await
        .is(201);
    let path = format!("/projects/{}", made.id());
    assert_eq!(
        (&made.body["name"], &made.body["created_by_id"]),
        (&json!("Letters"), &json!(admin.id))
    );
    assert_eq!(made.body["created_at"], made.body["updated_at"]);
    let fields: Vec<&String> = made.body.as_object().expect("fields").keys().collect();
    let expected = [
        "created_at",
        "created_by_id",
        "description",
        "id",
        "name",
        "updated_at",
    ];
    assert_eq!(fields, expected);
    assert_eq!(
        house.stream(made.id()).await,
        ["ProjectCreated", "MemberJoined"]
    );

    let change = json!({"description": null, "allow_self_review": false});
    let changed = house.put(&admin, &path, change).await.is(200);
    assert_eq!(
        (&changed.body["name"], &changed.body["description"]),
        (&json!("Letters"), &json!(null))
    );
    assert_eq!(changed.body["created_at"], made.body["created_at"]);
    assert_ne!(changed.body["updated_at"], made.body["updated_at"]);

    let restore = format!("{path}/restore");
    house
        .refused(house.post_bare(&admin, &restore), 403, "FORBIDDEN")
        .await;
    assert_eq!(
        house.delete(&admin, &path).await.is(200).body,
        json!({"deleted": true})
    );
    house
        .refused(
            house.put(&admin, &path, json!({})),
            404,
            "PROJECT_NOT_FOUND",
        )
        .await;
    house
        .refused(house.delete(&admin, &path), 404, "PROJECT_NOT_FOUND")
        .await;
    house
        .refused(house.post_bare(&admin, &restore), 404, "PROJECT_NOT_FOUND")
        .await;
    let restored = house.post_bare(&root, &restore).await.is(200);
    assert_eq!(restored.body["name"], "Letters");
    house
        .put(&admin, &path, json!({"name": "Postcards"}))
        .await
        .is(200);
}

#[tokio::test]
async fn names_and_descriptions_are_bounded() {
    let house = House::new().await;
    let admin = house.person("a@example.org").await;
    for bad in [
        json!({"name": ""}),
        json!({"name": " \t\u{a0}\u{3000} "}),
        json!({"name": null}),
        json!({"name": "x".repeat(201)}),
        json!({"name": "a\u{0}b"}),
        json!({"name": "x", "description": "x".repeat(5001)}),
        json!({"description": "x"}),
        json!({"name": 5}),
    ] {
        house
            .refused(
                house.post(&admin, "/projects", bad),
                422,
                "VALIDATION_ERROR",
            )
            .await;
    }
    let longest = json!({"name": "ä".repeat(200), "description": "ä".repeat(5000)});
    let made = house.post(&admin, "/projects", longest).await.is(201);
    let path = format!("/projects/{}", made.id());
    for bad in [
        json!({"name": " "}),
        json!({"name": null}),
        json!({"allow_self_review": null}),
        json!({"name": "ä".repeat(201)}),
        json!({"description": "ä".repeat(5001)}),
        json!({"description": "a\u{0}b"}),
        json!({"allow_self_review": "no"}),
    ] {
        let bad = house.put(&admin, &path, bad);
        house.refused(bad, 422, "VALIDATION_ERROR").await;
    }
    let unchanged = house.put(&admin, &path, json!({})).await.is(200);
    assert_eq!(unchanged.body["name"], made.body["name"]);
}

#[tokio::test]
async fn only_admins_manage_and_strangers_see_nothing() {
    let Team {
        house,
        project,
        admin,
        contributor,
        reviewer,
        stranger,
    } = Team::new().await;
    let path = format!("/projects/{project}");
    let member = format!("{path}/members/{}", contributor.id);
    for (who, status, code) in [
        (&contributor, 403, "FORBIDDEN"),
        (&reviewer, 403, "FORBIDDEN"),
        (&stranger, 404, "PROJECT_NOT_FOUND"),
    ] {
        let invite = json!({"email": "x@example.org", "role": "admin"});
        house
            .refused(house.put(who, &path, json!({"name": "x"})), status, code)
            .await;
        house.refused(house.delete(who, &path), status, code).await;
        house
            .refused(
                house.post(who, &format!("{path}/invite"), invite),
                status,
                code,
            )
            .await;
        house
            .refused(
                house.put(who, &member, json!({"role": "admin"})),
                status,
                code,
            )
            .await;
        house
            .refused(house.delete(who, &member), status, code)
            .await;
    }
    let nowhere = format!("/projects/{}", Uuid::from_u128(1));
    house
        .refused(
            house.put(&admin, &nowhere, json!({})),
            404,
            "PROJECT_NOT_FOUND",
        )
        .await;
    house
        .refused(
            house.put(&admin, "/projects/x", json!({})),
            404,
            "NOT_FOUND",
        )
        .await;
}
