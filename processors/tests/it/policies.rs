//! Events in, commands out, once, however often and by however many the events are seen.

use crate::house::{House, context, until};
use domain::{
    Review, Submission,
    review::{Decision, ReviewCommand},
    submission::{Status, SubmissionCommand},
};
use processors::Part;
use uuid::Uuid;

async fn types_of(house: &House, id: Uuid, stream: &str) -> Vec<String> {
    let events = house.events_of(id).await;
    let of_stream = events
        .into_iter()
        .filter(|event| event.aggregate_type == stream);
    of_stream.map(|event| event.event_type).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn handing_in_opens_a_review_that_names_its_cause() {
    let house = House::new().await;
    let running = house.run(&[Part::Policies]);
    let item = house.submitted(Uuid::from_u128(1)).await;
    let opened = house.event(item, "ReviewOpened").await;
    let submitted = house.event(item, "SubmissionSubmitted").await;
    assert_eq!(opened.metadata.causation_id, Some(submitted.event_id));
    assert_eq!(opened.metadata.request_id, "request-1");
    assert_eq!(opened.metadata.actor_user_id, None);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_end_of_a_round_changes_the_item() {
    let house = House::new().await;
    let running = house.run(&[Part::Policies]);
    let (owner, reviewer) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let ends = [
        (Decision::Approve, "SubmissionApproved", Status::Approved),
        (Decision::Reject, "SubmissionRejected", Status::Rejected),
        (Decision::RequestChanges, "ChangesRequested", Status::Draft),
    ];
    for (decision, event_type, status) in ends {
        let item = house.submitted(owner).await;
        house.decide(item, reviewer, decision).await;
        house.event(item, event_type).await;
        let loaded = house
            .store
            .load::<Submission>(item)
            .await
            .expect("a stream");
        assert_eq!(
            loaded.aggregate.item().map(|item| item.status),
            Some(status)
        );
    }
    let item = house.submitted(owner).await;
    let loaded = house
        .store
        .load::<Submission>(item)
        .await
        .expect("a stream");
    let pending = domain::policy::pending(&loaded.aggregate);
    house
        .review(item, ReviewCommand::Withdraw { pending })
        .await;
    house.event(item, "SubmissionWithdrawn").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_is_taken_back_opens_the_review_again_and_the_next_one_counts() {
    let house = House::new().await;
    let running = house.run(&[Part::Policies]);
    let (owner, reviewer) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let item = house.submitted(owner).await;
    house.decide(item, reviewer, Decision::Approve).await;
    house.event(item, "SubmissionApproved").await;
    let revert = SubmissionCommand::RevertDecision {
        round: 1,
        reopened: 0,
        reverted_by_id: reviewer,
    };
    house.item(item, revert).await;
    let reopened = house.event(item, "ReviewReopened").await;
    let reverted = house.event(item, "DecisionReverted").await;
    assert_eq!(reopened.metadata.causation_id, Some(reverted.event_id));
    house.decide(item, reviewer, Decision::Reject).await;
    house.event(item, "SubmissionRejected").await;
    house.caught_up("policies").await;
    running.stop().await;
    assert_eq!(
        types_of(&house, item, "submission").await,
        [
            "RawTextCreated",
            "SubmissionSubmitted",
            "SubmissionApproved",
            "DecisionReverted",
            "SubmissionRejected",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn seeing_every_event_again_changes_nothing() {
    let house = House::new().await;
    let running = house.run(&[Part::Policies]);
    let (owner, reviewer) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let item = house.submitted(owner).await;
    house.decide(item, reviewer, Decision::RequestChanges).await;
    house.event(item, "ChangesRequested").await;
    house.item(item, SubmissionCommand::Submit).await;
    house.caught_up("policies").await;
    running.stop().await;
    let before = house.whole_log().await.len();
    sqlx::query("UPDATE projection_checkpoints SET position = 0 WHERE name = 'policies'")
        .execute(&house.database.pool)
        .await
        .expect("the checkpoint");
    let running = house.run(&[Part::Policies]);
    house.caught_up("policies").await;
    running.stop().await;
    assert_eq!(house.whole_log().await.len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_do_it_once_and_one_takes_over_from_the_other() {
    let house = House::new().await;
    let (first, second) = (house.run(&[Part::Policies]), house.run(&[Part::Policies]));
    let owner = Uuid::from_u128(1);
    for _ in 0..10 {
        house.submitted(owner).await;
    }
    house.caught_up("policies").await;
    first.stop().await;
    let late = house.submitted(owner).await;
    house.event(late, "ReviewOpened").await;
    second.stop().await;
    let log = house.whole_log().await;
    let opened = log
        .iter()
        .filter(|event| event.event_type == "ReviewOpened");
    assert_eq!(opened.count(), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_holds_the_policies_up_and_loses_nothing() {
    let house = House::new().await;
    let grant = async |statement: &str| {
        let done = sqlx::query(statement).execute(&house.database.pool).await;
        done.expect("the owner may grant");
    };
    grant("REVOKE INSERT ON events FROM alta_processors").await;
    let running = house.run(&[Part::Policies]);
    let item = house.submitted(Uuid::from_u128(1)).await;
    house.whole_log().await;
    let stands_still = async || {
        let refused = "SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND application_name = 'policies'";
        let leaders: i64 = sqlx::query_scalar(refused)
            .fetch_one(&house.database.pool)
            .await
            .expect("a count");
        let at: Option<i64> = sqlx::query_scalar(
            "SELECT position FROM projection_checkpoints WHERE name = 'policies'",
        )
        .fetch_optional(&house.database.pool)
        .await
        .expect("a checkpoint");
        (leaders, at)
    };
    // It leads, fails, and leads again from where it was.
    for expected in [1, 0, 1, 0] {
        until("it tries and fails", async || {
            stands_still().await.0 == expected
        })
        .await;
        assert!(stands_still().await.1.unwrap_or(0) < 2);
    }
    grant("GRANT INSERT ON events TO alta_processors").await;
    house.event(item, "ReviewOpened").await;
    house.caught_up("policies").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_that_a_reviewer_opened_first_is_not_opened_again() {
    let house = House::new().await;
    let (owner, reviewer) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let item = house.submitted(owner).await;
    house.decide(item, reviewer, Decision::Approve).await;
    let running = house.run(&[Part::Policies]);
    house.event(item, "SubmissionApproved").await;
    house.caught_up("policies").await;
    running.stop().await;
    assert_eq!(
        types_of(&house, item, "review").await,
        ["ReviewOpened", "ReviewDecided"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_side_that_was_faster_leaves_nothing_to_do() {
    let house = House::new().await;
    let (owner, reviewer) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let item = house.submitted(owner).await;
    house.decide(item, reviewer, Decision::Approve).await;
    let review = house.store.load::<Review>(item).await.expect("a stream");
    let command = domain::policy::record_outcome(&review.aggregate).expect("it ended");
    let done = house
        .store
        .execute::<Submission>(item, command, &context(owner))
        .await;
    done.expect("recorded");
    let running = house.run(&[Part::Policies]);
    house.caught_up("policies").await;
    running.stop().await;
    let seen = types_of(&house, item, "submission").await;
    assert_eq!(
        seen,
        [
            "RawTextCreated",
            "SubmissionSubmitted",
            "SubmissionApproved"
        ]
    );
}
