//! A mail server that keeps what it gets, or behaves as badly as a test wants.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// How the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailMode {
    /// Takes every mail.
    Accept,
    /// Answers every recipient with this code: 4xx for now, 5xx for ever.
    Refuse(u16),
    /// Answers every recipient with these words.
    Say(&'static str),
    /// Takes connections and says nothing more.
    Hang,
    /// Takes every mail, and hangs up instead of saying so.
    HangUp,
}

/// A mail that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The sender in the envelope.
    pub from: String,
    /// The recipients in the envelope.
    pub to: Vec<String>,
    /// Headers and body as they came, with CRLF line ends.
    pub text: String,
    /// When its last line came.
    pub at: Instant,
}

/// A mail server on a port of 127.0.0.1.
#[derive(Debug)]
pub struct MailCatcher {
    port: u16,
    mode: Arc<Mutex<MailMode>>,
    mails: watch::Receiver<Vec<Mail>>,
    task: JoinHandle<()>,
}

impl MailCatcher {
    /// Starts it; it takes every mail until told otherwise.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let mode = Arc::new(Mutex::new(MailMode::Accept));
        let (sender, mails) = watch::channel(Vec::new());
        let task = tokio::spawn(serve(listener, mode.clone(), Arc::new(sender)));
        Ok(Self {
            port,
            mode,
            mails,
            task,
        })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes how it answers from the next command on.
    pub fn set_mode(&self, mode: MailMode) {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner) = mode;
    }

    /// What it has taken so far, in order.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.borrow().clone()
    }

    /// Waits for the first mail to `recipient` whose text contains `part`, at most 30 seconds.
    pub async fn wait_for(&self, recipient: &str, part: &str) -> Result<Mail> {
        let wanted = |mail: &&Mail| {
            mail.to.iter().any(|to| to.eq_ignore_ascii_case(recipient)) && mail.text.contains(part)
        };
        let mut mails = self.mails.clone();
        let arrival = mails.wait_for(|mails| mails.iter().any(|mail| wanted(&mail)));
        let mails = tokio::time::timeout(Duration::from_secs(30), arrival)
            .await
            .with_context(|| format!("no mail to {recipient} with {part:?}"))??;
        mails
            .iter()
            .find(wanted)
            .cloned()
            .context("it was there just now")
    }
}

impl Drop for MailCatcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Mails = Arc<watch::Sender<Vec<Mail>>>;

async fn serve(listener: TcpListener, mode: Arc<Mutex<MailMode>>, mails: Mails) {
    while let Ok((stream, _)) = listener.accept().await {
        // A client that hangs up in the middle has said all that it wanted.
        tokio::spawn(talk(stream, mode.clone(), mails.clone()));
    }
}

async fn talk(stream: TcpStream, mode: Arc<Mutex<MailMode>>, mails: Mails) -> std::io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut lines = BufReader::new(reading).lines();
    let (mut from, mut to) = (String::new(), Vec::new());
    let current = || *mode.lock().unwrap_or_else(PoisonError::into_inner);
    if current() != MailMode::Hang {
        writing.write_all(b"220 catcher ESMTP\r\n").await?;
    }
    while let Some(line) = lines.next_line().await? {
        let mode = current();
        if mode == MailMode::Hang {
            continue;
        }
        let command = line.to_ascii_uppercase();
        let answer = if command.starts_with("EHLO") {
            "250-catcher\r\n250-8BITMIME\r\n250 SMTPUTF8".to_owned()
        } else if command.starts_with("MAIL FROM") {
            from = address(&line);
            "250 ok".to_owned()
        } else if command.starts_with("RCPT TO") {
            match mode {
                MailMode::Refuse(code) => format!("{code} refused"),
                MailMode::Say(words) => words.to_owned(),
                MailMode::Accept | MailMode::Hang | MailMode::HangUp => {
                    to.push(address(&line));
                    "250 ok".to_owned()
                }
            }
        } else if command == "DATA" && !to.is_empty() {
            writing.write_all(b"354 go on\r\n").await?;
            let mut text = String::new();
            while let Some(line) = lines.next_line().await? {
                if line == "." {
                    break;
                }
                text += line.strip_prefix('.').unwrap_or(&line);
                text += "\r\n";
            }
            let mail = Mail {
                from: from.clone(),
                to: std::mem::take(&mut to),
                text,
                at: Instant::now(),
            };
            mails.send_modify(|mails| mails.push(mail));
            if current() == MailMode::HangUp {
                return Ok(());
            }
            "250 taken".to_owned()
        } else if command == "DATA" {
            "503 no recipients".to_owned()
        } else if command == "QUIT" {
            writing.write_all(b"221 bye\r\n").await?;
            return Ok(());
        } else {
            "250 ok".to_owned()
        };
        writing
            .write_all(format!("{answer}\r\n").as_bytes())
            .await?;
    }
    Ok(())
}

fn address(line: &str) -> String {
    let rest = line.split_once('<').map_or("", |(_, rest)| rest);
    rest.split_once('>')
        .map_or(rest, |(address, _)| address)
        .to_owned()
}
