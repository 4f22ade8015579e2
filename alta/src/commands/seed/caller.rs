//! Somebody who talks to the command API without a network between. Each request has its number as a
//! key, so that a run that broke off is completed by the next: what was done is answered again.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, header},
};
use serde_json::{Value, json};
use tower::ServiceExt;

/// No answer to these requests is larger.
const LARGEST_ANSWER: usize = 1 << 20;
const BOUNDARY: &str = "alta-sample-boundary-5f1c";

/// Somebody, signed in or not.
pub(super) struct Caller {
    router: Router,
    token: Option<String>,
    asked: AtomicU32,
}

/// A JSON answer.
pub(super) struct Answer(Value);

impl Answer {
    /// The text in a field.
    pub(super) fn text(&self, field: &str) -> Result<String> {
        let text = self.0.get(field).and_then(Value::as_str);
        text.map(str::to_owned)
            .with_context(|| format!("the answer has no {field}"))
    }
}

impl Caller {
    pub(super) fn new(router: Router) -> Self {
        Self {
            router,
            token: None,
            asked: AtomicU32::new(0),
        }
    }

    pub(super) async fn sign_in(&self, email: &str, password: &str) -> Result<Self> {
        let credentials = json!({ "email": email, "password": password });
        let token = self
            .post("/auth/login", &credentials)
            .await?
            .text("access_token")?;
        Ok(Self {
            router: self.router.clone(),
            token: Some(token),
            asked: AtomicU32::new(0),
        })
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.json(Method::POST, path, body).await
    }

    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<Answer> {
        self.json(Method::PATCH, path, body).await
    }

    /// Sends a file in a form with nothing else.
    pub(super) async fn upload(&self, path: &str, name: &str, file: &[u8]) -> Result<Answer> {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let tail = format!("\r\n--{BOUNDARY}--\r\n");
        let body = [head.as_bytes(), file, tail.as_bytes()].concat();
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        self.send(Method::POST, path, &kind, body).await
    }

    async fn json(&self, method: Method, path: &str, body: &Value) -> Result<Answer> {
        self.send(method, path, "application/json", serde_json::to_vec(body)?)
            .await
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: Vec<u8>) -> Result<Answer> {
        let mut request = Request::builder()
            .method(method.clone())
            .uri(format!("/api{path}"))
            .header(header::CONTENT_TYPE, kind)
            .header(header::CONTENT_LENGTH, body.len());
        if let Some(token) = &self.token {
            let number = self.asked.fetch_add(1, Ordering::Relaxed);
            request = request
                .header(header::AUTHORIZATION, format!("Bearer {token}"))
                .header("Idempotency-Key", format!("alta-seed-{number}"));
        }
        let response = self
            .router
            .clone()
            .oneshot(request.body(Body::from(body))?)
            .await?;
        let status = response.status();
        let bytes = to_bytes(response.into_body(), LARGEST_ANSWER).await?;
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if !status.is_success() {
            bail!(
                "{method} {path} was answered with {status}: {}",
                answer["error"]["message"]
            );
        }
        Ok(Answer(answer))
    }
}
