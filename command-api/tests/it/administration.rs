//! What super admins do with accounts.

use serde_json::json;
use uuid::Uuid;

use crate::house::{House, PASSWORD};

#[tokio::test]
async fn a_super_admin_makes_changes_and_closes_accounts() {
    let house = House::new().await;
    let root = house.super_admin().await;
    assert!(
        !house
            .api
            .ensure_super_admin("ROOT@example.org", PASSWORD)
            .await
            .expect("asked")
    );
    let body = json!({"email": "a@example.org", "password": PASSWORD, "name": "Amina"});
    let made = house
        .post(&root, "/admin/users", body.clone())
        .await
        .is(201);
    assert_eq!(
        (&made.body["is_verified"], &made.body["name"]),
        (&json!(true), &json!("Amina"))
    );
    assert!(made.body["created_at"].is_string());
    let person = house.sign_in(made.id(), "a@example.org").await;
    house
        .refused(house.post(&root, "/users", body), 409, "EMAIL_TAKEN")
        .await;

    let path = format!("/admin/users/{}", person.id);
    let change = json!({"name": "Amina B.", "global_role": "super_admin"});
    let changed = house.put(&root, &path, change).await.is(200);
    assert_eq!(changed.body["name"], "Amina B.");
    assert_eq!(changed.body["global_role"], "super_admin");
    let events = house.events().await;
    house
        .put(&root, &path, json!({"name": "Amina B."}))
        .await
        .is(200);
    assert_eq!(
        house.events().await,
        events,
        "nothing changed, nothing was appended"
    );
    house
        .refused(
            house.put(&root, &path, json!({"name": "\u{1}"})),
            422,
            "VALIDATION_ERROR",
        )
        .await;

    house
        .put(&root, &path, json!({"suspended": true}))
        .await
        .is(200);
    let project = house.post(&person, "/projects", json!({"name": "x"}));
    house.refused(project, 401, "UNAUTHENTICATED").await;
    let login = json!({"email": "a@example.org", "password": PASSWORD});
    house
        .refused(
            house.anonymous("/auth/login", login.clone()),
            403,
            "ACCOUNT_SUSPENDED",
        )
        .await;
    house
        .put(&root, &path, json!({"suspended": false}))
        .await
        .is(200);
    house.anonymous("/auth/login", login.clone()).await.is(200);

    // Nobody locks themselves out.
    let own = format!("/admin/users/{}", root.id);
    for change in [json!({"suspended": true}), json!({"global_role": "user"})] {
        house
            .refused(house.put(&root, &own, change), 409, "OWN_ACCOUNT")
            .await;
    }
    house
        .refused(house.delete(&root, &own), 409, "OWN_ACCOUNT")
        .await;
    house.delete(&root, &path).await.is(204);
    house
        .refused(
            house.anonymous("/auth/login", login),
            401,
            "INVALID_CREDENTIALS",
        )
        .await;
    house
        .refused(house.delete(&root, &path), 404, "USER_NOT_FOUND")
        .await;
    house
        .refused(house.put(&root, &path, json!({})), 404, "USER_NOT_FOUND")
        .await;
}

#[tokio::test]
async fn nobody_else_may() {
    let house = House::new().await;
    let person = house.person("a@example.org").await;
    let path = format!("/admin/users/{}", Uuid::from_u128(1));
    let body = json!({"email": "b@example.org", "password": PASSWORD});
    house
        .refused(house.post(&person, "/admin/users", body), 403, "FORBIDDEN")
        .await;
    house
        .refused(house.put(&person, &path, json!({})), 403, "FORBIDDEN")
        .await;
    house
        .refused(house.delete(&person, &path), 403, "FORBIDDEN")
        .await;
    house
        .refused(house.delete(&person, "/admin/users/me"), 404, "NOT_FOUND")
        .await;
}
