//! From registration to an approved, counted, audited item: a scanned page, a recording and a text.

use crate::house::{House, PROCESSED_WITHIN, raw_text, sample};
use anyhow::Result;
use serde_json::{Value, json};

fn ids(entries: &Value) -> Vec<&str> {
    entries
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["id"].as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_a_recording_and_a_text_go_from_upload_to_approved_counted_and_audited() -> Result<()>
{
    let mut house = House::start().await?;
    let manager = house.person("manager@example.org").await?;
    let contributor = house.person("contributor@example.org").await?;
    let reviewer = house.person("reviewer@example.org").await?;
    let project = manager.project("Field notes").await?;
    manager
        .bring_in(&project, "contributor", &contributor, &house.mailbox)
        .await?;
    manager
        .bring_in(&project, "reviewer", &reviewer, &house.mailbox)
        .await?;
    let members = manager
        .client
        .get(&format!("/projects/{project}/members"))
        .await?
        .expect(200)?;
    assert_eq!(members.body.as_array().map(Vec::len), Some(3));

    // Upload, and let the engines read and listen.
    let me = &contributor.client;
    let page = me
        .upload(
            &format!("/documents?project_id={project}"),
            sample("page.png", "image/png")?,
        )
        .await?
        .expect(201)?;
    assert_eq!(page.body["status"], "draft");
    assert_eq!(page.body["processed"], false);
    let recording = me
        .upload(
            &format!("/voice?project_id={project}"),
            sample("go-forward.wav", "audio/wav")?,
        )
        .await?
        .expect(201)?;
    assert!(
        recording.body["duration_seconds"]
            .as_f64()
            .unwrap_or_default()
            > 0.5
    );
    let text = me
        .post("/raw-text", raw_text(&project, "Notes"))
        .await?
        .expect(201)?;
    let (page, recording, text) = (page.text("id")?, recording.text("id")?, text.text("id")?);
    let status = me.processed("document", &page, PROCESSED_WITHIN).await?;
    assert_eq!(status["processing"]["state"], "succeeded", "{status}");
    assert_eq!(status["processed"], true);
    assert_eq!(status["has_content"], true);
    assert_eq!(status["processing"]["engine"], "tesseract");
    let status = me
        .processed("voice_sample", &recording, PROCESSED_WITHIN)
        .await?;
    assert_eq!(status["processing"]["state"], "succeeded", "{status}");
    assert_eq!(status["processing"]["engine"], "pocketsphinx");
    let document = me.get(&format!("/documents/{page}")).await?.expect(200)?;
    assert!(!document.text("ocr_text")?.trim().is_empty());
    let voice = me.get(&format!("/voice/{recording}")).await?.expect(200)?;
    assert!(voice.body["transcription_text"].is_string());

    // Drafts are mine; the reviewer sees none of it yet.
    let drafts = me
        .get(&format!("/my-drafts?project_id={project}"))
        .await?
        .expect(200)?;
    assert_eq!(ids(&drafts.body["documents"]), [page.as_str()]);
    assert_eq!(ids(&drafts.body["voice_samples"]), [recording.as_str()]);
    assert_eq!(ids(&drafts.body["raw_texts"]), [text.as_str()]);
    reviewer
        .client
        .get(&format!("/documents/{page}"))
        .await?
        .expect(404)?;
    reviewer
        .client
        .get(&format!("/my-drafts?project_id={project}"))
        .await?;

    // Hand all three in.
    let all =
        json!({ "document_ids": [page], "voice_sample_ids": [recording], "raw_text_ids": [text] });
    let submitted = me.post("/submit", all.clone()).await?.expect(200)?;
    assert_eq!(submitted.body["submitted_count"], 3, "{}", submitted.body);
    me.post("/submit", all).await?.expect(200)?;
    // What others wrote shows soon, not at once.
    let queue = reviewer
        .client
        .until(
            &format!("/review?project_id={project}"),
            PROCESSED_WITHIN,
            |queue| {
                queue
                    .body
                    .as_array()
                    .is_some_and(|waiting| waiting.len() == 3)
            },
        )
        .await?;
    let mut queued = ids(&queue.body);
    queued.sort_unstable();
    let mut expected = vec![page.as_str(), recording.as_str(), text.as_str()];
    expected.sort_unstable();
    assert_eq!(queued, expected);
    me.get(&format!("/review?project_id={project}"))
        .await?
        .expect(403)?;

    // Decide: one approved, one rejected and taken up again, one sent back.
    let decide = |id: &str, kind: &str| format!("/review/{id}?item_type={kind}");
    let approved = reviewer
        .client
        .patch(
            &decide(&page, "document"),
            json!({ "decision": "approve", "feedback": "Good" }),
        )
        .await?
        .expect(200)?;
    assert_eq!(approved.body["status"], "approved");
    assert_eq!(approved.body["reviewed_by"], reviewer.id.as_str());
    let again = reviewer
        .client
        .patch(
            &decide(&page, "document"),
            json!({ "decision": "reject", "feedback": "No" }),
        )
        .await?
        .expect(409)?;
    assert_eq!(again.code(), "ALREADY_DECIDED");
    reviewer
        .client
        .patch(
            &decide(&recording, "voice_sample"),
            json!({ "decision": "reject" }),
        )
        .await?
        .expect(422)?;
    reviewer
        .client
        .patch(
            &decide(&recording, "voice_sample"),
            json!({ "decision": "reject", "feedback": "Noisy" }),
        )
        .await?
        .expect(200)?;
    reviewer
        .client
        .patch(
            &decide(&text, "raw_text"),
            json!({ "decision": "request_changes", "feedback": "Longer" }),
        )
        .await?
        .expect(200)?;
    let item = reviewer
        .client
        .get(&format!("/documents/{page}"))
        .await?
        .expect(200)?;
    assert_eq!(item.body["status"], "approved");
    assert_eq!(item.body["feedback"], "Good");

    // The owner reads a mail about each, and goes on.
    house.mailbox.wait(&contributor.email, 5).await?;
    let edited = me
        .put(
            &format!("/voice/{recording}"),
            json!({ "tags": ["retake"] }),
        )
        .await?
        .expect(200)?;
    assert_eq!(edited.body["status"], "updated");
    let voice = me.get(&format!("/voice/{recording}")).await?.expect(200)?;
    assert_eq!(voice.body["status"], "draft");
    me.put(
        &format!("/raw-text/{text}"),
        json!({ "content": "Longer text." }),
    )
    .await?
    .expect(200)?;
    me.post("/submit", json!({ "raw_text_ids": [text] }))
        .await?
        .expect(200)?;
    reviewer
        .client
        .patch(&decide(&text, "raw_text"), json!({ "decision": "approve" }))
        .await?
        .expect(200)?;

    // Counted.
    let summary = format!("/analytics/summary?project_id={project}&timeframe=7d");
    let counted = |answer: &e2e::Answer| {
        answer.body["documentCounts"]["approved"] == 1
            && answer.body["voiceSampleCounts"]["draft"] == 1
            && answer.body["rawTextCounts"]["approved"] == 1
    };
    let summary = manager
        .client
        .until(&summary, PROCESSED_WITHIN, counted)
        .await?;
    let today = summary.body["contributionDaily"]
        .as_array()
        .and_then(|days| days.last());
    assert_eq!(
        today.map(|day| &day["count"]),
        Some(&json!(3)),
        "{}",
        summary.body
    );

    // Audited.
    let history = me
        .get(&format!("/submissions/{text}/history"))
        .await?
        .expect(200)?;
    let names: Vec<&str> = history
        .body
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["event_type"].as_str())
        .collect();
    for name in [
        "RawTextCreated",
        "SubmissionSubmitted",
        "ReviewDecided",
        "ChangesRequested",
        "SubmissionEdited",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    let root = e2e::super_admin(&house.anybody, "root@example.org", e2e::PASSWORD).await?;
    let all = root
        .client
        .get("/analytics/summary?timeframe=7d")
        .await?
        .expect(200)?;
    assert_eq!(all.body["totalProjects"], 1);
    assert_eq!(all.body["totalUsers"], 4);

    assert!(house.alta.terminate().await?.success());
    Ok(())
}
