//! A mail ready to be sent, and its form as a message. Nothing here knows why it is written.

use crate::jobs::Failure;
use lettre::{
    Address, Message,
    message::{
        Body, Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};
use time::OffsetDateTime;
use uuid::Uuid;

/// What one mail says, and to whom.
pub(super) struct Letter {
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl Letter {
    /// The message. Its id follows from the event, so that a mail that is sent again after a crash
    /// can be told for the same.
    pub(super) fn message(
        &self,
        from: &Mailbox,
        event_id: Uuid,
        at: OffsetDateTime,
    ) -> Result<Message, Failure> {
        let address: Address = self.to.parse().map_err(|_| bad_address())?;
        Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, address))
            .subject(&self.subject)
            .message_id(Some(format!("<{event_id}@{}>", from.email.domain())))
            .date(at.into())
            .raw_header(automatic())
            .multipart(
                MultiPart::alternative()
                    .singlepart(part(ContentType::TEXT_PLAIN, &self.text))
                    .singlepart(part(ContentType::TEXT_HTML, &self.html)),
            )
            .map_err(|_| bad_address())
    }
}

fn part(kind: ContentType, text: &str) -> SinglePart {
    SinglePart::builder().header(kind).body(body(text))
}

/// Left to itself the library folds every line over 76 characters, and a folded link cannot be
/// copied out of a file. So what may go as it is goes as it is.
fn body(text: &str) -> Body {
    let lines: Vec<&str> = text.lines().collect();
    let as_it_is = |line: &&str| {
        line.len() < 990
            && line
                .bytes()
                .all(|byte| byte == b'\t' || (b' '..0x7f).contains(&byte))
    };
    let text = lines.join("\r\n");
    if lines.iter().all(as_it_is) {
        return Body::dangerous_pre_encoded(text.into(), ContentTransferEncoding::SevenBit);
    }
    Body::new_with_encoding(text, ContentTransferEncoding::QuotedPrintable)
        .unwrap_or_else(|text| Body::new(String::from_utf8_lossy(&text).into_owned()))
}

fn bad_address() -> Failure {
    Failure::lasting("BAD_ADDRESS", "the address cannot be written to")
}

/// Keeps out-of-office replies away.
fn automatic() -> HeaderValue {
    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    HeaderValue::new(name, "auto-generated".to_owned())
}
