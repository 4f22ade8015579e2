//! After an erasure the tables are what a rebuild from the events would make of them, and nothing of
//! the person is anywhere in the database.

use crate::story::rows;
use domain::{
    GlobalRole, ItemType, Personal, ProjectMembership, ProjectRole, Review, Submission, User,
    project_membership::ProjectCommand,
    review::{Decision, Pending, ReviewCommand, Verdict},
    submission::{
        Description, Edit, FreeJson, ProcessingOutcome, RoundOutcome, StoredFile,
        SubmissionCommand, Text,
    },
    user::UserCommand,
};
use event_store::{
    Also, Context, Erase, EventStore, Log, RecordedEvent, StoreSettings, Vault, notify::Heads,
    relay,
};
use projectors::rebuild::{
    Attempt, NAMES, Outcome, RebuildSettings, discard_outlived, rebuild_named, verify_named,
};
use projectors::{
    Access, Analytics, History, Projector, ReviewQueue, Search, Submissions, catch_up, checkpoint,
};
use runtime::ids::Ids;
use serde_json::Value;
use sqlx::{Connection, PgConnection, PgPool, postgres::PgConnectOptions};
use std::time::Duration;
use test_kit::{TestDatabase, TestNats};
use time::OffsetDateTime;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

/// What read models there are; analytics' sums hold no words.
const TABLES: [&str; 15] = [
    "users",
    "projects",
    "project_members",
    "project_invitations",
    "submissions",
    "results",
    "erasures",
    "review_queue",
    "review_rounds",
    "review_comments",
    "review_reversals",
    "history",
    "history_values",
    "search",
    "search_lexicon",
];
/// Stands in all that was said or given by or to the person, and nowhere else.
const MARK: &str = "zaynab";
/// From where the person came.
const PLACE: &str = "203.0.113.77";

/// What somebody says about an item, in each of the ways in which they can.
fn said(words: &str) -> Description {
    Description {
        domain: Some(words.into()),
        language: Some("en".into()),
        tags: vec![words.into(), format!("{words} again")],
        extra_metadata: Some(FreeJson {
            json: serde_json::json!({ words: { "deeper": [words] } }),
        }),
    }
}

/// Deeds that follow from a number, so that a failure can be looked at again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

struct Item {
    id: Uuid,
    owner: Uuid,
    kind: ItemType,
    rounds: u32,
    open: bool,
}

struct World {
    database: TestDatabase,
    _nats: TestNats,
    store: EventStore,
    log: Log,
    ids: Ids,
    search: Search,
    _directory: tempfile::TempDir,
    _relay: DropGuard,
    dice: Dice,
    project: Uuid,
    people: Vec<Uuid>,
    items: Vec<Item>,
    said: u32,
}

impl World {
    async fn new(seed: u64) -> Self {
        let database = test_kit::postgres().await;
        let nats = test_kit::nats().await;
        let client = async_nats::connect(&nats.url).await.expect("a NATS client");
        let heads = Heads::start(client.clone());
        let vault = Vault::new(database.pool.clone(), [7; 32]);
        let ids = Ids::system();
        let settings = StoreSettings {
            ids: ids.clone(),
            address_key: [9; 32],
            position_timeout: Duration::from_secs(5),
            applied_timeout: Duration::from_secs(5),
        };
        let shutdown = CancellationToken::new();
        tokio::spawn(relay::run(
            relay::RelaySettings {
                pool: database.another_pool(4).await.expect("a pool"),
                nats: client,
                heads: heads.clone(),
                batch_size: 500,
                replicas: None,
            },
            shutdown.clone(),
        ));
        let (search, directory) = crate::search::search();
        let pool = database.pool.clone();
        let mut world = Self {
            store: EventStore::new(pool.clone(), vault.clone(), heads, settings),
            log: Log::new(pool, vault),
            project: ids.next(),
            ids,
            search,
            _directory: directory,
            _relay: shutdown.drop_guard(),
            database,
            _nats: nats,
            dice: Dice(seed),
            people: vec![],
            items: vec![],
            said: 0,
        };
        for name in [MARK, "badr", "carim"] {
            world.register(name).await;
        }
        world.gather().await;
        world
    }

    fn context(&self, actor: Uuid) -> Context {
        let theirs = self.people.first() == Some(&actor);
        Context {
            actor_user_id: Some(actor),
            request_id: "request-1".into(),
            correlation_id: "request-1".into(),
            ip_address: Some(if theirs { PLACE } else { "198.51.100.1" }.into()),
            user_agent: Some(if theirs { "zaynab's phone" } else { "curl" }.into()),
            ..Context::default()
        }
    }

    async fn register(&mut self, name: &str) {
        let id = self.ids.next();
        self.people.push(id);
        let email = format!("{name}@example.org");
        let command = UserCommand::Register {
            user_id: id,
            email: email.clone(),
            name: Some(name.into()),
            global_role: GlobalRole::User,
            is_verified: true,
            verification_expires_at: None,
        };
        let also = Also {
            claim_email: Some((email, id)),
            ..Also::default()
        };
        let context = self.context(id);
        let done = self.store.execute_with::<User>(id, command, &context, also);
        done.await.expect("a registration");
    }

    /// A project of the second person, to which the first and somebody else are invited.
    async fn gather(&mut self) {
        let (maker, project) = (self.people[1], self.project);
        let create = ProjectCommand::Create {
            name: "Letters".into(),
            description: None,
            created_by_id: maker,
            membership_id: self.ids.next(),
        };
        self.membership(create, Also::default()).await;
        for email in [
            "zaynab@example.org",
            "dalal@example.org",
            "Zaynab@Example.org",
        ] {
            let invitation_id = self.ids.next();
            let invite = ProjectCommand::Invite {
                invitation_id,
                email: email.into(),
                invitee_id: None,
                role: ProjectRole::Reviewer,
                invited_by_id: maker,
                expires_at: OffsetDateTime::UNIX_EPOCH,
            };
            let also = Also {
                address_subject: Some((email.into(), invitation_id)),
                ..Also::default()
            };
            self.membership(invite, also).await;
        }
        assert!(!project.is_nil());
    }

    async fn membership(&self, command: ProjectCommand, also: Also) {
        let context = self.context(self.people[1]);
        let done =
            self.store
                .execute_with::<ProjectMembership>(self.project, command, &context, also);
        done.await.expect("a project command");
    }

    async fn item(&self, id: Uuid, actor: Uuid, command: SubmissionCommand) {
        let context = self.context(actor);
        let done = self.store.execute::<Submission>(id, command, &context);
        done.await.expect("an item command");
    }

    async fn review(&self, id: Uuid, actor: Uuid, command: ReviewCommand) {
        let context = self.context(actor);
        let done = self.store.execute::<Review>(id, command, &context);
        done.await.expect("a review command");
    }

    /// Words that name the first person if they have a part in them.
    fn words(&mut self, parts: &[Uuid]) -> String {
        self.said += 1;
        let whose = if parts.contains(&self.people[0]) {
            MARK
        } else {
            "others"
        };
        // Twice the same words now and then, by different people.
        format!("{whose} said{}", self.said % 5)
    }

    async fn new_item(&mut self) {
        let (id, owner) = (self.ids.next(), self.someone());
        // The title and text of what is handed in stay; so they never name anybody.
        let kinds = [ItemType::Document, ItemType::VoiceSample, ItemType::RawText];
        let kind = kinds[self.dice.roll(3) as usize];
        let name = format!("{}.pdf", self.words(&[owner]));
        let run_id = self.ids.next();
        let file = StoredFile {
            key: format!("uploads/{id}"),
            uri: format!("local://uploads/{id}"),
            sha256: "ab".repeat(32),
            size_bytes: 7,
            media_type: "application/pdf".into(),
        };
        let (project_id, description) = (self.project, said("others"));
        let command = match kind {
            ItemType::Document => SubmissionCommand::UploadDocument {
                item_id: id,
                project_id,
                uploaded_by_id: owner,
                original_filename: name,
                file,
                pages: None,
                is_raw: false,
                description,
                run_id,
            },
            ItemType::VoiceSample => SubmissionCommand::UploadVoiceSample {
                item_id: id,
                project_id,
                uploaded_by_id: owner,
                original_filename: name,
                file,
                duration_seconds: None,
                description,
                run_id,
            },
            ItemType::RawText => SubmissionCommand::CreateRawText {
                item_id: id,
                project_id,
                created_by_id: owner,
                title: "A title".into(),
                content: Text::Inline(Personal::new(id, "a draft".into())),
                description,
            },
        };
        self.item(id, owner, command).await;
        if kind == ItemType::Document {
            self.recognised(id, run_id).await;
        }
        self.items.push(Item {
            id,
            owner,
            kind,
            rounds: 0,
            open: false,
        });
    }

    /// A text of the first person's that is never handed in.
    async fn diary(&self) -> Uuid {
        let (id, owner) = (self.ids.next(), self.people[0]);
        let command = SubmissionCommand::CreateRawText {
            item_id: id,
            project_id: self.project,
            created_by_id: owner,
            title: "zaynab's diary".into(),
            content: Text::Inline(Personal::new(id, "zaynab met badr".into())),
            description: said("zaynab's letters"),
        };
        self.item(id, owner, command).await;
        let again = Edit {
            tags: Some(vec!["zaynab's rain".into()]),
            ..Edit::default()
        };
        self.item(id, owner, SubmissionCommand::Edit(again)).await;
        id
    }

    async fn recognised(&self, id: Uuid, run_id: Uuid) {
        let outcome = ProcessingOutcome::Succeeded {
            attempt: 1,
            engine: "tesseract".into(),
            engine_version: "5".into(),
            language: None,
            confidence: None,
            duration_seconds: None,
            started_at: OffsetDateTime::UNIX_EPOCH,
            parameters: None,
            text: Text::Inline(Personal::new(id, "recognised".into())),
            result: None,
            result_ref: None,
        };
        let command = SubmissionCommand::RecordProcessing { run_id, outcome };
        let context = Context::default();
        let done = self.store.execute::<Submission>(id, command, &context);
        done.await.expect("an outcome");
    }

    fn someone(&mut self) -> Uuid {
        self.people[self.dice.roll(3) as usize]
    }

    /// One step with one item.
    async fn step(&mut self) {
        let index = self.dice.roll(self.items.len() as u64) as usize;
        let reviewer = self.someone();
        let decision = self.dice.roll(4);
        let item = &self.items[index];
        let (id, owner, round) = (item.id, item.owner, item.rounds);
        if !item.open {
            self.item(id, owner, SubmissionCommand::Submit).await;
            self.items[index].rounds += 1;
            self.items[index].open = true;
            return;
        }
        let pending = Some(Pending {
            round,
            reopened: 0,
            project_id: self.project,
            item_type: item.kind,
            submitter_id: owner,
        });
        let text = self.words(&[owner, reviewer]);
        if decision == 3 {
            let comment = ReviewCommand::Comment {
                pending,
                comment_id: self.ids.next(),
                author_id: reviewer,
                text,
            };
            return self.review(id, reviewer, comment).await;
        }
        let decision =
            [Decision::Reject, Decision::RequestChanges, Decision::Reject][decision as usize];
        let decide = ReviewCommand::Decide {
            pending,
            reviewer_id: reviewer,
            decision,
            feedback: Some(text.clone()),
            allow_self_review: true,
            now: OffsetDateTime::UNIX_EPOCH,
        };
        self.review(id, reviewer, decide).await;
        let feedback = Some(Personal::new(
            domain::personal::between(owner, reviewer),
            text,
        ));
        let verdict = Verdict {
            decision,
            reviewer_id: reviewer,
            feedback,
        };
        let outcome = SubmissionCommand::RecordOutcome {
            round,
            reopened: 0,
            outcome: RoundOutcome::Decided(verdict),
        };
        let context = Context::default();
        let follow = self.store.execute::<Submission>(id, outcome, &context);
        follow.await.expect("the item follows");
        if decision == Decision::Reject {
            let edit = SubmissionCommand::Edit(Edit::default());
            self.item(id, owner, edit).await;
        }
        self.items[index].open = false;
    }

    async fn erase(&self, diary: Uuid) {
        let person = self.people[0];
        let context = self.context(person);
        let also = Also {
            erase: Some(Erase::Person(person)),
            ..Also::default()
        };
        let done = self
            .store
            .execute_with::<User>(person, UserCommand::Erase, &context, also);
        done.await.expect("an erasure");
        let theirs = self.items.iter().filter(|item| item.owner == person);
        for id in theirs.map(|item| item.id).chain([diary]) {
            let also = Also {
                erase: Some(Erase::Item(id)),
                ..Also::default()
            };
            let command = SubmissionCommand::Erase;
            let context = Context::default();
            let done = self
                .store
                .execute_with::<Submission>(id, command, &context, also);
            done.await.expect("an erased draft");
        }
    }

    async fn events_after(&self, position: i64) -> Vec<RecordedEvent> {
        let pool = &self.database.pool;
        let committed: i64 = sqlx::query_scalar("SELECT count(*) FROM events")
            .fetch_one(pool)
            .await
            .expect("a count");
        while self.log.head().await.expect("a head") < committed {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.log.read(position, i64::MAX).await.expect("the log")
    }

    async fn apply(&self, events: &[RecordedEvent], batch: usize) {
        let history = History {
            log: self.log.clone(),
        };
        applied(&Access, &self.database.pool, events, batch).await;
        applied(&Submissions, &self.database.pool, events, batch).await;
        applied(&ReviewQueue, &self.database.pool, events, batch).await;
        applied(&Analytics, &self.database.pool, events, batch).await;
        applied(&history, &self.database.pool, events, batch).await;
        applied(&self.search, &self.database.pool, events, batch).await;
    }

    /// As the projectors' own role, with a vault that has no key in memory.
    async fn rebuild_settings(&self) -> RebuildSettings {
        let pool = self.database.another_pool(4).await.expect("a pool");
        let connect: PgConnectOptions = self.database.url.parse().expect("a URL");
        RebuildSettings {
            connect: connect.options([("role", "alta_projectors")]),
            log: Log::new(pool.clone(), Vault::new(pool, [7; 32])),
            storage: self.search.storage.clone(),
        }
    }

    async fn tables(&self) -> Vec<(&'static str, Vec<Value>)> {
        let mut tables = vec![];
        for table in TABLES {
            tables.push((table, rows(&self.database.pool, table).await));
        }
        tables
    }
}

async fn applied<P: Projector>(
    projector: &P,
    pool: &PgPool,
    events: &[RecordedEvent],
    batch: usize,
) {
    let mut connection = pool.acquire().await.expect("a connection");
    let mut position = checkpoint::<P>(&mut connection)
        .await
        .expect("a checkpoint")
        .position;
    for events in events.chunks(batch) {
        position = catch_up(projector, &mut connection, position, events)
            .await
            .expect("a batch applies");
    }
}

/// Every row of every table of the database, as text.
async fn everywhere(pool: &PgPool) -> Vec<(String, String)> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables
         WHERE table_type = 'BASE TABLE'
           AND table_schema NOT IN ('pg_catalog', 'information_schema')",
    )
    .fetch_all(pool)
    .await
    .expect("the tables");
    assert!(tables.len() > 30, "{tables:?}");
    let mut found = vec![];
    for table in tables {
        let rows: Vec<String> = sqlx::query_scalar(&format!("SELECT t::text FROM {table} t"))
            .fetch_all(pool)
            .await
            .expect("rows");
        found.extend(rows.into_iter().map(|row| (table.clone(), row)));
    }
    found
}

/// The marks as they stand in text, in bytes shown as hex, and in base64 at each of its three shifts.
fn forms(word: &str) -> Vec<String> {
    use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
    let hex = media::store::hex(word.as_bytes());
    let shifted = (0..3).map(|shift| {
        let padded = [vec![0; shift], word.as_bytes().to_vec()].concat();
        let coded = STANDARD_NO_PAD.encode(padded);
        // What depends on the neighbours at both ends is left out.
        let (from, to) = ([0, 2, 3][shift], coded.len() - 2);
        coded[from..to].to_owned()
    });
    [word.to_owned(), hex].into_iter().chain(shifted).collect()
}

async fn where_named(pool: &PgPool) -> Vec<(String, String)> {
    let marks: Vec<String> = [MARK, PLACE].iter().flat_map(|mark| forms(mark)).collect();
    let mut rows = everywhere(pool).await;
    rows.retain(|(_, row)| {
        let row = row.to_lowercase();
        marks.iter().any(|mark| row.contains(&mark.to_lowercase()))
    });
    rows
}

async fn erased_story(seed: u64) {
    let mut world = World::new(seed).await;
    for _ in 0..14 {
        world.new_item().await;
    }
    for _ in 0..50 {
        world.step().await;
    }
    let diary = world.diary().await;
    let before = world.events_after(0).await;
    world.apply(&before, 7).await;
    assert!(
        where_named(&world.database.pool).await.len() > 10,
        "the story leaves no traces to remove"
    );

    world.erase(diary).await;
    let after = world.events_after(before.len() as i64).await;
    world.apply(&after, 3).await;
    let live = world.tables().await;
    assert_eq!(where_named(&world.database.pool).await, [], "seed {seed}");

    let settings = world.rebuild_settings().await;
    let attempt = Attempt::of_service(CancellationToken::new());
    for name in NAMES {
        let verified = verify_named(name, &settings, &attempt).await;
        let drift = verified.expect("compared").drift;
        assert!(drift.is_empty(), "{name}, seed {seed}: {drift:?}");
        let made = rebuild_named(name, &settings, &attempt).await;
        made.unwrap_or_else(|error| panic!("{name}, seed {seed}: {error}"));
    }
    for ((table, live), (_, rebuilt)) in live.into_iter().zip(world.tables().await) {
        assert_eq!(live, rebuilt, "{table}, seed {seed}");
    }
    let others = everywhere(&world.database.pool).await;
    let kept = others
        .iter()
        .any(|(table, row)| table == "public.review_rounds" && row.contains("others said"));
    assert!(kept, "what others said to each other stays");
}

/// Fills a copy and interrupts it before it takes the live one's place, which somebody reads.
pub async fn left_half_done(pool: &PgPool, name: &str, table: &str, settings: &RebuildSettings) {
    let mut reading = pool.begin().await.expect("a transaction");
    sqlx::query(&format!("SELECT count(*) FROM {table}"))
        .execute(&mut *reading)
        .await
        .expect("read");
    let attempt = Attempt {
        by_operator: true,
        ..Attempt::of_service(CancellationToken::new())
    };
    let mut progress = attempt.progress.subscribe();
    let filled = async {
        let filled = progress.wait_for(|at| at.target > 0 && at.position == at.target);
        filled.await.expect("it is filled");
        attempt.shutdown.cancel();
    };
    let (outcome, ()) = tokio::join!(rebuild_named(name, settings, &attempt), filled);
    assert!(
        matches!(outcome, Ok(Outcome::Interrupted(_))),
        "{name}: {outcome:?}"
    );
}

async fn copies(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'rebuild%' ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .expect("the copies")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_stands_still_is_thrown_away_once_it_holds_what_was_erased() {
    let mut world = World::new(4).await;
    world.new_item().await;
    let diary = world.diary().await;
    let before = world.events_after(0).await;
    world.apply(&before, 7).await;
    let (pool, settings) = (world.database.pool.clone(), world.rebuild_settings().await);
    left_half_done(&pool, Submissions::NAME, "submissions", &settings).await;
    let connect = settings.connect.clone();
    let mut connection = PgConnection::connect_with(&connect)
        .await
        .expect("connected");
    let discarded = discard_outlived(&mut connection, &settings).await;
    assert_eq!(
        discarded.expect("looked through"),
        [""; 0],
        "nobody is erased"
    );

    world.erase(diary).await;
    let after = world.events_after(before.len() as i64).await;
    world.apply(&after, 3).await;
    left_half_done(&pool, History::NAME, "history", &settings).await;
    assert_eq!(
        copies(&pool).await,
        ["rebuild_history", "rebuild_submissions"]
    );
    assert!(
        !where_named(&pool).await.is_empty(),
        "the copy holds her words"
    );
    let discarded = discard_outlived(&mut connection, &settings).await;
    assert_eq!(discarded.expect("looked through"), ["submissions"]);
    assert_eq!(
        copies(&pool).await,
        ["rebuild_history"],
        "which saw the erasure"
    );
    assert_eq!(where_named(&pool).await, []);
    let attempt = Attempt::of_service(CancellationToken::new());
    let rebuilt = rebuild_named(Submissions::NAME, &settings, &attempt).await;
    assert!(matches!(rebuilt, Ok(Outcome::Swapped(_))), "{rebuilt:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_waits_to_be_taken_up_is_not_waited_for_for_long() {
    let mut world = World::new(5).await;
    world.new_item().await;
    let diary = world.diary().await;
    let before = world.events_after(0).await;
    world.apply(&before, 7).await;
    let (pool, settings) = (world.database.pool.clone(), world.rebuild_settings().await);
    for (name, table, state) in [
        (Submissions::NAME, "submissions", "requested"),
        (History::NAME, "history", "filling"),
    ] {
        left_half_done(&pool, name, table, &settings).await;
        // Asked for again, or as a process leaves it that dies.
        sqlx::query("UPDATE projection_rebuilds SET state = $2 WHERE name = $1")
            .bind(name)
            .bind(state)
            .execute(&pool)
            .await
            .expect("a row");
    }
    world.erase(diary).await;
    let after = world.events_after(before.len() as i64).await;
    world.apply(&after, 3).await;
    let mut connection = PgConnection::connect_with(&settings.connect)
        .await
        .expect("connected");
    let discarded = discard_outlived(&mut connection, &settings).await;
    assert_eq!(discarded.expect("looked through"), [""; 0], "a restart");
    sqlx::query("UPDATE projection_rebuilds SET moved_at = moved_at - interval '61 seconds'")
        .execute(&pool)
        .await
        .expect("a minute later");
    // Who fills one at this moment comes to the erasure.
    let filling = event_store::try_lead(&settings.connect, "rebuild_history").await;
    let filling = filling.expect("locked");
    assert!(filling.is_some());
    let discarded = discard_outlived(&mut connection, &settings).await;
    assert_eq!(discarded.expect("looked through"), ["submissions"]);
    drop(filling);
    assert_eq!(copies(&pool).await, ["rebuild_history"]);
    let mut discarded = vec![];
    while discarded.is_empty() {
        let looked = discard_outlived(&mut connection, &settings).await;
        discarded = looked.expect("looked through");
    }
    assert_eq!(discarded, ["history"]);
    assert_eq!(copies(&pool).await, [""; 0]);
    assert_eq!(where_named(&pool).await, []);
    let attempt = Attempt::of_service(CancellationToken::new());
    for name in [Submissions::NAME, History::NAME] {
        let rebuilt = rebuild_named(name, &settings, &attempt).await;
        assert!(matches!(rebuilt, Ok(Outcome::Swapped(_))), "{rebuilt:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_erased_person_is_left_and_a_rebuild_makes_the_same_rows() {
    for seed in [1, 2, 3] {
        erased_story(seed).await;
    }
}
