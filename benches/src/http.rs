//! HTTP/1.1 with as little work as can be: the generator shares its processors with what it measures.
//! One request at a time on a connection; no pool, no redirects, no compression.

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request,
    body::{Bytes, Incoming},
    client::conn::http1::{SendRequest, handshake},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// A request, and the status that its answer must have.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    path: String,
    token: String,
    body: Bytes,
    expected: u16,
}

impl Call {
    /// `GET`, answered with 200. The path begins after `/api`.
    pub fn get(token: &str, path: impl Into<String>) -> Self {
        Self::new(Method::GET, token, path, Bytes::new(), 200)
    }

    /// `POST` of JSON.
    pub fn post(token: &str, path: impl Into<String>, body: &Value, expected: u16) -> Self {
        Self::new(Method::POST, token, path, body.to_string().into(), expected)
    }

    /// `PATCH` of JSON, answered with 200.
    pub fn patch(token: &str, path: impl Into<String>, body: &Value) -> Self {
        Self::new(Method::PATCH, token, path, body.to_string().into(), 200)
    }

    fn new(
        method: Method,
        token: &str,
        path: impl Into<String>,
        body: Bytes,
        expected: u16,
    ) -> Self {
        Self {
            method,
            path: path.into(),
            token: token.to_owned(),
            body,
            expected,
        }
    }
}

/// A connection to the service; made anew when the service has closed it.
pub struct Connection {
    address: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn open(address: &str) -> Result<Self> {
        Ok(Self {
            address: address.to_owned(),
            sender: connect(address).await?,
        })
    }

    /// Asks, and reads the whole answer.
    ///
    /// # Errors
    /// When the connection breaks, or the answer's status is not the expected one.
    pub async fn send(&mut self, call: &Call) -> Result<Bytes> {
        let answer = self.ask(call).await?;
        Ok(answer.collect().await?.to_bytes())
    }

    /// The same, with the answer read as JSON.
    ///
    /// # Errors
    /// Those of [`Connection::send`], and when it is no JSON.
    pub async fn json(&mut self, call: &Call) -> Result<Value> {
        Ok(serde_json::from_slice(&self.send(call).await?)?)
    }

    /// The same, with the `id` of the answer.
    ///
    /// # Errors
    /// Those of [`Connection::json`], and when it has none.
    pub async fn id(&mut self, call: &Call) -> Result<String> {
        let answer = self.json(call).await?;
        let id = answer["id"].as_str();
        Ok(id.with_context(|| format!("no id in {answer}"))?.to_owned())
    }

    /// Asks, and counts the lines of the answer as they come, and its bytes.
    ///
    /// # Errors
    /// Those of [`Connection::send`].
    pub async fn lines(&mut self, call: &Call) -> Result<(usize, usize)> {
        let mut answer = self.ask(call).await?;
        let (mut lines, mut bytes) = (0, 0);
        while let Some(frame) = answer.frame().await {
            if let Some(data) = frame?.data_ref() {
                lines += data.split(|byte| *byte == b'\n').count() - 1;
                bytes += data.len();
            }
        }
        Ok((lines, bytes))
    }

    async fn ask(&mut self, call: &Call) -> Result<Incoming> {
        if self.sender.ready().await.is_err() {
            self.sender = connect(&self.address).await?;
        }
        let mut request = Request::builder()
            .method(&call.method)
            .uri(format!("/api{}", call.path))
            .header(HOST, &self.address);
        if !call.token.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {}", call.token));
        }
        if !call.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(call.body.clone()))?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status().as_u16();
        if status != call.expected {
            let said = answer.into_body().collect().await?.to_bytes();
            let said = String::from_utf8_lossy(&said);
            bail!("{} {}: {status}: {said}", call.method, call.path);
        }
        Ok(answer.into_body())
    }
}

async fn connect(address: &str) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| address.to_owned())?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        // Its end shows where the next request is sent.
        let _ = connection.await;
    });
    sender.ready().await?;
    Ok(sender)
}
