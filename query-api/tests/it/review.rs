//! The review queue and the items in it.

use crate::house::{House, NOTHING, Person, ids, keys};
use domain::{
    ProjectRole, Submission, policy,
    review::{Decision, ReviewCommand},
};
use serde_json::{Value, json};
use uuid::Uuid;

/// A project with its admin, a contributor and a reviewer.
async fn project(house: &House) -> (Uuid, [Person; 3]) {
    let people = [
        house.person("admin").await,
        house.person("owner").await,
        house.person("reviewer").await,
    ];
    let project = house.project(&people[0], "Letters").await;
    house
        .join(&people[0], project, &people[1], ProjectRole::Contributor)
        .await;
    house
        .join(&people[0], project, &people[2], ProjectRole::Reviewer)
        .await;
    (project, people)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_shown_oldest_first() {
    let (house, _running) = House::new().await;
    let (project, [admin, owner, reviewer]) = project(&house).await;
    let document = house.document(&owner, project, "letter.pdf", b"%PDF").await;
    let text = house.raw_text(&owner, project, "Rain").await;
    house.raw_text(&owner, project, "Draft").await;
    house.submit(&owner, text).await;
    house.submit(&owner, document).await;
    house.settled().await;
    let path = format!("/review?project_id={project}");
    let queue = house.get(&reviewer, &path).await.ok();
    assert_eq!(ids(&queue), [text, document]);
    let common = [
        "claimed_by_id",
        "claimed_until",
        "id",
        "status",
        "submitted_at",
        "title",
        "type",
    ];
    let with = |own: &'static str| {
        let mut fields = common.to_vec();
        fields.push(own);
        fields.sort_unstable();
        fields
    };
    assert_eq!(keys(&queue[0]), with("created_by_id"));
    assert_eq!(keys(&queue[1]), with("uploaded_by_id"));
    assert_eq!(
        (&queue[0]["title"], &queue[1]["title"]),
        (&json!("Rain"), &json!("letter.pdf"))
    );
    assert_eq!(queue[0]["status"], "pending_review");
    assert_eq!(
        ids(&house.get(&admin, "/review").await.ok()),
        [text, document]
    );
    let first = house.get(&reviewer, "/review?limit=1").await;
    assert_eq!(ids(&first.ok()), [text]);
    let second = house
        .get(&reviewer, &first.next().expect("a next page"))
        .await;
    assert_eq!(ids(&second.ok()), [document]);
    assert_eq!(second.next(), None);
    assert_eq!(
        ids(&house
            .get(&reviewer, "/review?item_type=document")
            .await
            .ok()),
        [document]
    );
    let by = format!("/review?uploaded_by={}", reviewer.id);
    assert_eq!(ids(&house.get(&reviewer, &by).await.ok()), NOTHING);
    assert_eq!(
        house
            .get(&reviewer, "/review?item_type=x")
            .await
            .refusal()
            .0,
        400
    );
    assert_eq!(
        house.get(&owner, &path).await.refusal(),
        (403, "FORBIDDEN".into())
    );
    assert_eq!(ids(&house.get(&owner, "/review").await.ok()), NOTHING);
    let (root, stranger) = (
        house.super_admin("root").await,
        house.person("stranger").await,
    );
    assert_eq!(house.get(&stranger, &path).await.refusal().0, 404);
    assert_eq!(ids(&house.get(&root, &path).await.ok()), [text, document]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_shows_and_can_be_asked_for() {
    let (house, _running) = House::new().await;
    let (project, [admin, owner, reviewer]) = project(&house).await;
    let (one, two) = (
        house.raw_text(&owner, project, "One").await,
        house.raw_text(&owner, project, "Two").await,
    );
    house.submit(&owner, one).await;
    house.submit(&owner, two).await;
    house.claim(&reviewer, one).await;
    let queue = house.get(&reviewer, "/review").await.ok();
    assert_eq!(queue[0]["claimed_by_id"], json!(reviewer.id));
    assert!(
        queue[0]["claimed_until"]
            .as_str()
            .expect("a time")
            .ends_with('Z')
    );
    assert_eq!(queue[1]["claimed_by_id"], Value::Null);
    assert_eq!(
        ids(&house.get(&reviewer, "/review?claimed=me").await.ok()),
        [one]
    );
    assert_eq!(
        ids(&house.get(&reviewer, "/review?claimed=none").await.ok()),
        [two]
    );
    house.settled().await;
    assert_eq!(
        ids(&house.get(&admin, "/review?claimed=me").await.ok()),
        NOTHING
    );
    sqlx::query(
        "UPDATE review_queue SET claimed_until = now() - interval '1 second' WHERE item_id = $1",
    )
    .bind(one)
    .execute(&house.database.pool)
    .await
    .expect("an old claim");
    let queue = house.get(&reviewer, "/review?claimed=none").await.ok();
    assert_eq!(ids(&queue), [one, two]);
    assert_eq!(queue[0]["claimed_until"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_item_shows_its_content_rounds_and_comments() {
    let (house, _running) = House::new().await;
    let (project, [_, owner, reviewer]) = project(&house).await;
    let id = house.raw_text(&owner, project, "Rain").await;
    let path = format!("/review/{id}?item_type=raw_text");
    house.settled().await;
    assert_eq!(house.get(&reviewer, &path).await.refusal().0, 404);
    house.submit(&owner, id).await;
    house
        .decide(&reviewer, id, Decision::RequestChanges, Some("Shorter"))
        .await;
    // The draft is its owner's again.
    assert_eq!(house.get(&reviewer, &path).await.refusal().0, 404);
    let review = house
        .store
        .load::<domain::Review>(id)
        .await
        .expect("loaded")
        .aggregate;
    let outcome = policy::record_outcome(&review).expect("an outcome");
    house.item(&owner, id, outcome).await;
    house.submit(&owner, id).await;
    house.claim(&reviewer, id).await;
    let item = house
        .store
        .load::<Submission>(id)
        .await
        .expect("loaded")
        .aggregate;
    let comment = ReviewCommand::Comment {
        pending: policy::pending(&item),
        comment_id: house.ids.next(),
        author_id: reviewer.id,
        text: "Whose hand?".into(),
    };
    house.review(&reviewer, id, comment).await;
    let shown = house.get(&reviewer, &path).await.ok();
    assert_eq!(shown["content"], "All about Rain");
    assert_eq!(
        (&shown["type"], &shown["status"]),
        (&json!("raw_text"), &json!("pending_review"))
    );
    assert_eq!(shown["claimed_by_id"], json!(reviewer.id));
    let rounds = shown["rounds"].as_array().expect("a list");
    let fields = [
        "decided_at",
        "feedback",
        "outcome",
        "reverted",
        "reviewer_id",
        "round",
        "submitted_at",
    ];
    assert_eq!(keys(&rounds[0]), fields);
    let told: Vec<_> = rounds
        .iter()
        .map(|r| json!([r["round"], r["outcome"], r["feedback"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!([1, "request_changes", "Shorter"]),
            json!([2, null, null])
        ]
    );
    assert_eq!(
        keys(&shown["comments"][0]),
        ["author_id", "created_at", "id", "round", "text"]
    );
    assert_eq!(shown["comments"][0]["text"], "Whose hand?");
    let other = format!("/review/{id}?item_type=document");
    assert_eq!(house.get(&reviewer, &other).await.refusal().0, 404);
    house.settled().await;
    assert_eq!(
        house.get(&owner, &path).await.refusal(),
        (403, "FORBIDDEN".into())
    );
    let stranger = house.person("stranger").await;
    assert_eq!(house.get(&stranger, &path).await.refusal().0, 404);
}
