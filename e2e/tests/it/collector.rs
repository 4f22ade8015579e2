//! A collector of traces on 127.0.0.1 that speaks OTLP over HTTP, and refuses on request.

use anyhow::{Context, Result};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{ResourceSpans, Span},
};
use prost::Message;
use std::fmt::Write;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// A span that arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub service: String,
    pub name: String,
    pub trace_id: String,
    pub span_id: String,
    pub parent_id: String,
    pub attributes: Vec<(String, String)>,
    /// It has an end, and not before its beginning.
    pub took: bool,
}

impl Seen {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

#[derive(Clone, Default)]
struct Shared {
    spans: Arc<Mutex<Vec<Seen>>>,
    refusing: Arc<AtomicBool>,
}

/// Takes what it is sent for as long as the test runs.
pub struct Collector {
    pub url: String,
    shared: Shared,
}

impl Collector {
    /// Listens, and answers 503 at first.
    pub async fn refusing() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Shared::default();
        shared.refusing.store(true, Ordering::Relaxed);
        let serving = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, serving.clone()));
            }
        });
        Ok(Self { url, shared })
    }

    /// Takes spans from now on.
    pub fn accept(&self) {
        self.shared.refusing.store(false, Ordering::Relaxed);
    }

    /// What came of one trace so far.
    pub fn of_trace(&self, trace_id: &str) -> Vec<Seen> {
        let spans = self.shared.spans.lock();
        let spans = spans.unwrap_or_else(PoisonError::into_inner);
        let of_trace = spans.iter().filter(|span| span.trace_id == trace_id);
        of_trace.cloned().collect()
    }
}

async fn serve(stream: TcpStream, shared: Shared) -> Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(body) = next_body(&mut stream).await? {
        let refused = shared.refusing.load(Ordering::Relaxed);
        if !refused {
            let request = ExportTraceServiceRequest::decode(body.as_slice())?;
            let seen = request.resource_spans.into_iter().flat_map(of_resource);
            let mut spans = shared.spans.lock().unwrap_or_else(PoisonError::into_inner);
            spans.extend(seen);
        }
        let status = if refused {
            "503 Service Unavailable"
        } else {
            "200 OK"
        };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

/// The body of the connection's next request; nothing once it is closed.
async fn next_body(stream: &mut BufReader<TcpStream>) -> Result<Option<Vec<u8>>> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = Some(value.trim().parse::<usize>()?);
        }
    }
    let mut body = vec![0; length.context("the exporter says how long its body is")?];
    stream.read_exact(&mut body).await?;
    Ok(Some(body))
}

fn of_resource(sent: ResourceSpans) -> Vec<Seen> {
    let attributes = sent.resource.map(|resource| texts(resource.attributes));
    let service = attributes.into_iter().flatten();
    let service = service.filter(|(key, _)| key == "service.name");
    let service: String = service.map(|(_, value)| value).collect();
    let spans = sent.scope_spans.into_iter().flat_map(|scope| scope.spans);
    spans.map(|span| seen(&service, span)).collect()
}

fn seen(service: &str, span: Span) -> Seen {
    Seen {
        service: service.to_owned(),
        name: span.name,
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_id: hex(&span.parent_span_id),
        attributes: texts(span.attributes),
        took: span.end_time_unix_nano >= span.start_time_unix_nano,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn texts(attributes: Vec<KeyValue>) -> Vec<(String, String)> {
    let text = |attribute: KeyValue| {
        let value = match attribute.value?.value? {
            Value::StringValue(text) => text,
            Value::IntValue(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        Some((attribute.key, value))
    };
    attributes.into_iter().filter_map(text).collect()
}
