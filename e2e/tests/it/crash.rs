//! SIGKILL of the whole tree in the middle of many writes: what was acknowledged is there, once.

use crate::house::{House, raw_text};
use anyhow::Result;
use futures::future::join_all;
use reqwest::Method;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

const WRITES: usize = 1_000;
const WRITERS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_write_is_there_exactly_once_after_a_kill() -> Result<()> {
    let mut house = House::start().await?;
    let writer = house.person("writer@example.org").await?;
    let project = writer.project("Notes").await?;
    let acknowledged = Arc::new(Mutex::new(HashMap::new()));
    let next = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (client, project) = (writer.client.clone(), project.clone());
            let (acknowledged, next) = (acknowledged.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= WRITES {
                        return;
                    }
                    let title = format!("Text {n}");
                    // The same key until it is acknowledged: the client's way to write once.
                    loop {
                        let request = client
                            .request(Method::POST, "/raw-text")
                            .header("Idempotency-Key", title.replace(' ', "-"))
                            .timeout(Duration::from_secs(10))
                            .json(&raw_text(&project, &title));
                        let answer = client.send(request).await;
                        if let Ok(answer) = answer
                            && answer.status == 201
                            && let Ok(id) = answer.text("id")
                        {
                            acknowledged.lock().expect("a lock").insert(title, id);
                            break;
                        }
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            })
        })
        .collect();
    for part in 1..=3 {
        while acknowledged.lock().expect("a lock").len() < part * WRITES / 4 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        house.alta.kill_tree().await?;
        house.alta.start().await?;
    }
    join_all(writers).await;
    let acknowledged = acknowledged.lock().expect("a lock").clone();
    assert_eq!(acknowledged.len(), WRITES);

    // Exactly once in the projections, as the writer pages through them.
    let mut found: HashMap<String, String> = HashMap::new();
    let mut path = format!("/my-contributions?project_id={project}&limit=200");
    loop {
        let page = writer.client.get(&path).await?.expect(200)?;
        for item in page.body.as_array().into_iter().flatten() {
            let (title, id) = (item["title"].as_str(), item["id"].as_str());
            let (title, id) = (title.unwrap_or_default(), id.unwrap_or_default());
            let twice = found.insert(title.to_owned(), id.to_owned());
            assert_eq!(twice, None, "{title} is there twice");
        }
        let Some(next) = page.header("link").and_then(next_page) else {
            break;
        };
        path = next;
    }
    assert_eq!(found, acknowledged);

    // Exactly once in the store, and every event has its position.
    let pool = sqlx::PgPool::connect(&house.alta.database_url()?).await?;
    let stored: i64 =
        sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = 'RawTextCreated'")
            .fetch_one(&pool)
            .await?;
    assert_eq!(stored, WRITES as i64);
    let (events, positions, highest): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM events), count(*), max(position) FROM event_log",
    )
    .fetch_one(&pool)
    .await?;
    assert_eq!((events, events), (positions, highest));
    Ok(())
}

/// The path of the next page, as `Client` takes it: without `/api`.
fn next_page(link: &str) -> Option<String> {
    let target = link.split_once('<')?.1.split_once('>')?.0;
    let (_, path) = target.split_once("/api")?;
    Some(path.strip_prefix("/v1").unwrap_or(path).to_owned())
}
