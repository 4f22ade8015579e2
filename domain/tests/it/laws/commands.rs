//! Random commands over few ids and times, so that they meet.

use super::Step;
use domain::{
    GlobalRole, ItemType, Personal, ProjectRole,
    project_membership::ProjectCommand,
    review::{Decision, Pending, ReviewCommand, Verdict},
    submission::{
        Description, Edit, ProcessingOutcome, RoundOutcome, StoredFile, SubmissionCommand, Text,
    },
    user::UserCommand,
};
use proptest::{option, prelude::*, sample::select};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

const ITEM: Uuid = Uuid::from_u128(100);
const PROJECT: Uuid = Uuid::from_u128(101);
const USER: Uuid = Uuid::from_u128(102);

fn id() -> impl Strategy<Value = Uuid> {
    (1..5_u128).prop_map(Uuid::from_u128)
}

fn at() -> impl Strategy<Value = OffsetDateTime> {
    (0..60_i64).prop_map(|n| OffsetDateTime::UNIX_EPOCH + Duration::minutes(n))
}

fn word() -> impl Strategy<Value = String> {
    select(vec!["", "a", "ب", "$personal"]).prop_map(Into::into)
}

fn email() -> impl Strategy<Value = String> {
    select(vec!["a@example.org", "A@example.org", "b@example.org"]).prop_map(Into::into)
}

pub fn user() -> impl Strategy<Value = UserCommand> {
    let role = || select(vec![GlobalRole::User, GlobalRole::SuperAdmin]);
    let register = (
        email(),
        option::of(word()),
        role(),
        any::<bool>(),
        option::of(at()),
    )
        .prop_map(
            |(email, name, global_role, is_verified, verification_expires_at)| {
                UserCommand::Register {
                    user_id: USER,
                    email,
                    name,
                    global_role,
                    is_verified,
                    verification_expires_at,
                }
            },
        );
    prop_oneof![
        4 => register,
        1 => (id(), at()).prop_map(|(verification_id, expires_at)| {
            UserCommand::RequestVerification { verification_id, expires_at }
        }),
        1 => Just(UserCommand::VerifyEmail),
        2 => (id(), at()).prop_map(|(reset_id, expires_at)| {
            UserCommand::RequestPasswordReset { reset_id, expires_at }
        }),
        2 => (id(), at()).prop_map(|(reset_id, now)| UserCommand::ResetPassword { reset_id, now }),
        1 => Just(UserCommand::ChangePassword),
        4 => (option::of(option::of(word())), option::of(role()), option::of(any::<bool>()))
            .prop_map(|(name, global_role, suspended)| {
                UserCommand::Change { name, global_role, suspended }
            }),
        1 => Just(UserCommand::Deactivate),
        1 => Just(UserCommand::Erase),
    ]
}

pub fn project() -> impl Strategy<Value = ProjectCommand> {
    let role = || {
        select(vec![
            ProjectRole::Admin,
            ProjectRole::Contributor,
            ProjectRole::Reviewer,
        ])
    };
    let create = (word(), id()).prop_map(|(name, created_by_id)| ProjectCommand::Create {
        name,
        description: None,
        created_by_id,
        membership_id: created_by_id,
    });
    let change = (
        option::of(word()),
        option::of(option::of(word())),
        option::of(any::<bool>()),
    )
        .prop_map(
            |(name, description, allow_self_review)| ProjectCommand::Change {
                name,
                description,
                allow_self_review,
            },
        );
    let invite = (id(), email(), option::of(id()), role(), at()).prop_map(
        |(invitation_id, email, invitee_id, role, expires_at)| ProjectCommand::Invite {
            invitation_id,
            email,
            invitee_id,
            role,
            invited_by_id: USER,
            expires_at,
        },
    );
    let accept = (id(), id(), email(), at()).prop_map(|(invitation_id, user_id, email, now)| {
        ProjectCommand::AcceptInvitation {
            invitation_id,
            user_id,
            email,
            membership_id: user_id,
            now,
        }
    });
    prop_oneof![
        4 => create,
        1 => change,
        1 => Just(ProjectCommand::Delete),
        3 => Just(ProjectCommand::Restore),
        6 => invite,
        1 => id().prop_map(|invitation_id| ProjectCommand::RevokeInvitation { invitation_id }),
        12 => accept,
        4 => (id(), role()).prop_map(|(user_id, role)| ProjectCommand::ChangeRole { user_id, role }),
        2 => id().prop_map(|user_id| ProjectCommand::RemoveMember { user_id }),
        2 => id().prop_map(|user_id| ProjectCommand::Leave { user_id }),
        1 => id().prop_map(|user_id| ProjectCommand::RemoveErased { user_id }),
    ]
}

fn file() -> StoredFile {
    StoredFile {
        key: "objects/1".into(),
        uri: "local://objects/1".into(),
        sha256: "00".into(),
        size_bytes: 1,
        media_type: "image/png".into(),
    }
}

fn text() -> impl Strategy<Value = Text> {
    word().prop_map(|words| Text::Inline(Personal::new(ITEM, words)))
}

fn edit() -> impl Strategy<Value = Edit> {
    (
        option::of(option::of(word())),
        option::of(word()),
        option::of(text()),
    )
        .prop_map(|(domain, title, content)| Edit {
            domain,
            title: title.map(|title| Personal::new(ITEM, title)),
            content,
            ..Edit::default()
        })
}

fn decision() -> impl Strategy<Value = Decision> {
    select(vec![
        Decision::Approve,
        Decision::Reject,
        Decision::RequestChanges,
    ])
}

fn round_outcome() -> impl Strategy<Value = RoundOutcome> {
    let verdict = (decision(), id()).prop_map(|(decision, reviewer_id)| {
        RoundOutcome::Decided(Verdict {
            decision,
            reviewer_id,
            feedback: None,
        })
    });
    prop_oneof![Just(RoundOutcome::Withdrawn), verdict]
}

fn run_outcome() -> impl Strategy<Value = ProcessingOutcome> {
    let success =
        (text(), at(), option::of(0.0..1.0_f64)).prop_map(|(text, started_at, confidence)| {
            ProcessingOutcome::Succeeded {
                attempt: 1,
                engine: "tesseract".into(),
                engine_version: "5".into(),
                language: None,
                confidence,
                duration_seconds: None,
                started_at,
                parameters: None,
                text,
                result: None,
                result_ref: None,
            }
        });
    let failed = Just(ProcessingOutcome::Failed {
        attempts: 1,
        error_code: "CORRUPT".into(),
        error: "no".into(),
    });
    let dead = Just(ProcessingOutcome::DeadLettered {
        attempts: 4,
        error_code: "ENGINE_FAILED".into(),
        error: "no".into(),
    });
    prop_oneof![success, failed, dead]
}

fn creation() -> impl Strategy<Value = SubmissionCommand> {
    let document =
        (any::<bool>(), id()).prop_map(|(is_raw, run_id)| SubmissionCommand::UploadDocument {
            item_id: ITEM,
            project_id: PROJECT,
            uploaded_by_id: USER,
            original_filename: "a.png".into(),
            file: file(),
            pages: None,
            is_raw,
            description: Description::default(),
            run_id,
        });
    let raw_text = (word(), text()).prop_map(|(title, content)| SubmissionCommand::CreateRawText {
        item_id: ITEM,
        project_id: PROJECT,
        created_by_id: USER,
        title,
        content,
        description: Description::default(),
    });
    prop_oneof![document, raw_text]
}

fn owners() -> impl Strategy<Value = SubmissionCommand> {
    prop_oneof![
        3 => creation(),
        2 => edit().prop_map(SubmissionCommand::Edit),
        4 => Just(SubmissionCommand::Submit),
        1 => Just(SubmissionCommand::Delete),
        2 => Just(SubmissionCommand::Restore),
        1 => Just(SubmissionCommand::Erase),
        2 => (id(), any::<bool>()).prop_map(|(run_id, force)| {
            SubmissionCommand::RequestProcessing { run_id, requested_by_id: None, force }
        }),
        2 => (id(), run_outcome()).prop_map(|(run_id, outcome)| {
            SubmissionCommand::RecordProcessing { run_id, outcome }
        }),
    ]
}

pub fn submission() -> impl Strategy<Value = SubmissionCommand> {
    let outcome = (0..4_u32, 0..2_u32, round_outcome()).prop_map(|(round, reopened, outcome)| {
        SubmissionCommand::RecordOutcome {
            round,
            reopened,
            outcome,
        }
    });
    prop_oneof![4 => owners(), 2 => outcome, 1 => revert()]
}

fn revert() -> impl Strategy<Value = SubmissionCommand> {
    (1..4_u32, 0..3_u32, id()).prop_map(|(round, reopened, reverted_by_id)| {
        SubmissionCommand::RevertDecision {
            round,
            reopened,
            reverted_by_id,
        }
    })
}

fn waiting() -> impl Strategy<Value = Pending> {
    (1..4_u32).prop_map(|round| Pending {
        round,
        reopened: 0,
        project_id: PROJECT,
        item_type: ItemType::RawText,
        submitter_id: Uuid::from_u128(1),
    })
}

pub fn review() -> impl Strategy<Value = ReviewCommand> {
    let pending = || option::weighted(0.8, waiting());
    let claim = (pending(), id(), any::<bool>(), at()).prop_map(
        |(pending, reviewer_id, allow_self_review, now)| ReviewCommand::Claim {
            pending,
            reviewer_id,
            allow_self_review,
            now,
        },
    );
    let decide = (
        pending(),
        id(),
        decision(),
        option::of(word()),
        any::<bool>(),
        at(),
    )
        .prop_map(
            |(pending, reviewer_id, decision, feedback, allow_self_review, now)| {
                ReviewCommand::Decide {
                    pending,
                    reviewer_id,
                    decision,
                    feedback,
                    allow_self_review,
                    now,
                }
            },
        );
    let comment =
        (pending(), id(), word()).prop_map(|(pending, author_id, text)| ReviewCommand::Comment {
            pending,
            comment_id: author_id,
            author_id,
            text,
        });
    prop_oneof![
        2 => waiting().prop_map(|pending| ReviewCommand::Open { pending }),
        3 => claim,
        1 => (pending(), id(), at()).prop_map(|(pending, reviewer_id, now)| ReviewCommand::ReleaseClaim {
            pending,
            reviewer_id,
            now,
        }),
        3 => decide,
        1 => comment,
        1 => pending().prop_map(|pending| ReviewCommand::Withdraw { pending }),
    ]
}

pub fn step() -> impl Strategy<Value = Step> {
    let reviewers = review().prop_filter("only the command side's own", |command| {
        !matches!(command, ReviewCommand::Open { .. })
    });
    prop_oneof![
        3 => owners().prop_map(Step::Owner),
        2 => revert().prop_map(Step::Owner),
        3 => reviewers.prop_map(Step::Review),
        1 => Just(Step::Policies),
    ]
}
