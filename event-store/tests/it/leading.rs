//! Who leads, and who must not any more.

use event_store::{beating, lead, try_lead};
use sqlx::{Connection, postgres::PgConnectOptions};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::house::until;

/// Longer than a lead may be silent.
const LONG: Duration = Duration::from_secs(7);

#[tokio::test]
async fn a_lead_is_kept_by_whoever_is_heard_of_and_lost_by_silence() {
    let database = test_kit::postgres().await;
    let connect: PgConnectOptions = database.url.parse().expect("a URL");
    let leads = lead(&connect, "something", &CancellationToken::new()).await;
    let mut session = leads.expect("PostgreSQL").expect("a lead");
    let slow = beating(&mut session, tokio::time::sleep(LONG)).await;
    slow.expect("the lead is kept");
    let other = try_lead(&connect, "something").await.expect("PostgreSQL");
    assert!(other.is_none());

    // As a process that hangs.
    tokio::time::sleep(LONG).await;
    until("another leads", async || {
        let other = try_lead(&connect, "something").await;
        other.expect("PostgreSQL").is_some()
    })
    .await;
    session
        .ping()
        .await
        .expect_err("it does not write any more");
}
