//! Repeats of what gives, renews and ends sessions: the first pair of tokens again, to nobody but who
//! could have had it in the first place.

use std::borrow::Borrow;

use axum::http::Method;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::house::{House, PASSWORD, Reply};

async fn keyed(house: &House, path: &str, key: &str, body: impl Borrow<Value>) -> Reply {
    let headers = [("idempotency-key", key)];
    house
        .ask(Method::POST, path, None, &headers, Some(body.borrow()))
        .await
}

fn login() -> Value {
    json!({"email": "a@example.org", "password": PASSWORD})
}

fn refresh(token: &str) -> Value {
    json!({"refresh_token": token})
}

fn replayed(reply: &Reply) -> bool {
    reply.header("idempotency-replayed") == Some("true")
}

fn word(reply: &Reply, field: &str) -> String {
    reply.body[field].as_str().expect("a word").to_owned()
}

async fn count(house: &House, of: &str) -> i64 {
    let count = format!("SELECT count(*) FROM {of}");
    let count = sqlx::query_scalar(&count);
    count.fetch_one(house.pool()).await.expect("a count")
}

#[tokio::test]
async fn a_repeat_gets_the_first_pair_and_opens_no_session() {
    let house = House::new().await;
    house.person("a@example.org").await;
    let token = json!({"username": "a@example.org", "password": PASSWORD});
    for (path, key, body) in [("/auth/login", "k1", login()), ("/auth/token", "k2", token)] {
        let sessions = count(&house, "sessions").await;
        let first = keyed(&house, path, key, &body).await.is(200);
        let again = keyed(&house, path, key, &body).await.is(200);
        assert_eq!(first.body, again.body, "{path}");
        assert_eq!((replayed(&first), replayed(&again)), (false, true));
        assert_eq!(count(&house, "sessions").await, sessions + 1);
        let newer = keyed(&house, path, &format!("{key}b"), &body).await.is(200);
        assert_ne!(newer.body["refresh_token"], first.body["refresh_token"]);
    }
}

#[tokio::test]
async fn a_repeated_renewal_gets_the_first_pair_and_is_no_theft() {
    let house = House::new().await;
    let person = house.person("a@example.org").await;
    let body = refresh(&person.refresh_token);
    let first = keyed(&house, "/auth/refresh", "k", &body).await.is(200);
    let again = keyed(&house, "/auth/refresh", "k", &body).await.is(200);
    assert_eq!(first.body, again.body);
    assert!(!replayed(&first) && replayed(&again));
    house
        .post(&person, "/projects", json!({"name": "x"}))
        .await
        .is(201);

    let newer = refresh(&word(&first, "refresh_token"));
    let other_body = keyed(&house, "/auth/refresh", "k", &newer);
    house
        .refused(other_body, 422, "IDEMPOTENCY_KEY_REUSED")
        .await;
    keyed(&house, "/auth/refresh", "k2", &newer).await.is(200);

    // Whoever does not know the key has stolen the token.
    let stolen = keyed(&house, "/auth/refresh", "guessed", &body);
    house.refused(stolen, 401, "INVALID_REFRESH_TOKEN").await;
    let project = house.post(&person, "/projects", json!({"name": "x"}));
    house.refused(project, 401, "UNAUTHENTICATED").await;
    // And the first answer is no way back into a session that was ended.
    let late = keyed(&house, "/auth/refresh", "k", &body);
    house.refused(late, 401, "INVALID_REFRESH_TOKEN").await;
}

#[tokio::test]
async fn twenty_repeats_at_once_get_one_pair() {
    let house = House::new().await;
    let person = house.person("a@example.org").await;
    let all = async |path: &str, body: Value| {
        let all = (0..20).map(|_| keyed(&house, path, "k", &body));
        let replies: Vec<Reply> = join_all(all).await.into_iter().map(|r| r.is(200)).collect();
        let first = replies.iter().filter(|reply| !replayed(reply)).count();
        assert_eq!(first, 1, "{path}");
        assert!(replies.iter().all(|reply| reply.body == replies[0].body));
        word(&replies[0], "refresh_token")
    };
    let sessions = count(&house, "sessions").await;
    all("/auth/login", login()).await;
    assert_eq!(count(&house, "sessions").await, sessions + 1);

    sqlx::query("DELETE FROM command_log")
        .execute(&house.database.pool)
        .await
        .expect("forgotten");
    let tokens = count(&house, "refresh_tokens").await;
    let newest = all("/auth/refresh", refresh(&person.refresh_token)).await;
    assert_eq!(count(&house, "refresh_tokens").await, tokens + 1);
    keyed(&house, "/auth/refresh", "next", refresh(&newest))
        .await
        .is(200);
}

#[tokio::test]
async fn a_key_opens_nothing_for_who_does_not_know_the_password() {
    let house = House::new().await;
    house.person("a@example.org").await;
    let other = house.person("b@example.org").await;
    let first = keyed(&house, "/auth/login", "k", login()).await.is(200);
    let wrong = json!({"email": "a@example.org", "password": "wrong"});
    let nobody = json!({"email": "c@example.org", "password": PASSWORD});
    for body in [wrong, nobody] {
        let stranger = keyed(&house, "/auth/login", "k", &body);
        house.refused(stranger, 401, "INVALID_CREDENTIALS").await;
    }
    let theirs = json!({"email": "b@example.org", "password": PASSWORD});
    let theirs = keyed(&house, "/auth/login", "k", &theirs).await.is(200);
    assert!(!replayed(&theirs));
    assert_ne!(theirs.body["access_token"], first.body["access_token"]);
    let own = refresh(&other.refresh_token);
    let unlike = keyed(&house, "/auth/refresh", "k", &own);
    house.refused(unlike, 422, "IDEMPOTENCY_KEY_REUSED").await;

    // The same person, with another request.
    let spelt = json!({"email": "A@example.org", "password": PASSWORD});
    let token = json!({"username": "a@example.org", "password": PASSWORD});
    for (path, body) in [("/auth/login", spelt), ("/auth/token", token)] {
        let reused = keyed(&house, path, "k", &body);
        house.refused(reused, 422, "IDEMPOTENCY_KEY_REUSED").await;
    }
}

#[tokio::test]
async fn a_refused_sign_in_is_not_kept() {
    let house = House::new().await;
    house.person("a@example.org").await;
    let wrong = json!({"email": "a@example.org", "password": "wrong"});
    let refused = keyed(&house, "/auth/login", "k", &wrong);
    house.refused(refused, 401, "INVALID_CREDENTIALS").await;
    assert_eq!(count(&house, "command_log").await, 0);
    keyed(&house, "/auth/login", "k", login()).await.is(200);
}

#[tokio::test]
async fn kept_pairs_are_encrypted_and_open_in_their_own_place_alone() {
    let house = House::new().await;
    let ours = house.person("a@example.org").await;
    let theirs = house.person("b@example.org").await;
    let first = keyed(&house, "/auth/login", "k", login()).await.is(200);
    let body = json!({"email": "b@example.org", "password": PASSWORD});
    keyed(&house, "/auth/login", "k", &body).await.is(200);
    keyed(&house, "/auth/refresh", "r", refresh(&ours.refresh_token))
        .await
        .is(200);
    let kept: Vec<String> = sqlx::query_scalar("SELECT command_log::text FROM command_log")
        .fetch_all(house.pool())
        .await
        .expect("answers");
    assert_eq!(kept.len(), 3);
    let all = kept.join("\n");
    for secret in [
        first.body["access_token"].as_str().expect("a token"),
        first.body["refresh_token"].as_str().expect("a token"),
        &ours.refresh_token,
        "a@example.org",
        PASSWORD,
        "bearer",
    ] {
        assert!(!all.contains(secret), "{secret} stands in a kept answer");
    }

    let moved = "UPDATE command_log SET answer =
                     (SELECT answer FROM command_log WHERE identity = $2 AND idempotency_key = 'k')
                 WHERE identity = $1 AND idempotency_key = 'k'";
    sqlx::query(moved)
        .bind(theirs.id.to_string())
        .bind(ours.id.to_string())
        .execute(&house.database.pool)
        .await
        .expect("moved");
    keyed(&house, "/auth/login", "k", &body).await.is(500);
}

/// Sends a request whose statement waits, drops it as the end of the process would, and lets the
/// statement be carried out.
async fn cut_off(house: &House, path: &str, key: &str, body: &Value) {
    let tokens = count(house, "refresh_tokens").await;
    let mut lock = house.database.pool.begin().await.expect("a transaction");
    // Rows, not tables: those are waited for before the statement is sent to be carried out.
    for rows in ["credentials", "refresh_tokens"] {
        sqlx::query(&format!("SELECT 1 FROM {rows} FOR UPDATE"))
            .execute(&mut *lock)
            .await
            .expect("locked");
    }
    let request = keyed(house, path, key, body);
    tokio::select! {
        reply = request => panic!("answered: {}", reply.body),
        () = house.waits_for("INTO refresh_tokens") => {}
    }
    lock.rollback().await.expect("released");
    while count(house, "refresh_tokens").await == tokens {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn whoever_got_no_answer_gets_it_when_asking_again() {
    let house = House::new().await;
    let person = house.person("a@example.org").await;
    for (path, body) in [
        ("/auth/login", login()),
        ("/auth/refresh", refresh(&person.refresh_token)),
    ] {
        cut_off(&house, path, path, &body).await;
        let tokens = count(&house, "refresh_tokens").await;
        let first = keyed(&house, path, path, &body).await.is(200);
        assert!(replayed(&first), "{path}");
        assert_eq!(count(&house, "refresh_tokens").await, tokens, "{path}");
        let next = refresh(&word(&first, "refresh_token"));
        let key = format!("next{path}");
        keyed(&house, "/auth/refresh", &key, &next).await.is(200);
    }
}

#[tokio::test]
async fn what_a_repeated_sign_in_gets_is_as_good_as_its_session() {
    let house = House::new().await;
    let person = house.person("a@example.org").await;
    let first = keyed(&house, "/auth/login", "k", login()).await.is(200);
    let token = refresh(&word(&first, "refresh_token"));
    keyed(&house, "/auth/logout", "out", &token).await.is(204);
    let again = keyed(&house, "/auth/logout", "out", &token).await.is(204);
    assert!(replayed(&again));
    let other = keyed(
        &house,
        "/auth/logout",
        "out",
        refresh(&person.refresh_token),
    );
    house.refused(other, 422, "IDEMPOTENCY_KEY_REUSED").await;

    let again = keyed(&house, "/auth/login", "k", login()).await.is(200);
    assert_eq!(again.body, first.body);
    let ended = keyed(&house, "/auth/refresh", "r", &token);
    house.refused(ended, 401, "INVALID_REFRESH_TOKEN").await;

    let change = json!({"current_password": PASSWORD, "new_password": "another password"});
    house
        .post(&person, "/auth/change-password", change)
        .await
        .is(204);
    let old = keyed(&house, "/auth/login", "k", login());
    house.refused(old, 401, "INVALID_CREDENTIALS").await;
}

#[tokio::test]
async fn a_repeated_request_for_a_mail_says_as_little_and_asks_once() {
    let house = House::new().await;
    let id = house.register("a@example.org").await;
    for (path, event) in [
        ("/auth/resend-verification", "VerificationRequested"),
        ("/auth/forgot-password", "PasswordResetRequested"),
    ] {
        for email in ["a@example.org", "nobody@example.org"] {
            let body = json!({"email": email});
            let all = (0..20).map(|_| keyed(&house, path, path, &body));
            let replies = join_all(all).await;
            assert!(replies.iter().all(|reply| reply.status == 202), "{path}");
            let again = keyed(&house, path, path, &body).await.is(202);
            assert!(replayed(&again), "{path} {email}");
            assert_eq!(again.body, replies[0].body);
            assert_eq!(again.header("x-alta-position"), None);
            let of_it = house
                .stream(id)
                .await
                .iter()
                .filter(|e| *e == event)
                .count();
            assert_eq!(of_it, 1, "{path}");
            let spelt = json!({"email": email.to_uppercase()});
            let reused = keyed(&house, path, path, &spelt);
            house.refused(reused, 422, "IDEMPOTENCY_KEY_REUSED").await;
        }
    }
}
