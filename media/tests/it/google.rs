//! As much of Google Cloud Storage's XML API as a client meets: objects, ranges, lists in pages and
//! uploads in parts. Each request must be signed by the service account's key, as a bearer token or in
//! its URL (version 4); there is no emulator that checks either.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};
use test_kit::Home;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const BUCKET: &str = "alta-files";
/// How many objects a page of a list has: few, so that there are several.
const PAGE: usize = 2;
const MODIFIED: [(&str, &str); 2] = [
    ("Last-Modified", "Thu, 15 Jan 2026 10:30:00 GMT"),
    ("x-goog-generation", "1"),
];

/// The server with its empty bucket and its service account.
pub struct Google {
    url: String,
    running: tokio::task::JoinHandle<()>,
    state: Arc<Mutex<State>>,
    home: Home,
}

#[derive(Default)]
pub struct State {
    pub public_key: Vec<u8>,
    objects: BTreeMap<String, Vec<u8>>,
    uploads: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
    begun: u32,
}

pub struct Request {
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Answer(u16, Vec<(&'static str, String)>, Vec<u8>);

impl Google {
    /// A fresh one.
    pub async fn start() -> Self {
        let home = Home::new().expect("a directory");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let key = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let der = AsDer::<Pkcs8V1Der>::as_der(&key).expect("a key");
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der.as_ref())
        );
        let account = json!({
            "type": "service_account",
            "private_key": pem,
            "private_key_id": "1",
            "client_email": "alta@test.example",
            "gcs_base_url": url,
        });
        std::fs::write(home.path().join("key.json"), account.to_string()).expect("written");
        let state = Arc::new(Mutex::new(State {
            public_key: key.public_key().as_ref().to_vec(),
            ..State::default()
        }));
        let running = tokio::spawn(accept(listener, state.clone()));
        Self {
            url,
            running,
            state,
            home,
        }
    }

    /// The variables with which the service keeps its files there, under this prefix.
    pub fn variables(&self, prefix: &str) -> [(&'static str, String); 2] {
        let key = self.home.path().join("key.json");
        [
            ("STORAGE_URL", format!("gs://{BUCKET}/{prefix}")),
            ("GOOGLE_APPLICATION_CREDENTIALS", key.display().to_string()),
        ]
    }

    /// The same with an account that this server does not know.
    pub fn variables_with_the_key_of(&self, other: &Self) -> [(&'static str, String); 2] {
        let key = std::fs::read_to_string(other.home.path().join("key.json")).expect("a key");
        let path = self.home.path().join("wrong.json");
        std::fs::write(&path, key.replace(&other.url, &self.url)).expect("written");
        let [url, (name, _)] = self.variables("one");
        [url, (name, path.display().to_string())]
    }

    /// How many uploads in parts were neither brought to an end nor broken off.
    pub fn uploads_left(&self) -> usize {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .uploads
            .len()
    }

    /// Ends it.
    pub fn stop(&self) {
        self.running.abort();
    }
}

impl Drop for Google {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, state.clone()));
    }
}

/// One request to a connection.
async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    let Some(request) = read(&mut stream).await else {
        return;
    };
    let Answer(status, headers, body) = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.refusal(&request) {
            Some(status) => Answer(status, vec![], vec![]),
            None => state.answer(&request),
        }
    };
    let mut head = format!("HTTP/1.1 {status} -\r\nConnection: close\r\n");
    let length = ("Content-Length", body.len().to_string());
    let given = headers.iter().any(|(name, _)| *name == length.0);
    for (name, value) in headers.iter().chain((!given).then_some(&length)) {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = stream.write_all(format!("{head}\r\n").as_bytes()).await;
    let _ = stream.write_all(&body).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut lines = vec![];
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut first = lines.first()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    };
    let header = |line: &String| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_lowercase(), value.trim().to_owned()))
    };
    let headers: BTreeMap<_, _> = lines.iter().skip(1).filter_map(header).collect();
    let length = headers
        .get("content-length")
        .and_then(|text| text.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request {
        method,
        path: decoded(path),
        query: query
            .split('&')
            .filter(|text| !text.is_empty())
            .map(pair)
            .collect(),
        headers,
        body,
    })
}

impl Request {
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let pair = self.query.iter().find(|pair| pair.0 == name);
        pair.map(|pair| pair.1.as_str())
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Answer {
        let key = request.path.strip_prefix(&format!("/{BUCKET}"));
        let Some(key) = key.map(|key| key.trim_start_matches('/').to_owned()) else {
            return Answer(404, vec![], vec![]);
        };
        let upload = request.parameter("uploadId").map(str::to_owned);
        match (request.method.as_str(), upload) {
            ("GET", _) if key.is_empty() => self.list(request),
            ("GET" | "HEAD", _) => self.get(request, &key),
            ("PUT", None) => {
                let answer = put(&request.body);
                self.objects.insert(key, request.body.clone());
                answer
            }
            ("DELETE", None) => {
                let status = if self.objects.remove(&key).is_some() {
                    204
                } else {
                    404
                };
                Answer(status, vec![], vec![])
            }
            ("POST", None) if request.parameter("uploads").is_some() => {
                self.begun += 1;
                let id = format!("{key}#{}", self.begun);
                self.uploads.insert(id.clone(), BTreeMap::new());
                xml(&format!(
                    "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
                ))
            }
            (method, Some(id)) => self.upload(method, request, key, &id),
            _ => Answer(405, vec![], vec![]),
        }
    }

    fn upload(&mut self, method: &str, request: &Request, key: String, id: &str) -> Answer {
        let number = request
            .parameter("partNumber")
            .and_then(|text| text.parse().ok());
        match (method, number) {
            ("PUT", Some(number)) => match self.uploads.get_mut(id) {
                Some(parts) => {
                    parts.insert(number, request.body.clone());
                    put(&request.body)
                }
                None => Answer(404, vec![], vec![]),
            },
            ("POST", None) => match self.uploads.remove(id) {
                Some(parts) => {
                    let whole = parts.into_values().collect::<Vec<_>>().concat();
                    let tag = etag(&whole);
                    self.objects.insert(key, whole);
                    xml(&format!(
                        "<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>"
                    ))
                }
                None => Answer(404, vec![], vec![]),
            },
            ("DELETE", None) if self.uploads.remove(id).is_some() => Answer(204, vec![], vec![]),
            _ => Answer(404, vec![], vec![]),
        }
    }

    fn get(&self, request: &Request, key: &str) -> Answer {
        let Some(bytes) = self.objects.get(key) else {
            return Answer(404, vec![], vec![]);
        };
        let mut headers = described(bytes);
        for (parameter, header) in [
            ("response-content-type", "Content-Type"),
            ("response-content-disposition", "Content-Disposition"),
        ] {
            let value = request.parameter(parameter);
            headers.extend(value.map(|value| (header, value.to_owned())));
        }
        let range = request.headers.get("range").and_then(|range| {
            let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
            let first: usize = first.parse().ok()?;
            let last = last.parse().map_or(bytes.len(), |last: usize| last + 1);
            Some(first..last.min(bytes.len()))
        });
        if request.method == "HEAD" {
            headers.push(("Content-Length", bytes.len().to_string()));
            return Answer(200, headers, vec![]);
        }
        let Some(range) = range else {
            return Answer(200, headers, bytes.clone());
        };
        let shown = format!("bytes {}-{}/{}", range.start, range.end - 1, bytes.len());
        headers.push(("Content-Range", shown));
        Answer(206, headers, bytes[range].to_vec())
    }

    fn list(&self, request: &Request) -> Answer {
        let prefix = request.parameter("prefix").unwrap_or_default();
        let after = request.parameter("continuation-token").unwrap_or_default();
        let found: Vec<_> = self
            .objects
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after)
            .collect();
        let mut body = "<ListBucketResult>".to_owned();
        for (key, bytes) in found.iter().take(PAGE) {
            let _ = write!(
                body,
                "<Contents><Key>{key}</Key><LastModified>2026-01-15T10:30:00.000Z</LastModified>\
                 <ETag>{}</ETag><Size>{}</Size></Contents>",
                etag(bytes),
                bytes.len()
            );
        }
        if found.len() > PAGE {
            let next = found[PAGE - 1].0;
            let _ = write!(
                body,
                "<NextContinuationToken>{next}</NextContinuationToken>"
            );
        }
        xml(&(body + "</ListBucketResult>"))
    }
}

fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", &media::store::hex(&Sha256::digest(bytes))[..32])
}

fn described(bytes: &[u8]) -> Vec<(&'static str, String)> {
    let known = MODIFIED.map(|(name, value)| (name, value.to_owned()));
    known.into_iter().chain([("ETag", etag(bytes))]).collect()
}

fn put(bytes: &[u8]) -> Answer {
    Answer(200, described(bytes), vec![])
}

fn xml(body: &str) -> Answer {
    Answer(200, described(body.as_bytes()), body.into())
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (vec![], text.as_bytes());
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        rest = tail;
        match (first, byte) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (b'+', _) => bytes.push(b' '),
            (first, _) => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
