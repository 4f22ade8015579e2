//! How mails are sent.

use super::{
    ConfigError,
    vars::{Vars, bad, email, host_name},
};
use crate::secret::SecretString;
use std::path::PathBuf;

/// How the connection to the mail server is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// STARTTLS where the server offers it, else in clear.
    Opportunistic,
    /// STARTTLS, or no mail.
    StartTls,
    /// TLS from the first byte.
    Implicit,
    /// In clear.
    None,
}

/// A mail server.
#[derive(Clone, Debug)]
pub struct SmtpConfig {
    /// `SMTP_HOST`.
    pub host: String,
    /// `SMTP_PORT`.
    pub port: u16,
    /// `SMTP_USER` and `SMTP_PASSWORD`.
    pub credentials: Option<(String, SecretString)>,
    /// `SMTP_TLS`; by default implicit on port 465, STARTTLS with credentials, else opportunistic.
    pub security: SmtpSecurity,
    /// `SMTP_CA_FILE`: certificates in PEM whose holders may vouch for the server, beside the usual
    /// ones.
    pub authorities: Option<PathBuf>,
}

/// How mails are sent.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// The mail server; without one, mails are written as files under the data directory.
    pub smtp: Option<SmtpConfig>,
    /// `SMTP_FROM`: the sender, an address or `Name <address>`.
    pub from: String,
    /// `MAIL_TEMPLATES_DIR`: texts that stand in the place of ours.
    pub templates: Option<PathBuf>,
}

impl MailConfig {
    pub(super) fn read(vars: &Vars<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            smtp: smtp(vars)?,
            from: vars.parsed_or("SMTP_FROM", "Alta Data <alta@localhost>", sender)?,
            templates: vars.text("MAIL_TEMPLATES_DIR").map(PathBuf::from),
        })
    }
}

fn smtp(vars: &Vars<'_>) -> Result<Option<SmtpConfig>, ConfigError> {
    let host = vars.parsed("SMTP_HOST", host_name)?;
    let port = vars.number("SMTP_PORT", 587_u16, 1..=u16::MAX)?;
    let user = vars.owned("SMTP_USER");
    let password = vars.secret("SMTP_PASSWORD");
    let security = vars.choice(
        "SMTP_TLS",
        &[
            ("auto", None),
            ("opportunistic", Some(SmtpSecurity::Opportunistic)),
            ("starttls", Some(SmtpSecurity::StartTls)),
            ("implicit", Some(SmtpSecurity::Implicit)),
            ("none", Some(SmtpSecurity::None)),
        ],
    )?;
    let authorities = vars.text("SMTP_CA_FILE").map(PathBuf::from);
    let Some(host) = host else { return Ok(None) };
    let credentials = match (user, password) {
        (Some(user), Some(password)) => Some((user, password)),
        (None, None) => None,
        (Some(_), None) => return Err(bad("SMTP_PASSWORD", "SMTP_USER is set and it is not")),
        (None, Some(_)) => return Err(bad("SMTP_USER", "SMTP_PASSWORD is set and it is not")),
    };
    let usual = match (port, &credentials) {
        (465, _) => SmtpSecurity::Implicit,
        (_, Some(_)) => SmtpSecurity::StartTls,
        (_, None) => SmtpSecurity::Opportunistic,
    };
    Ok(Some(SmtpConfig {
        host,
        port,
        credentials,
        security: security.unwrap_or(usual),
        authorities,
    }))
}

fn sender(text: &str) -> Result<String, String> {
    let address = text
        .split_once('<')
        .map_or(text, |(_, rest)| rest.trim_end_matches('>'));
    email(address.trim())
        .map(|_| text.to_owned())
        .map_err(|_| "it must be an address or Name <address>".to_owned())
}
