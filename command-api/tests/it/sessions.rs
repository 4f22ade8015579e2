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
async fn the_token_route_knows_one_grant() {
    let house = House::new().await;
    house.person("a@example.org").await;
    for grant_type in ["refresh_token", "client_credentials", ""] {
        let body = json!({
            "grant_type": grant_type, "username": "a@example.org", "password": PASSWORD
        });
        let other = house.anonymous("/auth/token", body);
        let told = house.refused(other, 400, "UNSUPPORTED_GRANT_TYPE").await;
        assert_eq!(told.body["error"]["type"], "validation_error");
    }
    let request = Request::post("/api/auth/token")
        .header(header::CONTENT_TYPE, "text/plain")
        .body(Body::from("username=a"));
    house.send(request.expect("a request")).await.is(415);
}

/// The middle of several durations of the same thing.
fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all[all.len() / 2]
}

#[tokio::test]
async fn a_failed_sign_in_takes_the_same_time_for_a_wrong_password_and_an_unknown_address() {
    let house = House::new().await;
    house.person("a@example.org").await;
    let (mut wrong, mut unknown) = (vec![], vec![]);
    for n in 0..15 {
        let nobody = format!("nobody{n}@example.org");
        for (email, times) in [("a@example.org", &mut wrong), (&*nobody, &mut unknown)] {
            let body = json!({"email": email, "password": "wrong"});
            let start = std::time::Instant::now();
            house.anonymous("/auth/login", body).await.is(401);
            times.push(start.elapsed().try_into().expect("a duration"));
        }
    }
    // Without a password to check, the answer would come many times faster.
    let (wrong, unknown) = (median(wrong), median(unknown));
    let ratio = unknown / wrong;
    assert!((0.4..2.5).contains(&ratio), "{wrong} and {unknown}");
}

#[tokio::test]
async fn sessions_do_not_make_the_account_grow_and_spent_tokens_are_swept() {
    let house = House::new().await;
    let person = house.person("a@example.org").await;
    let stream = house.stream(person.id).await;
    assert_eq!(stream, ["UserRegistered", "EmailVerified"]);
    for _ in 0..20 {
        house.sign_in(person.id, "a@example.org").await;
    }
    let mut token = person.refresh_token;
    for _ in 0..300 {
        let renewed = refresh(&house, &token).await.is(200);
        token = renewed.body["refresh_token"]
            .as_str()
            .expect("a token")
            .to_owned();
        house.clock.advance(Duration::hours(1));
    }
    assert_eq!(house.stream(person.id).await, stream);
    let rows = async |table: &str| {
        let count = format!("SELECT count(*) FROM {table}");
        let count = sqlx::query_scalar::<_, i64>(&count);
        count.fetch_one(house.pool()).await.expect("a count")
    };
    assert_eq!(
        (rows("sessions").await, rows("refresh_tokens").await),
        (21, 321)
    );
    house.api.sweep().await;
    // Eight days can still be of use, seven that a token holds and one more: the last of those
    // hours has just begun.
    assert_eq!(
        (rows("sessions").await, rows("refresh_tokens").await),
        (1, 8 * 24 - 1)
    );
    refresh(&house, &token).await.is(200);
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
        house.waits_for("INTO sessions").await;
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

#[tokio::test]
async fn a_sign_in_that_a_suspension_overtakes_leaves_no_session() {
    let house = House::new().await;
    let root = house.super_admin().await;
    let person = house.person("a@example.org").await;
    // The sign-in found a good account, and waits here while that is suspended.
    let mut held = house.database.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT 1 FROM credentials WHERE user_id = $1 FOR UPDATE")
        .bind(person.id)
        .execute(&mut *held)
        .await
        .expect("held");
    let login = json!({"email": "a@example.org", "password": PASSWORD});
    let sign_in = house.anonymous("/auth/login", login.clone());
    let path = format!("/admin/users/{}", person.id);
    let suspend = async {
        house.waits_for("INTO sessions").await;
        let suspended = json!({"suspended": true});
        house.put(&root, &path, suspended).await.is(200);
        held.rollback().await.expect("released");
    };
    let (overtaken, ()) = tokio::join!(sign_in, suspend);
    assert_eq!(
        (overtaken.status, overtaken.code()),
        (403, "ACCOUNT_SUSPENDED")
    );
    let standing: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM sessions WHERE user_id = $1 AND revoked_at IS NULL",
    )
    .bind(person.id)
    .fetch_one(house.pool())
    .await
    .expect("a count");
    assert_eq!(standing, 0);

    // Had the process ended right there, the session would not outlive the suspension.
    sqlx::query("UPDATE sessions SET revoked_at = NULL WHERE user_id = $1")
        .bind(person.id)
        .execute(&house.database.pool)
        .await
        .expect("left over");
    let reinstated = json!({"suspended": false});
    house.put(&root, &path, reinstated).await.is(200);
    let project = house.post(&person, "/projects", json!({"name": "x"}));
    house.refused(project, 401, "UNAUTHENTICATED").await;
    house.anonymous("/auth/login", login).await.is(200);
}
