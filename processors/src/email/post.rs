//! Where mails go: to a mail server, or, where none is configured, into files that a person can open.
//! An error never quotes the mail or what the server said about an address.

use super::{letter::Letter, suppressed::Bounce};
use crate::jobs::Failure;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
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
/// Answers about who sends, and not about the mail (RFC 4954, 6).
const SIGN_IN: [u16; 4] = [530, 534, 535, 538];

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

    fn tls(&self, host: &str) -> Result<TlsParameters, lettre::transport::smtp::Error> {
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
            Way::Server(smtp) => self.send(smtp, message).await,
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

    /// A connection of its own for each mail: a send that is cut off in the middle must not leave a
    /// half-used connection for the next one.
    async fn send(&self, smtp: &SmtpConfig, message: Message) -> Result<(), Undelivered> {
        let transport = transport(smtp, &self.authorities)?;
        match tokio::time::timeout(self.within, transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Undelivered {
                failure: refusal(&error),
                bounce: bounce(&error),
            }),
            Err(_) => {
                let detail = format!("the mail server did not finish in {:?}", self.within);
                Err(Failure::passing("MAIL_TIMEOUT", detail).into())
            }
        }
    }
}

fn transport(
    smtp: &SmtpConfig,
    authorities: &Authorities,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, Failure> {
    let tls = || {
        authorities
            .tls(&smtp.host)
            .map_err(|_| Failure::passing("MAIL_SERVER_UNAVAILABLE", "TLS cannot be set up"))
    };
    let security = match smtp.security {
        SmtpSecurity::Opportunistic => Tls::Opportunistic(tls()?),
        SmtpSecurity::StartTls => Tls::Required(tls()?),
        SmtpSecurity::Implicit => Tls::Wrapper(tls()?),
        SmtpSecurity::None => Tls::None,
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(smtp.host.clone())
        .port(smtp.port)
        .timeout(Some(CONNECT_WITHIN))
        .tls(security);
    if let Some((user, password)) = &smtp.credentials {
        let password = password.expose().to_owned();
        builder = builder.credentials(Credentials::new(user.clone(), password));
    }
    Ok(builder.build())
}

/// The code alone is kept: servers like to repeat the address in their words.
fn refusal(error: &lettre::transport::smtp::Error) -> Failure {
    let code = error.status();
    let said = code.map_or_else(
        || "the mail server cannot be reached or broke off".to_owned(),
        |code| format!("the mail server answered {code}"),
    );
    if code.is_some_and(|code| SIGN_IN.contains(&u16::from(code))) {
        Failure::passing("MAIL_SIGN_IN_REFUSED", said)
    } else if error.is_client() {
        unfit(error)
    } else if error.is_permanent() {
        Failure::lasting("MAIL_REFUSED", said)
    } else if code.is_some() {
        Failure::passing("MAIL_REFUSED_FOR_NOW", said)
    } else {
        Failure::passing("MAIL_SERVER_UNAVAILABLE", said)
    }
}

/// What this side did not even ask for, since the server does not offer it. Only an address that the
/// server cannot write to is the mail's own fault.
fn unfit(error: &lettre::transport::smtp::Error) -> Failure {
    let words = std::error::Error::source(error).map(ToString::to_string);
    if words.is_some_and(|words| words.contains("SMTPUTF8")) {
        return Failure::lasting("MAIL_REFUSED", "the mail server takes no such address");
    }
    let detail = "the mail server offers no TLS, or no way to sign in, as the settings want it";
    Failure::passing("MAIL_SERVER_UNFIT", detail)
}

/// Whether the address itself was refused. Servers that say why do so in an enhanced code (RFC 3463);
/// 5.1.7 and 5.1.8 are about the sender.
fn bounce(error: &lettre::transport::smtp::Error) -> Option<Bounce> {
    let code = error.status()?.to_string();
    let words = std::error::Error::source(error).map(ToString::to_string);
    let enhanced = words
        .as_deref()
        .and_then(|words| words.split_whitespace().next());
    let enhanced = enhanced.filter(|word| {
        word.split('.').count() == 3
            && word
                .bytes()
                .all(|byte| byte == b'.' || byte.is_ascii_digit())
    });
    match (code.as_str(), enhanced) {
        (_, Some("5.1.1" | "5.1.2" | "5.1.3" | "5.1.6" | "5.1.10" | "5.2.1")) => {
            Some(Bounce::Certain)
        }
        ("550" | "551" | "553", None) => Some(Bounce::Likely),
        _ => None,
    }
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
