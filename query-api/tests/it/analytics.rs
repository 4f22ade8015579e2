//! Figures.

use crate::house::{House, keys};
use domain::{ProjectRole, review::Decision};
use serde_json::{Value, json};

const NONE: [(&str, i64); 4] = [
    ("draft", 0),
    ("pending_review", 0),
    ("approved", 0),
    ("rejected", 0),
];

fn counts(some: &[(&str, i64)]) -> Value {
    NONE.iter()
        .chain(some)
        .map(|(status, count)| ((*status).to_owned(), json!(count)))
        .collect()
}

/// How many days, and the count of the last.
fn days(list: &Value) -> (usize, i64) {
    let list = list.as_array().expect("a list");
    let mut days: Vec<&str> = list
        .iter()
        .map(|day| day["day"].as_str().expect("a day"))
        .collect();
    let told = days.clone();
    days.sort_unstable();
    days.dedup();
    assert_eq!(days, told, "days come once and in order");
    assert!(days.iter().all(|day| day.len() == 10));
    let today = list.last().expect("today")["count"]
        .as_i64()
        .expect("a count");
    (list.len(), today)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_counts_a_project_for_its_admin_and_ones_own_for_a_contributor() {
    let (house, _running) = House::new().await;
    let (admin, owner) = (house.person("admin").await, house.person("owner").await);
    let reviewer = house.person("reviewer").await;
    let project = house.project(&admin, "Letters").await;
    house
        .join(&admin, project, &owner, ProjectRole::Contributor)
        .await;
    house
        .join(&admin, project, &reviewer, ProjectRole::Reviewer)
        .await;
    house.document(&admin, project, "a.pdf", b"%PDF").await;
    let text = house.raw_text(&owner, project, "One").await;
    house.submit(&owner, text).await;
    house.raw_text(&owner, project, "Two").await;
    house.settled().await;
    for parameter in ["project_id", "projectId"] {
        let path = format!("/analytics/summary?{parameter}={project}&timeframe=7d");
        let summary = house.get(&admin, &path).await.ok();
        let fields = [
            "contributionDaily",
            "documentCounts",
            "rawTextCounts",
            "voiceSampleCounts",
        ];
        assert_eq!(keys(&summary), fields);
        assert_eq!(summary["documentCounts"], counts(&[("draft", 1)]));
        assert_eq!(summary["voiceSampleCounts"], counts(&[]));
        assert_eq!(
            summary["rawTextCounts"],
            counts(&[("draft", 1), ("pending_review", 1)])
        );
        assert_eq!(days(&summary["contributionDaily"]), (7, 3));
    }
    let path = format!("/analytics/summary?project_id={project}");
    let own = house.get(&owner, &path).await.ok();
    assert_eq!(own["documentCounts"], counts(&[]));
    assert_eq!(days(&own["contributionDaily"]), (30, 2));
    assert_eq!(
        house.get(&reviewer, &path).await.refusal(),
        (403, "FORBIDDEN".into())
    );
    let stranger = house.person("stranger").await;
    assert_eq!(house.get(&stranger, &path).await.refusal().0, 404);
    for bad in ["0d", "366d", "7", "x", ""] {
        let answer = house.get(&admin, &format!("{path}&timeframe={bad}")).await;
        assert_eq!(answer.refusal(), (400, "INVALID_PARAMETER".into()), "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_summary_over_everything_is_for_super_admins() {
    let (house, _running) = House::new().await;
    let (amina, root) = (house.person("amina").await, house.super_admin("root").await);
    let project = house.project(&amina, "Letters").await;
    house.raw_text(&amina, project, "One").await;
    house.settled().await;
    let summary = house
        .get(&root, "/analytics/summary?timeframe=365d")
        .await
        .ok();
    assert_eq!(
        keys(&summary),
        [
            "contributionDaily",
            "documentCounts",
            "rawTextCounts",
            "totalProjects",
            "totalUsers",
            "userSignupDaily",
            "voiceSampleCounts",
        ]
    );
    assert_eq!(
        (&summary["totalUsers"], &summary["totalProjects"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(days(&summary["userSignupDaily"]), (365, 2));
    assert_eq!(days(&summary["contributionDaily"]), (365, 1));
    let refused = house.get(&amina, "/analytics/summary").await;
    assert_eq!(refused.refusal(), (403, "FORBIDDEN".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn ones_own_figures_know_no_rate_before_a_decision() {
    let (house, _running) = House::new().await;
    let (amina, bilal) = (house.person("amina").await, house.person("bilal").await);
    let root = house.super_admin("root").await;
    let project = house.project(&amina, "Letters").await;
    let (one, two) = (
        house.raw_text(&amina, project, "One").await,
        house.raw_text(&amina, project, "Two").await,
    );
    let path = format!("/analytics/user/{}?timeframe=2d", amina.id);
    let figures = house.get(&amina, &path).await.ok();
    assert_eq!(
        keys(&figures),
        ["approvalRate", "contributionDaily", "totalContributions"]
    );
    assert_eq!(
        (&figures["totalContributions"], &figures["approvalRate"]),
        (&json!(2), &Value::Null)
    );
    assert_eq!(days(&figures["contributionDaily"]), (2, 2));
    for (id, decision) in [(one, Decision::Approve), (two, Decision::Reject)] {
        house.submit(&amina, id).await;
        house.decide(&amina, id, decision, Some("So it is")).await;
    }
    assert_eq!(
        house.get(&amina, &path).await.ok()["approvalRate"],
        json!(0.5)
    );
    house.get(&root, &path).await.ok();
    assert_eq!(
        house.get(&bilal, &path).await.refusal(),
        (403, "FORBIDDEN".into())
    );
    let unknown = format!("/analytics/user/{project}");
    assert_eq!(
        house.get(&root, &unknown).await.refusal(),
        (404, "USER_NOT_FOUND".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn review_figures_are_for_those_who_review() {
    let (house, _running) = House::new().await;
    let (admin, owner) = (house.person("admin").await, house.person("owner").await);
    let (reviewer, root) = (
        house.person("reviewer").await,
        house.super_admin("root").await,
    );
    let project = house.project(&admin, "Letters").await;
    house
        .join(&admin, project, &owner, ProjectRole::Contributor)
        .await;
    house
        .join(&admin, project, &reviewer, ProjectRole::Reviewer)
        .await;
    let path = format!("/analytics/review?project_id={project}&timeframe=3d");
    house.settled().await;
    let empty = house.get(&reviewer, &path).await.ok();
    assert_eq!(
        keys(&empty),
        [
            "byReviewer",
            "decidedDaily",
            "medianDecisionSeconds",
            "oldestPendingAgeSeconds",
            "pending",
        ]
    );
    assert_eq!(
        (&empty["pending"], &empty["byReviewer"]),
        (&json!(0), &json!([]))
    );
    assert_eq!(
        (
            &empty["oldestPendingAgeSeconds"],
            &empty["medianDecisionSeconds"]
        ),
        (&Value::Null, &Value::Null)
    );
    for (n, decision) in [
        Decision::Approve,
        Decision::Reject,
        Decision::RequestChanges,
    ]
    .into_iter()
    .enumerate()
    {
        let id = house.raw_text(&owner, project, &format!("T{n}")).await;
        house.submit(&owner, id).await;
        house
            .decide(&reviewer, id, decision, Some("So it is"))
            .await;
    }
    let waiting = house.raw_text(&owner, project, "Waiting").await;
    house.submit(&owner, waiting).await;
    house.settled().await;
    let figures = house.get(&reviewer, &path).await.ok();
    assert_eq!(figures["pending"], 1);
    assert!(figures["oldestPendingAgeSeconds"].as_f64().expect("an age") >= 0.0);
    assert!(figures["medianDecisionSeconds"].as_f64().expect("a median") >= 0.0);
    let daily = figures["decidedDaily"].as_array().expect("a list");
    assert_eq!(daily.len(), 3);
    let today = daily.last().expect("today");
    assert_eq!(
        keys(today),
        ["approved", "changesRequested", "day", "rejected"]
    );
    assert_eq!(
        (
            &today["approved"],
            &today["rejected"],
            &today["changesRequested"]
        ),
        (&json!(1), &json!(1), &json!(1))
    );
    let reviewers = json!([{"reviewer_id": reviewer.id, "approved": 1, "rejected": 1}]);
    assert_eq!(figures["byReviewer"], reviewers);
    assert_eq!(
        house.get(&owner, &path).await.refusal(),
        (403, "FORBIDDEN".into())
    );
    assert_eq!(
        house.get(&owner, "/analytics/review").await.refusal().0,
        403
    );
    assert_eq!(
        house.get(&root, "/analytics/review").await.ok()["pending"],
        1
    );
}
