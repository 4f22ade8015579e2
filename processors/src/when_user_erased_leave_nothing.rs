//! When a person is erased, what they never handed in is erased with its objects, and their
//! memberships end. Harmless when repeated: what is gone is looked for once more and not found.
//! A follower of its own: an object store that is away holds up nothing else.

use crate::{follow::Reaction, jobs::item_facts::NoCommand, policies::busy};
use cqrs_es::{Aggregate, event_sink::EventSink};
use domain::{
    ProjectMembership, Submission, User,
    project_membership::ProjectCommand,
    submission::{ContentRef, StoredFile, SubmissionCommand, SubmissionEvent},
    user::UserCommand,
};
use event_store::{Also, Context, DispatchError, Erase, EventStore, RecordedEvent, StoreError};
use media::ObjectStorage;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use std::{collections::BTreeMap, convert::Infallible};
use uuid::Uuid;

/// How items begin.
const CREATIONS: [&str; 3] = ["DocumentUploaded", "VoiceSampleUploaded", "RawTextCreated"];
/// How memberships begin; by who joins.
const JOINED: &str = "MemberJoined";
/// What people say.
const SAID: [&str; 2] = ["ReviewDecided", "ReviewCommented"];

/// The policy.
pub(crate) struct Erasures {
    pub store: EventStore,
    pub storage: ObjectStorage,
}

impl Reaction for Erasures {
    const NAME: &'static str = "erasures";
    type Prepared = ();

    async fn prepare(&self, events: &[RecordedEvent]) -> Result<(), StoreError> {
        for (user_id, context) in self.concerned(events).await? {
            self.erase_again(user_id, &context).await?;
            self.end_memberships(user_id, &context).await?;
            for item_id in self.store.streams_of(user_id, &CREATIONS).await? {
                self.erase(item_id, &context).await?;
            }
        }
        Ok(())
    }

    fn writes((): &()) -> bool {
        false
    }

    async fn write(
        &self,
        _tx: &mut PgConnection,
        (): (),
    ) -> Result<Vec<&'static str>, sqlx::Error> {
        Ok(vec![])
    }
}

impl Erasures {
    /// Who was erased, and who began something afterwards: an upload that was under way at that
    /// moment ends as an item of nobody.
    async fn concerned(
        &self,
        events: &[RecordedEvent],
    ) -> Result<BTreeMap<Uuid, Context>, StoreError> {
        let mut concerned = BTreeMap::new();
        let mut began = BTreeMap::new();
        for event in events {
            let kind = event.event_type.as_str();
            if event.is::<User>() && kind == "UserErased" {
                concerned.insert(event.aggregate_id, Context::caused_by(event));
            } else if (CREATIONS.contains(&kind) || SAID.contains(&kind) || kind == JOINED)
                && let Some(actor) = event.metadata.actor_user_id
            {
                began.insert(actor, Context::caused_by(event));
            }
        }
        let actors: Vec<Uuid> = began.keys().copied().collect();
        for user_id in self.store.erased_among(&actors).await? {
            if let Some(context) = began.remove(&user_id) {
                concerned.entry(user_id).or_insert(context);
            }
        }
        Ok(concerned)
    }

    /// Destroys the keys of what was said while the person was erased: everything that stands before
    /// the erasure in the log is committed by now.
    async fn erase_again(&self, user_id: Uuid, context: &Context) -> Result<(), StoreError> {
        let also = Also {
            erase: Some(Erase::Person(user_id)),
            ..Also::default()
        };
        let done = self
            .store
            .execute_with::<User>(user_id, UserCommand::Erase, context, also);
        answered(user_id, done.await)
    }

    async fn end_memberships(&self, user_id: Uuid, context: &Context) -> Result<(), StoreError> {
        for project_id in self.store.streams_of(user_id, &[JOINED]).await? {
            let command = ProjectCommand::RemoveErased { user_id };
            let done = self
                .store
                .execute::<ProjectMembership>(project_id, command, context);
            answered(project_id, done.await)?;
        }
        Ok(())
    }

    /// Erases an item that was never handed in, then removes its objects. The event comes first: an
    /// item without its file would be there for somebody to stumble over.
    async fn erase(&self, item_id: Uuid, context: &Context) -> Result<(), StoreError> {
        let also = Also {
            erase: Some(Erase::Item(item_id)),
            ..Also::default()
        };
        let command = SubmissionCommand::Erase;
        let done = self
            .store
            .execute_with::<Submission>(item_id, command, context, also);
        answered(item_id, done.await)?;
        let objects = self.store.load::<Objects>(item_id).await?.aggregate;
        if objects.erased {
            self.remove(item_id, objects).await?;
        }
        Ok(())
    }

    async fn remove(&self, item_id: Uuid, objects: Objects) -> Result<(), StoreError> {
        let shared = if objects.contents.is_empty() {
            vec![]
        } else {
            let shared = self.store.shared_content(item_id, &objects.contents);
            shared.await?
        };
        let contents = objects
            .contents
            .iter()
            .filter(|key| !shared.contains(key))
            .map(String::as_str);
        let files = objects
            .files
            .iter()
            .filter_map(|uri| self.storage.key_of(uri));
        let failed = |error: media::StoreError| {
            StoreError::Messaging(format!("an object of {item_id} cannot be removed: {error}"))
        };
        for key in contents.chain(files) {
            self.storage.delete(key).await.map_err(failed)?;
        }
        // What no event speaks of: a text that was refused, the outcome of a run that came too late.
        let rest = self.storage.remove_contents(item_id);
        rest.await.map_err(failed)?;
        Ok(())
    }
}

/// A refusal is an answer; only a store that fails or a stream that keeps changing is worth another
/// try.
fn answered<T, E: std::error::Error>(
    id: Uuid,
    outcome: Result<T, DispatchError<E>>,
) -> Result<(), StoreError> {
    match outcome {
        Err(DispatchError::Store(error)) => Err(error),
        Err(DispatchError::Conflict) => Err(busy(id)),
        Err(refusal) => {
            tracing::debug!(%id, %refusal, "{id} did not follow its owner's erasure: {refusal}");
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}

/// What an item has in the object store. Folded from its own stream; it takes no commands.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Objects {
    erased: bool,
    /// URIs of files, which are the item's alone.
    files: Vec<String>,
    /// Keys of content. What was kept before each item had a place of its own, other items may share.
    contents: Vec<String>,
}

impl Objects {
    fn file(&mut self, file: StoredFile) {
        self.files.push(file.uri);
    }

    fn contents(&mut self, refs: impl IntoIterator<Item = Option<ContentRef>>) {
        self.contents
            .extend(refs.into_iter().flatten().map(|content| content.key));
    }
}

impl Aggregate for Objects {
    const TYPE: &'static str = Submission::TYPE;
    type Command = NoCommand;
    type Event = SubmissionEvent;
    type Error = Infallible;
    type Services = ();

    async fn handle(
        &mut self,
        command: NoCommand,
        (): &(),
        _sink: &EventSink<Self>,
    ) -> Result<(), Infallible> {
        match command {}
    }

    fn apply(&mut self, event: SubmissionEvent) {
        match event {
            SubmissionEvent::DocumentUploaded { file, .. }
            | SubmissionEvent::VoiceSampleUploaded { file, .. } => self.file(file),
            SubmissionEvent::RawTextCreated { content_ref, .. }
            | SubmissionEvent::SubmissionEdited { content_ref, .. } => self.contents([content_ref]),
            SubmissionEvent::ProcessingSucceeded {
                text_ref,
                result_ref,
                ..
            } => self.contents([text_ref, result_ref]),
            SubmissionEvent::AudioMeasured { waveform, .. } => self.contents([Some(waveform)]),
            SubmissionEvent::SubmissionErased {} => self.erased = true,
            _ => {}
        }
    }
}
