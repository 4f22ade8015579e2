//! Signing in, renewing, signing out.

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::json;
use time::Duration;

use crate::house::{House, PASSWORD, Reply};

async fn refresh(house: &House, token: &str) -> Reply {
    house
        .anonymous("/auth/refresh", json!({"refresh_token": token}))
        .await
}

#[tokio::test]
async fn signing_in_gives_a_pair_of_tokens() {
    let house = House::new().await;
    let person = house.person("a@example.org").await;
    let reply = house
        .anonymous(
            "/auth/login",
            json!({"email": "A@example.org", "password": PASSWORD}),
        )
        .await
        .is(200);
    assert_eq!(
        (&reply.body["token_type"], &reply.body["expires_in"]),
        (&json!("bearer"), &json!(1800))
    );
    let stored: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM refresh_tokens WHERE token_hash = convert_to($1, 'UTF8')",
    )
    .bind(&person.refresh_token)
    .fetch_one(house.pool())
    .await
    .expect("a count");
    assert_eq!(stored, 0, "only hashes are stored");
}

#[tokio::test]
async fn a_form_is_taken_by_the_token_route() {
    let house = House::new().await;
    let person = house.person("a@example.org").await;
    let form = "grant_type=password&username=a%40example.org&password=a+good+long+password";
    let request = Request::post("/api/v1/auth/token")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form))
        .expect("a request");
    let reply = house.send(request).await.is(200);
    assert_ne!(reply.body["access_token"], person.token);
    let body = json!({"username": "a@example.org", "password": PASSWORD});
    house.anonymous("/auth/token", body).await.is(200);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_get_the_same_answer() {
    let house = House::new().await;
    house.person("a@example.org").await;
    let mut answers = Vec::new();
    for (email, password) in [
        ("a@example.org", "wrong"),
        ("b@example.org", PASSWORD),
        ("", ""),
    ] {
        let body = json!({"email": email, "password": password});
        let reply = house
            .refused(
                house.anonymous("/auth/login", body),
                401,
                "INVALID_CREDENTIALS",
            )
            .await;
        answers.push(reply.body["error"]["message"].clone());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[tokio::test]
async fn a_refresh_token_is_spent_by_use_and_a_spent_one_ends_the_session() {
    let house = House::new().await;
    let person = house.person("a@example.org").await;
    let renewed = refresh(&house, &person.refresh_token).await.is(200);
    let newer = renewed.body["refresh_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    assert_ne!(newer, person.refresh_token);
    house
        .post(&person, "/projects", json!({"name": "x"}))
        .await
        .is(201);

    let spent = refresh(&house, &person.refresh_token);
    house.refused(spent, 401, "INVALID_REFRESH_TOKEN").await;
    house
        .refused(refresh(&house, &newer), 401, "INVALID_REFRESH_TOKEN")
        .await;
    let project = house.post(&person, "/projects", json!({"name": "x"}));
    house.refused(project, 401, "UNAUTHENTICATED").await;
}

#[tokio::test]
async fn of_two_renewals_at_once_at_most_one_succeeds() {
    let house = House::new().await;
    let person = house.person("a@example.org").await;
    let (a, b) = tokio::join!(
        refresh(&house, &person.refresh_token),
        refresh(&house, &person.refresh_token)
    );
    let mut both = [a.status, b.status];
    both.sort_unstable();
    assert_eq!(both, [200, 401]);
}

#[tokio::test]
async fn tokens_end_with_time() {
    let house = House::new().await;
    let person = house.person("a@example.org").await;
    house.clock.advance(Duration::minutes(30));
    let project = house.post(&person, "/projects", json!({"name": "x"}));
    house.refused(project, 401, "UNAUTHENTICATED").await;
    house.clock.advance(Duration::days(7));
    let refresh = refresh(&house, &person.refresh_token);
    house.refused(refresh, 401, "INVALID_REFRESH_TOKEN").await;
}

#[tokio::test]
async fn signing_out_ends_the_session_at_once() {
    let house = House::new().await;
    let person = house.person("a@example.org").await;
    for token in [
        person.refresh_token.as_str(),
        person.refresh_token.as_str(),
        "rubbish",
    ] {
        house
            .anonymous("/auth/logout", json!({"refresh_token": token}))
            .await
            .is(204);
    }
    let project = house.post(&person, "/projects", json!({"name": "x"}));
    house.refused(project, 401, "UNAUTHENTICATED").await;
    let again = refresh(&house, &person.refresh_token);
    house.refused(again, 401, "INVALID_REFRESH_TOKEN").await;
}

#[tokio::test]
async fn without_a_good_token_nothing_is_done() {
    let house = House::new().await;
    for authorization in ["", "Bearer", "Bearer rubbish", "Basic YTpi"] {
        let headers = [("authorization", authorization)];
        let body = json!({"name": "x"});
        let project = house.ask(
            axum::http::Method::POST,
            "/projects",
            None,
            &headers,
            Some(&body),
        );
        let reply = house.refused(project, 401, "UNAUTHENTICATED").await;
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    }
}

#[tokio::test]
async fn a_sign_in_that_a_change_of_the_password_overtakes_opens_no_session() {
    let house = House::new().await;
    let person = house.person("a@example.org").await;
    // Whoever asks for the hash now waits, after it was verified, until the change is committed.
    let mut change = house.pool().begin().await.expect("a transaction");
    sqlx::query("UPDATE credentials SET password_hash = 'another' WHERE user_id = $1")
        .bind(person.id)
        .execute(&mut *change)
        .await
        .expect("changed");
    let body = json!({"email": "a@example.org", "password": PASSWORD});
    let sign_in = house.anonymous("/auth/login", body);
    let commit = async {
        let waits = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'
                     AND datname = current_database() AND query LIKE '%INTO sessions%')";
        let waiting = sqlx::query_scalar::<_, bool>(waits);
        let mut waiting = waiting.fetch_one(house.pool()).await.expect("asked");
        while !waiting {
            tokio::task::yield_now().await;
            let asked = sqlx::query_scalar::<_, bool>(waits);
            waiting = asked.fetch_one(house.pool()).await.expect("asked");
        }
        change.commit().await.expect("committed");
    };
    let both = async { tokio::join!(sign_in, commit).0 };
    house.refused(both, 401, "INVALID_CREDENTIALS").await;
    let sessions: i64 = sqlx::query_scalar("SELECT count(*) FROM sessions")
        .fetch_one(house.pool())
        .await
        .expect("a count");
    assert_eq!(sessions, 1, "the one from before");
}
