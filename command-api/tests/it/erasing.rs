//! Erasing a person: by themself, by a super admin, from the shell.

use axum::http::Method;
use command_api::Account;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::house::{House, PASSWORD};

#[tokio::test]
async fn who_shows_their_password_is_erased_and_signed_out_for_ever() {
    let house = House::new().await;
    let person = house.person("amina@example.org").await;
    let path = "/auth/me/erase";
    let wrong = json!({"password": "not this one at all"});
    house
        .refused(house.post(&person, path, wrong), 401, "INVALID_CREDENTIALS")
        .await;
    house
        .refused(
            house.post(&person, path, json!({"password": 7})),
            422,
            "VALIDATION_ERROR",
        )
        .await;
    house
        .post(&person, "/projects", json!({"name": "x"}))
        .await
        .is(201);

    let erased = house
        .post(&person, path, json!({"password": PASSWORD}))
        .await
        .is(202);
    assert_eq!(erased.body, json!({"status": "accepted"}));
    assert!(erased.header("x-alta-position").is_some());
    assert_eq!(
        house.stream(person.id).await.last().map(String::as_str),
        Some("UserErased")
    );
    let next = house.post(&person, "/projects", json!({"name": "y"}));
    house.refused(next, 401, "UNAUTHENTICATED").await;
    let renewed = json!({"refresh_token": person.refresh_token});
    assert_eq!(house.anonymous("/auth/refresh", renewed).await.status, 401);
    let login = json!({"email": person.email, "password": PASSWORD});
    house
        .refused(
            house.anonymous("/auth/login", login),
            401,
            "INVALID_CREDENTIALS",
        )
        .await;
}

#[tokio::test]
async fn the_address_is_free_again_for_another_account() {
    let house = House::new().await;
    let person = house.person("amina@example.org").await;
    let body = json!({"password": PASSWORD});
    house.post(&person, "/auth/me/erase", body).await.is(202);
    let again = house.person("Amina@example.org").await;
    assert_ne!(again.id, person.id);
    let link = house.verification_token(person.id);
    let path = format!("/auth/verify-email?token={link}");
    let old = house.ask(Method::GET, &path, None, &[], None).await;
    assert_eq!(old.status, 400, "{}", old.body);
}

#[tokio::test]
async fn nothing_personal_is_left_beside_the_events() {
    let house = House::new().await;
    let root = house.super_admin().await;
    let person = house.person("amina@example.org").await;
    let project = house.project(&root).await;
    let invite = json!({"email": person.email, "role": "reviewer"});
    let path = format!("/projects/{project}/invite");
    let invited = house.post(&root, &path, invite).await.is(201);
    let key = [("idempotency-key", "one")];
    let own = json!({"name": "Mine"});
    house
        .ask(Method::POST, "/projects", Some(&person), &key, Some(&own))
        .await
        .is(201);
    let path = format!("/admin/users/{}/erase", person.id);
    house.post_bare(&root, &path).await.is(202);

    let left = |table: &str, column: &str| {
        let statement = format!("SELECT count(*) FROM {table} WHERE {column}::text = $1");
        let (pool, id) = (house.pool().clone(), person.id.to_string());
        async move {
            let count = sqlx::query_scalar::<_, i64>(&statement).bind(id);
            count.fetch_one(&pool).await.expect("a count")
        }
    };
    for (table, column) in [
        ("email_claims", "user_id"),
        ("credentials", "user_id"),
        ("sessions", "user_id"),
        ("command_log", "identity"),
    ] {
        assert_eq!(left(table, column).await, 0, "{table}");
    }
    let keys = "SELECT count(*) FROM vault.subject_keys WHERE wrapped_key IS NULL";
    let destroyed: i64 = sqlx::query_scalar(keys)
        .fetch_one(house.pool())
        .await
        .expect("a count");
    assert_eq!(destroyed, 2, "the person's key and the invitation's");
    let token = invited.body["token"].as_str().expect("a token");
    let later = house.person("amina@example.org").await;
    let path = format!("/projects/invitations/{token}/accept");
    house
        .refused(
            house.post_bare(&later, &path),
            403,
            "INVITATION_FOR_ANOTHER",
        )
        .await;
}

#[tokio::test]
async fn a_super_admin_erases_others_and_a_repeat_is_harmless() {
    let house = House::new().await;
    let root = house.super_admin().await;
    let person = house.person("amina@example.org").await;
    let path = format!("/users/{}/erase", person.id);
    house
        .refused(house.post_bare(&person, &path), 403, "FORBIDDEN")
        .await;
    let closed = format!("/admin/users/{}", person.id);
    house.delete(&root, &closed).await.is(204);
    house.post_bare(&root, &path).await.is(202);
    let events = house.events().await;
    house.post_bare(&root, &path).await.is(202);
    assert_eq!(house.events().await, events);
    house
        .refused(
            house.put(&root, &closed, json!({"suspended": false})),
            404,
            "USER_NOT_FOUND",
        )
        .await;
    let nobody = format!("/admin/users/{}/erase", Uuid::from_u128(9));
    house
        .refused(house.post_bare(&root, &nobody), 404, "USER_NOT_FOUND")
        .await;
}

#[tokio::test]
async fn a_super_admin_is_erased_by_another_one_only() {
    let house = House::new().await;
    let root = house.super_admin().await;
    let own = format!("/admin/users/{}/erase", root.id);
    house
        .refused(house.post_bare(&root, &own), 409, "OWN_ACCOUNT")
        .await;
    let body = json!({"password": PASSWORD});
    house
        .refused(
            house.post(&root, "/auth/me/erase", body),
            409,
            "OWN_ACCOUNT",
        )
        .await;
}

#[tokio::test]
async fn an_operator_erases_by_address_or_id_but_no_active_super_admin() {
    let house = House::new().await;
    let root = house.super_admin().await;
    let person = house.person("amina@example.org").await;
    let by_address = Account::Email("AMINA@example.org".into());
    let found = house.api.account(&by_address).await.expect("found");
    assert_eq!(found, person.id);
    assert!(house.api.erase_account(found).await.expect("erased"));
    assert!(!house.api.erase_account(found).await.expect("asked again"));
    let gone = house.api.account(&by_address).await;
    assert_eq!(gone.map_err(|error| error.status().as_u16()), Err(404));
    let refused = house.api.erase_account(root.id).await;
    assert_eq!(refused.map_err(|error| error.status().as_u16()), Err(409));
}

#[tokio::test]
async fn what_an_operator_takes_out_or_is_refused_leaves_a_record() {
    let house = House::new().await;
    let root = house.super_admin().await;
    let person = house.person("amina@example.org").await;
    let exported = house.api.record_export(person.id).await;
    exported.expect("recorded");
    assert!(house.api.erase_account(root.id).await.is_err());
    assert!(house.api.erase_account(person.id).await.expect("erased"));
    let records: Vec<Value> = sqlx::query_scalar(
        "SELECT payload FROM events
         WHERE aggregate_type = 'access' AND metadata ->> 'actor_user_id' IS NULL ORDER BY id",
    )
    .fetch_all(house.pool())
    .await
    .expect("the records");
    let read = json!({"SensitiveRead": {
        "operation": "alta users export", "resource_id": person.id, "project_id": null,
    }});
    let refused = json!({"CommandRefused": {
        "operation": "alta users erase", "status": 409, "code": "SUPER_ADMIN",
        "resource_id": root.id, "project_id": null,
    }});
    assert_eq!(records, [read, refused]);
}
