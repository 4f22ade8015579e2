//! A mail server that keeps what it gets, or behaves as badly as a test wants.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
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
    /// Answers commands that begin so with these words; the greeting where no command is named.
    SayTo(&'static str, &'static str),
    /// Answers every whole mail with these words.
    SayToMail(&'static str),
    /// Takes connections and says nothing more.
    Hang,
    /// Takes connections and closes them.
    Drop,
    /// Takes the text of a mail and says nothing more.
    HangInData,
    /// Takes the text of a mail and closes the connection.
    DropInData,
    /// Takes every mail, and closes the connection instead of saying so.
    HangUp,
}

/// How its connections are secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// Not at all.
    None,
    /// It offers STARTTLS.
    StartTls,
    /// From the first byte.
    Implicit,
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
    /// Whether it came over TLS.
    pub secured: bool,
    /// Who had signed in.
    pub user: Option<String>,
    /// When its last line came.
    pub at: Instant,
}

/// A mail server on a port of 127.0.0.1.
#[derive(Debug)]
pub struct MailCatcher {
    port: u16,
    mode: Arc<Mutex<MailMode>>,
    mails: watch::Receiver<Vec<Mail>>,
    certificate: Option<String>,
    task: JoinHandle<()>,
}

impl MailCatcher {
    /// Starts one without TLS; it takes every mail until told otherwise.
    pub async fn start() -> Result<Self> {
        Self::secured(MailTls::None, None).await
    }

    /// Starts one with a certificate of its own for `localhost`. With a name and a
    /// password it takes mails from nobody else, and asks for them over TLS alone.
    pub async fn secured(
        tls: MailTls,
        account: Option<(&'static str, &'static str)>,
    ) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let mode = Arc::new(Mutex::new(MailMode::Accept));
        let (sender, mails) = watch::channel(Vec::new());
        let identity = match tls {
            MailTls::None => None,
            MailTls::StartTls | MailTls::Implicit => Some(identity()?),
        };
        let (acceptor, certificate) = identity.unzip();
        let server = Server {
            mode: mode.clone(),
            mails: sender,
            acceptor,
            implicit: tls == MailTls::Implicit,
            account,
        };
        let task = tokio::spawn(serve(listener, Arc::new(server)));
        Ok(Self {
            port,
            mode,
            mails,
            certificate,
            task,
        })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its certificate, in PEM, which nobody but itself vouches for.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
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

struct Server {
    mode: Arc<Mutex<MailMode>>,
    mails: watch::Sender<Vec<Mail>>,
    acceptor: Option<TlsAcceptor>,
    implicit: bool,
    account: Option<(&'static str, &'static str)>,
}

/// A certificate, signed by itself, and who proves to be its owner.
fn identity() -> Result<(TlsAcceptor, String)> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], PrivateKeyDer::Pkcs8(key))?;
    Ok((TlsAcceptor::from(Arc::new(config)), made.cert.pem()))
}

async fn serve(listener: TcpListener, server: Arc<Server>) {
    while let Ok((stream, _)) = listener.accept().await {
        // A client that hangs up in the middle has said all that it wanted.
        tokio::spawn(answer(stream, server.clone()));
    }
}

async fn answer(stream: TcpStream, server: Arc<Server>) -> std::io::Result<()> {
    match &server.acceptor {
        Some(acceptor) if server.implicit => {
            let mut talk = Talk::new(&server, true);
            talk.with(acceptor.accept(stream).await?, true).await?;
        }
        acceptor => {
            let upgraded = Talk::new(&server, false).with(stream, true).await?;
            if let (Some(stream), Some(acceptor)) = (upgraded, acceptor) {
                let mut talk = Talk::new(&server, true);
                talk.with(acceptor.accept(stream).await?, false).await?;
            }
        }
    }
    Ok(())
}

/// One conversation.
struct Talk<'a> {
    server: &'a Server,
    secured: bool,
    user: Option<String>,
    from: String,
    to: Vec<String>,
}

/// What follows a command.
enum Next {
    Say(String),
    Text,
    StartTls,
    Quit,
}

impl<'a> Talk<'a> {
    fn new(server: &'a Server, secured: bool) -> Self {
        Self {
            server,
            secured,
            user: None,
            from: String::new(),
            to: vec![],
        }
    }

    fn mode(&self) -> MailMode {
        *self
            .server
            .mode
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the client leaves; returns the connection when it wants it secured.
    async fn with<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: S,
        greets: bool,
    ) -> std::io::Result<Option<S>> {
        let mut stream = BufReader::new(stream);
        if self.mode() == MailMode::Drop {
            return Ok(None);
        }
        if greets && self.mode() != MailMode::Hang {
            let words = match self.mode() {
                MailMode::SayTo("", words) => words,
                _ => "220 catcher ESMTP",
            };
            stream.write_all(format!("{words}\r\n").as_bytes()).await?;
        }
        while let Some(line) = read_line(&mut stream).await? {
            if self.mode() == MailMode::Hang {
                continue;
            }
            let said = match self.command(&line) {
                Next::Say(words) => words,
                Next::Text => match self.text(&mut stream).await? {
                    Some(words) => words,
                    None => return Ok(None),
                },
                Next::StartTls => {
                    stream.write_all(b"220 go on\r\n").await?;
                    return Ok(Some(stream.into_inner()));
                }
                Next::Quit => {
                    stream.write_all(b"221 bye\r\n").await?;
                    return Ok(None);
                }
            };
            stream.write_all(format!("{said}\r\n").as_bytes()).await?;
        }
        Ok(None)
    }

    fn command(&mut self, line: &str) -> Next {
        let command = line.to_ascii_uppercase();
        let may_send = self.server.account.is_none() || self.user.is_some();
        if let MailMode::SayTo(named, words) = self.mode()
            && !named.is_empty()
            && command.starts_with(named)
        {
            return Next::Say(words.to_owned());
        }
        let words = if command.starts_with("EHLO") {
            self.greeting()
        } else if command == "STARTTLS" && self.offers_tls() {
            return Next::StartTls;
        } else if command.starts_with("AUTH PLAIN ") {
            self.sign_in(line.split(' ').nth(2).unwrap_or_default())
        } else if command.starts_with("MAIL FROM") && !may_send {
            "530 5.7.0 sign in first".to_owned()
        } else if command.starts_with("MAIL FROM") {
            self.from = address(line);
            "250 ok".to_owned()
        } else if command.starts_with("RCPT TO") {
            self.recipient(line)
        } else if command == "DATA" && !self.to.is_empty() {
            return Next::Text;
        } else if command == "DATA" {
            "503 no recipients".to_owned()
        } else if command == "QUIT" {
            return Next::Quit;
        } else {
            "250 ok".to_owned()
        };
        Next::Say(words)
    }

    fn offers_tls(&self) -> bool {
        !self.secured && self.server.acceptor.is_some()
    }

    fn greeting(&self) -> String {
        let mut words = "250-catcher\r\n250-8BITMIME\r\n".to_owned();
        if self.offers_tls() {
            words += "250-STARTTLS\r\n";
        }
        if self.secured && self.server.account.is_some() {
            words += "250-AUTH PLAIN\r\n";
        }
        words + "250 SMTPUTF8"
    }

    fn sign_in(&mut self, said: &str) -> String {
        let expected = self
            .server
            .account
            .map(|(user, password)| format!("\0{user}\0{password}").into_bytes());
        if self.secured && expected.is_some() && STANDARD.decode(said).ok() == expected {
            self.user = self.server.account.map(|(user, _)| user.to_owned());
            "235 2.7.0 welcome".to_owned()
        } else {
            "535 5.7.8 no".to_owned()
        }
    }

    fn recipient(&mut self, line: &str) -> String {
        match self.mode() {
            MailMode::Refuse(code) => format!("{code} refused"),
            MailMode::Say(words) => words.to_owned(),
            _ => {
                self.to.push(address(line));
                "250 ok".to_owned()
            }
        }
    }

    /// Takes the text of a mail; `None` where the connection is to be closed.
    async fn text<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut BufReader<S>,
    ) -> std::io::Result<Option<String>> {
        stream.write_all(b"354 go on\r\n").await?;
        let mut text = String::new();
        while let Some(line) = read_line(stream).await? {
            if line == "." {
                break;
            }
            text += line.strip_prefix('.').unwrap_or(&line);
            text += "\r\n";
        }
        match self.mode() {
            MailMode::DropInData => return Ok(None),
            MailMode::HangInData => std::future::pending().await,
            MailMode::SayToMail(words) => return Ok(Some(words.to_owned())),
            _ => {}
        }
        let mail = Mail {
            from: self.from.clone(),
            to: std::mem::take(&mut self.to),
            text,
            secured: self.secured,
            user: self.user.clone(),
            at: Instant::now(),
        };
        self.server.mails.send_modify(|mails| mails.push(mail));
        if self.mode() == MailMode::HangUp {
            return Ok(None);
        }
        Ok(Some("250 taken".to_owned()))
    }
}

async fn read_line<S: AsyncRead + Unpin>(
    stream: &mut BufReader<S>,
) -> std::io::Result<Option<String>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}

fn address(line: &str) -> String {
    let rest = line.split_once('<').map_or("", |(_, rest)| rest);
    rest.split_once('>')
        .map_or(rest, |(address, _)| address)
        .to_owned()
}
