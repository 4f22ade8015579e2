//! Registering, verifying, passwords.

use axum::http::Method;
use runtime::signed_token::TokenKind;
use serde_json::json;
use time::Duration;

use crate::house::{House, PASSWORD};

#[tokio::test]
async fn an_account_is_made_verified_and_used() {
    let house = House::new().await;
    let body = json!({"email": " Amina@Example.org ", "password": PASSWORD, "name": "Amina"});
    let made = house.anonymous("/auth/register", body).await.is(201);
    assert_eq!(made.body["email"], "Amina@Example.org");
    assert_eq!(made.body["is_verified"], false);
    assert_eq!(made.body["global_role"], "user");
    assert!(made.header("x-alta-position").is_some());

    let login = json!({"email": "amina@example.org", "password": PASSWORD});
    house
        .refused(
            house.anonymous("/auth/login", login.clone()),
            403,
            "EMAIL_NOT_VERIFIED",
        )
        .await;
    for _ in 0..2 {
        let verified = house.verify(made.id()).await.is(200);
        assert_eq!(verified.body, json!({"verified": true}));
    }
    assert_eq!(
        house.stream(made.id()).await,
        ["UserRegistered", "EmailVerified"]
    );
    house.anonymous("/auth/login", login).await.is(200);
    let secrets: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events WHERE payload::text ILIKE '%amina%' OR payload::text LIKE '%argon2%'",
    )
    .fetch_one(house.pool())
    .await
    .expect("a count");
    assert_eq!(
        secrets, 0,
        "neither address nor hash stands in an event in clear"
    );
}

#[tokio::test]
async fn an_address_is_taken_once_whatever_its_case_and_however_many_ask() {
    let house = House::new().await;
    let ask = |email: &str| {
        house.anonymous(
            "/auth/register",
            json!({"email": email, "password": PASSWORD}),
        )
    };
    let (a, b, c) = tokio::join!(
        ask("a@example.org"),
        ask("A@example.org"),
        ask("a@EXAMPLE.org")
    );
    let mut all = [a.status, b.status, c.status];
    all.sort_unstable();
    assert_eq!(all, [201, 409, 409]);
    house
        .refused(ask("a@example.org"), 409, "EMAIL_TAKEN")
        .await;
}

#[tokio::test]
async fn bad_registrations_are_refused_with_every_complaint() {
    let house = House::new().await;
    let bad = json!({"email": "no address", "password": "short", "name": "x".repeat(201)});
    let told = house
        .refused(
            house.anonymous("/auth/register", bad),
            422,
            "VALIDATION_ERROR",
        )
        .await;
    let details = told.body["error"]["details"].as_object().expect("details");
    let fields: Vec<&str> = details.keys().map(String::as_str).collect();
    assert_eq!(fields, ["email", "name", "password"]);
    for (email, password) in [
        ("a@b.co\r\nBcc: c@d.ef", PASSWORD),
        ("a@localhost", PASSWORD),
        ("a@example.org", "Password123"),
        ("averylong@example.org", "averylong@example.org"),
    ] {
        let body = json!({"email": email, "password": password});
        house
            .refused(
                house.anonymous("/auth/register", body),
                422,
                "VALIDATION_ERROR",
            )
            .await;
    }
    let missing = json!({"email": "a@example.org"});
    let told = house
        .refused(
            house.anonymous("/auth/register", missing),
            422,
            "VALIDATION_ERROR",
        )
        .await;
    assert_eq!(told.body["error"]["details"]["password"][0], "is required");
}

#[tokio::test]
async fn only_a_good_link_verifies() {
    let house = House::new().await;
    let id = house.register("a@example.org").await;
    let house = &house;
    let follow = |token: String| async move {
        let path = format!("/auth/verify-email?token={token}");
        house.ask(Method::GET, &path, None, &[], None).await
    };
    let good = house.verification_token(id);
    let expires_at = house.clock.now() + Duration::HOUR;
    let of_another_kind = house
        .signed
        .sign(TokenKind::ResetPassword, id, id, expires_at);
    let nobodys = house.verification_token(uuid::Uuid::from_u128(1));
    for bad in [
        String::new(),
        "x".to_owned(),
        of_another_kind,
        nobodys,
        format!("{good}A"),
    ] {
        house.refused(follow(bad), 400, "INVALID_TOKEN").await;
    }
    house.clock.advance(Duration::hours(2));
    house.refused(follow(good), 400, "INVALID_TOKEN").await;
}

#[tokio::test]
async fn another_verification_link_comes_only_to_who_waits_for_one() {
    let house = House::new().await;
    let id = house.register("a@example.org").await;
    for email in ["a@example.org", "nobody@example.org", "rubbish"] {
        house
            .anonymous("/auth/resend-verification", json!({"email": email}))
            .await
            .is(202);
    }
    assert_eq!(
        house.stream(id).await,
        ["UserRegistered", "VerificationRequested"]
    );
}

#[tokio::test]
async fn a_forgotten_password_is_set_by_a_link_once_and_ends_all_sessions() {
    let house = House::new().await;
    let person = house.person("a@example.org").await;
    for email in ["nobody@example.org", "A@example.org"] {
        house
            .anonymous("/auth/forgot-password", json!({"email": email}))
            .await
            .is(202);
    }
    let expected = ["UserRegistered", "EmailVerified", "PasswordResetRequested"];
    assert_eq!(house.stream(person.id).await, expected);
    let token = house.link_of(person.id).await;

    let reset = |token: &str, password: &str| {
        house.anonymous(
            "/auth/reset-password",
            json!({"token": token, "new_password": password}),
        )
    };
    house
        .refused(reset("rubbish", "another password"), 400, "INVALID_TOKEN")
        .await;
    house
        .refused(reset(&token, "short"), 422, "VALIDATION_ERROR")
        .await;
    reset(&token, "another password").await.is(204);
    house
        .refused(reset(&token, "a third password"), 400, "INVALID_TOKEN")
        .await;

    let old = json!({"email": person.email, "password": PASSWORD});
    house
        .refused(
            house.anonymous("/auth/login", old),
            401,
            "INVALID_CREDENTIALS",
        )
        .await;
    let new = json!({"email": person.email, "password": "another password"});
    house.anonymous("/auth/login", new).await.is(200);
    let project = house.post(&person, "/projects", json!({"name": "x"}));
    house.refused(project, 401, "UNAUTHENTICATED").await;
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it_and_ends_the_other_sessions() {
    let house = House::new().await;
    let here = house.person("a@example.org").await;
    let elsewhere = house.sign_in(here.id, "a@example.org").await;
    let change = |current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        house.post(&here, "/auth/change-password", body)
    };
    house
        .refused(
            change("wrong", "another password"),
            401,
            "INVALID_CREDENTIALS",
        )
        .await;
    house
        .refused(change(PASSWORD, "12345678"), 422, "VALIDATION_ERROR")
        .await;
    change(PASSWORD, "another password").await.is(204);
    house
        .post(&here, "/projects", json!({"name": "x"}))
        .await
        .is(201);
    let project = house.post(&elsewhere, "/projects", json!({"name": "x"}));
    house.refused(project, 401, "UNAUTHENTICATED").await;
}

#[tokio::test]
async fn of_two_changes_of_a_password_at_once_one_holds() {
    let house = House::new().await;
    let here = house.person("a@example.org").await;
    let there = house.sign_in(here.id, "a@example.org").await;
    let change = |who, new: &str| {
        let body = json!({"current_password": PASSWORD, "new_password": new});
        let house = &house;
        async move { house.post(who, "/auth/change-password", body).await }
    };
    let (a, b) = tokio::join!(
        change(&here, "another password"),
        change(&there, "a third password")
    );
    let mut both = [a.status, b.status];
    both.sort_unstable();
    assert_eq!(both, [204, 401], "{} {}", a.body, b.body);
}

#[tokio::test]
async fn a_request_for_a_mail_takes_the_same_time_for_everybody() {
    let house = House::new().await;
    house.person("a@example.org").await;
    for path in ["/auth/forgot-password", "/auth/resend-verification"] {
        for email in ["a@example.org", "nobody@example.org"] {
            let start = std::time::Instant::now();
            let body = json!({"email": email});
            house.anonymous(path, body).await.is(202);
            assert!(start.elapsed().as_millis() >= 300, "{path} {email}");
        }
    }
}

#[tokio::test]
async fn passwords_are_bounded_in_characters_wherever_one_is_set() {
    let house = House::new().await;
    let root = house.super_admin().await;
    let mut here = house.person("here@example.org").await;
    let mut current = PASSWORD.to_owned();
    for (n, (password, accepted)) in [
        ("ü1y-x7z".to_owned(), false),
        ("ü1y-x7zä".to_owned(), true),
        ("äö".repeat(64), true),
        (format!("{}x", "äö".repeat(64)), false),
        ("Password123!".to_owned(), false),
    ]
    .into_iter()
    .enumerate()
    {
        let wanted = |good: u16| if accepted { good } else { 422 };
        let body = json!({"email": format!("r{n}@example.org"), "password": password});
        house
            .anonymous("/auth/register", body)
            .await
            .is(wanted(201));
        let body = json!({"email": format!("u{n}@example.org"), "password": password});
        house
            .post(&root, "/admin/users", body)
            .await
            .is(wanted(201));
        let body = json!({"current_password": current, "new_password": password});
        let changed = house.post(&here, "/auth/change-password", body).await;
        changed.is(wanted(204));
        let token = house.reset_token(&here).await;
        let body = json!({"token": token, "new_password": password});
        let reset = house.anonymous("/auth/reset-password", body).await;
        reset.is(wanted(204));
        if accepted {
            current = password;
            here = house.sign_in_with(here.id, &here.email, &current).await;
        }
    }
}

#[tokio::test]
async fn a_reset_link_is_dead_once_the_password_changed_in_another_way() {
    let house = House::new().await;
    let person = house.person("a@example.org").await;
    let older = house.reset_token(&person).await;
    let newer = house.reset_token(&person).await;
    let reset = |token: &str| {
        let body = json!({"token": token, "new_password": "a third password"});
        house.anonymous("/auth/reset-password", body)
    };
    house.refused(reset(&older), 400, "INVALID_TOKEN").await;
    let change = json!({"current_password": PASSWORD, "new_password": "another password"});
    house
        .post(&person, "/auth/change-password", change)
        .await
        .is(204);
    house.refused(reset(&newer), 400, "INVALID_TOKEN").await;
}

#[tokio::test]
async fn a_reset_that_got_no_answer_is_answered_again_even_when_the_link_is_too_old() {
    let house = House::new().await;
    let person = house.person("a@example.org").await;
    let token = house.reset_token(&person).await;
    let body = json!({"token": token, "new_password": "another password"});
    let key = [("idempotency-key", "k")];
    let path = "/auth/reset-password";
    let reset = || house.ask(Method::POST, path, None, &key, Some(&body));
    reset().await.is(204);
    house.clock.advance(Duration::hours(2));
    let again = reset().await.is(204);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let late = house.anonymous(path, body.clone());
    house.refused(late, 400, "INVALID_TOKEN").await;
}

#[tokio::test]
async fn the_address_of_a_closed_account_stays_taken() {
    let house = House::new().await;
    let root = house.super_admin().await;
    let person = house.person("a@example.org").await;
    let path = format!("/admin/users/{}", person.id);
    house.delete(&root, &path).await.is(204);
    let body = json!({"email": "A@example.org", "password": PASSWORD});
    let again = house.anonymous("/auth/register", body.clone());
    house.refused(again, 409, "EMAIL_TAKEN").await;
    let by_root = house.post(&root, "/admin/users", body);
    house.refused(by_root, 409, "EMAIL_TAKEN").await;
    let refresh = json!({"refresh_token": person.refresh_token});
    let refresh = house.anonymous("/auth/refresh", refresh);
    house.refused(refresh, 401, "INVALID_REFRESH_TOKEN").await;
    for path in ["/auth/forgot-password", "/auth/resend-verification"] {
        let events = house.events().await;
        let body = json!({"email": "a@example.org"});
        house.anonymous(path, body).await.is(202);
        assert_eq!(house.events().await, events, "{path}");
    }
}
