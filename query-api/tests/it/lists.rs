//! Items in lists.

use crate::house::{House, NOTHING, ids, keys};
use domain::{ProjectRole, review::Decision, submission::Description};
use serde_json::{Value, json};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn submissions_are_found_by_what_is_known_of_them() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let other_project = house.project(&amina, "Poems").await;
    let described = Description {
        domain: Some("weather".into()),
        language: Some("en".into()),
        tags: vec!["old".into(), "wet".into()],
        extra_metadata: None,
    };
    let text = house
        .raw_text_with(&amina, project, "100% rain", described)
        .await;
    let document = house.document(&amina, project, "letter.pdf", b"%PDF").await;
    let voice = house.voice(&amina, other_project, 1.0).await;
    house.submit(&amina, text).await;
    let found = async |query: &str| {
        ids(&house
            .get(&amina, &format!("/submissions?{query}"))
            .await
            .ok())
    };
    assert_eq!(found("").await, [voice, document, text]);
    assert_eq!(found("order=asc").await, [text, document, voice]);
    assert_eq!(found("sort_by=updated_at").await, [text, voice, document]);
    assert_eq!(found("sort_by=submitted_at&limit=1").await, [text]);
    assert_eq!(found(&format!("project_id={other_project}")).await, [voice]);
    assert_eq!(found("type=document").await, [document]);
    assert_eq!(found("status=pending_review").await, [text]);
    assert_eq!(found("domain=weather&language=en&tag=wet").await, [text]);
    assert_eq!(found("tag=we").await, NOTHING);
    assert_eq!(found(&format!("uploaded_by={}", amina.id)).await.len(), 3);
    assert_eq!(
        found(&format!("uploaded_by={}", Uuid::nil())).await,
        NOTHING
    );
    assert_eq!(found("q=LETTER").await, [document]);
    assert_eq!(found("q=100%25%20r").await, [text]);
    assert_eq!(found("q=_").await, NOTHING);
    assert_eq!(found("q=all%20about").await, [text]);
    assert_eq!(found("from=2000-01-01&to=2100-01-01").await.len(), 3);
    assert_eq!(found("to=2000-01-01T00:00:00Z").await, NOTHING);
    for bad in [
        "type=x",
        "status=x",
        "sort_by=x",
        "order=x",
        "from=x",
        "project_id=x",
        "cursor=x",
    ] {
        let answer = house.get(&amina, &format!("/submissions?{bad}")).await;
        assert_eq!(answer.refusal(), (400, "INVALID_PARAMETER".into()), "{bad}");
    }
    let stranger = house.person("bilal").await;
    let path = format!("/submissions?project_id={project}");
    assert_eq!(house.get(&stranger, &path).await.refusal().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_shows_titles_but_no_texts() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    house.document(&amina, project, "letter.pdf", b"%PDF").await;
    let list = house.get(&amina, "/submissions").await.ok();
    let fields = keys(&list[0]);
    assert!(
        fields.contains(&"type")
            && fields.contains(&"status")
            && fields.contains(&"original_filename")
    );
    assert!(!fields.contains(&"ocr_text"));
    assert_eq!(list[0]["title"], "letter.pdf");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_comes_in_pages_that_neither_skip_nor_repeat() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let mut made = vec![];
    for n in 0..7 {
        let id = house.raw_text(&amina, project, &format!("T{n}")).await;
        if n % 2 == 0 {
            house.submit(&amina, id).await;
        }
        made.push(id);
    }
    made.sort_unstable();
    for sort_by in ["created_at", "updated_at", "submitted_at"] {
        for order in ["asc", "desc"] {
            let mut seen = vec![];
            let mut page = Some(format!(
                "/submissions?limit=3&sort_by={sort_by}&order={order}"
            ));
            while let Some(path) = page {
                let answer = house.get(&amina, &path).await;
                seen.extend(ids(&answer.ok()));
                page = answer.next();
            }
            seen.sort_unstable();
            assert_eq!(seen, made, "{sort_by} {order}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sees_in_lists_what_one_may_read() {
    let (house, _running) = House::new().await;
    let (admin, owner) = (house.person("admin").await, house.person("owner").await);
    let (other, reviewer) = (house.person("other").await, house.person("reviewer").await);
    let (root, stranger) = (
        house.super_admin("root").await,
        house.person("stranger").await,
    );
    let project = house.project(&admin, "Letters").await;
    house
        .join(&admin, project, &owner, ProjectRole::Contributor)
        .await;
    house
        .join(&admin, project, &other, ProjectRole::Contributor)
        .await;
    house
        .join(&admin, project, &reviewer, ProjectRole::Reviewer)
        .await;
    let draft = house.raw_text(&owner, project, "Draft").await;
    let waiting = house.raw_text(&owner, project, "Waiting").await;
    house.submit(&owner, waiting).await;
    let others = house.raw_text(&other, project, "Other's").await;
    house.settled().await;
    let seen = async |who, path: &str| ids(&house.get(who, path).await.ok());
    assert_eq!(seen(&admin, "/submissions").await, [others, waiting, draft]);
    assert_eq!(seen(&root, "/submissions").await, [others, waiting, draft]);
    assert_eq!(seen(&owner, "/submissions").await, [waiting, draft]);
    assert_eq!(seen(&other, "/submissions").await, [others]);
    assert_eq!(seen(&reviewer, "/submissions").await, [waiting]);
    assert_eq!(seen(&stranger, "/submissions").await, NOTHING);
    assert_eq!(seen(&owner, "/my-contributions").await, [waiting, draft]);
    assert_eq!(seen(&root, "/my-contributions").await, NOTHING);
    let path = format!("/my-contributions?project_id={project}");
    assert_eq!(house.get(&stranger, &path).await.refusal().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn my_drafts_are_mine_and_drafts_by_kind() {
    let (house, _running) = House::new().await;
    let (admin, reviewer) = (house.person("admin").await, house.person("reviewer").await);
    let project = house.project(&admin, "Letters").await;
    let other_project = house.project(&admin, "Poems").await;
    house
        .join(&admin, project, &reviewer, ProjectRole::Reviewer)
        .await;
    let document = house.document(&admin, project, "letter.pdf", b"%PDF").await;
    let voice = house.voice(&admin, project, 1.0).await;
    let text = house.raw_text(&admin, project, "Rain").await;
    let decided = house.raw_text(&admin, project, "Done").await;
    house.submit(&admin, decided).await;
    house.decide(&admin, decided, Decision::Approve, None).await;
    house.raw_text(&admin, other_project, "Elsewhere").await;
    let path = format!("/my-drafts?project_id={project}");
    let drafts = house.get(&admin, &path).await.ok();
    assert_eq!(keys(&drafts), ["documents", "raw_texts", "voice_samples"]);
    let fields = [
        "created_at",
        "domain",
        "filename",
        "id",
        "is_raw",
        "processed",
    ];
    assert_eq!(keys(&drafts["documents"][0]), fields);
    let fields = ["created_at", "filename", "id", "language", "processed"];
    assert_eq!(keys(&drafts["voice_samples"][0]), fields);
    assert_eq!(
        keys(&drafts["raw_texts"][0]),
        ["created_at", "domain", "id", "title"]
    );
    let found = ["documents", "voice_samples", "raw_texts"].map(|kind| ids(&drafts[kind]));
    assert_eq!(found, [[document], [voice], [text]]);
    let everywhere = house.get(&admin, "/my-drafts").await.ok();
    assert_eq!(everywhere["raw_texts"].as_array().map(Vec::len), Some(2));
    house.settled().await;
    assert_eq!(
        house.get(&reviewer, &path).await.refusal(),
        (403, "FORBIDDEN".into())
    );
    let none = house.get(&reviewer, "/my-drafts").await.ok();
    assert_eq!(
        none,
        json!({"documents": [], "voice_samples": [], "raw_texts": []})
    );
    let stranger = house.person("bilal").await;
    assert_eq!(house.get(&stranger, &path).await.refusal().0, 404);
    assert_ne!(drafts, Value::Null);
}
