//! Taking items on.

use serde_json::json;
use time::Duration;
use uuid::Uuid;

use crate::{
    house::{House, Person, Reply},
    review::decide,
    team::Team,
};

#[tokio::test]
async fn a_claim_holds_for_fifteen_minutes_against_others() {
    let Team {
        house,
        project,
        admin,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    let item = house.submitted(&contributor, project).await;
    let path = format!("/review/{item}/claim");
    let claimed = house.post_bare(&reviewer, &path).await.is(200);
    assert_eq!(claimed.body["claimed_by_id"], json!(reviewer.id));
    assert_eq!(claimed.body["claimed_until"], "2026-01-15T10:45:00Z");
    house
        .refused(house.post_bare(&admin, &path), 409, "CLAIMED")
        .await;
    house
        .refused(house.delete(&admin, &path), 409, "CLAIMED")
        .await;
    house
        .refused(
            decide(&house, &admin, item, json!({"decision": "approve"})),
            409,
            "CLAIMED",
        )
        .await;
    house
        .refused(house.post_bare(&contributor, &path), 403, "FORBIDDEN")
        .await;
    for _ in 0..2 {
        house.delete(&reviewer, &path).await.is(204);
    }
    house.post_bare(&admin, &path).await.is(200);
    house.clock.advance(Duration::minutes(15));
    house.post_bare(&reviewer, &path).await.is(200);
    decide(&house, &reviewer, item, json!({"decision": "approve"}))
        .await
        .is(200);
    house
        .refused(house.post_bare(&reviewer, &path), 409, "ALREADY_DECIDED")
        .await;
}

#[tokio::test]
async fn two_who_ask_for_the_next_item_never_get_the_same_one() {
    let Team {
        house,
        project,
        admin,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    let mut items = Vec::new();
    for at in 0..3_i64 {
        let item = house.submitted(&contributor, project).await;
        queue(&house, project, &contributor, item, at).await;
        items.push(item);
    }
    let path = format!("/review/claim-next?project_id={project}");
    let (a, b, c) = tokio::join!(
        house.post_bare(&reviewer, &path),
        house.post_bare(&admin, &path),
        house.post_bare(&reviewer, &path),
    );
    let mut got = [a.is(200).id(), b.is(200).id(), c.is(200).id()];
    got.sort_unstable();
    assert_eq!(got.to_vec(), items, "each item once");
    // The table still shows all three, for no projector runs; the streams know better.
    assert_eq!(house.post_bare(&admin, &path).await.status, 204);
    house
        .refused(house.post_bare(&contributor, &path), 403, "FORBIDDEN")
        .await;
    let nowhere = "/review/claim-next?project_id=x";
    house
        .refused(house.post_bare(&admin, nowhere), 400, "INVALID_PARAMETER")
        .await;
}

#[tokio::test]
async fn callers_of_two_processes_get_each_item_once_and_all_of_them() {
    let Team {
        house,
        project,
        admin,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    let mut items = Vec::new();
    for at in 0..24_i64 {
        let item = house.submitted(&contributor, project).await;
        queue(&house, project, &contributor, item, at).await;
        items.push(item);
    }
    let path = format!("/review/claim-next?project_id={project}");
    let calls = (0..30_u32).map(|n| {
        let (house, path) = (&house, &path);
        let who = if n % 4 < 2 { &admin } else { &reviewer };
        async move {
            if n % 2 == 0 {
                house.post_bare(who, path).await
            } else {
                house.post_to_replica(who, path).await
            }
        }
    });
    let replies = futures::future::join_all(calls).await;
    let mut got: Vec<Uuid> = replies
        .iter()
        .filter(|reply| reply.status == 200)
        .map(Reply::id)
        .collect();
    got.sort_unstable();
    items.sort_unstable();
    assert_eq!(got, items, "each item once");
    assert!(
        replies
            .iter()
            .all(|reply| matches!(reply.status, 200 | 204))
    );
}

#[tokio::test]
async fn the_next_item_is_the_oldest_and_one_whose_claim_ran_out_comes_back_in_its_place() {
    let Team {
        house,
        project,
        admin,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    let mut items = Vec::new();
    for at in [30_i64, 10, 20] {
        let item = house.submitted(&contributor, project).await;
        queue(&house, project, &contributor, item, at).await;
        items.push(item);
    }
    let path = format!("/review/claim-next?project_id={project}");
    let next = async |who| house.post_bare(who, &path).await.is(200).id();
    assert_eq!(next(&reviewer).await, items[1]);
    claimed(&house, items[1]).await;
    house.clock.advance(Duration::minutes(14));
    assert_eq!(next(&admin).await, items[2]);
    claimed(&house, items[2]).await;
    house.clock.advance(Duration::minutes(1));
    // The first claim ran out a moment ago, the second holds.
    assert_eq!(next(&admin).await, items[1]);
    claimed(&house, items[1]).await;
    assert_eq!(next(&reviewer).await, items[0]);
    // What is given back is the next item again, at once.
    let claim = format!("/review/{}/claim", items[1]);
    house.delete(&admin, &claim).await.is(204);
    claimed_until(&house, items[1], None).await;
    assert_eq!(next(&admin).await, items[1]);
}

/// What the projector would write.
async fn claimed(house: &House, item: Uuid) {
    let until = house.clock.now() + Duration::minutes(15);
    claimed_until(house, item, Some(until)).await;
}

async fn claimed_until(house: &House, item: Uuid, until: Option<time::OffsetDateTime>) {
    sqlx::query("UPDATE review_queue SET claimed_until = $2 WHERE item_id = $1")
        .bind(item)
        .bind(until)
        .execute(house.pool())
        .await
        .expect("a row");
}

#[tokio::test]
async fn a_comment_at_the_same_moment_does_not_hide_the_next_item() {
    let Team {
        house,
        project,
        admin,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    for _ in 0..5 {
        let item = house.submitted(&contributor, project).await;
        queue(&house, project, &contributor, item, 0).await;
        let path = format!("/review/{item}/comments");
        let next = format!("/review/claim-next?project_id={project}");
        let (said, claimed) = tokio::join!(
            house.post(&admin, &path, json!({"text": "Which year?"})),
            house.post_bare(&reviewer, &next),
        );
        said.is(201);
        assert_eq!(claimed.is(200).id(), item);
    }
}

/// What the projector would write.
pub async fn queue(house: &House, project: Uuid, submitter: &Person, item: Uuid, at: i64) {
    sqlx::query(
        "INSERT INTO review_queue (item_id, project_id, item_type, round, submitter_id, submitted_at)
         VALUES ($1, $2, 'raw_text', 1, $3, to_timestamp($4))",
    )
    .bind(item)
    .bind(project)
    .bind(submitter.id)
    .bind(at as f64)
    .execute(house.pool())
    .await
    .expect("a row");
}

#[tokio::test]
async fn a_claim_does_not_outlive_the_right_to_review() {
    let Team {
        house,
        project,
        contributor,
        admin,
        reviewer,
        ..
    } = Team::new().await;
    let root = house.super_admin().await;
    let membership = format!("/projects/{project}/members/{}", reviewer.id);
    let account = format!("/admin/users/{}", reviewer.id);
    let role = |role: &str| json!({ "role": role });
    let claimed = async || {
        let item = house.submitted(&contributor, project).await;
        let again = house.sign_in(reviewer.id, &reviewer.email).await;
        let claim = format!("/review/{item}/claim");
        house.post_bare(&again, &claim).await.is(200);
        house
            .refused(house.post_bare(&admin, &claim), 409, "CLAIMED")
            .await;
        (item, claim)
    };
    let (item, _) = claimed().await;
    house
        .put(&admin, &membership, role("contributor"))
        .await
        .is(200);
    let approve = json!({"decision": "approve"});
    decide(&house, &admin, item, approve.clone()).await.is(200);
    house
        .put(&admin, &membership, role("reviewer"))
        .await
        .is(200);

    let (_, claim) = claimed().await;
    let suspended = |suspended: bool| json!({ "suspended": suspended });
    house.put(&root, &account, suspended(true)).await.is(200);
    house.post_bare(&admin, &claim).await.is(200);
    house.put(&root, &account, suspended(false)).await.is(200);

    let (item, _) = claimed().await;
    house.delete(&admin, &membership).await.is(204);
    decide(&house, &admin, item, approve).await.is(200);
    let released = "ClaimReleased".to_owned();
    assert!(house.stream(item).await.contains(&released));
}
