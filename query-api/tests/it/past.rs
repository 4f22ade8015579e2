//! What was, answered as it would have been then.

use crate::house::{House, ids};
use domain::{
    ProjectRole, project_membership::ProjectCommand, review::Decision,
    submission::SubmissionCommand, user::UserCommand,
};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// How far the log is.
async fn head(house: &House) -> i64 {
    house.settled().await;
    house.log.head().await.expect("a position")
}

/// When the event at a position was recorded, as a query has it.
async fn recorded_at(house: &House, position: i64) -> String {
    let event = house.log.at(&[position]).await.expect("read").remove(0);
    let written = event.recorded_at.format(&Rfc3339).expect("a time");
    assert!(written.ends_with('Z'), "{written}");
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_is_shown_as_it_was_at_a_position_and_at_a_time() {
    let (house, _running) = House::new().await;
    let (amina, bilal) = (house.person("amina").await, house.person("bilal").await);
    let project = house.project(&amina, "Letters").await;
    house
        .join(&amina, project, &bilal, ProjectRole::Reviewer)
        .await;
    let before = head(&house).await;
    let id = house.raw_text(&amina, project, "Rain").await;
    let draft = head(&house).await;
    house.submit(&amina, id).await;
    let pending = head(&house).await;
    house
        .decide(&bilal, id, Decision::Reject, Some("Too wet"))
        .await;
    head(&house).await;
    let path = format!("/submissions/{id}");
    let at = async |as_of: String| house.get(&amina, &format!("{path}?as_of={as_of}")).await;
    assert_eq!(at(before.to_string()).await.refusal().0, 404);
    assert_eq!(at(draft.to_string()).await.ok()["status"], "draft");
    assert_eq!(
        at(pending.to_string()).await.ok()["status"],
        "pending_review"
    );
    let now = house.get(&amina, &path).await.ok();
    assert_eq!(now["status"], "rejected");
    assert_eq!(at("999999999".into()).await.ok(), now);
    let history = house.get(&amina, &format!("{path}/history")).await.ok();
    let submitted_at = history[1]["recorded_at"]
        .as_str()
        .expect("a time")
        .to_owned();
    assert_eq!(at(submitted_at).await.ok()["status"], "pending_review");
    assert_eq!(at("2001-01-01T00:00:00Z".into()).await.refusal().0, 404);
    assert_eq!(at("yesterday".into()).await.refusal().0, 400);
    // Today's role decides what of the past one sees: a draft is no reviewer's.
    let path = format!("{path}?as_of={draft}");
    assert_eq!(house.get(&bilal, &path).await.refusal().0, 404);
    let stranger = house.person("stranger").await;
    assert_eq!(house.get(&stranger, &path).await.refusal().0, 404);
    // The live tables are as they were.
    assert_eq!(
        house.get(&amina, &format!("/submissions/{id}")).await.ok(),
        now
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_shown_as_it_was() {
    let (house, _running) = House::new().await;
    let (amina, bilal) = (house.person("amina").await, house.person("bilal").await);
    let project = house.project(&amina, "Letters").await;
    let other = house.project(&amina, "Others").await;
    house
        .join(&amina, project, &bilal, ProjectRole::Reviewer)
        .await;
    let mut items = vec![];
    for title in ["Rain", "Snow", "Hail"] {
        let id = house.raw_text(&amina, project, title).await;
        house.submit(&amina, id).await;
        items.push(id);
    }
    let elsewhere = house.raw_text(&amina, other, "Fog").await;
    house.submit(&amina, elsewhere).await;
    house.claim(&bilal, items[1]).await;
    let then = head(&house).await;
    let at = recorded_at(&house, then).await;
    let path = format!("/review?project_id={project}");
    let live = house.get(&bilal, &path).await.ok();
    house
        .decide(&bilal, items[0], Decision::Approve, None)
        .await;
    head(&house).await;
    let past = format!("{path}&as_of={then}");
    assert_eq!(house.get(&bilal, &past).await.ok(), live);
    let at = house.get(&bilal, &format!("{path}&as_of={at}")).await;
    assert_eq!(at.ok(), live, "by time");
    let before = format!("{path}&as_of=2001-01-01T00:00:00Z");
    assert_eq!(house.get(&bilal, &before).await.ok(), json!([]));
    assert_eq!(live[1]["claimed_by_id"], json!(bilal.id));
    assert_eq!(ids(&house.get(&bilal, &path).await.ok()), items[1..]);
    assert_eq!(
        ids(&house
            .get(&bilal, &format!("/review?as_of={then}"))
            .await
            .ok()),
        items
    );
    let root = house.super_admin("root").await;
    let all = house
        .get(&root, &format!("/review?as_of={then}"))
        .await
        .ok();
    assert_eq!(ids(&all), [items[0], items[1], items[2], elsewhere]);
    let pages = house.get(&bilal, &format!("{past}&limit=2")).await;
    assert_eq!(ids(&pages.ok()), items[..2]);
    let rest = house
        .get(&bilal, &pages.next().expect("a next page"))
        .await
        .ok();
    assert_eq!(ids(&rest), items[2..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_shown_as_they_were() {
    let (house, _running) = House::new().await;
    let (amina, bilal) = (house.person("amina").await, house.person("bilal").await);
    let project = house.project(&amina, "Letters").await;
    let alone = head(&house).await;
    house
        .join(&amina, project, &bilal, ProjectRole::Reviewer)
        .await;
    let both = head(&house).await;
    let path = format!("/projects/{project}/members");
    let then = house.get(&amina, &path).await.ok();
    let removal = ProjectCommand::RemoveMember { user_id: bilal.id };
    house.change(&amina, project, removal).await;
    head(&house).await;
    let at = async |as_of: i64| {
        house
            .get(&amina, &format!("{path}?as_of={as_of}"))
            .await
            .ok()
    };
    assert_eq!(at(both).await, then);
    assert_eq!(at(both).await[1]["email"], json!(bilal.email));
    assert_eq!(at(alone).await.as_array().map(Vec::len), Some(1));
    assert_eq!(at(1).await, json!([]));
    let time = recorded_at(&house, both).await;
    let by_time = house.get(&amina, &format!("{path}?as_of={time}")).await;
    assert_eq!(by_time.ok(), then);
    let gone = house.get(&bilal, &format!("{path}?as_of={both}")).await;
    assert_eq!(
        gone.refusal().0,
        404,
        "who is no member now does not learn who was"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn access_is_told_with_the_event_that_says_why() {
    let (house, _running) = House::new().await;
    let (amina, bilal) = (house.person("amina").await, house.person("bilal").await);
    let project = house.project(&amina, "Letters").await;
    house
        .join(&amina, project, &bilal, ProjectRole::Reviewer)
        .await;
    let joined = head(&house).await;
    house.user(bilal.id, suspension(true), amina.id).await;
    let suspended = head(&house).await;
    house.user(bilal.id, suspension(false), amina.id).await;
    let removal = ProjectCommand::RemoveMember { user_id: bilal.id };
    house.change(&amina, project, removal).await;
    head(&house).await;
    let at = async |who: Uuid, as_of: i64| {
        let path = format!("/projects/{project}/access?user_id={who}&as_of={as_of}");
        let told = house.get(&amina, &path).await.ok();
        let because = told["because"]["event_type"].clone();
        (told["access"].clone(), told["role"].clone(), because)
    };
    let told = |access: bool, role: Value, because: Value| (json!(access), role, because);
    assert_eq!(at(bilal.id, 1).await, told(false, Value::Null, Value::Null));
    let member = told(true, json!("reviewer"), json!("MemberJoined"));
    assert_eq!(at(bilal.id, joined).await, member);
    let barred = told(false, json!("reviewer"), json!("UserSuspended"));
    assert_eq!(at(bilal.id, suspended).await, barred);
    let removed = told(false, Value::Null, json!("MemberRemoved"));
    assert_eq!(at(bilal.id, i64::MAX).await, removed);
    let root = house.super_admin("root").await;
    head(&house).await;
    assert_eq!(
        at(root.id, i64::MAX).await.0,
        json!(false),
        "who is what elsewhere is no matter here"
    );
    let path = format!("/projects/{project}/access?user_id={}", root.id);
    assert_eq!(house.get(&root, &path).await.ok()["access"], json!(true));
    let path = format!("/projects/{project}/access?user_id={}", bilal.id);
    assert_eq!(house.get(&bilal, &path).await.refusal().0, 404);
}

fn suspension(suspended: bool) -> UserCommand {
    UserCommand::Change {
        name: None,
        global_role: None,
        suspended: Some(suspended),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_item_was_there_before() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let id = house.raw_text(&amina, project, "Rain").await;
    let then = head(&house).await;
    house.item(&amina, id, SubmissionCommand::Delete).await;
    let gone = head(&house).await;
    let at = async |as_of: i64| {
        house
            .get(&amina, &format!("/submissions/{id}?as_of={as_of}"))
            .await
    };
    assert_eq!(at(then).await.ok()["title"], "Rain");
    assert_eq!(at(gone).await.refusal().0, 404);
}
