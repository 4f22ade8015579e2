//! Rate limits of the running service with their defaults: what a client is told, and that one
//! request is counted once whichever sides it meets.

use anyhow::{Context, Result};
use e2e::{Answer, Client, Mailbox, Person};
use reqwest::Method;
use serde_json::json;
use test_kit::AltaProcess;

async fn started() -> Result<AltaProcess> {
    let mut alta = AltaProcess::new()?
        .env("RATE_LIMIT_ENABLED", "true")
        .env("TRUSTED_PROXIES", "127.0.0.0/8");
    alta.start().await?;
    Ok(alta)
}

fn number(answer: &Answer, name: &str) -> Result<i64> {
    let text = answer.header(name);
    let text = text.with_context(|| format!("no {name} on {}", answer.body))?;
    Ok(text.parse()?)
}

/// Remaining, and that the other two make sense.
fn remaining(answer: &Answer, limit: i64) -> Result<i64> {
    assert_eq!(
        number(answer, "x-ratelimit-limit")?,
        limit,
        "{}",
        answer.body
    );
    let reset = number(answer, "x-ratelimit-reset")?;
    // 2026-01-01: seconds, and not milliseconds.
    assert!((1_767_225_600..10_000_000_000).contains(&reset), "{reset}");
    number(answer, "x-ratelimit-remaining")
}

/// A request from an address of the caller's choice: the test stands where a trusted proxy does.
async fn from(client: &Client, address: &str, method: Method, path: &str) -> Result<Answer> {
    let request = client.request(method, path);
    client
        .send(request.header("X-Forwarded-For", address))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_are_told_and_count_each_request_once() -> Result<()> {
    let alta = started().await?;
    let anybody = Client::new(&alta.url())?;

    // Signing up and in fits into the first minute; each step says what is left.
    let mailbox = Mailbox::of(&alta.data_dir());
    let person = Person::register(&anybody, &mailbox, "first@example.org").await?;
    let me = person.client.get("/auth/me").await?.expect(200)?;
    assert_eq!(remaining(&me, 10)?, 6);

    // Both sides, known and unknown routes, wrong methods: one request is one.
    let mut left = 10;
    for (method, path, status) in [
        (Method::GET, "/auth/me", 401),
        (Method::POST, "/auth/login", 415),
        (Method::DELETE, "/auth/login", 405),
        (Method::GET, "/auth/login", 405),
        (Method::POST, "/auth/me", 405),
        (Method::GET, "/auth/nowhere", 404),
        (Method::PUT, "/auth/nowhere", 404),
        (Method::GET, "/auth/verify-email?token=x", 400),
        (Method::HEAD, "/auth/me", 401),
        (Method::GET, "/auth/me", 401),
    ] {
        left -= 1;
        let answer = from(&anybody, "192.0.2.1", method.clone(), path).await?;
        let answer = answer
            .expect(status)
            .with_context(|| format!("{method} {path}"))?;
        assert_eq!(remaining(&answer, 10)?, left, "{method} {path}");
    }
    for (method, path) in [(Method::GET, "/auth/me"), (Method::POST, "/auth/login")] {
        let refused = from(&anybody, "192.0.2.1", method, path)
            .await?
            .expect(429)?;
        assert_eq!(remaining(&refused, 10)?, 0);
        assert!((1..=60).contains(&number(&refused, "retry-after")?));
        assert_eq!(refused.body["error"]["type"], "rate_limited");
        assert_eq!(refused.code(), "RATE_LIMITED");
        assert_eq!(
            refused.header("x-request-id"),
            refused.body["error"]["requestId"].as_str()
        );
        assert_eq!(refused.header("x-content-type-options"), Some("nosniff"));
    }
    // Elsewhere, and from elsewhere, they may go on; probes always.
    let other = from(&anybody, "192.0.2.1", Method::GET, "/projects").await?;
    assert_eq!(remaining(&other.expect(401)?, 100)?, 99);
    let other = from(&anybody, "192.0.2.2", Method::GET, "/auth/me").await?;
    assert_eq!(remaining(&other.expect(401)?, 10)?, 9);
    for _ in 0..110 {
        from(&anybody, "192.0.2.3", Method::GET, "/health/live")
            .await?
            .expect(200)?;
    }
    let live = from(&anybody, "192.0.2.3", Method::GET, "/health/live").await?;
    assert_eq!(remaining(&live, 100)?, 100);

    // Repeats with a key are requests like any other.
    let project = json!({"name": "Once"});
    for left in (97..100).rev() {
        let request = person.client.request(Method::POST, "/projects");
        let request = request.header("Idempotency-Key", "once").json(&project);
        let answer = person.client.send(request).await?.expect(201)?;
        assert_eq!(remaining(&answer, 100)?, left);
    }
    let mine = person.client.get("/projects").await?.expect(200)?;
    assert_eq!(remaining(&mine, 100)?, 96, "both sides count together");
    assert_eq!(mine.body.as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_are_counted_apart_and_each_user_has_their_own() -> Result<()> {
    let alta = started().await?;
    let anybody = Client::new(&alta.url())?;
    let mailbox = Mailbox::of(&alta.data_dir());
    let person = Person::register(&anybody, &mailbox, "writer@example.org").await?;
    let other = Person::register(&anybody, &mailbox, "other@example.org").await?;
    // What is refused counts too: an upload costs before it is looked at.
    for left in (0..20).rev() {
        let path = if left % 2 == 0 {
            "/documents"
        } else {
            "/voice"
        };
        let answer = person.client.trigger(path).await?;
        assert!((400..500).contains(&answer.status), "{}", answer.body);
        assert_eq!(remaining(&answer, 20)?, left);
    }
    person.client.trigger("/voice").await?.expect(429)?;
    assert_ne!(other.client.trigger("/voice").await?.status, 429);
    assert_eq!(
        remaining(&person.client.get("/projects").await?.expect(200)?, 100)?,
        99
    );
    Ok(())
}
