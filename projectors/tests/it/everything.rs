//! A story in which every event of every aggregate happens but erasures, which `erasing` tells.

use crate::story::{
    BEGIN, DOCUMENT, OWNER, REVIEWER, RUN, Story, TEXT, VOICE, decided, document, joined,
    nothing_said, opened, project_created, raw_text, recording, registered, requested, succeeded,
};
use domain::{
    GlobalRole, Personal, ProjectRole,
    project_membership::ProjectEvent,
    review::{Decision, ReviewEvent},
    submission::{ProcessingKind, SubmissionEvent},
    user::UserEvent,
};
use uuid::Uuid;

/// A story in which every event of every aggregate happens.
pub fn everything() -> Story {
    let mut story = Story::default();
    let invitation_id = Uuid::from_u128(0xF1);
    story
        .user(OWNER, registered())
        .user(
            OWNER,
            UserEvent::VerificationRequested {
                verification_id: RUN,
                expires_at: BEGIN,
            },
        )
        .user(OWNER, UserEvent::EmailVerified {})
        .user(
            OWNER,
            UserEvent::PasswordResetRequested {
                reset_id: RUN,
                expires_at: BEGIN,
            },
        )
        .user(OWNER, UserEvent::PasswordReset { reset_id: RUN })
        .user(OWNER, UserEvent::PasswordChanged {})
        .user(OWNER, UserEvent::ProfileChanged { name: None })
        .user(
            OWNER,
            UserEvent::GlobalRoleChanged {
                global_role: GlobalRole::SuperAdmin,
            },
        )
        .user(OWNER, UserEvent::UserSuspended {})
        .user(OWNER, UserEvent::UserReinstated {})
        .project(project_created())
        .project(joined(OWNER, ProjectRole::Admin))
        .project(ProjectEvent::ProjectChanged {
            name: "Letters".into(),
            description: None,
            allow_self_review: false,
        })
        .project(ProjectEvent::MemberInvited {
            invitation_id,
            email: Personal::new(invitation_id, "bilal@example.org".into()),
            role: ProjectRole::Reviewer,
            invited_by_id: OWNER,
            expires_at: BEGIN,
        })
        .project(ProjectEvent::InvitationAccepted {
            invitation_id,
            user_id: REVIEWER,
        })
        .project(joined(REVIEWER, ProjectRole::Reviewer))
        .project(ProjectEvent::MemberRoleChanged {
            user_id: REVIEWER,
            previous_role: ProjectRole::Reviewer,
            role: ProjectRole::Contributor,
        })
        .project(ProjectEvent::InvitationRevoked {
            invitation_id: Uuid::from_u128(0xF2),
        })
        .project(ProjectEvent::MemberRemoved { user_id: REVIEWER })
        .project(ProjectEvent::ProjectDeleted {})
        .project(ProjectEvent::ProjectRestored {});
    items(&mut story);
    story.user(OWNER, UserEvent::UserDeactivated {});
    story.project(ProjectEvent::MemberLeft { user_id: OWNER });
    story
}

/// Three items through all that can happen to them.
fn items(story: &mut Story) {
    let claimed = |round| ReviewEvent::ReviewClaimed {
        round,
        reviewer_id: REVIEWER,
        until: BEGIN,
    };
    let verdict = Some(Personal::new(OWNER, "Too dark".into()));
    story
        .item(DOCUMENT, document())
        .item(DOCUMENT, requested(ProcessingKind::Ocr))
        .item(DOCUMENT, succeeded(ProcessingKind::Ocr, RUN))
        .item(DOCUMENT, SubmissionEvent::SubmissionSubmitted { round: 1 })
        .review(DOCUMENT, opened(DOCUMENT, 1))
        .review(DOCUMENT, claimed(1))
        .review(
            DOCUMENT,
            ReviewEvent::ClaimReleased {
                round: 1,
                reviewer_id: REVIEWER,
            },
        )
        .review(
            DOCUMENT,
            ReviewEvent::ReviewCommented {
                round: 1,
                comment_id: Uuid::from_u128(0xF3),
                author_id: REVIEWER,
                text: Personal::new(OWNER, "Whose hand?".into()),
            },
        )
        .review(
            DOCUMENT,
            decided(1, Decision::RequestChanges, Some("Too dark")),
        )
        .item(
            DOCUMENT,
            SubmissionEvent::ChangesRequested {
                round: 1,
                reviewer_id: REVIEWER,
                feedback: verdict.clone(),
            },
        )
        .item(
            DOCUMENT,
            SubmissionEvent::SubmissionEdited {
                description: nothing_said(DOCUMENT),
                title: None,
                content: None,
                content_ref: None,
            },
        )
        .item(DOCUMENT, SubmissionEvent::SubmissionSubmitted { round: 2 })
        .review(DOCUMENT, opened(DOCUMENT, 2))
        .review(DOCUMENT, decided(2, Decision::Reject, Some("Too dark")))
        .item(
            DOCUMENT,
            SubmissionEvent::SubmissionRejected {
                round: 2,
                reviewer_id: REVIEWER,
                feedback: verdict,
            },
        )
        .item(DOCUMENT, SubmissionEvent::SubmissionReopened {})
        .item(DOCUMENT, SubmissionEvent::SubmissionSubmitted { round: 3 })
        .review(DOCUMENT, opened(DOCUMENT, 3))
        .review(DOCUMENT, decided(3, Decision::Approve, None))
        .item(
            DOCUMENT,
            SubmissionEvent::SubmissionApproved {
                round: 3,
                reviewer_id: REVIEWER,
                feedback: None,
            },
        )
        .item(VOICE, recording())
        .item(VOICE, requested(ProcessingKind::Transcription))
        .item(
            VOICE,
            SubmissionEvent::ProcessingFailed {
                run_id: RUN,
                kind: ProcessingKind::Transcription,
                attempts: 1,
                error_code: "NO_AUDIO".into(),
                error: "There is no sound in it.".into(),
            },
        )
        .item(VOICE, requested(ProcessingKind::Transcription))
        .item(
            VOICE,
            SubmissionEvent::ProcessingDeadLettered {
                run_id: RUN,
                kind: ProcessingKind::Transcription,
                attempts: 4,
                error_code: "ENGINE_FAILED".into(),
                error: "The engine failed.".into(),
            },
        )
        .item(VOICE, SubmissionEvent::SubmissionDeleted {})
        .item(VOICE, SubmissionEvent::SubmissionRestored {})
        .item(TEXT, raw_text())
        .item(
            TEXT,
            SubmissionEvent::SubmissionEdited {
                description: nothing_said(TEXT),
                title: Some(Personal::new(TEXT, "Another title".into())),
                content: Some(Personal::new(TEXT, "Other words".into())),
                content_ref: None,
            },
        )
        .item(TEXT, SubmissionEvent::SubmissionSubmitted { round: 1 })
        .review(TEXT, opened(TEXT, 1))
        .review(TEXT, claimed(1))
        .review(TEXT, ReviewEvent::ReviewWithdrawn { round: 1 })
        .item(TEXT, SubmissionEvent::SubmissionWithdrawn { round: 1 })
        .item(TEXT, SubmissionEvent::SubmissionSubmitted { round: 2 });
    taken_back(story);
}

/// A decision that is taken back, another that is not, and one more; the item waits in the end.
fn taken_back(story: &mut Story) {
    let reverted = SubmissionEvent::DecisionReverted {
        round: 3,
        reverted_by_id: REVIEWER,
    };
    let rejected = SubmissionEvent::SubmissionRejected {
        round: 3,
        reviewer_id: REVIEWER,
        feedback: None,
    };
    let reopened = ReviewEvent::ReviewReopened { round: 3 };
    story
        .item(DOCUMENT, reverted.clone())
        .review(DOCUMENT, reopened.clone())
        .review(DOCUMENT, decided(3, Decision::Reject, Some("No")))
        .item(DOCUMENT, rejected)
        .item(DOCUMENT, reverted)
        .review(DOCUMENT, reopened)
        .item(DOCUMENT, requested(ProcessingKind::Ocr));
}
