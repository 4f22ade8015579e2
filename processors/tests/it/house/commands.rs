//! What people do in the tests.

use super::{House, context};
use domain::{
    GlobalRole, Personal, ProjectRole, Review, Submission, User,
    project_membership::ProjectCommand,
    review::{Decision, ReviewCommand},
    submission::{Description, StoredFile, SubmissionCommand, Text},
    user::UserCommand,
};
use media::MediaType;
use time::OffsetDateTime;
use uuid::Uuid;

impl House {
    pub async fn register(&self, email: &str) -> Uuid {
        let user_id = self.ids.next();
        let command = UserCommand::Register {
            user_id,
            email: email.into(),
            name: Some("Amal".into()),
            global_role: GlobalRole::User,
            is_verified: false,
            verification_expires_at: Some(self.in_an_hour()),
        };
        self.user(user_id, command).await;
        user_id
    }

    pub async fn user(&self, id: Uuid, command: UserCommand) {
        let done = self.store.execute::<User>(id, command, &context(id)).await;
        done.expect("an account command");
    }

    pub async fn item(&self, id: Uuid, command: SubmissionCommand) {
        let done = self
            .store
            .execute::<Submission>(id, command, &context(id))
            .await;
        done.expect("an item command");
    }

    pub async fn review(&self, id: Uuid, command: ReviewCommand) {
        let done = self
            .store
            .execute::<Review>(id, command, &context(id))
            .await;
        done.expect("a review command");
    }

    pub fn in_an_hour(&self) -> OffsetDateTime {
        self.settings.clock.now() + time::Duration::HOUR
    }

    pub async fn project(&self, maker: Uuid) -> Uuid {
        let project_id = self.ids.next();
        let command = ProjectCommand::Create {
            name: "Diwan & Co".into(),
            description: None,
            created_by_id: maker,
            membership_id: self.ids.next(),
        };
        self.membership(project_id, command).await;
        project_id
    }

    pub async fn membership(&self, id: Uuid, command: ProjectCommand) {
        let done = self
            .store
            .execute::<domain::ProjectMembership>(id, command, &context(id))
            .await;
        done.expect("a project command");
    }

    pub async fn invite(&self, project_id: Uuid, by: Uuid, email: &str) -> Uuid {
        let invitation_id = self.ids.next();
        let command = ProjectCommand::Invite {
            invitation_id,
            email: email.into(),
            invitee_id: None,
            role: ProjectRole::Reviewer,
            invited_by_id: by,
            expires_at: self.in_an_hour(),
        };
        self.membership(project_id, command).await;
        invitation_id
    }

    pub async fn raw_text(&self, owner: Uuid) -> Uuid {
        let item_id = self.ids.next();
        let command = SubmissionCommand::CreateRawText {
            item_id,
            project_id: Uuid::nil(),
            created_by_id: owner,
            title: "قصيدة <1>".into(),
            content: Text::Inline(Personal::new(item_id, "words".into())),
            description: Description::default(),
        };
        self.item(item_id, command).await;
        item_id
    }

    /// A raw text that waits for review.
    pub async fn submitted(&self, owner: Uuid) -> Uuid {
        let item_id = self.raw_text(owner).await;
        self.item(item_id, SubmissionCommand::Submit).await;
        item_id
    }

    /// Decides on a waiting item in the way the command side does.
    pub async fn decide(&self, item_id: Uuid, reviewer_id: Uuid, decision: Decision) {
        let item = self
            .store
            .load::<Submission>(item_id)
            .await
            .expect("a stream");
        let command = ReviewCommand::Decide {
            pending: domain::policy::pending(&item.aggregate),
            reviewer_id,
            decision,
            feedback: Some("Page 2 is <blurred>.".into()),
            allow_self_review: true,
            now: self.settings.clock.now(),
        };
        self.review(item_id, command).await;
    }

    /// Stores the bytes and records their upload as a document; the run's id comes with the item's.
    pub async fn upload_document(
        &self,
        project_id: Uuid,
        mime: &str,
        bytes: Vec<u8>,
    ) -> (Uuid, Uuid) {
        let file = self.stored(mime, bytes).await;
        self.upload_stored(project_id, file).await
    }

    pub async fn upload_stored(&self, project_id: Uuid, file: StoredFile) -> (Uuid, Uuid) {
        let (item_id, run_id) = (self.ids.next(), self.ids.next());
        let command = SubmissionCommand::UploadDocument {
            item_id,
            project_id,
            uploaded_by_id: Uuid::from_u128(1),
            original_filename: "../../etc/passwd.pdf".into(),
            file,
            pages: None,
            is_raw: false,
            description: Description::default(),
            run_id,
        };
        self.item(item_id, command).await;
        (item_id, run_id)
    }

    pub async fn upload_recording(
        &self,
        mime: &str,
        bytes: Vec<u8>,
        language: Option<&str>,
    ) -> (Uuid, Uuid) {
        let (item_id, run_id) = (self.ids.next(), self.ids.next());
        let command = SubmissionCommand::UploadVoiceSample {
            item_id,
            project_id: Uuid::nil(),
            uploaded_by_id: Uuid::from_u128(1),
            original_filename: "call".into(),
            file: self.stored(mime, bytes).await,
            duration_seconds: None,
            description: Description {
                language: language.map(Into::into),
                ..Description::default()
            },
            run_id,
        };
        self.item(item_id, command).await;
        (item_id, run_id)
    }

    pub async fn stored(&self, mime: &str, bytes: Vec<u8>) -> StoredFile {
        let kind = MediaType::from_mime(mime).expect("an accepted type");
        let key = format!("uploads/{}.{}", self.ids.next(), kind.extension());
        let size_bytes = bytes.len() as u64;
        self.storage
            .put_bytes(bytes.into(), &key)
            .await
            .expect("stored");
        StoredFile {
            uri: self.storage.uri(&key),
            key,
            sha256: String::new(),
            size_bytes,
            media_type: mime.into(),
        }
    }

    /// A file whose bytes the store does not have.
    pub fn lost_file(&self) -> StoredFile {
        let key = format!("uploads/{}.pdf", self.ids.next());
        StoredFile {
            uri: self.storage.uri(&key),
            key,
            sha256: String::new(),
            size_bytes: 10,
            media_type: "application/pdf".into(),
        }
    }
}
