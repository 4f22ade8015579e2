//! What can be seen of what happens by itself.

use super::{House, until};
use event_store::RecordedEvent;
use std::time::Duration;
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct JobRow {
    pub state: String,
    pub attempts: i32,
    pub error_code: Option<String>,
    pub leased_by: Option<Uuid>,
}

impl House {
    /// Every event of one stream, as soon as all that is committed has a position.
    pub async fn events_of(&self, id: Uuid) -> Vec<RecordedEvent> {
        let all = self.whole_log().await;
        all.into_iter()
            .filter(|event| event.aggregate_id == id)
            .collect()
    }

    pub async fn whole_log(&self) -> Vec<RecordedEvent> {
        let committed: i64 = sqlx::query_scalar("SELECT count(*) FROM events")
            .fetch_one(&self.database.pool)
            .await
            .expect("a count");
        until("every event has a position", async || {
            self.log.head().await.expect("a head") >= committed
        })
        .await;
        self.log.read(0, i64::MAX).await.expect("the log")
    }

    /// Waits until a follower has seen everything that is committed now.
    pub async fn caught_up(&self, follower: &str) {
        let head = self.whole_log().await.len() as i64;
        let passed = self
            .settings
            .heads
            .passed(&self.database.pool, follower, head);
        tokio::time::timeout(Duration::from_secs(30), passed)
            .await
            .unwrap_or_else(|_| panic!("{follower} never came to {head}"));
    }

    /// Waits for an event of this type in a stream.
    pub async fn event(&self, id: Uuid, event_type: &str) -> RecordedEvent {
        let mut found = None;
        until(event_type, async || {
            let events = self.events_of(id).await;
            found = events
                .into_iter()
                .find(|event| event.event_type == event_type);
            found.is_some()
        })
        .await;
        found.expect("it was found")
    }

    pub async fn job(&self, job_id: Uuid) -> Option<JobRow> {
        sqlx::query_as("SELECT state, attempts, error_code, leased_by FROM jobs WHERE job_id = $1")
            .bind(job_id)
            .fetch_optional(&self.database.pool)
            .await
            .expect("the job table")
    }

    pub async fn job_state(&self, job_id: Uuid, state: &str) -> JobRow {
        let mut found = None;
        until(state, async || {
            found = self.job(job_id).await.filter(|row| row.state == state);
            found.is_some()
        })
        .await;
        found.expect("it was found")
    }
}
