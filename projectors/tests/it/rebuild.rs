//! Projections made anew beside the live ones, while those are written and read.

use crate::{
    everything::everything,
    random::{self, Random},
    search::search,
    story::{OWNER, Story, rows},
};
use event_store::{Log, Vault};
use projectors::{
    Access, Analytics, History, Projector, ReviewQueue, Search, Submissions, catch_up, checkpoint,
    rebuild::{
        Attempt, NAMES, Outcome, Progress, RebuildError, RebuildSettings, Verified, discard,
        rebuild, rebuild_named, verify_named,
    },
};
use serde_json::{Value, json};
use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use test_kit::TestDatabase;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

async fn soon<T>(what: impl Future<Output = T>) -> T {
    let limit = Duration::from_mins(1);
    tokio::time::timeout(limit, what).await.expect("in time")
}

struct House {
    database: TestDatabase,
    settings: RebuildSettings,
    search: Search,
    _directory: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        let database = test_kit::postgres().await;
        let (search, directory) = search();
        let pool = database.another_pool(8).await.expect("a pool");
        let settings = RebuildSettings {
            connect: as_role(&database, "alta_projectors"),
            log: Log::new(pool.clone(), Vault::new(pool, [7; 32])),
            storage: search.storage.clone(),
        };
        Self {
            database,
            settings,
            search,
            _directory: directory,
        }
    }

    /// With that story in its log, and in its live tables as far as `projected` says.
    async fn with(story: &Story) -> Self {
        let house = Self::new().await;
        story
            .recorded(&house.database.pool, 0..story.events.len())
            .await;
        house
    }

    async fn all_applied(&self, story: &Story) {
        let pool = &self.database.pool;
        story.applied(&Access, pool, 500).await;
        story.applied(&Submissions, pool, 500).await;
        story.applied(&ReviewQueue, pool, 500).await;
        story.applied(&Analytics, pool, 500).await;
        let history = History {
            log: self.settings.log.clone(),
        };
        story.applied(&history, pool, 500).await;
        story.applied(&self.search, pool, 500).await;
    }

    async fn rebuilt(&self, name: &str) -> Result<Outcome, RebuildError> {
        let attempt = Attempt::of_service(CancellationToken::new());
        rebuild_named(name, &self.settings, &attempt).await
    }

    async fn verified(&self, name: &str) -> Verified {
        let attempt = Attempt::of_service(CancellationToken::new());
        verify_named(name, &self.settings, &attempt)
            .await
            .expect("compared")
    }

    async fn request(&self, name: &str) -> (String, i64, i64) {
        sqlx::query_as("SELECT state, position, target FROM projection_rebuilds WHERE name = $1")
            .bind(name)
            .fetch_one(&self.database.pool)
            .await
            .expect("a row")
    }
}

fn as_role(database: &TestDatabase, role: &str) -> PgConnectOptions {
    let connect: PgConnectOptions = database.url.parse().expect("a URL");
    connect.options([("role", role)])
}

async fn tables_of(pool: &PgPool, tables: &[&'static str]) -> Vec<(&'static str, Vec<Value>)> {
    let mut all = vec![];
    for &table in tables {
        all.push((table, rows(pool, table).await));
    }
    all
}

fn all_tables() -> Vec<&'static str> {
    let tables: [&[&str]; 6] = [
        Access::TABLES,
        Analytics::TABLES,
        History::TABLES,
        ReviewQueue::TABLES,
        Search::TABLES,
        Submissions::TABLES,
    ];
    tables.concat()
}

/// Everything about the tables that a rebuild must leave as it was: rights, indexes, constraints,
/// settings, owners.
async fn make(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT concat_ws(' ', c.relname, c.relowner, c.reloptions,
                    (SELECT string_agg(g::text, ',' ORDER BY g::text) FROM aclexplode(c.relacl) g
                     WHERE g.grantee <> c.relowner),
                    (SELECT string_agg(indexdef, ';' ORDER BY indexdef) FROM pg_indexes
                     WHERE schemaname = 'public' AND tablename = c.relname),
                    (SELECT string_agg(conname || pg_get_constraintdef(oid), ';' ORDER BY conname)
                     FROM pg_constraint WHERE conrelid = c.oid),
                    (SELECT string_agg(concat_ws(' ', attname, attnotnull, attstorage, attgenerated),
                                       ';' ORDER BY attnum)
                     FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped))
         FROM pg_class c JOIN projection_tables t ON t.table_name = c.relname
         WHERE c.relnamespace = 'public'::regnamespace ORDER BY c.relname",
    )
    .fetch_all(pool)
    .await
    .expect("the catalogue")
}

#[tokio::test]
async fn the_database_knows_the_tables_of_each_projection() {
    let pool = test_kit::postgres().await.pool;
    let listed: Vec<String> = sqlx::query_scalar(
        "SELECT table_name FROM projection_tables ORDER BY projection, table_name",
    )
    .fetch_all(&pool)
    .await
    .expect("a list");
    let mut known = vec![];
    let tables: [(&str, &[&str]); 6] = [
        (Access::NAME, Access::TABLES),
        (Analytics::NAME, Analytics::TABLES),
        (History::NAME, History::TABLES),
        (ReviewQueue::NAME, ReviewQueue::TABLES),
        (Search::NAME, Search::TABLES),
        (Submissions::NAME, Submissions::TABLES),
    ];
    assert_eq!(tables.map(|(name, _)| name), NAMES);
    for (_, tables) in tables {
        let mut tables = tables.to_vec();
        tables.sort_unstable();
        known.extend(tables);
    }
    assert_eq!(listed, known);
}

#[tokio::test]
async fn a_projection_made_anew_has_the_same_rows_rights_and_indexes() {
    let story = everything();
    let house = House::with(&story).await;
    house.all_applied(&story).await;
    let pool = &house.database.pool;
    sqlx::query("GRANT SELECT (item_id, round) ON review_queue TO alta_relay")
        .execute(pool)
        .await
        .expect("a right to two columns");
    let (before, made) = (tables_of(pool, &all_tables()).await, make(pool).await);
    let head = story.events.len() as i64;
    for name in NAMES {
        let outcome = house.rebuilt(name).await.expect(name);
        assert_eq!(outcome, Outcome::Swapped(head), "{name}");
        assert_eq!(house.request(name).await, ("done".into(), head, head));
        assert_eq!(house.verified(name).await.drift, []);
    }
    assert_eq!(tables_of(pool, &all_tables()).await, before);
    assert_eq!(make(pool).await, made);
    let reader = PgPool::connect_with(as_role(&house.database, "alta_query"))
        .await
        .expect("a reader");
    for table in all_tables()
        .into_iter()
        .filter(|table| *table != "history_values")
    {
        rows(&reader, table).await;
    }
    let mut relay = PgConnection::connect_with(&as_role(&house.database, "alta_relay"))
        .await
        .expect("a connection");
    let two = "SELECT item_id, round FROM review_queue";
    assert!(sqlx::query(two).fetch_all(&mut relay).await.is_ok());
    let another = "SELECT title FROM review_queue";
    assert!(sqlx::query(another).fetch_all(&mut relay).await.is_err());
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'rebuild%'")
            .fetch_one(pool)
            .await
            .expect("a count");
    assert_eq!(left, 0, "no copy is left");
}

/// Applies a story one by one, and holds what a fold makes of a log against it.
async fn folded_is_applied(told: &Story, read: &Story) {
    let house = House::with(read).await;
    let pool = &house.database.pool;
    told.applied(&ReviewQueue, pool, 500).await;
    let before = tables_of(pool, ReviewQueue::TABLES).await;
    for (table, rows) in &before {
        let column = match *table {
            "review_queue" => "title",
            "review_comments" => "text",
            _ => "feedback",
        };
        let (said, silent) = random::words(rows, column);
        assert!(
            rows.len() > 50 && said > 10 && silent > 10,
            "enough of everything, {table}: {said}, {silent}"
        );
    }
    house.rebuilt(ReviewQueue::NAME).await.expect("rebuilt");
    assert!(tables_of(pool, ReviewQueue::TABLES).await == before);
    assert_eq!(house.verified(ReviewQueue::NAME).await.drift, []);
}

#[tokio::test]
async fn the_queue_folded_at_once_is_the_queue_applied_one_by_one() {
    let story = random::story(1, 11_000);
    folded_is_applied(&story, &story).await;
}

#[tokio::test]
async fn the_queue_folded_after_erasures_is_the_queue_that_followed_them() {
    let (told, read) = random::with_keys(&random::story(2, 11_000));
    folded_is_applied(&told, &read).await;
}

/// What readers check: at every position so many items are known, and all of them stand there.
async fn read_until(pool: PgPool, known: Vec<i64>, stop: Arc<AtomicBool>) -> (usize, Duration) {
    let (mut reads, mut longest) = (0, Duration::ZERO);
    let mut last = 0;
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let (position, items, rounds): (i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT position FROM projection_checkpoints WHERE name = 'review_queue'),
                    (SELECT count(*) FROM review_queue),
                    (SELECT count(DISTINCT item_id) FROM review_rounds)",
        )
        .fetch_one(&pool)
        .await
        .expect("no read fails");
        assert_eq!(items, known[position as usize], "at position {position}");
        assert!(rounds <= items && position >= last, "nothing goes back");
        last = position;
        longest = longest.max(began.elapsed());
        reads += 1;
    }
    (reads, longest)
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_the_live_projector_go_on_while_it_is_made_anew() {
    const BEFORE: usize = 10_500;
    let story = Arc::new(random::story(3, 12_000));
    let house = House::new().await;
    let pool = house.database.pool.clone();
    story.recorded(&pool, 0..BEFORE).await;
    let mut known = vec![0];
    for event in &story.events {
        let new = i64::from(event.sequence == 1 && event.aggregate_type == "submission");
        known.push(known[known.len() - 1] + new);
    }
    let live = tokio::spawn(follow(house.settings.clone(), story.events.len() as i64));
    while rows(&pool, "projection_checkpoints").await.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let reader = PgPoolOptions::new()
                .max_connections(2)
                .connect_lazy_with(as_role(&house.database, "alta_query"));
            tokio::spawn(read_until(reader, known.clone(), stop.clone()))
        })
        .collect();
    let appended = {
        let (story, pool) = (story.clone(), pool.clone());
        tokio::spawn(async move {
            for begin in (BEFORE..story.events.len()).step_by(10) {
                story
                    .recorded(&pool, begin..story.events.len().min(begin + 10))
                    .await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    };
    let mut swaps = 0;
    while swaps < 3 || !appended.is_finished() || !live.is_finished() {
        let outcome = house.rebuilt(ReviewQueue::NAME).await.expect("rebuilt");
        assert!(matches!(outcome, Outcome::Swapped(_)));
        swaps += 1;
    }
    appended.await.expect("all appended");
    live.await.expect("all projected");
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        let (reads, longest) = reader.await.expect("no reader saw anything wrong");
        assert!(reads > 20, "{reads} reads");
        println!("{swaps} swaps, {reads} reads, the longest took {longest:?}");
    }
    assert_eq!(house.verified(ReviewQueue::NAME).await.drift, []);
}

/// A live projector as `run` has it: no error is expected, not even from a swap.
async fn follow(settings: RebuildSettings, until: i64) {
    let mut connection = PgConnection::connect_with(&settings.connect)
        .await
        .expect("a connection");
    let mut position = checkpoint::<ReviewQueue>(&mut connection)
        .await
        .expect("a checkpoint")
        .position;
    while position < until {
        let events = settings.log.read(position, 100).await.expect("events");
        position = catch_up(&ReviewQueue, &mut connection, position, &events)
            .await
            .expect("a batch applies");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_rebuild_goes_on_where_it_was() {
    let story = random::story(4, 7_000);
    let house = House::with(&story).await;
    let pool = &house.database.pool;
    story.applied(&Submissions, pool, 500).await;
    let before = tables_of(pool, Submissions::TABLES).await;
    let attempt = Attempt::of_service(CancellationToken::new());
    let mut progress = attempt.progress.subscribe();
    tokio::select! {
        ended = rebuild(&Submissions, &house.settings, &attempt) => panic!("too quick: {ended:?}"),
        _ = progress.wait_for(|progress| progress.position > 0) => {}
    }
    let (state, position, target) = house.request(Submissions::NAME).await;
    assert_eq!((state.as_str(), target), ("filling", 7_000));
    assert!(position > 0 && position < target, "{position}");
    assert!(
        tables_of(pool, Submissions::TABLES).await == before,
        "the live one is as it was"
    );

    let attempt = Attempt::of_service(CancellationToken::new());
    let outcome = loop {
        // The lock is gone when the server has noticed that its connection is.
        match rebuild(&Submissions, &house.settings, &attempt).await {
            Err(RebuildError::UnderWay(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
            outcome => break outcome,
        }
    };
    assert_eq!(outcome.expect("rebuilt"), Outcome::Swapped(7_000));
    assert!(
        attempt.progress.borrow().from >= position,
        "it did not start over"
    );
    assert!(tables_of(pool, Submissions::TABLES).await == before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_interrupts_waits_until_it_is_asked_for_again_or_thrown_away() {
    let story = random::story(5, 7_000);
    let house = House::with(&story).await;
    story.applied(&Submissions, &house.database.pool, 500).await;
    let interrupted = async || {
        let attempt = Attempt {
            shutdown: CancellationToken::new(),
            by_operator: true,
            progress: watch::Sender::new(Progress::default()),
        };
        let mut progress = attempt.progress.subscribe();
        let (outcome, ()) = tokio::join!(rebuild(&Submissions, &house.settings, &attempt), async {
            let far = progress
                .wait_for(|progress| progress.position > progress.from)
                .await;
            far.expect("it moves");
            attempt.shutdown.cancel();
        });
        outcome.expect("interrupted")
    };
    let interrupted = async || soon(interrupted()).await;
    let Outcome::Interrupted(first) = interrupted().await else {
        panic!("it was not interrupted");
    };
    assert_eq!(house.request(Submissions::NAME).await.0, "interrupted");
    let Outcome::Interrupted(second) = interrupted().await else {
        panic!("it was not interrupted again");
    };
    assert!(second > first, "{second} after {first}");
    assert!(
        discard(Submissions::NAME, &house.settings)
            .await
            .expect("discarded")
    );
    assert!(
        !discard(Submissions::NAME, &house.settings)
            .await
            .expect("nothing is left")
    );
    assert_eq!(house.verified(Submissions::NAME).await.drift, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_are_refused() {
    let story = random::story(6, 5_000);
    let house = House::with(&story).await;
    story.applied(&Submissions, &house.database.pool, 500).await;
    let attempt = Attempt::of_service(CancellationToken::new());
    let mut progress = attempt.progress.subscribe();
    let first = rebuild(&Submissions, &house.settings, &attempt);
    let second = async {
        progress
            .wait_for(|progress| progress.position > 0)
            .await
            .expect("it moves");
        let refused = house.rebuilt(Submissions::NAME).await;
        assert!(
            matches!(refused, Err(RebuildError::UnderWay("submissions"))),
            "{refused:?}"
        );
        let kept = discard(Submissions::NAME, &house.settings).await;
        assert!(
            matches!(kept, Err(RebuildError::UnderWay("submissions"))),
            "{kept:?}"
        );
    };
    let (first, ()) = soon(Box::pin(async { tokio::join!(first, second) })).await;
    assert_eq!(first.expect("rebuilt"), Outcome::Swapped(5_000));
    let unknown = house.rebuilt("jobs").await;
    assert!(
        matches!(unknown, Err(RebuildError::Unknown(_))),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn what_was_changed_by_hand_is_found_and_put_right() {
    let story = random::story(7, 600);
    let house = House::with(&story).await;
    house.all_applied(&story).await;
    let pool = &house.database.pool;
    for name in NAMES {
        let verified = house.verified(name).await;
        assert_eq!((verified.position, verified.drift), (600, vec![]), "{name}");
    }
    let changed: uuid::Uuid = sqlx::query_scalar(
        "UPDATE review_queue SET title = 'Mine' WHERE item_id = (SELECT min(item_id::text)::uuid FROM review_queue)
         RETURNING item_id",
    )
    .fetch_one(pool)
    .await
    .expect("changed");
    let gone = sqlx::query(
        "DELETE FROM review_rounds WHERE (item_id, round) IN
             (SELECT item_id, round FROM review_rounds LIMIT 12)",
    )
    .execute(pool)
    .await
    .expect("deleted");
    assert_eq!(gone.rows_affected(), 12);
    sqlx::query(
        "INSERT INTO review_comments (id, item_id, round, author_id, created_at)
         VALUES ($1, $1, 1, $1, now())",
    )
    .bind(OWNER)
    .execute(pool)
    .await
    .expect("added");
    let drift = house.verified(ReviewQueue::NAME).await.drift;
    let drift: Vec<_> = drift
        .iter()
        .map(|table| {
            (
                table.table,
                table.rows,
                table.first.len(),
                table.first[0].what.as_str(),
            )
        })
        .collect();
    assert_eq!(
        drift,
        [
            ("review_queue", 1, 1, "changed"),
            ("review_rounds", 12, 10, "missing"),
            ("review_comments", 1, 1, "unexpected"),
        ]
    );
    let first = &house.verified(ReviewQueue::NAME).await.drift[0].first[0];
    assert_eq!(first.key, json!({ "item_id": changed }));
    house.rebuilt(ReviewQueue::NAME).await.expect("rebuilt");
    assert_eq!(house.verified(ReviewQueue::NAME).await.drift, []);
}

#[tokio::test]
async fn tables_of_older_code_are_read_until_those_of_newer_code_take_their_place() {
    let story = random::story(8, 600);
    let house = House::with(&story).await;
    let pool = &house.database.pool;
    story.applied(&ReviewQueue, pool, 500).await;
    let before = tables_of(pool, ReviewQueue::TABLES).await;
    // Older code stopped in the middle and left rows that newer code would not make.
    sqlx::query(
        "UPDATE projection_checkpoints SET version = 1, position = 300 WHERE name = 'review_queue'",
    )
    .execute(pool)
    .await
    .expect("older code");
    sqlx::query("UPDATE review_queue SET title = 'Old'")
        .execute(pool)
        .await
        .expect("older rows");
    let outdated = verify_named(
        ReviewQueue::NAME,
        &house.settings,
        &Attempt::of_service(CancellationToken::new()),
    )
    .await;
    assert!(
        matches!(outdated, Err(RebuildError::Outdated(_))),
        "{outdated:?}"
    );
    let outcome = house.rebuilt(ReviewQueue::NAME).await;
    assert_eq!(outcome.expect("rebuilt"), Outcome::Swapped(600));
    assert!(tables_of(pool, ReviewQueue::TABLES).await == before);
    let mut connection = pool.acquire().await.expect("a connection");
    let found = checkpoint::<ReviewQueue>(&mut connection)
        .await
        .expect("a checkpoint");
    assert_eq!((found.position, found.outdated), (600, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_whose_live_tables_were_altered_meanwhile_is_begun_anew() {
    let story = random::story(9, 5_000);
    let house = House::with(&story).await;
    let pool = &house.database.pool;
    story.applied(&Submissions, pool, 500).await;
    let attempt = Attempt::of_service(CancellationToken::new());
    let mut progress = attempt.progress.subscribe();
    tokio::select! {
        ended = rebuild(&Submissions, &house.settings, &attempt) => panic!("too quick: {ended:?}"),
        _ = progress.wait_for(|progress| progress.position > 0) => {}
    }
    for change in [
        "ALTER TABLE submissions ADD COLUMN colour text NOT NULL DEFAULT 'blue'",
        "CREATE INDEX submissions_colour ON submissions (colour)",
    ] {
        sqlx::query(change).execute(pool).await.expect("altered");
    }
    let (before, made) = (tables_of(pool, Submissions::TABLES).await, make(pool).await);
    while let Err(RebuildError::UnderWay(_)) = house.rebuilt(Submissions::NAME).await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(tables_of(pool, Submissions::TABLES).await == before);
    assert_eq!(make(pool).await, made);
}

#[tokio::test]
async fn an_index_of_the_same_name_that_is_another_keeps_a_copy_from_its_place_until_it_is_mended()
{
    let house = House::new().await;
    let pool = &house.database.pool;
    let made = make(pool).await;
    let call = async |function: &str| sqlx::query(function).execute(pool).await;
    let staged = [
        "SELECT projection_stage('review_queue')",
        "SELECT projection_index('review_queue', false)",
    ];
    for function in staged {
        call(function).await.expect(function);
    }
    let index: String = sqlx::query_scalar(
        "SELECT quote_ident(indexname) FROM pg_indexes
         WHERE tablename = 'review_queue' AND schemaname = 'public' AND indexdef NOT LIKE '%UNIQUE%'
         ORDER BY 1 LIMIT 1",
    )
    .fetch_one(pool)
    .await
    .expect("an index");
    let others = [
        format!("DROP INDEX rebuild_review_queue.{index}"),
        format!("CREATE INDEX {index} ON rebuild_review_queue.review_queue (title)"),
        "ALTER TABLE rebuild_review_queue.review_rounds DROP CONSTRAINT review_rounds_pkey".into(),
        "ALTER TABLE rebuild_review_queue.review_rounds ADD CONSTRAINT review_rounds_pkey
             PRIMARY KEY (round, item_id)"
            .into(),
        "CREATE INDEX nobodys ON rebuild_review_queue.review_comments (text)".into(),
    ];
    for change in &others {
        call(change).await.expect(change);
    }
    let swap = "SELECT projection_swap('review_queue')";
    let refused = call(swap).await.expect_err("it is another");
    let words = refused.to_string();
    assert!(words.contains("does not have its shape"), "{words}");
    assert_eq!(make(pool).await, made);
    call(staged[1]).await.expect("mended");
    call(swap).await.expect("swapped");
    assert_eq!(make(pool).await, made);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_reads_for_long_holds_the_swap_up_and_nobody_else() {
    let story = Random::new(10).story(500);
    let house = House::with(&story).await;
    let pool = house.database.pool.clone();
    story.applied(&ReviewQueue, &pool, 500).await;
    let mut reading = pool.begin().await.expect("a transaction");
    sqlx::query("SELECT count(*) FROM review_queue")
        .execute(&mut *reading)
        .await
        .expect("read");
    let rebuilding = house.rebuilt(ReviewQueue::NAME);
    let others = async {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(2) {
            let asked = rows(&pool, "review_queue");
            let answered = tokio::time::timeout(Duration::from_secs(1), asked).await;
            assert!(!answered.expect("nobody waits for long").is_empty());
        }
        reading.rollback().await.expect("read to the end");
    };
    let (rebuilt, ()) = tokio::join!(rebuilding, others);
    assert_eq!(rebuilt.expect("rebuilt"), Outcome::Swapped(500));
}
