//! Engines that are reached over HTTP: what a server's answer means for a job, and when a server is
//! left alone.
//!
//! Whose fault a refusal is decides: what another try may mend (no answer, 429, 5xx, an answer that
//! is cut off), what an operator must (401, 403, 404: ends as a dead letter), what only another file
//! would (other 4xx: fails at once). What exactly a server said is for the log; the failure is shown
//! to the item's owner.

pub(crate) mod breaker;
pub(crate) mod google;

use self::breaker::Breaker;
use media::{ErrorCode, Fault};
use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{DATE, RETRY_AFTER},
    redirect::Policy,
};
use serde::{Deserialize, de::DeserializeOwned};
use std::time::Duration;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use tokio::time::Instant;

/// The longest answer that is read.
const ANSWER_BYTES: usize = 64 << 20;
/// A server that asks to wait this long is asked again by the same attempt.
const SHORT_WAIT: Duration = Duration::from_secs(20);
/// How often it is.
const WAITS: usize = 3;
/// What a 429 without `Retry-After` asks for.
const USUAL_WAIT: Duration = Duration::from_secs(10);
/// How much of an answer goes to the log, in characters.
const LOGGED: usize = 300;

/// A server that runs an engine.
pub(crate) struct Remote {
    /// What it is called in faults and logs.
    name: &'static str,
    client: Client,
    breaker: Breaker,
}

/// Why a request came to nothing.
pub(crate) struct Refusal {
    pub fault: Fault,
    /// The server does not accept the key that came with it.
    pub key: bool,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self { fault, key: false }
    }
}

/// How a request was answered.
enum Answered {
    Bytes(Vec<u8>),
    /// Not now, but after that time.
    Later(Duration, StatusCode),
}

impl Remote {
    /// Redirects are not followed: they would carry a recording, and a key, to somebody else.
    ///
    /// # Errors
    /// When the machine has no usable certificates.
    pub fn new(name: &'static str) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(10))
            // A server may be silent while it works; a machine that is gone is noticed.
            .tcp_keepalive(Duration::from_secs(30))
            .user_agent(concat!("alta-data/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            name,
            client,
            breaker: Breaker::default(),
        })
    }

    /// How long to wait before taking on work for it.
    pub fn rest(&self) -> Option<Duration> {
        self.breaker.rest()
    }

    /// Sends the request and reads the answer; `patience` is for both.
    ///
    /// # Errors
    /// `ENGINE_UNAVAILABLE` when there is no answer, or none yet; `ENGINE_FAILED` for an answer that
    /// is no use; the same for good when the server refuses what was sent.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        patience: Duration,
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<T, Fault> {
        let asked = self.ask_with_key(patience, request).await;
        asked.map_err(|refusal| refusal.fault)
    }

    /// The same, for who can do something about a key that is not accepted.
    ///
    /// # Errors
    /// Those of `ask`.
    pub async fn ask_with_key<T: DeserializeOwned>(
        &self,
        patience: Duration,
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<T, Refusal> {
        let mut waits = 0;
        let bytes = loop {
            if self.breaker.is_open() {
                return Err(self.unavailable("is left alone for a while").into());
            }
            let sent = request(&self.client).timeout(patience).send();
            match self.answered(sent.await).await? {
                Answered::Bytes(bytes) => break bytes,
                Answered::Later(wait, _) if wait <= SHORT_WAIT && waits < WAITS => {
                    waits += 1;
                    tokio::time::sleep(wait).await;
                }
                Answered::Later(wait, status) => {
                    self.breaker.told_to_wait(wait);
                    return Err(self.unavailable(&format!("answers {status}")).into());
                }
            }
        };
        serde_json::from_slice(&bytes)
            .map_err(|error| {
                self.broken();
                // Where, and not what: its words would quote the text.
                let (line, column, class) = (error.line(), error.column(), error.classify());
                tracing::warn!(
                    engine = self.name,
                    line,
                    column,
                    ?class,
                    "{} answers what cannot be read",
                    self.name
                );
                self.failed("answers what cannot be read").into()
            })
            .inspect(|_| self.breaker.succeeded())
    }

    async fn answered(&self, sent: reqwest::Result<Response>) -> Result<Answered, Refusal> {
        let response = sent.map_err(|error| self.silent(&error))?;
        let status = response.status();
        let wait = retry_after(&response);
        let bytes = self.body(response).await?;
        if status.is_success() {
            return Ok(Answered::Bytes(bytes));
        }
        let words: String = String::from_utf8_lossy(&bytes)
            .chars()
            .take(LOGGED)
            .collect();
        tracing::warn!(engine = self.name, %status, words, "{} answers {status}", self.name);
        match (status, wait) {
            (StatusCode::TOO_MANY_REQUESTS, wait) => {
                Ok(Answered::Later(wait.unwrap_or(USUAL_WAIT), status))
            }
            (StatusCode::SERVICE_UNAVAILABLE, Some(wait)) => Ok(Answered::Later(wait, status)),
            _ if status.is_client_error() => {
                self.breaker.succeeded();
                Err(Refusal {
                    fault: self.refused(status, &bytes),
                    key: status == StatusCode::UNAUTHORIZED,
                })
            }
            _ => {
                self.broken();
                Err(self.unavailable(&format!("answers {status}")).into())
            }
        }
    }

    /// An operator can mend a key, a name, a quota, a choice; nobody can mend what the server does not
    /// take.
    fn refused(&self, status: StatusCode, words: &[u8]) -> Fault {
        match status {
            _ if is_about_the_choice(words) => {
                self.unavailable("does not do what it is asked to by this service's configuration")
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                self.unavailable("does not accept this service's key")
            }
            StatusCode::PAYMENT_REQUIRED
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED => self.unavailable(&format!("answers {status}")),
            StatusCode::REQUEST_TIMEOUT => self.unavailable("did not wait for all of the request"),
            _ => {
                let detail = format!("{} refuses it with {status}", self.name);
                ErrorCode::EngineFailed.for_good(detail)
            }
        }
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() <= ANSWER_BYTES => {
                    bytes.extend_from_slice(&chunk);
                }
                Ok(Some(_)) => return Err(self.failed("answers at too great a length")),
                Ok(None) => return Ok(bytes),
                Err(error) => return Err(self.silent(&error)),
            }
        }
    }

    fn silent(&self, error: &reqwest::Error) -> Fault {
        self.broken();
        let what = if error.is_timeout() {
            "does not answer in time"
        } else if error.is_connect() {
            "cannot be reached"
        } else {
            "breaks off"
        };
        tracing::warn!(engine = self.name, error = ?error.to_string(), "{} {what}", self.name);
        self.unavailable(what)
    }

    fn broken(&self) {
        if self.breaker.failed() {
            tracing::error!(
                engine = self.name,
                "{} fails again and again: it is left alone for a while",
                self.name
            );
            metrics::counter!("alta_engine_circuit_opened_total", "engine" => self.name)
                .increment(1);
        }
    }

    fn unavailable(&self, what: &str) -> Fault {
        ErrorCode::EngineUnavailable.because(format!("{} {what}", self.name))
    }

    /// An answer that is no use, though it came.
    pub fn failed(&self, what: &str) -> Fault {
        ErrorCode::EngineFailed.because(format!("{} {what}", self.name))
    }
}

/// Whether a 4xx is about what an operator chose, and would be the same for every file: OpenAI names
/// the parameter (<https://platform.openai.com/docs/guides/error-codes>), Google says that a
/// precondition failed (<https://google.aip.dev/193>).
fn is_about_the_choice(words: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Said {
        error: Told,
    }
    #[derive(Deserialize)]
    struct Told {
        param: Option<String>,
        code: Option<serde_json::Value>,
        status: Option<String>,
    }
    let Ok(Said { error }) = serde_json::from_slice(words) else {
        return false;
    };
    let chosen = [
        "model",
        "response_format",
        "timestamp_granularities",
        "temperature",
    ];
    let param = error
        .param
        .as_deref()
        .map(|param| param.trim_end_matches("[]"));
    param.is_some_and(|param| chosen.contains(&param))
        || error.code.is_some_and(|code| code == "model_not_found")
        || error
            .status
            .is_some_and(|status| status == "FAILED_PRECONDITION")
}

/// Seconds, or a time (RFC 9110, 10.2.3), which is held against the server's own.
fn retry_after(response: &Response) -> Option<Duration> {
    let header = |name| response.headers().get(name)?.to_str().ok();
    let value = header(RETRY_AFTER)?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let time = |text: &str| OffsetDateTime::parse(&text.replace("GMT", "+0000"), &Rfc2822).ok();
    let wait = time(value)? - header(DATE).and_then(time)?;
    Some(wait.try_into().unwrap_or(Duration::ZERO))
}

/// Asks until `done` is found in an answer, less and less often, for at most `patience`.
///
/// # Errors
/// Those of `ask`; `None` when patience ends.
pub(crate) async fn poll<T, F: Future<Output = Result<Option<T>, Fault>>>(
    patience: Duration,
    mut ask: impl FnMut() -> F,
) -> Result<Option<T>, Fault> {
    let until = Instant::now() + patience;
    let mut pause = Duration::from_millis(500);
    while Instant::now() < until {
        if let Some(found) = ask().await? {
            return Ok(Some(found));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(10));
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
