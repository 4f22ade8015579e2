//! JetStream's directory deleted while everything is stopped: projections and jobs carry on.

use crate::house::{House, PROCESSED_WITHIN, raw_text, sample};
use anyhow::Result;

#[tokio::test(flavor = "multi_thread")]
async fn projections_and_jobs_carry_on_without_jetstream_s_memory() -> Result<()> {
    let mut house = House::start().await?;
    let writer = house.person("writer@example.org").await?;
    let project = writer.project("Notes").await?;
    let me = &writer.client;
    let mut pages = vec![];
    for n in 0..5 {
        let created = me
            .post("/raw-text", raw_text(&project, &format!("Text {n}")))
            .await?;
        created.expect(201)?;
        let page = me
            .upload(
                &format!("/documents?project_id={project}"),
                sample("page.png", "image/png")?,
            )
            .await?
            .expect(201)?;
        pages.push(page.text("id")?);
    }
    // Stopped with jobs still open, and JetStream's memory gone.
    house.alta.kill_tree().await?;
    let store = house.alta.data_dir().join("nats");
    assert!(store.is_dir());
    let jetstream = walk(&store)?
        .into_iter()
        .find(|path| path.file_name().is_some_and(|name| name == "jetstream"));
    std::fs::remove_dir_all(jetstream.expect("JetStream has a store"))?;
    house.alta.start().await?;

    for page in &pages {
        let status = me.processed("document", page, PROCESSED_WITHIN).await?;
        assert_eq!(status["processing"]["state"], "succeeded", "{status}");
    }
    let after = me
        .post("/raw-text", raw_text(&project, "After"))
        .await?
        .expect(201)?;
    me.get(&format!("/raw-text/{}", after.text("id")?))
        .await?
        .expect(200)?;
    let all = me
        .get(&format!("/my-contributions?project_id={project}&limit=200"))
        .await?;
    assert_eq!(all.expect(200)?.body.as_array().map(Vec::len), Some(11));
    // One outcome for each job.
    let pool = sqlx::PgPool::connect(&house.alta.database_url()?).await?;
    let outcomes: i64 =
        sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = 'ProcessingSucceeded'")
            .fetch_one(&pool)
            .await?;
    assert_eq!(outcomes, pages.len() as i64);
    Ok(())
}

fn walk(directory: &std::path::Path) -> Result<Vec<std::path::PathBuf>> {
    let mut found = vec![];
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.push(path.clone());
            found.extend(walk(&path)?);
        }
    }
    Ok(found)
}
