//! Reads on a replica that follows the primary, and on one that is held back: never older than what the
//! caller wrote, and never with rights that were taken away.

use crate::house::{House, ids};
use domain::{GlobalRole, ProjectRole, project_membership::ProjectCommand, user::UserCommand};
use std::time::Duration;

/// How long a read waits for the replica, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(3);

fn behind() -> (u16, String) {
    (503, "READ_MODEL_BEHIND".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_reads_on_a_replica_right_after_a_write_are_never_stale() {
    let (house, _replica, _running) = House::replicated(Duration::from_secs(10)).await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    for n in 0..50 {
        let id = house.raw_text(&amina, project, &format!("T{n}")).await;
        if n % 2 == 0 {
            house.get(&amina, &format!("/raw-text/{id}")).await.ok();
        } else {
            house.submit(&amina, id).await;
            let queue = house.get(&amina, "/review?limit=200").await.ok();
            assert_eq!(ids(&queue).last(), Some(&id), "pair {n}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_held_back_is_not_read_by_who_has_written_since() {
    let (house, replica, _running) = House::replicated(PATIENCE).await;
    let (amina, bilal) = (house.person("amina").await, house.person("bilal").await);
    let project = house.project(&amina, "Letters").await;
    let first = house.raw_text(&amina, project, "first").await;
    house.settled().await;
    house.get(&bilal, "/projects").await.ok();
    house.get(&amina, &format!("/raw-text/{first}")).await.ok();
    replica.pause().await.expect("it waits");

    let second = house.raw_text(&amina, project, "second").await;
    house.settled().await;
    let path = format!("/raw-text/{second}");
    let answer = house.get(&amina, &path).await;
    assert_eq!(answer.refusal(), behind());
    assert_eq!(answer.header("retry-after"), Some("1"));
    // Nothing changed for him: neither what he wrote nor what anybody may.
    house.get(&bilal, "/projects").await.ok();

    replica.resume().await.expect("it goes on");
    let shown = house.get(&amina, &path).await.ok();
    assert_eq!(shown["title"], "second");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_held_back_grants_nothing_that_was_taken_away() {
    let (house, replica, _running) = House::replicated(PATIENCE).await;
    let (amina, bilal) = (house.person("amina").await, house.person("bilal").await);
    let (root, other) = (
        house.super_admin("root").await,
        house.super_admin("other").await,
    );
    let project = house.project(&amina, "Letters").await;
    house
        .join(&amina, project, &bilal, ProjectRole::Reviewer)
        .await;
    house.settled().await;
    let path = format!("/projects/{project}");
    for (who, path) in [(&bilal, path.as_str()), (&other, "/admin/users")] {
        house.get(who, path).await.ok();
    }
    replica.pause().await.expect("it waits");

    let user_id = bilal.id;
    let remove = ProjectCommand::RemoveMember { user_id };
    house.change(&amina, project, remove).await;
    let demote = UserCommand::Change {
        name: None,
        global_role: Some(GlobalRole::User),
        suspended: None,
    };
    house.user(other.id, demote, root.id).await;
    sqlx::query("UPDATE sessions SET revoked_at = now() WHERE session_id = $1")
        .bind(root.session_id)
        .execute(&house.database.pool)
        .await
        .expect("signed out");
    house.settled().await;
    for (who, path) in [(&bilal, path.as_str()), (&other, "/admin/users")] {
        assert_eq!(house.get(who, path).await.refusal(), behind(), "{path}");
    }
    let signed_out = house.get(&root, "/admin/users").await.refusal();
    assert_eq!(signed_out.0, 401);

    replica.resume().await.expect("it goes on");
    let removed = house.get(&bilal, &path).await.refusal();
    assert_eq!(removed, (404, "NOT_FOUND".into()));
    let demoted = house.get(&other, "/admin/users").await.refusal();
    assert_eq!(demoted, (403, "FORBIDDEN".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_gone_is_told_in_health_and_answered_with_503() {
    let (house, replica, _running) = House::replicated(PATIENCE).await;
    let amina = house.person("amina").await;
    house.settled().await;
    house.get(&amina, "/projects").await.ok();
    assert_eq!(house.get(&amina, "/health/ready").await.status, 200);
    replica.stop().await;
    let answer = house.get(&amina, "/projects").await;
    assert_eq!(answer.status, 503);
    assert_eq!(house.get(&amina, "/health/ready").await.status, 503);
    let health = house.get(&amina, "/health").await.json();
    assert_eq!(health["status"], "degraded");
}
