//! What follows from the erasure of a person: drafts go with their objects, memberships end.

use crate::house::{House, context};
use domain::{
    Personal, ProjectMembership, Submission, User,
    project_membership::Project,
    submission::{Description, SubmissionCommand, Text},
    user::UserCommand,
};
use event_store::{Also, Erase};
use processors::Part;
use uuid::Uuid;

const TEXT: &str = "a long text of which two people have a copy";

impl House {
    pub async fn erase(&self, person: Uuid) {
        let also = Also {
            erase: Some(Erase::Person(person)),
            ..Also::default()
        };
        let context = context(person);
        let erased = self
            .store
            .execute_with::<User>(person, UserCommand::Erase, &context, also);
        erased.await.expect("an erasure");
    }

    pub async fn as_owner(&self, id: Uuid, owner: Uuid, command: SubmissionCommand) {
        let context = context(owner);
        let done = self.store.execute::<Submission>(id, command, &context);
        done.await.expect("an item command");
    }

    /// An upload of somebody's, with its object's key.
    async fn upload_of(&self, owner: Uuid) -> (Uuid, String) {
        let item_id = self.ids.next();
        let mut file = self.lost_file();
        file.key = format!("uploads/{item_id}.pdf");
        file.uri = self.storage.uri(&file.key);
        let put = self.storage.put_bytes("%PDF-1.4".into(), &file.key);
        put.await.expect("stored");
        let key = file.key.clone();
        let command = SubmissionCommand::UploadDocument {
            item_id,
            project_id: Uuid::nil(),
            uploaded_by_id: owner,
            original_filename: "mine.pdf".into(),
            file,
            pages: None,
            is_raw: true,
            description: Description::default(),
            run_id: self.ids.next(),
        };
        self.as_owner(item_id, owner, command).await;
        (item_id, key)
    }

    /// A text in the store where items kept theirs together once, under its digest.
    async fn long_text_of(&self, owner: Uuid, text: &'static str) -> (Uuid, String) {
        let mut stored = media::ContentRef::of("", text.as_bytes());
        stored.key = format!("content/{}/{}", &stored.sha256[..2], stored.sha256);
        let put = self.storage.put_bytes(text.into(), &stored.key);
        put.await.expect("stored");
        self.text_kept_at(owner, self.ids.next(), stored).await
    }

    /// A text in the store, in the place of its item.
    async fn own_text_of(&self, owner: Uuid, text: &'static str) -> (Uuid, String) {
        let item_id = self.ids.next();
        let put = self.storage.put_content(item_id, text.into());
        let stored = put.await.expect("stored");
        self.text_kept_at(owner, item_id, stored).await
    }

    async fn text_kept_at(
        &self,
        owner: Uuid,
        item_id: Uuid,
        stored: media::ContentRef,
    ) -> (Uuid, String) {
        let content = domain::submission::ContentRef {
            key: stored.key.clone(),
            sha256: stored.sha256,
            size_bytes: stored.size_bytes,
        };
        let command = SubmissionCommand::CreateRawText {
            item_id,
            project_id: Uuid::nil(),
            created_by_id: owner,
            title: "A title".into(),
            content: Text::Stored(content),
            description: Description::default(),
        };
        self.as_owner(item_id, owner, command).await;
        (item_id, stored.key)
    }

    pub async fn is_erased(&self, item: Uuid) -> bool {
        let loaded = self.store.load::<Submission>(item).await.expect("loaded");
        let item = loaded.aggregate.item_even_deleted();
        item.expect("an item").erased
    }

    pub async fn has(&self, key: &str) -> bool {
        self.storage.exists(key).await.expect("asked")
    }

    async fn members_of(&self, project: Uuid) -> Project {
        let loaded = self.store.load::<ProjectMembership>(project).await;
        let aggregate = loaded.expect("loaded").aggregate;
        aggregate.project().expect("a project").clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_go_with_their_objects_and_what_was_handed_in_stays() {
    let house = House::new().await;
    let running = house.run(&[Part::Policies]);
    let person = house.register("amina@example.org").await;
    let other = house.register("badr@example.org").await;
    let (draft, draft_file) = house.upload_of(person).await;
    let (kept, kept_file) = house.upload_of(person).await;
    house
        .as_owner(kept, person, SubmissionCommand::Submit)
        .await;
    house
        .as_owner(kept, person, SubmissionCommand::Submit)
        .await;
    let (shared, shared_text) = house.long_text_of(person, TEXT).await;
    let (alone, own_text) = house.long_text_of(person, "of which nobody has").await;
    let (theirs, _) = house.long_text_of(other, TEXT).await;
    let (others_draft, others_file) = house.upload_of(other).await;

    house.erase(person).await;
    house.caught_up("erasures").await;
    for item in [draft, shared, alone] {
        assert!(house.is_erased(item).await);
    }
    for item in [kept, theirs, others_draft] {
        assert!(!house.is_erased(item).await);
    }
    assert!(!house.has(&draft_file).await);
    assert!(!house.has(&own_text).await);
    for key in [kept_file, shared_text, others_file] {
        assert!(house.has(&key).await, "{key}");
    }
    let log = house.whole_log().await;
    let title = |event: &event_store::RecordedEvent| {
        let text = event.payload["RawTextCreated"]["title"].clone();
        serde_json::from_value::<Personal<String>>(text).ok()
    };
    let readable = |id: Uuid| {
        let mut events = log.iter().filter(|event| event.aggregate_id == id);
        let created = events.find_map(title).expect("its first event");
        created.into_value()
    };
    assert_eq!(readable(alone), None);
    assert_eq!(readable(theirs).as_deref(), Some("A title"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_text_of_another_person_is_another_object_whenever_it_comes() {
    let house = House::new().await;
    let running = house.run(&[Part::Policies]);
    let person = house.register("amina@example.org").await;
    let other = house.register("badr@example.org").await;
    let (mine, my_text) = house.own_text_of(person, TEXT).await;
    // A text of hers that was refused: no event speaks of it.
    let refused = house.storage.put_content(mine, "refused".into()).await;
    let refused = refused.expect("stored").key;
    // Theirs is in the store, and their item will be there in a moment.
    let (item_id, bytes) = (house.ids.next(), TEXT.into());
    let stored = house.storage.put_content(item_id, bytes).await;
    let stored = stored.expect("stored");
    house.erase(person).await;
    house.caught_up("erasures").await;
    let (theirs, their_text) = house.text_kept_at(other, item_id, stored).await;
    assert!(house.is_erased(mine).await && !house.is_erased(theirs).await);
    assert_ne!(my_text, their_text);
    assert!(!house.has(&my_text).await && !house.has(&refused).await);
    assert!(house.has(&their_text).await);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memberships_end_even_that_of_the_last_admin() {
    let house = House::new().await;
    let running = house.run(&[Part::Policies]);
    let person = house.register("amina@example.org").await;
    let project = house.ids.next();
    let create = domain::project_membership::ProjectCommand::Create {
        name: "Letters".into(),
        description: None,
        created_by_id: person,
        membership_id: house.ids.next(),
    };
    let context = context(person);
    let made = house
        .store
        .execute::<ProjectMembership>(project, create, &context);
    made.await.expect("a project");
    assert!(
        house
            .members_of(project)
            .await
            .members
            .contains_key(&person)
    );
    house.erase(person).await;
    house.caught_up("erasures").await;
    assert!(house.members_of(project).await.members.is_empty());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_ends_after_the_erasure_is_erased_too() {
    let house = House::new().await;
    let running = house.run(&[Part::Policies]);
    let person = house.register("amina@example.org").await;
    house.erase(person).await;
    house.caught_up("erasures").await;
    let (late, file) = house.upload_of(person).await;
    house.caught_up("erasures").await;
    assert!(house.is_erased(late).await);
    assert!(!house.has(&file).await);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_that_wait_for_an_erased_person_are_not_sent() {
    let house = House::new().await;
    let person = house.register("amina@example.org").await;
    house.erase(person).await;
    let running = house.run(&[Part::Intake, Part::Work(processors::jobs::Kind::Email)]);
    house.caught_up("jobs").await;
    let waiting = "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')";
    crate::house::until("no mail waits", async || {
        let left: i64 = sqlx::query_scalar(waiting)
            .fetch_one(&house.database.pool)
            .await
            .expect("a count");
        left == 0
    })
    .await;
    running.stop().await;
    let mails = std::fs::read_dir(house.mail_directory()).map_or(0, Iterator::count);
    assert_eq!(mails, 0);
}
