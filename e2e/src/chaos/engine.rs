//! A server that speaks OpenAI's `/v1/audio/transcriptions` and always hears the same, or takes
//! recordings and never answers.

use std::net::Ipv4Addr;

use anyhow::Result;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

const HEARD: &str = r#"{"text":"go forward","language":"english","segments":[{"start":0.0,"end":1.0,"text":"go forward"}]}"#;

/// The server; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Engine {
    pub port: u16,
    hangs: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Engine {
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (hangs, hanging) = watch::channel(false);
        let task = tokio::spawn(serve(listener, hanging));
        Ok(Self { port, hangs, task })
    }

    /// Whether it hangs from now on. Once it does no longer, whoever waits for it is hung up on.
    pub fn hang(&self, hangs: bool) {
        self.hangs.send_replace(hangs);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, hanging: watch::Receiver<bool>) {
    while let Ok((stream, _)) = listener.accept().await {
        // A client that goes away in the middle is its own business.
        tokio::spawn(answer(stream, hanging.clone()));
    }
}

async fn answer(stream: TcpStream, mut hanging: watch::Receiver<bool>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or_default();
        }
    }
    tokio::io::copy(&mut (&mut stream).take(length), &mut tokio::io::sink()).await?;
    if *hanging.borrow() {
        // The sender lives as long as the server.
        let _ = hanging.wait_for(|hangs| !hangs).await;
        return Ok(());
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
    let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{HEARD}", HEARD.len());
    stream.get_mut().write_all(answer.as_bytes()).await
}
