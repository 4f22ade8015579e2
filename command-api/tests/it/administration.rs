//! What super admins do with accounts.

use axum::http::Method;
use command_api::SuperAdmin;
use serde_json::json;
use uuid::Uuid;

use crate::house::{House, PASSWORD};

#[tokio::test]
async fn a_super_admin_makes_changes_and_closes_accounts() {
    let house = House::new().await;
    let root = house.super_admin().await;
    let ensured = house.api.ensure_super_admin("ROOT@example.org", PASSWORD);
    assert_eq!(ensured.await.expect("asked"), SuperAdmin::AlreadyThere);
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
async fn all_changes_of_one_request_are_one_append_and_one_kept_answer() {
    let house = House::new().await;
    let root = house.super_admin().await;
    let person = house.person("a@example.org").await;
    let path = format!("/admin/users/{}", person.id);
    let all = json!({"name": "Amina", "global_role": "super_admin", "suspended": true});
    let key = [("idempotency-key", "k")];
    let change = || house.ask(Method::PUT, &path, Some(&root), &key, Some(&all));
    let first = change().await.is(200);
    let expected = ["ProfileChanged", "GlobalRoleChanged", "UserSuspended"];
    assert_eq!(house.stream(person.id).await[2..], expected);
    let at: i64 = sqlx::query_scalar(
        "SELECT count(DISTINCT recorded_at) FROM events
         WHERE aggregate_id = $1 AND xid = (SELECT xid FROM events WHERE aggregate_id = $1
                                            ORDER BY id DESC LIMIT 1)",
    )
    .bind(person.id.to_string())
    .fetch_one(house.pool())
    .await
    .expect("a count");
    assert_eq!(at, 3, "three events of one transaction");

    let undone = json!({"name": "Other", "global_role": "user", "suspended": false});
    house.put(&root, &path, undone).await.is(200);
    let events = house.events().await;
    let again = change().await.is(200);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.body, first.body, "as it was then");
    assert_eq!(house.events().await, events);
}

#[tokio::test]
async fn of_two_super_admins_who_demote_each_other_one_stays() {
    let house = House::new().await;
    let root = house.super_admin().await;
    for n in 0..4 {
        let mut two = vec![];
        for name in ["a", "b"] {
            let email = format!("{name}{n}@example.org");
            let body = json!({"email": email, "password": PASSWORD, "global_role": "super_admin"});
            let made = house.post(&root, "/admin/users", body).await.is(201);
            two.push(house.sign_in(made.id(), &email).await);
        }
        let demote = |who: usize, whom: usize| {
            let path = format!("/admin/users/{}", two[whom].id);
            let (house, who) = (&house, &two[who]);
            async move { house.put(who, &path, json!({"global_role": "user"})).await }
        };
        let (a, b) = tokio::join!(demote(0, 1), demote(1, 0));
        let mut both = [a.status, b.status];
        both.sort_unstable();
        assert_eq!(both, [200, 403], "{} {}", a.body, b.body);
    }
}

#[tokio::test]
async fn an_account_is_promoted_by_the_operator_who_knows_its_password_alone() {
    let house = House::new().await;
    let id = house.register("a@example.org").await;
    let outcome = async |password: &str, promote: bool| {
        let (email, api) = ("A@example.org", &house.api);
        let outcome = if promote {
            api.make_super_admin(email, password).await
        } else {
            api.ensure_super_admin(email, password).await
        };
        outcome.expect("an outcome")
    };
    let events = house.events().await;
    assert_eq!(outcome(PASSWORD, false).await, SuperAdmin::LeftAlone);
    assert_eq!(
        outcome("another password", true).await,
        SuperAdmin::LeftAlone
    );
    assert_eq!(house.events().await, events);
    assert_eq!(outcome(PASSWORD, true).await, SuperAdmin::Promoted);
    assert_eq!(outcome(PASSWORD, true).await, SuperAdmin::AlreadyThere);
    let expected = ["UserRegistered", "EmailVerified", "GlobalRoleChanged"];
    assert_eq!(house.stream(id).await, expected);

    let promoted = house.sign_in(id, "a@example.org").await;
    let root = house.super_admin().await;
    let path = format!("/admin/users/{}", promoted.id);
    house.delete(&root, &path).await.is(204);
    assert_eq!(outcome(PASSWORD, true).await, SuperAdmin::LeftAlone);
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
