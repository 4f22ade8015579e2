//! What the clients did and what they were told. The end is held against this, not against what the
//! service says of itself.

use std::{
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use uuid::Uuid;

/// An event that a command is to leave in a stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Effect {
    pub event: String,
    pub stream: Uuid,
}

impl Effect {
    pub fn new(event: &str, stream: Uuid) -> Self {
        Self {
            event: event.to_owned(),
            stream,
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.event, self.stream)
    }
}

/// What a command was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Register,
    Verify,
    CreateProject,
    RenameProject,
    Invite,
    Join,
    CreateText,
    UploadDocument,
    UploadRecording,
    Edit,
    Submit,
    Withdraw,
    Delete,
    Claim,
    Release,
    Comment,
    Decide,
}

impl What {
    /// The events that such a command itself leads to. What others record in consequence, an item's
    /// status for one, is checked stream by stream instead.
    pub const fn events(self) -> &'static [&'static str] {
        match self {
            Self::Register => &["UserRegistered"],
            Self::Verify => &["EmailVerified"],
            Self::CreateProject => &["ProjectCreated", "MemberJoined"],
            Self::RenameProject => &["ProjectChanged"],
            Self::Invite => &["MemberInvited"],
            Self::Join => &["InvitationAccepted", "MemberJoined"],
            Self::CreateText => &["RawTextCreated"],
            Self::UploadDocument => &["DocumentUploaded", "ProcessingRequested"],
            Self::UploadRecording => &["VoiceSampleUploaded", "ProcessingRequested"],
            Self::Edit => &["SubmissionEdited"],
            Self::Submit => &["SubmissionSubmitted"],
            Self::Withdraw => &["ReviewWithdrawn"],
            Self::Delete => &["SubmissionDeleted"],
            Self::Claim => &["ReviewClaimed"],
            Self::Release => &["ClaimReleased"],
            Self::Comment => &["ReviewCommented"],
            Self::Decide => &["ReviewDecided"],
        }
    }

    /// Whether anybody's command leads to this event.
    pub fn commanded(event: &str) -> bool {
        Self::ALL.iter().any(|what| what.events().contains(&event))
    }

    const ALL: [Self; 17] = [
        Self::Register,
        Self::Verify,
        Self::CreateProject,
        Self::RenameProject,
        Self::Invite,
        Self::Join,
        Self::CreateText,
        Self::UploadDocument,
        Self::UploadRecording,
        Self::Edit,
        Self::Submit,
        Self::Withdraw,
        Self::Delete,
        Self::Claim,
        Self::Release,
        Self::Comment,
        Self::Decide,
    ];
}

/// How a command ended for whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A success, which promises exactly these.
    Acknowledged(Vec<Effect>),
    /// A refusal to the only request that can have reached the service: it promises nothing at all.
    Refused(String),
    /// No answer was the last word: each of its events may be there, once.
    Unknown,
}

/// What a success tells of the state of things, as reads must show it in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Nothing,
    Item {
        id: Uuid,
        name: String,
        owner: Uuid,
    },
    Domain {
        item: Uuid,
        domain: String,
    },
    Deleted(Uuid),
    Comment {
        item: Uuid,
        id: Uuid,
    },
    Decision {
        item: Uuid,
        decision: &'static str,
        reviewer: Uuid,
        feedback: String,
    },
    Project {
        id: Uuid,
        name: String,
    },
    Account {
        id: Uuid,
        email: String,
    },
    Member {
        project: Uuid,
        user: Uuid,
    },
}

/// One command, from its first attempt to the last answer. Its id is its idempotency key and the
/// request id of each attempt, so that its events can be told from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Op {
    pub id: String,
    pub what: What,
    /// Where it stands in the one order in which the clients' commands began and ended.
    pub begun: u64,
    pub ended: u64,
    pub outcome: Outcome,
    pub fact: Fact,
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule is broken.
    pub rule: &'static str,
    /// By what.
    pub detail: String,
}

impl Finding {
    pub(super) fn new(rule: &'static str, detail: impl Into<String>) -> Self {
        Self {
            rule,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.detail)
    }
}

/// What all clients write into.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    tick: AtomicU64,
    ops: Mutex<Vec<Op>>,
    findings: Mutex<Vec<Finding>>,
    fresh_reads: AtomicU64,
    put_off_reads: AtomicU64,
}

impl Ledger {
    /// The next place in the order of beginnings and ends.
    pub fn tick(&self) -> u64 {
        self.tick.fetch_add(1, Ordering::SeqCst)
    }

    pub fn keep(&self, op: Op) {
        locked(&self.ops).push(op);
    }

    pub fn ops(&self) -> Vec<Op> {
        locked(&self.ops).clone()
    }

    /// How many successes there are so far.
    pub fn acknowledged(&self) -> usize {
        let ops = locked(&self.ops);
        let acknowledged = |op: &&Op| matches!(op.outcome, Outcome::Acknowledged(_));
        ops.iter().filter(acknowledged).count()
    }

    pub fn find(&self, finding: Finding) {
        locked(&self.findings).push(finding);
    }

    pub fn findings(&self) -> Vec<Finding> {
        locked(&self.findings).clone()
    }

    pub fn count_read(&self, fresh: bool) {
        let counter = if fresh {
            &self.fresh_reads
        } else {
            &self.put_off_reads
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads that showed what had been written, and those that were put off or not answered.
    pub fn reads(&self) -> (u64, u64) {
        (
            self.fresh_reads.load(Ordering::Relaxed),
            self.put_off_reads.load(Ordering::Relaxed),
        )
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
