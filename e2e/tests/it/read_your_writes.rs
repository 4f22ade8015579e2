//! A client that reads right after a success sees what it wrote: no sleep, no retry, no header.

use crate::house::{House, raw_text};
use anyhow::Result;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_writes_are_each_seen_by_the_next_read() -> Result<()> {
    let house = House::start().await?;
    let writer = house.person("writer@example.org").await?;
    let project = writer.project("Notes").await?;
    let me = &writer.client;
    for n in 0..50 {
        let title = format!("Text {n}");
        let created = me
            .post("/raw-text", raw_text(&project, &title))
            .await?
            .expect(201)?;
        let path = format!("/raw-text/{}", created.text("id")?);
        let read = me.get(&path).await?.expect(200)?;
        assert_eq!(read.body["title"], title.as_str());

        me.put(&path, json!({ "domain": title }))
            .await?
            .expect(200)?;
        let drafts = me
            .get(&format!("/my-drafts?project_id={project}"))
            .await?
            .expect(200)?;
        assert_eq!(drafts.body["raw_texts"][0]["domain"], title.as_str());

        me.post("/submit", json!({ "raw_text_ids": [created.text("id")?] }))
            .await?
            .expect(200)?;
        let queue = me
            .get(&format!("/review?project_id={project}&limit=200"))
            .await?
            .expect(200)?;
        assert_eq!(queue.body.as_array().map(Vec::len), Some(n + 1));

        let fresh = created.header("x-alta-position").map(str::parse::<i64>);
        assert!(matches!(fresh, Some(Ok(position)) if position > 0));
        let summary = me
            .get(&format!(
                "/analytics/summary?project_id={project}&timeframe=1d"
            ))
            .await?
            .expect(200)?;
        assert_eq!(summary.body["rawTextCounts"]["pending_review"], n + 1);
    }
    Ok(())
}
