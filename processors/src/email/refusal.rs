//! What a refusal of a mail server is about: told by the stage of the conversation at which it came
//! and by its enhanced code (RFC 5321, RFC 3463).
//!
//! Only what is said of a recipient or of a text can be the mail's own fault. All else another try, or
//! an operator, may mend: the mail waits. Servers may hold back what they have against a client or a
//! sender until a recipient is named; the enhanced code tells it then.

use super::{post::Undelivered, suppressed::Bounce};
use crate::jobs::Failure;
use lettre::transport::smtp::Error;

/// Answers about who signed in, at whatever stage (RFC 4954, 6).
const SIGN_IN: [u16; 4] = [530, 534, 535, 538];

/// How far a conversation had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The greeting, EHLO, STARTTLS.
    Opening,
    /// AUTH.
    SigningIn,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA and the text.
    Text,
}

impl Stage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "to a new connection",
            Self::SigningIn => "to the sign-in",
            Self::Sender => "to the sender",
            Self::Recipient => "to the recipient",
            Self::Text => "to the text",
        }
    }
}

/// Why a conversation came to nothing.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The server takes no address in other letters than ASCII.
    Letters,
    /// What the server said, or that it said nothing.
    At(Stage, Error),
}

impl Refusal {
    /// Whether this speaks for a server that works, for others if not for this mail.
    pub(super) fn by_a_working_server(&self) -> bool {
        match self {
            Self::Letters => true,
            Self::At(stage, error) => {
                matches!(stage, Stage::Recipient | Stage::Text) && error.status().is_some()
            }
        }
    }
}

/// Whose fault a permanent refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The server's, or that of what it was set up with here.
    Server,
    /// The sender's address or its domain.
    Sender,
    /// The mail's, and maybe its address is none.
    Mail(Option<Bounce>),
}

impl From<Refusal> for Undelivered {
    /// Codes alone are kept: servers like to repeat the address in their words.
    fn from(refusal: Refusal) -> Self {
        let (stage, error) = match refusal {
            Refusal::At(stage, error) => (stage, error),
            Refusal::Letters => {
                let detail = "the mail server takes no such address";
                return Failure::lasting("MAIL_REFUSED", detail).into();
            }
        };
        if error.is_client() {
            let detail =
                "the mail server offers no TLS, or no way to sign in, as the settings want it";
            return Failure::passing("MAIL_SERVER_UNFIT", detail).into();
        }
        let Some(code) = error.status().map(u16::from) else {
            let detail = "the mail server cannot be reached or broke off";
            return Failure::passing("MAIL_SERVER_UNAVAILABLE", detail).into();
        };
        let enhanced = enhanced(&error);
        let why = enhanced.map(|(class, subject, detail)| format!(" {class}.{subject}.{detail}"));
        let (why, to) = (why.unwrap_or_default(), stage.as_str());
        let said = format!("the mail server answered {code}{why} {to}");
        if SIGN_IN.contains(&code) || (stage == Stage::SigningIn && error.is_permanent()) {
            return Failure::passing("MAIL_SIGN_IN_REFUSED", said).into();
        }
        if !error.is_permanent() {
            return Failure::passing("MAIL_REFUSED_FOR_NOW", said).into();
        }
        match fault(stage, code, enhanced) {
            Fault::Server => Failure::passing("MAIL_SERVER_REFUSES", said).into(),
            Fault::Sender => Failure::passing("MAIL_SENDER_REFUSED", said).into(),
            Fault::Mail(bounce) => Self {
                failure: Failure::lasting("MAIL_REFUSED", said),
                bounce,
            },
        }
    }
}

type Enhanced = (u16, u16, u16);

/// The code with which servers say why (RFC 3463, 2).
fn enhanced(error: &Error) -> Option<Enhanced> {
    let words = std::error::Error::source(error)?.to_string();
    let mut parts = words.split_whitespace().next()?.split('.');
    let mut part = || {
        let part = parts.next()?;
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    };
    let code = (part()?, part()?, part()?);
    parts.next().is_none().then_some(code)
}

/// Whose fault a 5xx is.
fn fault(stage: Stage, code: u16, enhanced: Option<Enhanced>) -> Fault {
    match stage {
        Stage::Opening | Stage::SigningIn => return Fault::Server,
        Stage::Sender => return Fault::Sender,
        Stage::Recipient | Stage::Text => {}
    }
    let Some((5, subject, detail)) = enhanced else {
        return match (stage, code) {
            // It did not understand, or is no server for mails (RFC 5321, 4.2.2; RFC 7504).
            (_, 500..=504 | 521 | 555) => Fault::Server,
            (Stage::Recipient, 550 | 551 | 553) => Fault::Mail(Some(Bounce::Likely)),
            _ => Fault::Mail(None),
        };
    };
    match (subject, detail) {
        (1, 1..=3 | 6 | 10) | (2, 1) => Fault::Mail(Some(Bounce::Certain)),
        // The sender's address; its domain proves nothing (RFC 7372, RFC 7505).
        (1, 7 | 8) | (7, 20..=27) => Fault::Sender,
        // Larger than the server takes.
        (3, 4) => Fault::Mail(None),
        // Its own state, and the conversation itself.
        (3 | 5, _) => Fault::Server,
        // Who may send there at all; of a text it is about what it says.
        (7, _) if stage == Stage::Recipient => Fault::Server,
        _ => Fault::Mail(None),
    }
}
