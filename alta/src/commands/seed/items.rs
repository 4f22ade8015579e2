//! Sample items: of each kind one in every status, and one that came back to its owner.

use anyhow::Result;
use serde_json::{Value, json};

use super::caller::Caller;

const PDF: &[u8] = include_bytes!("../../../../media/testdata/two-pages.pdf");
const PNG: &[u8] = include_bytes!("../../../../media/testdata/page.png");
const SPEECH: &[u8] = include_bytes!("../../../../media/testdata/speech.ogg");

/// A kind of item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Document,
    Voice,
    RawText,
}

impl Kind {
    /// As `item_type` has it.
    fn word(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Voice => "voice_sample",
            Self::RawText => "raw_text",
        }
    }

    /// The list in the body of a submit.
    fn list(self) -> &'static str {
        match self {
            Self::Document => "document_ids",
            Self::Voice => "voice_sample_ids",
            Self::RawText => "raw_text_ids",
        }
    }
}

/// Makes a draft and one item of each later status.
pub(super) async fn of_every_status(
    contributor: &Caller,
    reviewer: &Caller,
    project: &str,
    kind: Kind,
) -> Result<()> {
    create(contributor, project, kind, "draft").await?;
    let pending = create(contributor, project, kind, "waiting").await?;
    submit(contributor, kind, &pending).await?;
    let decisions = [
        ("approved", json!({ "decision": "approve" })),
        (
            "rejected",
            json!({ "decision": "reject", "feedback": "This does not belong here." }),
        ),
        (
            "returned",
            json!({ "decision": "request_changes", "feedback": "Which year was it?" }),
        ),
    ];
    for (name, decision) in decisions {
        let item = create(contributor, project, kind, name).await?;
        submit(contributor, kind, &item).await?;
        decide(reviewer, kind, &item, &decision).await?;
    }
    Ok(())
}

async fn create(caller: &Caller, project: &str, kind: Kind, name: &str) -> Result<String> {
    let answer = match kind {
        Kind::Document => {
            let (file, ending) = if name == "draft" {
                (PNG, "png")
            } else {
                (PDF, "pdf")
            };
            let path = format!("/documents?project_id={project}");
            caller
                .upload(&path, &format!("{name}.{ending}"), file)
                .await?
        }
        Kind::Voice => {
            let path = format!("/voice?project_id={project}");
            caller.upload(&path, &format!("{name}.ogg"), SPEECH).await?
        }
        Kind::RawText => {
            let text = json!({
                "project_id": project,
                "title": format!("A {name} note"),
                "content": "The ferry leaves at nine, and the post with it.",
                "tags": ["sample"],
            });
            caller.post("/raw-text", &text).await?
        }
    };
    answer.text("id")
}

async fn submit(caller: &Caller, kind: Kind, item: &str) -> Result<()> {
    let mut lists = json!({ "document_ids": [], "voice_sample_ids": [], "raw_text_ids": [] });
    lists[kind.list()] = json!([item]);
    caller.post("/submit", &lists).await?;
    Ok(())
}

async fn decide(caller: &Caller, kind: Kind, item: &str, decision: &Value) -> Result<()> {
    caller
        .patch(
            &format!("/review/{item}?item_type={}", kind.word()),
            decision,
        )
        .await?;
    Ok(())
}
