//! Requests that are sent again: the first answer, and nothing appended.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    house::{House, PASSWORD, Person, Reply},
    team::Team,
};

async fn keyed(house: &House, who: Option<&Person>, path: &str, key: &str, body: &Value) -> Reply {
    house
        .ask(
            Method::POST,
            path,
            who,
            &[("idempotency-key", key)],
            Some(body),
        )
        .await
}

/// Sends it twice; both answers must be the same, and only the first append anything.
async fn twice(house: &House, who: Option<&Person>, path: &str, body: &Value) -> Reply {
    let first = keyed(house, who, path, "twice", body).await;
    let events = house.events().await;
    let again = keyed(house, who, path, "twice", body).await;
    assert_eq!(
        (first.status, &first.body),
        (again.status, &again.body),
        "{path}"
    );
    assert_eq!(first.header("idempotency-replayed"), None);
    assert_eq!(again.header("idempotency-replayed"), Some("true"), "{path}");
    assert_eq!(first.header("etag"), again.header("etag"));
    assert_eq!(house.events().await, events, "{path}");
    again
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_appends_nothing() {
    let Team {
        house,
        project,
        admin,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    let register = json!({"email": "new@example.org", "password": PASSWORD, "name": "New"});
    twice(&house, None, "/auth/register", &register)
        .await
        .is(201);
    twice(&house, Some(&admin), "/projects", &json!({"name": "x"}))
        .await
        .is(201);
    let invite = json!({"email": "guest@example.org", "role": "reviewer"});
    let path = format!("/projects/{project}/invite");
    let invited = keyed(&house, Some(&admin), &path, "invite", &invite)
        .await
        .is(201);
    let again = keyed(&house, Some(&admin), &path, "invite", &invite)
        .await
        .is(201);
    assert_eq!(invited.body, again.body, "the token is made again");

    let path = format!("/projects/{project}/members/{}", reviewer.id);
    let (key, role) = ([("idempotency-key", "m1")], json!({"role": "reviewer"}));
    let send = || house.ask(Method::PUT, &path, Some(&admin), &key, Some(&role));
    let (changed, again) = (send().await.is(200), send().await.is(200));
    assert_eq!(changed.body, again.body);
    assert_eq!(again.body["email"], "reviewer@example.org");

    let root = house.super_admin().await;
    let path = format!("/admin/users/{}", contributor.id);
    let (key, name) = ([("idempotency-key", "u1")], json!({"name": "Amina"}));
    let send = || house.ask(Method::PUT, &path, Some(&root), &key, Some(&name));
    let (changed, again) = (send().await.is(200), send().await.is(200));
    assert_eq!(changed.body, again.body);

    let text = json!({"project_id": project, "title": "Mother", "content": "c"});
    let made = twice(&house, Some(&contributor), "/raw-text", &text)
        .await
        .is(201);
    let item = made.id();
    let submit = json!({"raw_text_ids": [item]});
    let submitted = keyed(&house, Some(&contributor), "/submit", "s1", &submit)
        .await
        .is(200);
    let again = keyed(&house, Some(&contributor), "/submit", "s1", &submit)
        .await
        .is(200);
    assert_eq!(submitted.body, again.body);

    let decide = json!({"decision": "reject", "feedback": "Not so"});
    let headers = [("idempotency-key", "d1")];
    let path = format!("/review/{item}");
    let send = || {
        house.ask(
            Method::PATCH,
            &path,
            Some(&reviewer),
            &headers,
            Some(&decide),
        )
    };
    let (decided, again) = (send().await.is(200), send().await.is(200));
    assert_eq!(decided.body, again.body);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));

    let kept: Vec<String> = sqlx::query_scalar("SELECT answer::text FROM command_log")
        .fetch_all(house.pool())
        .await
        .expect("answers");
    let all = kept.join("\n");
    let token = invited.body["token"].as_str().expect("a token");
    for secret in [
        token,
        "new@example.org",
        "Not so",
        "Mother",
        "Amina",
        PASSWORD,
    ] {
        assert!(!all.contains(secret), "{secret} stands in a kept answer");
    }
}

#[tokio::test]
async fn repeats_at_the_same_moment_are_one() {
    let Team { house, admin, .. } = Team::new().await;
    let body = json!({"name": "x"});
    let events = house.events().await;
    let send = || keyed(&house, Some(&admin), "/projects", "k", &body);
    let (a, b, c) = tokio::join!(send(), send(), send());
    let (a, b, c) = (a.is(201), b.is(201), c.is(201));
    assert_eq!((&a.body, &b.body), (&b.body, &c.body));
    assert_eq!(house.events().await, events + 2);
}

#[tokio::test]
async fn a_key_is_for_one_request_of_one_caller() {
    let Team {
        house,
        project,
        admin,
        contributor,
        ..
    } = Team::new().await;
    let one = keyed(
        &house,
        Some(&admin),
        "/projects",
        "k",
        &json!({"name": "x"}),
    )
    .await
    .is(201);
    let other_body = json!({"name": "y"});
    let other = keyed(&house, Some(&admin), "/projects", "k", &other_body);
    house.refused(other, 422, "IDEMPOTENCY_KEY_REUSED").await;
    let text = json!({"project_id": project, "title": "t", "content": "c"});
    let other_path = keyed(&house, Some(&admin), "/raw-text", "k", &text);
    house
        .refused(other_path, 422, "IDEMPOTENCY_KEY_REUSED")
        .await;
    let theirs = keyed(
        &house,
        Some(&contributor),
        "/projects",
        "k",
        &json!({"name": "x"}),
    )
    .await
    .is(201);
    assert_ne!(one.id(), theirs.id());
    for bad in ["", "a b", &"k".repeat(256)] {
        let refused = keyed(&house, Some(&admin), "/projects", bad, &other_body);
        house.refused(refused, 400, "INVALID_PARAMETER").await;
    }
}

#[tokio::test]
async fn refusals_are_not_kept() {
    let Team { house, admin, .. } = Team::new().await;
    let nameless = json!({"name": ""});
    let bad = keyed(&house, Some(&admin), "/projects", "k", &nameless);
    house.refused(bad, 422, "VALIDATION_ERROR").await;
    keyed(
        &house,
        Some(&admin),
        "/projects",
        "k",
        &json!({"name": "x"}),
    )
    .await
    .is(201);
}

#[tokio::test]
async fn a_repeat_is_answered_even_when_the_first_time_took_the_right_away() {
    let Team {
        house,
        project,
        reviewer,
        contributor,
        ..
    } = Team::new().await;
    let headers = [("idempotency-key", "k")];
    let path = format!("/projects/{project}/leave");
    for _ in 0..2 {
        house
            .ask(Method::POST, &path, Some(&reviewer), &headers, None)
            .await
            .is(204);
    }
    let item = house.raw_text(&contributor, project).await;
    let path = format!("/raw-text/{item}");
    for _ in 0..2 {
        house
            .ask(Method::DELETE, &path, Some(&contributor), &headers, None)
            .await
            .is(200);
    }
}

#[tokio::test]
async fn what_is_given_twice_is_not_chosen_from() {
    let house = House::new().await;
    let person = house.person("a@example.org").await;
    let body = json!({"name": "Letters"});
    let keys = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")];
    let asked = house.ask(Method::POST, "/projects", Some(&person), &keys, Some(&body));
    let refused = house.refused(asked, 400, "INVALID_PARAMETER").await;
    assert_eq!(
        refused.body["error"]["details"]["Idempotency-Key"],
        json!(["must be given once"])
    );
    let another = format!("Bearer {}", person.token);
    let tokens = [("Authorization", another.as_str())];
    let asked = house.ask(
        Method::POST,
        "/projects",
        Some(&person),
        &tokens,
        Some(&body),
    );
    house.refused(asked, 401, "UNAUTHENTICATED").await;
    let packed = [("Content-Encoding", "gzip")];
    let asked = house.ask(
        Method::POST,
        "/projects",
        Some(&person),
        &packed,
        Some(&body),
    );
    house
        .refused(asked, 415, "UNSUPPORTED_CONTENT_ENCODING")
        .await;
}
