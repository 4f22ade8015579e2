//! Where mails go: to a mail server, or, where none is configured, into files that a person can open.
//! An error never quotes the mail or what the server said about an address.

use super::{
    letter::Letter,
    refusal::{Refusal, Stage},
    suppressed::Bounce,
};
use crate::{jobs::Failure, remote::breaker::Breaker};
use lettre::{
    Message,
    address::Envelope,
    message::Mailbox,
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Certificate, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter},
    },
};
use runtime::config::mail::{MailConfig, SmtpConfig, SmtpSecurity};
use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};
use time::{OffsetDateTime, UtcOffset, macros::format_description};
use uuid::Uuid;

/// The longest that one mail may take. The transport's own limit covers connecting alone.
const SEND_WITHIN: Duration = Duration::from_secs(30);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// The longest that taking leave may take.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// Who may vouch for a mail server, beside the usual authorities.
#[derive(Debug, Clone, Default)]
pub struct Authorities(Option<Certificate>);

impl Authorities {
    /// Reads certificates in PEM.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn read(file: &Path) -> Result<Self, String> {
        let pem = fs::read_to_string(file).map_err(|error| error.to_string())?;
        if !pem.contains("-----BEGIN CERTIFICATE-----") {
            return Err("it holds no certificate in PEM".to_owned());
        }
        let certificates = Certificate::from_pem(pem.as_bytes())
            .map_err(|_| "it holds what is no certificate".to_owned())?;
        let authorities = Self(Some(certificates));
        let usable = authorities.tls("localhost");
        usable.map_err(|_| "it holds what is no certificate".to_owned())?;
        Ok(authorities)
    }

    fn tls(&self, host: &str) -> Result<TlsParameters, Error> {
        let builder = TlsParameters::builder(host.to_owned());
        match &self.0 {
            Some(certificates) => builder.add_root_certificate(certificates.clone()),
            None => builder,
        }
        .build()
    }
}

/// Whether mails can be sent in this name: an address or `Name <address>`.
pub fn is_sender(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

/// Why a mail did not go out, and what that says of its address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Undelivered {
    pub failure: Failure,
    pub bounce: Option<Bounce>,
}

impl From<Failure> for Undelivered {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            bounce: None,
        }
    }
}

/// Delivers mails.
pub(super) struct Post {
    from: Result<Mailbox, Failure>,
    way: Way,
    authorities: Authorities,
    within: Duration,
    breaker: Breaker,
}

enum Way {
    Server(SmtpConfig),
    Files(PathBuf),
}

impl Post {
    pub(super) fn new(config: &MailConfig, authorities: Authorities, directory: PathBuf) -> Self {
        let from = config.from.parse();
        let way = match &config.smtp {
            Some(smtp) => Way::Server(smtp.clone()),
            None => Way::Files(directory),
        };
        Self {
            from: from.map_err(|_| Failure::lasting("BAD_SENDER", "SMTP_FROM cannot be used")),
            way,
            authorities,
            within: SEND_WITHIN,
            breaker: Breaker::default(),
        }
    }

    /// Delivers one mail, once per event as far as this side can tell.
    pub(super) async fn deliver(
        &self,
        letter: &Letter,
        kind: &str,
        event_id: Uuid,
        at: OffsetDateTime,
    ) -> Result<(), Undelivered> {
        let from = self.from.as_ref().map_err(Clone::clone)?;
        let message = letter.message(from, event_id, at)?;
        match &self.way {
            Way::Server(smtp) => self.send(smtp, &message).await,
            Way::Files(directory) => {
                let path = directory.join(file_name(kind, event_id, at));
                let written =
                    tokio::task::spawn_blocking(move || write(&path, &message.formatted()));
                let unwritten = |error: &dyn std::fmt::Display| {
                    Failure::passing(
                        "MAIL_NOT_WRITTEN",
                        format!("the file cannot be written: {error}"),
                    )
                };
                let written = written.await.map_err(|error| unwritten(&error))?;
                Ok(written.map_err(|error| unwritten(&error))?)
            }
        }
    }

    /// How long to wait before sending another, while the server is left alone.
    pub(super) fn rest(&self) -> Option<Duration> {
        self.breaker.rest()
    }

    /// A connection of its own for each mail: a send that is cut off in the middle must not leave a
    /// half-used connection for the next one.
    async fn send(&self, smtp: &SmtpConfig, message: &Message) -> Result<(), Undelivered> {
        let mut connection = None;
        let talk = converse(&mut connection, smtp, &self.authorities, message);
        let Ok(said) = tokio::time::timeout(self.within, talk).await else {
            self.broken();
            let detail = format!("the mail server did not finish in {:?}", self.within);
            return Err(Failure::passing("MAIL_TIMEOUT", detail).into());
        };
        if let Some(mut connection) = connection {
            // What became of the mail is known, whatever is said to this.
            let _ = tokio::time::timeout(LEAVE_WITHIN, connection.abort()).await;
        }
        match said {
            Err(refusal) if !refusal.by_a_working_server() => {
                self.broken();
                Err(refusal.into())
            }
            said => {
                self.breaker.succeeded();
                Ok(said?)
            }
        }
    }

    fn broken(&self) {
        if self.breaker.failed() {
            tracing::error!("the mail server fails again and again: it is left alone for a while");
            metrics::counter!("alta_engine_circuit_opened_total", "engine" => "the mail server")
                .increment(1);
        }
    }
}

/// Says all that is to be said for one mail, so that a refusal tells its stage.
async fn converse(
    kept: &mut Option<AsyncSmtpConnection>,
    smtp: &SmtpConfig,
    authorities: &Authorities,
    message: &Message,
) -> Result<(), Refusal> {
    let at = |stage| move |error| Refusal::At(stage, error);
    let connection = kept.insert(open(smtp, authorities).await.map_err(at(Stage::Opening))?);
    if let Some((user, password)) = &smtp.credentials {
        let credentials = Credentials::new(user.clone(), password.expose().to_owned());
        let signed_in = connection.auth(DEFAULT_MECHANISMS, &credentials).await;
        signed_in.map_err(at(Stage::SigningIn))?;
    }
    let (envelope, text) = (message.envelope(), message.formatted());
    let sender = Mail::new(
        envelope.from().cloned(),
        parameters(connection, envelope, &text)?,
    );
    let said = connection.command(sender).await;
    said.map_err(at(Stage::Sender))?;
    for recipient in envelope.to() {
        let recipient = Rcpt::new(recipient.clone(), vec![]);
        let said = connection.command(recipient).await;
        said.map_err(at(Stage::Recipient))?;
    }
    let said = connection.command(Data).await;
    said.map_err(at(Stage::Text))?;
    let said = connection.message(&text).await;
    said.map_err(at(Stage::Text))?;
    Ok(())
}

/// Connects, is greeted, and secures the connection as it is configured: where STARTTLS is required it
/// is asked for, offered or not.
async fn open(smtp: &SmtpConfig, authorities: &Authorities) -> Result<AsyncSmtpConnection, Error> {
    let tls = || authorities.tls(&smtp.host);
    let implicit = match smtp.security {
        SmtpSecurity::Implicit => Some(tls()?),
        SmtpSecurity::Opportunistic | SmtpSecurity::StartTls | SmtpSecurity::None => None,
    };
    let (server, hello) = ((smtp.host.as_str(), smtp.port), ClientId::default());
    let connected =
        AsyncSmtpConnection::connect_tokio1(server, Some(CONNECT_WITHIN), &hello, implicit, None);
    let mut connection = connected.await?;
    let starts_tls = match smtp.security {
        SmtpSecurity::StartTls => true,
        SmtpSecurity::Opportunistic => connection.can_starttls(),
        SmtpSecurity::Implicit | SmtpSecurity::None => false,
    };
    if starts_tls {
        connection.starttls(tls()?, &hello).await?;
    }
    Ok(connection)
}

/// What a mail asks of a server beyond ASCII (RFC 6531, RFC 6152).
fn parameters(
    connection: &AsyncSmtpConnection,
    envelope: &Envelope,
    text: &[u8],
) -> Result<Vec<MailParameter>, Refusal> {
    let offers = |feature| connection.server_info().supports_feature(feature);
    let mut addresses = envelope.from().into_iter().chain(envelope.to());
    let mut parameters = vec![];
    if addresses.any(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
        if !offers(Extension::SmtpUtfEight) {
            return Err(Refusal::Letters);
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !text.is_ascii() {
        if !offers(Extension::EightBitMime) {
            return Err(Refusal::Letters);
        }
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    Ok(parameters)
}

fn file_name(kind: &str, event_id: Uuid, at: OffsetDateTime) -> String {
    let form =
        format_description!("[year][month][day]T[hour][minute][second].[subsecond digits:3]Z");
    let at = at
        .to_offset(UtcOffset::UTC)
        .format(&form)
        .unwrap_or_default();
    format!("{at}-{kind}-{event_id}.eml")
}

/// All of it or nothing, and never twice. For the owner of the process alone: it holds a token.
fn write(path: &Path, message: &[u8]) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    fs::set_permissions(directory, Permissions::from_mode(0o700))?;
    let unfinished = path.with_extension("tmp");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(message)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

#[cfg(test)]
#[path = "post_tests.rs"]
mod tests;
