//! A server that answers as it is told and remembers what it was asked.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Uri},
    response::Response,
};
use futures::{StreamExt, stream};
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::{net::TcpListener, task::JoinHandle};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What is answered.
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    end: End,
}

enum End {
    /// With the last byte.
    Whole,
    /// The connection is cut before it.
    Cut,
    /// It never comes.
    Never,
}

pub struct Fake {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    running: JoinHandle<()>,
}

type Answering = Arc<dyn Fn(&Seen, usize) -> Reply + Send + Sync>;

impl Fake {
    /// Answers each request by what this says of it and of how many came before.
    pub async fn answering(answer: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let answer: Answering = Arc::new(answer);
        let router = Router::new()
            .fallback(serve)
            .with_state((seen.clone(), answer));
        let running = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self { url, seen, running }
    }

    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn serve(
    State((all, answer)): State<(Arc<Mutex<Vec<Seen>>>, Answering)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    request: axum::extract::Request,
) -> Response {
    let body = axum::body::to_bytes(request.into_body(), 64 << 20).await;
    let seen = Seen {
        method,
        path: uri.path().to_owned(),
        headers,
        body: body.unwrap_or_default(),
    };
    let before = {
        let mut all = lock(&all);
        all.push(seen.clone());
        all.len() - 1
    };
    answer(&seen, before).into_response()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reply {
    pub fn json(body: &Value) -> Self {
        Self::text(200, &body.to_string())
    }

    pub fn text(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: vec![],
            body: body.as_bytes().to_vec(),
            end: End::Whole,
        }
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The same, and the connection cut in the middle of the body.
    pub fn cut(mut self) -> Self {
        self.end = End::Cut;
        self
    }

    /// The same, but for the last half of it: the server goes silent.
    pub fn unfinished(mut self) -> Self {
        self.end = End::Never;
        self
    }

    fn into_response(self) -> Response {
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        let body = match self.end {
            End::Whole => Body::from(self.body),
            End::Cut => {
                let cut = std::io::Error::other("cut");
                Body::from_stream(stream::iter([Ok(half(&self.body)), Err(cut)]))
            }
            End::Never => {
                let begun = stream::iter([Ok::<_, std::io::Error>(half(&self.body))]);
                Body::from_stream(begun.chain(stream::pending()))
            }
        };
        response.body(body).expect("a response")
    }
}

fn half(body: &[u8]) -> Bytes {
    Bytes::copy_from_slice(&body[..body.len() / 2])
}

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The parts of a multipart body by name, and their bytes.
    pub fn parts(&self) -> Vec<(String, Vec<u8>)> {
        let kind = self.header("content-type").expect("a type");
        let boundary = kind.split_once("boundary=").expect("a boundary").1;
        let boundary = format!("--{boundary}");
        let body = &self.body[..];
        let ends = find_all(body, boundary.as_bytes());
        let between = ends
            .windows(2)
            .map(|pair| &body[pair[0] + boundary.len()..pair[1]]);
        let part = |part: &[u8]| {
            let head = find_all(part, b"\r\n\r\n").first().copied()?;
            let words = String::from_utf8_lossy(&part[..head]).into_owned();
            let name = words.split_once("name=\"")?.1.split('"').next()?;
            Some((name.to_owned(), part[head + 4..part.len() - 2].to_vec()))
        };
        between.filter_map(part).collect()
    }
}

fn find_all(text: &[u8], wanted: &[u8]) -> Vec<usize> {
    let places = text.windows(wanted.len()).enumerate();
    places
        .filter(|(_, window)| *window == wanted)
        .map(|(place, _)| place)
        .collect()
}
