//! Which fields of a resource an event sets, named as the API names them. Says nothing of what they
//! were before.

use crate::projector::{ProjectionError, unreadable};
use domain::{
    ItemType, Personal, ProjectMembership, Review, Submission, User,
    project_membership::ProjectEvent,
    review::{Decision, ReviewEvent},
    submission::{ContentRef, Description, ProcessingKind, StoredFile, SubmissionEvent},
    user::UserEvent,
};
use event_store::RecordedEvent;
use serde::Serialize;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// What an event says about its resource.
#[derive(Default)]
pub(super) struct Changes {
    /// What the resource is, where this event tells.
    pub(super) resource_type: Option<&'static str>,
    /// Where it belongs, where this event tells.
    pub(super) project_id: Option<Uuid>,
    /// Whose it is, where this event tells.
    pub(super) owner_id: Option<Uuid>,
    /// Fields and the values they have from now on.
    pub(super) values: Vec<(String, Value)>,
    /// Things said once, which are no state: comments.
    pub(super) said: Vec<(String, Value)>,
}

impl Changes {
    fn none() -> Self {
        Self::default()
    }

    fn set(mut self, field: &str, value: impl Serialize) -> Self {
        // A value of ours always has a JSON form.
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.values.push((field.to_owned(), value));
        self
    }

    fn of(mut self, resource_type: &'static str) -> Self {
        self.resource_type = Some(resource_type);
        self
    }
}

/// What `event` sets. An event of an aggregate that is unknown here sets nothing.
pub(super) fn changes(event: &RecordedEvent) -> Result<Changes, ProjectionError> {
    Ok(if event.is::<User>() {
        Changes {
            owner_id: Some(event.aggregate_id),
            ..user(event.decode::<User>().map_err(unreadable(event))?).of("user")
        }
    } else if event.is::<ProjectMembership>() {
        Changes {
            project_id: Some(event.aggregate_id),
            ..project(
                event
                    .decode::<ProjectMembership>()
                    .map_err(unreadable(event))?,
            )
            .of("project")
        }
    } else if event.is::<Submission>() {
        submission(event.decode::<Submission>().map_err(unreadable(event))?)
    } else if event.is::<Review>() {
        review(event.decode::<Review>().map_err(unreadable(event))?)
    } else {
        Changes::none()
    })
}

fn user(event: UserEvent) -> Changes {
    let none = Changes::none();
    match event {
        UserEvent::UserRegistered {
            email,
            name,
            global_role,
            is_verified,
            verification_expires_at: _,
        } => none
            .set("email", email.into_value())
            .set("name", name.and_then(Personal::into_value))
            .set("global_role", global_role)
            .set("is_verified", is_verified),
        UserEvent::EmailVerified {} => none.set("is_verified", true),
        UserEvent::ProfileChanged { name } => none.set("name", name.and_then(Personal::into_value)),
        UserEvent::GlobalRoleChanged { global_role } => none.set("global_role", global_role),
        UserEvent::UserSuspended {} => none.set("suspended", true),
        UserEvent::UserReinstated {} => none.set("suspended", false),
        UserEvent::UserDeactivated {} | UserEvent::UserErased {} => none.set("deactivated", true),
        // What belongs to links and passwords is nobody's to read.
        UserEvent::VerificationRequested { .. }
        | UserEvent::PasswordResetRequested { .. }
        | UserEvent::PasswordReset { .. }
        | UserEvent::PasswordChanged {} => none,
    }
}

fn project(event: ProjectEvent) -> Changes {
    let none = Changes::none();
    let member = |user_id: Uuid| format!("members.{user_id}");
    let invitation = |id: Uuid| format!("invitations.{id}");
    match event {
        ProjectEvent::ProjectCreated {
            name,
            description,
            created_by_id,
            allow_self_review,
        } => none
            .set("name", name)
            .set("description", description)
            .set("created_by_id", created_by_id)
            .set("allow_self_review", allow_self_review),
        ProjectEvent::ProjectChanged {
            name,
            description,
            allow_self_review,
        } => none
            .set("name", name)
            .set("description", description)
            .set("allow_self_review", allow_self_review),
        ProjectEvent::ProjectDeleted {} => none.set("deleted", true),
        ProjectEvent::ProjectRestored {} => none.set("deleted", false),
        ProjectEvent::MemberInvited {
            invitation_id,
            email,
            role,
            ..
        } => none.set(
            &invitation(invitation_id),
            json!({"email": email.into_value(), "role": role}),
        ),
        ProjectEvent::InvitationRevoked { invitation_id }
        | ProjectEvent::InvitationAccepted { invitation_id, .. } => {
            none.set(&invitation(invitation_id), Value::Null)
        }
        ProjectEvent::MemberJoined { user_id, role, .. }
        | ProjectEvent::MemberRoleChanged { user_id, role, .. } => none.set(&member(user_id), role),
        ProjectEvent::MemberRemoved { user_id } | ProjectEvent::MemberLeft { user_id } => {
            none.set(&member(user_id), Value::Null)
        }
    }
}

fn created(item_type: ItemType, project_id: Uuid, owner_id: Uuid) -> Changes {
    Changes {
        project_id: Some(project_id),
        owner_id: Some(owner_id),
        ..Changes::none()
            .of(item_type.as_str())
            .set("status", "draft")
    }
}

fn file(changes: Changes, name: Personal<String>, file: StoredFile) -> Changes {
    changes
        .set("original_filename", name.into_value())
        .set("gcs_uri", file.uri)
        .set("sha256", file.sha256)
        .set("size_bytes", file.size_bytes)
        .set("media_type", file.media_type)
}

fn described(changes: Changes, description: Personal<Description>) -> Changes {
    let description = description.into_value().unwrap_or_default();
    let tags = (!description.tags.is_empty()).then_some(description.tags);
    let extra = description.extra_metadata.map(|extra| extra.json);
    changes
        .set("domain", description.domain)
        .set("language", description.language)
        .set("tags", tags)
        .set("extra_metadata", extra)
}

/// A text itself, or its digest where it is too long for an event.
fn text(inline: Option<Personal<String>>, stored: Option<ContentRef>) -> Value {
    match (inline.and_then(Personal::into_value), stored) {
        (Some(text), _) => json!(text),
        (None, Some(content)) => json!({
            "sha256": content.sha256,
            "size_bytes": content.size_bytes,
        }),
        (None, None) => Value::Null,
    }
}

fn submission(event: SubmissionEvent) -> Changes {
    let none = Changes::none();
    match event {
        SubmissionEvent::DocumentUploaded {
            project_id,
            uploaded_by_id,
            original_filename,
            file: stored,
            pages,
            is_raw,
            description,
        } => {
            let item = created(ItemType::Document, project_id, uploaded_by_id)
                .set("pages", pages)
                .set("is_raw", is_raw);
            described(file(item, original_filename, stored), description)
        }
        SubmissionEvent::VoiceSampleUploaded {
            project_id,
            uploaded_by_id,
            original_filename,
            file: stored,
            duration_seconds,
            description,
        } => {
            let item = created(ItemType::VoiceSample, project_id, uploaded_by_id)
                .set("duration_seconds", duration_seconds);
            described(file(item, original_filename, stored), description)
        }
        SubmissionEvent::RawTextCreated {
            project_id,
            created_by_id,
            title,
            content,
            content_ref,
            description,
        } => {
            let item = created(ItemType::RawText, project_id, created_by_id)
                .set("title", title.into_value())
                .set("content", text(content, content_ref));
            described(item, description)
        }
        SubmissionEvent::SubmissionEdited {
            description,
            title,
            content,
            content_ref,
        } => {
            let mut changes = described(none, description);
            if let Some(title) = title {
                changes = changes.set("title", title.into_value());
            }
            if content.is_some() || content_ref.is_some() {
                changes = changes.set("content", text(content, content_ref));
            }
            changes
        }
        SubmissionEvent::SubmissionSubmitted { round } => none
            .set("status", "pending_review")
            .set("round", round)
            .set("reviewed_by_id", Value::Null)
            .set("feedback", Value::Null),
        SubmissionEvent::SubmissionWithdrawn { .. } | SubmissionEvent::SubmissionReopened {} => {
            none.set("status", "draft")
        }
        SubmissionEvent::SubmissionApproved {
            reviewer_id,
            feedback,
            ..
        } => decided(Decision::Approve, reviewer_id, feedback),
        SubmissionEvent::SubmissionRejected {
            reviewer_id,
            feedback,
            ..
        } => decided(Decision::Reject, reviewer_id, feedback),
        SubmissionEvent::ChangesRequested {
            reviewer_id,
            feedback,
            ..
        } => decided(Decision::RequestChanges, reviewer_id, feedback),
        // Who took it back is who acted; what is left of the decision is the history before.
        SubmissionEvent::DecisionReverted { .. } => none
            .set("status", "pending_review")
            .set("reviewed_by_id", Value::Null)
            .set("feedback", Value::Null),
        SubmissionEvent::SubmissionDeleted {} | SubmissionEvent::SubmissionErased {} => {
            none.set("deleted", true)
        }
        SubmissionEvent::SubmissionRestored {} => none.set("deleted", false),
        SubmissionEvent::AudioMeasured { report, .. } => {
            none.set("duration_seconds", report.duration_seconds).set(
                "audio_quality",
                report.quality.map(|quality| json!(quality)),
            )
        }
        SubmissionEvent::ProcessingRequested { .. } => none
            .set("processing_state", "queued")
            .set("error_code", Value::Null)
            .set("error", Value::Null),
        SubmissionEvent::ProcessingSucceeded { .. } => succeeded(event),
        SubmissionEvent::ResultSelected {
            number,
            kind,
            text: words,
            text_ref,
            ..
        } => none
            .set("shown_result", number)
            .set(text_field(kind), text(words, text_ref)),
        SubmissionEvent::ProcessingFailed {
            error_code, error, ..
        } => given_up("failed", error_code, error),
        SubmissionEvent::ProcessingDeadLettered {
            error_code, error, ..
        } => given_up("dead", error_code, error),
    }
}

fn succeeded(event: SubmissionEvent) -> Changes {
    let SubmissionEvent::ProcessingSucceeded {
        kind,
        engine,
        engine_version,
        language,
        confidence,
        text: words,
        text_ref,
        ..
    } = event
    else {
        return Changes::none();
    };
    Changes::none()
        .set("processing_state", "succeeded")
        .set("processed", true)
        .set(text_field(kind), text(words, text_ref))
        .set("engine", format!("{engine} {engine_version}").trim_end())
        .set("detected_language", language)
        .set("confidence", confidence)
}

fn text_field(kind: ProcessingKind) -> &'static str {
    match kind {
        ProcessingKind::Ocr => "ocr_text",
        ProcessingKind::Transcription => "transcription_text",
    }
}

fn given_up(state: &str, error_code: String, error: String) -> Changes {
    Changes::none()
        .set("processing_state", state)
        .set("error_code", error_code)
        .set("error", error)
}

fn decided(decision: Decision, reviewer_id: Uuid, feedback: Option<Personal<String>>) -> Changes {
    let status = match decision {
        Decision::Approve => "approved",
        Decision::Reject => "rejected",
        Decision::RequestChanges => "draft",
    };
    Changes::none()
        .set("status", status)
        .set("reviewed_by_id", reviewer_id)
        .set("feedback", feedback.and_then(Personal::into_value))
}

fn review(event: ReviewEvent) -> Changes {
    let none = Changes::none();
    match event {
        ReviewEvent::ReviewOpened { .. } | ReviewEvent::ReviewReopened { .. } => none,
        ReviewEvent::ReviewClaimed {
            reviewer_id, until, ..
        } => none
            .set("claimed_by_id", reviewer_id)
            .set("claimed_until", until.format(&Rfc3339).ok()),
        ReviewEvent::ClaimReleased { .. } => unclaimed(none),
        ReviewEvent::ReviewCommented { text, .. } => {
            let mut changes = none;
            changes
                .said
                .push(("comment".into(), json!(text.into_value())));
            changes
        }
        ReviewEvent::ReviewDecided {
            decision,
            reviewer_id,
            feedback,
            ..
        } => unclaimed(decided(decision, reviewer_id, feedback)),
        ReviewEvent::ReviewWithdrawn { .. } => unclaimed(none.set("status", "draft")),
    }
}

fn unclaimed(changes: Changes) -> Changes {
    changes
        .set("claimed_by_id", Value::Null)
        .set("claimed_until", Value::Null)
}
