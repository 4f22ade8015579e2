//! The load generator against the running service, for about two seconds: what was due was sent, what was
//! sent was answered, and the database has it. No time is judged.

use anyhow::Result;
use benches::{
    http::{Call, Connection},
    load::{Schedule, Until, closed_loop, open_loop},
    processes::resident,
    scene::{self, Scene, settled},
    statements::executed,
    stored::grow,
};
use e2e::Person;
use event_store::audit::{Span, verify};
use sqlx::{Connection as _, PgConnection, PgPool};
use std::cell::RefCell;

/// Texts by status, and the events of a name.
async fn counted(url: &str) -> Result<(i64, i64, i64)> {
    let pool = PgPool::connect(url).await?;
    let counts = sqlx::query_as(
        "SELECT (SELECT count(*) FROM submissions WHERE status = 'draft'),
                (SELECT count(*) FROM submissions WHERE status = 'approved'),
                (SELECT count(*) FROM events WHERE event_type = 'RawTextCreated')",
    )
    .fetch_one(&pool)
    .await?;
    pool.close().await;
    Ok(counts)
}

#[tokio::test]
async fn what_is_due_is_sent_and_what_is_answered_is_there() -> Result<()> {
    let mut alta = scene::service()?;
    alta.start().await?;
    let scene = Scene::set(&alta, 2, 1).await?;
    let url = alta.database_url()?;
    let ids = RefCell::new(vec![]);

    let create = async |connection: &mut Connection, number: usize| {
        let id = connection.id(&scene.create(number)).await?;
        ids.borrow_mut().push(id);
        Ok(())
    };
    let schedule = Schedule {
        rate: 30.0,
        count: 30,
        connections: 4,
    };
    let report = open_loop(&scene.address, schedule, create).await?;
    assert_eq!(report.errors, Vec::<String>::new());
    assert_eq!((report.sent, report.failed), (30, 0));
    assert_eq!(report.times.count(), 30);
    settled(&url).await?;
    assert_eq!(counted(&url).await?, (30, 0, 30));
    let mut different = ids.borrow().clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), 30);

    let whole_life = async |connection: &mut Connection, number: usize| {
        scene.whole_life(connection, number).await
    };
    let report = closed_loop(&scene.address, 4, Until::Count(12), whole_life).await?;
    assert_eq!(report.errors, Vec::<String>::new());
    assert_eq!((report.sent, report.times.count()), (12, 12));
    settled(&url).await?;
    assert_eq!(counted(&url).await?, (30, 12, 42));

    // Those that may not are counted as failures, and change nothing.
    let forbidden = async |connection: &mut Connection, number: usize| {
        let Person { client, .. } = &scene.reviewers[0];
        let text = serde_json::json!({ "project_id": scene.project, "title": "T", "content": "C" });
        let call = Call::post(client.token(), "/raw-text", &text, 201);
        if number.is_multiple_of(2) {
            connection.send(&call).await?;
        }
        Ok(())
    };
    let report = closed_loop(&scene.address, 2, Until::Count(6), forbidden).await?;
    assert_eq!(
        (report.sent, report.failed, report.times.count()),
        (6, 3, 3)
    );
    assert!(report.errors[0].contains("403"), "{:?}", report.errors);
    assert_eq!(counted(&url).await?, (30, 12, 42));

    assert!(resident(&alta.tree()) > 1_024, "the service has no memory");
    alta.terminate().await?;
    Ok(())
}

#[tokio::test]
async fn the_statements_of_a_request_are_found() -> Result<()> {
    let mut alta = scene::service()?;
    alta.start().await?;
    let scene = Scene::set(&alta, 1, 1).await?;
    let url = alta.database_url()?;
    let texts = scene.texts(3).await?;
    settled(&url).await?;
    let mut connection = Connection::open(&scene.address).await?;
    let call = Call::get(scene.writer(0), "/my-drafts");
    let request = async {
        let drafts = connection.json(&call).await?;
        assert_eq!(drafts["raw_texts"].as_array().map(Vec::len), Some(3));
        Ok(())
    };
    let statements = executed(&alta.data_dir(), &url, request).await?;
    let drafts = statements
        .iter()
        .filter(|statement| statement.sql.contains("status = 'draft'"));
    let drafts: Vec<_> = drafts.collect();
    assert_eq!(drafts.len(), 1, "{statements:?}");

    // As pgbench would send it, with the values in place, it finds what the service found.
    let (mut sql, variables) = drafts[0].script("p");
    for (name, value) in &variables {
        sql = sql.replace(&format!(":{name}"), &format!("'{value}'"));
    }
    let pool = PgPool::connect(&url).await?;
    let found: Vec<sqlx::postgres::PgRow> = sqlx::query(&sql).fetch_all(&pool).await?;
    assert_eq!(found.len(), texts.len());
    alta.terminate().await?;
    Ok(())
}

#[tokio::test]
async fn a_service_goes_on_after_a_store_that_was_filled() -> Result<()> {
    let postgres = test_kit::durable_postgres().await;
    let mut alta = scene::service()?.env("DATABASE_URL", &postgres.url);
    alta.start().await?;
    let mut scene = Scene::set(&alta, 1, 1).await?;
    let mut connection = Connection::open(&scene.address).await?;
    let item = connection.id(&scene.create(0)).await?;
    connection.send(&scene.submit(0, &item)).await?;
    connection.send(&scene.approve(0, &item)).await?;
    settled(&postgres.url).await?;
    alta.terminate().await?;
    let stored = grow(&postgres.url, &item, 400).await?;
    assert!((390..=400).contains(&stored), "{stored} events");

    alta.start().await?;
    scene.sign_in_again().await?;
    scene.texts(3).await?;
    let head = settled(&postgres.url).await?;
    assert!(head >= stored + 3, "{head} after {stored}");
    let mut log = PgConnection::connect(&postgres.url).await?;
    let verified = verify(std::slice::from_mut(&mut log), Span::default(), None).await?;
    assert_eq!(verified.count(), head);
    let (items, entries): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM submissions), (SELECT count(*) FROM history WHERE NOT access)",
    )
    .fetch_one(&mut log)
    .await?;
    let of_items: (i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE event_type = 'RawTextCreated'),
                count(*) FILTER (WHERE aggregate_type <> 'access') FROM events",
    )
    .fetch_one(&mut log)
    .await?;
    assert_eq!((items, entries), of_items);
    alta.terminate().await?;
    Ok(())
}
