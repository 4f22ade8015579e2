//! Background work: recognition, transcription, mails. What was asked and what came of it are
//! events; the table `jobs` only says who works on what, until when, for the how-manieth time.

pub(crate) mod gauges;
pub(crate) mod intake;
pub(crate) mod item_facts;
pub mod queue;
pub(crate) mod reading;
pub(crate) mod sweep;
pub(crate) mod worker;

use event_store::{Context, RecordedEvent};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use time::OffsetDateTime;
use uuid::Uuid;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Text recognition on a document.
    Ocr,
    /// Transcription of a recording.
    Transcription,
    /// A mail.
    Email,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Ocr, Self::Transcription, Self::Email];

    /// The word in the table, in metrics and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ocr => "ocr",
            Self::Transcription => "transcription",
            Self::Email => "email",
        }
    }

    /// The name under which idle workers wait for new jobs, in the messages about checkpoints.
    pub(crate) const fn wake(self) -> &'static str {
        match self {
            Self::Ocr => "work_ocr",
            Self::Transcription => "work_transcription",
            Self::Email => "work_email",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// The word is no kind of job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not one of ocr, transcription, email")]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| UnknownKind(word.to_owned()))
    }
}

/// What a worker needs to begin: ids alone. Everything that belongs to a person is asked from the
/// streams when the job runs, so that nothing here outlives an erasure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The request that led here.
    #[serde(default)]
    pub request_id: String,
    /// The first request of the chain.
    #[serde(default)]
    pub correlation_id: String,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Which mail, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Mail>,
}

impl Task {
    /// The task that follows from an event.
    pub(crate) fn caused_by(cause: &RecordedEvent, mail: Option<Mail>) -> Self {
        Self {
            request_id: cause.metadata.request_id.clone(),
            correlation_id: cause.metadata.correlation_id.clone(),
            traceparent: cause.metadata.traceparent.clone(),
            mail,
        }
    }

    /// The context of commands that this task sends.
    pub(crate) fn context(&self, source_event_id: Uuid) -> Context {
        Context {
            request_id: self.request_id.clone(),
            correlation_id: self.correlation_id.clone(),
            causation_id: Some(source_event_id),
            traceparent: self.traceparent.clone(),
            ..Context::default()
        }
    }
}

/// Which mail to write, to be filled in from the streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Mail {
    /// A link that proves the address.
    VerifyEmail {
        /// Whose.
        user_id: Uuid,
        /// Tells this link from others.
        nonce: Uuid,
        /// Until when it holds.
        #[serde(with = "time::serde::rfc3339")]
        expires_at: OffsetDateTime,
    },
    /// A link to set a new password.
    ResetPassword {
        /// Whose.
        user_id: Uuid,
        /// Makes it usable once.
        reset_id: Uuid,
        /// Until when it holds.
        #[serde(with = "time::serde::rfc3339")]
        expires_at: OffsetDateTime,
    },
    /// A link to join a project.
    Invitation {
        /// Which project.
        project_id: Uuid,
        /// Which invitation.
        invitation_id: Uuid,
        /// By whom.
        invited_by_id: Uuid,
    },
    /// What became of a submitted item.
    Decision {
        /// Which item.
        item_id: Uuid,
        /// Of which round.
        round: u32,
        /// The item's version after that; 0 in tasks that do not say.
        #[serde(default)]
        version: u64,
    },
    /// That a decision was taken back.
    Reversal {
        /// On which item.
        item_id: Uuid,
        /// The item's version after that.
        version: u64,
    },
}

impl Mail {
    /// The word in file names.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "verify-email",
            Self::ResetPassword { .. } => "reset-password",
            Self::Invitation { .. } => "invitation",
            Self::Decision { .. } => "decision",
            Self::Reversal { .. } => "reversal",
        }
    }
}

/// What an attempt came to.
#[derive(Debug)]
pub(crate) enum Done {
    /// A result to be recorded in the item's stream.
    Result(Box<domain::submission::ProcessingOutcome>),
    /// A mail that the server took, or that lies on disk.
    Sent,
    /// The stream has this run's outcome already.
    Settled(queue::End),
    /// There is nothing to do any more; a word that says why.
    Skipped(&'static str),
}

/// Why an attempt failed. The detail names no person and holds no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// A stable word.
    pub code: String,
    /// The same for people.
    pub detail: String,
    /// Whether another attempt must end the same way.
    pub permanent: bool,
}

impl Failure {
    /// A fault that another attempt may not meet.
    pub fn passing(code: &str, detail: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            detail: detail.into(),
            permanent: false,
        }
    }

    /// A fault that another attempt must meet again.
    pub fn lasting(code: &str, detail: impl Into<String>) -> Self {
        Self {
            permanent: true,
            ..Self::passing(code, detail)
        }
    }

    /// Every attempt ended with the death of its worker: there is to be no other.
    pub fn worn_out() -> Self {
        let detail = "every attempt ended with the death of its worker";
        Self::passing("ENGINE_FAILED", detail)
    }
}

impl From<media::Fault> for Failure {
    fn from(fault: media::Fault) -> Self {
        Self {
            code: fault.code.as_str().to_owned(),
            permanent: fault.is_permanent(),
            detail: fault.detail,
        }
    }
}

impl From<event_store::StoreError> for Failure {
    /// What exactly the store said is for the log: failures are shown to the item's owner.
    fn from(error: event_store::StoreError) -> Self {
        tracing::warn!(%error, "a job cannot read its streams: {error}");
        Self::passing("STORE_UNAVAILABLE", "the event store cannot be read")
    }
}
