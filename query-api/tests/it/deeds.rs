//! What people do before a test asks: commands to the event store, and sessions.

use crate::house::{House, Person};
use domain::{
    GlobalRole, Personal, ProjectMembership, ProjectRole, Review, Submission, User, policy,
    project_membership::ProjectCommand,
    review::{Decision, ReviewCommand},
    submission::{ContentRef, Description, ProcessingOutcome, StoredFile, SubmissionCommand, Text},
    user::UserCommand,
};
use event_store::Context;
use runtime::clock::Clock;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

impl House {
    pub async fn person(&self, name: &str) -> Person {
        self.person_with_role(name, GlobalRole::User).await
    }

    pub async fn super_admin(&self, name: &str) -> Person {
        self.person_with_role(name, GlobalRole::SuperAdmin).await
    }

    async fn person_with_role(&self, name: &str, global_role: GlobalRole) -> Person {
        let id = self.ids.next();
        let email = format!("{name}@example.org");
        let command = UserCommand::Register {
            user_id: id,
            email: email.clone(),
            name: Some(name.to_owned()),
            global_role,
            is_verified: true,
            verification_expires_at: None,
        };
        self.store
            .execute::<User>(id, command, &by(id))
            .await
            .expect("a registration");
        let session_id = self.ids.next();
        sqlx::query(
            "INSERT INTO sessions (session_id, user_id, created_at, expires_at)
             VALUES ($1, $2, now(), now() + interval '7 days')",
        )
        .bind(session_id)
        .bind(id)
        .execute(&self.database.pool)
        .await
        .expect("a session");
        let (token, _) = self.tokens.issue(id, session_id).expect("a token");
        Person {
            id,
            email,
            session_id,
            token,
        }
    }

    pub async fn user(&self, id: Uuid, command: UserCommand, actor: Uuid) {
        self.store
            .execute::<User>(id, command, &by(actor))
            .await
            .expect("accepted");
    }

    pub async fn project(&self, who: &Person, name: &str) -> Uuid {
        let id = self.ids.next();
        let command = ProjectCommand::Create {
            name: name.to_owned(),
            description: Some(format!("About {name}")),
            created_by_id: who.id,
            membership_id: self.ids.next(),
        };
        self.change(who, id, command).await;
        id
    }

    pub async fn change(&self, who: &Person, project_id: Uuid, command: ProjectCommand) {
        self.store
            .execute::<ProjectMembership>(project_id, command, &by(who.id))
            .await
            .expect("accepted");
    }

    /// Invites and lets accept. Both are behind what they wrote until the projections show it.
    pub async fn join(&self, admin: &Person, project_id: Uuid, who: &Person, role: ProjectRole) {
        let invitation_id = self.invite(admin, project_id, &who.email, role).await;
        let command = ProjectCommand::AcceptInvitation {
            invitation_id,
            user_id: who.id,
            email: who.email.clone(),
            membership_id: self.ids.next(),
            now: OffsetDateTime::UNIX_EPOCH,
        };
        self.change(who, project_id, command).await;
    }

    pub async fn invite(
        &self,
        admin: &Person,
        project_id: Uuid,
        email: &str,
        role: ProjectRole,
    ) -> Uuid {
        let invitation_id = self.ids.next();
        let command = ProjectCommand::Invite {
            invitation_id,
            email: email.to_owned(),
            invitee_id: None,
            role,
            invited_by_id: admin.id,
            expires_at: Clock::system().now() + time::Duration::days(7),
        };
        self.change(admin, project_id, command).await;
        invitation_id
    }

    pub async fn raw_text(&self, who: &Person, project_id: Uuid, title: &str) -> Uuid {
        self.raw_text_with(who, project_id, title, Description::default())
            .await
    }

    pub async fn raw_text_with(
        &self,
        who: &Person,
        project_id: Uuid,
        title: &str,
        description: Description,
    ) -> Uuid {
        let id = self.ids.next();
        let command = SubmissionCommand::CreateRawText {
            item_id: id,
            project_id,
            created_by_id: who.id,
            title: title.to_owned(),
            content: Text::Inline(Personal::new(id, format!("All about {title}"))),
            description,
        };
        self.item(who, id, command).await;
        id
    }

    /// Puts the bytes into the store and records their upload.
    pub async fn document(&self, who: &Person, project_id: Uuid, name: &str, bytes: &[u8]) -> Uuid {
        let id = self.ids.next();
        let command = SubmissionCommand::UploadDocument {
            item_id: id,
            project_id,
            uploaded_by_id: who.id,
            original_filename: name.to_owned(),
            file: self.file(id, bytes, "application/pdf").await,
            pages: Some(1),
            is_raw: false,
            description: Description::default(),
            run_id: id,
        };
        self.item(who, id, command).await;
        id
    }

    pub async fn voice(&self, who: &Person, project_id: Uuid, seconds: f64) -> Uuid {
        let id = self.ids.next();
        let command = SubmissionCommand::UploadVoiceSample {
            item_id: id,
            project_id,
            uploaded_by_id: who.id,
            original_filename: "talk.wav".to_owned(),
            file: self.file(id, b"RIFF", "audio/wav").await,
            duration_seconds: Some(seconds),
            description: Description::default(),
            run_id: id,
        };
        self.item(who, id, command).await;
        id
    }

    async fn file(&self, id: Uuid, bytes: &[u8], media_type: &str) -> StoredFile {
        let key = format!("files/{id}");
        let body = bytes::Bytes::copy_from_slice(bytes);
        self.storage.put_bytes(body, &key).await.expect("stored");
        StoredFile {
            uri: self.storage.uri(&key),
            key,
            sha256: "ab".repeat(32),
            size_bytes: bytes.len() as u64,
            media_type: media_type.to_owned(),
        }
    }

    pub async fn item(&self, who: &Person, id: Uuid, command: SubmissionCommand) {
        self.store
            .execute::<Submission>(id, command, &by(who.id))
            .await
            .expect("accepted");
    }

    pub async fn submit(&self, who: &Person, id: Uuid) {
        self.item(who, id, SubmissionCommand::Submit).await;
    }

    /// Records that the run which an upload queued succeeded, with a text in the object store.
    pub async fn processed(&self, who: &Person, id: Uuid, text: &str, result: Value) {
        let stored = self
            .storage
            .put_content(id, text.to_owned().into())
            .await
            .expect("stored");
        let outcome = ProcessingOutcome::Succeeded {
            attempt: 1,
            engine: "tesseract".into(),
            engine_version: "5.3.0".into(),
            language: Some("en".into()),
            confidence: Some(0.5),
            duration_seconds: None,
            started_at: OffsetDateTime::UNIX_EPOCH,
            parameters: None,
            text: Text::Stored(ContentRef {
                key: stored.key,
                sha256: stored.sha256,
                size_bytes: stored.size_bytes,
            }),
            result: Some(Personal::new(id, result)),
            result_ref: None,
        };
        self.item(
            who,
            id,
            SubmissionCommand::RecordProcessing {
                run_id: id,
                outcome,
            },
        )
        .await;
    }

    pub async fn decide(&self, who: &Person, id: Uuid, decision: Decision, words: Option<&str>) {
        let item = self
            .store
            .load::<Submission>(id)
            .await
            .expect("loaded")
            .aggregate;
        let command = ReviewCommand::Decide {
            pending: policy::pending(&item),
            reviewer_id: who.id,
            decision,
            feedback: words.map(str::to_owned),
            allow_self_review: true,
            now: Clock::system().now(),
        };
        self.review(who, id, command).await;
    }

    pub async fn claim(&self, who: &Person, id: Uuid) {
        let item = self
            .store
            .load::<Submission>(id)
            .await
            .expect("loaded")
            .aggregate;
        let command = ReviewCommand::Claim {
            pending: policy::pending(&item),
            reviewer_id: who.id,
            allow_self_review: true,
            now: Clock::system().now(),
        };
        self.review(who, id, command).await;
    }

    pub async fn review(&self, who: &Person, id: Uuid, command: ReviewCommand) {
        self.store
            .execute::<Review>(id, command, &by(who.id))
            .await
            .expect("accepted");
    }
}

pub fn by(actor: Uuid) -> Context {
    Context {
        actor_user_id: Some(actor),
        request_id: "request-1".into(),
        correlation_id: "request-1".into(),
        ..Context::default()
    }
}
