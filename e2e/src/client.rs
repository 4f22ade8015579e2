//! HTTP as any client would speak it.

use anyhow::{Context, Result, bail};
use reqwest::{Method, RequestBuilder, header::HeaderMap, multipart};
use serde_json::Value;
use std::time::{Duration, Instant};

/// One identity's view of the service; without a token, anybody's.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// What the service answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; `null` when it is empty, a string when it is no JSON.
    pub body: Value,
}

/// A file to upload.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Its name.
    pub name: String,
    /// The media type that the client claims.
    pub claimed_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// The answer, if it has this status.
    pub fn expect(self, status: u16) -> Result<Self> {
        if self.status == status {
            return Ok(self);
        }
        bail!("expected {status}, got {}: {}", self.status, self.body)
    }

    /// The `code` of an error.
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    /// A text field of the body.
    pub fn text(&self, field: &str) -> Result<String> {
        let value = self.body[field].as_str();
        Ok(value
            .with_context(|| format!("no {field} in {}", self.body))?
            .to_owned())
    }

    /// A header, if it is there and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Client {
    /// Anybody, at `base` (`http://127.0.0.1:8000`).
    pub fn new(base: &str) -> Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_mins(1))
            .build()?;
        Ok(Self {
            http,
            base: format!("{base}/api"),
            token: None,
        })
    }

    /// The same with an access token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// The access token, for who speaks HTTP by hand; empty without one.
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// A request to be completed by the caller.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request.
    pub async fn send(&self, request: RequestBuilder) -> Result<Answer> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await?;
        let body = match bytes.as_ref() {
            [] => Value::Null,
            bytes => serde_json::from_slice(bytes)
                .unwrap_or_else(|_| String::from_utf8_lossy(bytes).into()),
        };
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(self.request(Method::GET, path)).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Result<Answer> {
        self.send(self.request(Method::POST, path).json(&body))
            .await
    }

    /// `POST` without a body.
    pub async fn trigger(&self, path: &str) -> Result<Answer> {
        self.send(self.request(Method::POST, path)).await
    }

    /// `PUT` with a JSON body.
    pub async fn put(&self, path: &str, body: Value) -> Result<Answer> {
        self.send(self.request(Method::PUT, path).json(&body)).await
    }

    /// `PATCH` with a JSON body.
    pub async fn patch(&self, path: &str, body: Value) -> Result<Answer> {
        self.send(self.request(Method::PATCH, path).json(&body))
            .await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// `POST` with a file in the multipart field `file`.
    pub async fn upload(&self, path: &str, upload: Upload) -> Result<Answer> {
        let part = multipart::Part::bytes(upload.bytes)
            .file_name(upload.name)
            .mime_str(&upload.claimed_type)?;
        let form = multipart::Form::new().part("file", part);
        self.send(self.request(Method::POST, path).multipart(form))
            .await
    }

    /// Asks again and again until the answer is as wanted.
    pub async fn until(
        &self,
        path: &str,
        within: Duration,
        mut wanted: impl FnMut(&Answer) -> bool,
    ) -> Result<Answer> {
        let begun = Instant::now();
        loop {
            let answer = self.get(path).await?;
            if wanted(&answer) {
                return Ok(answer);
            }
            if begun.elapsed() > within {
                bail!("{path} is not as wanted after {within:?}: {}", answer.body);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until an item's processing has an outcome, and returns the status.
    pub async fn processed(&self, item_type: &str, id: &str, within: Duration) -> Result<Value> {
        let path = format!("/processing/status/{id}?item_type={item_type}");
        let settled = |answer: &Answer| {
            let state = answer.body["processing"]["state"].as_str();
            matches!(state, Some("succeeded" | "failed" | "dead"))
        };
        Ok(self.until(&path, within, settled).await?.body)
    }
}
