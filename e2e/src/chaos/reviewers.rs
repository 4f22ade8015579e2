//! Somebody who takes items on, comments and decides.

use std::time::Duration;

use anyhow::Result;
use rand::RngExt;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    actor::{Actor, Body, Call, Told, id_in},
    reads::Expected,
    record::{Effect, Fact, What},
};

/// What others' commands at the same time can answer.
const TOO_LATE: &[&str] = &[
    "CLAIMED",
    "ALREADY_DECIDED",
    "NOT_PENDING",
    "ITEM_NOT_FOUND",
];

/// A reviewer at work.
pub(super) struct Reviewer {
    pub me: Actor,
    pub project: Uuid,
    pub pause: Duration,
}

impl Reviewer {
    pub async fn work(mut self) -> Result<()> {
        while !self.me.fleet.is_ending() {
            let item = match self.me.rng.random_range(0..10) {
                0..6 => self.claim_next().await?,
                6..8 => self.claim_some().await?,
                _ => self.some().await,
            };
            if let Some(item) = item {
                self.deal_with(item).await?;
            }
            self.me.rest(self.pause).await;
        }
        Ok(())
    }

    async fn deal_with(&mut self, item: Uuid) -> Result<()> {
        if self.me.rng.random_bool(0.3) {
            self.comment(item).await?;
        }
        match self.me.rng.random_range(0..10) {
            0..7 => self.decide(item, "approve").await,
            7..9 => self.decide(item, "reject").await,
            _ => self.release(item).await,
        }
    }

    async fn claim_next(&mut self) -> Result<Option<Uuid>> {
        let path = format!("/review/claim-next?project_id={}", self.project);
        self.claim(path).await
    }

    async fn claim_some(&mut self) -> Result<Option<Uuid>> {
        let Some(item) = self.some().await else {
            return Ok(None);
        };
        self.claim(format!("/review/{item}/claim")).await
    }

    async fn claim(&mut self, path: String) -> Result<Option<Uuid>> {
        let call =
            Call::new(What::Claim, Method::POST, path, Body::Nothing).may_be_refused(TOO_LATE);
        let told = self
            .me
            .carry_out(call, |answer| {
                let effect = Effect::new("ReviewClaimed", id_in(answer, "id")?);
                Ok((vec![effect], Fact::Nothing))
            })
            .await?;
        let Told::Done(answer) = told else {
            return Ok(None);
        };
        let (item, me) = (id_in(&answer, "id")?, self.me.id.to_string());
        let shown = Expected::new(format!("claim of {me}"), move |body| {
            body["claimed_by_id"] == me.as_str() || body["status"] != "pending_review"
        });
        self.me
            .see(&format!("/review/{item}"), shown.or_gone())
            .await;
        Ok(Some(item))
    }

    /// One of those that wait.
    async fn some(&mut self) -> Option<Uuid> {
        let path = format!("/review?project_id={}", self.project);
        let queue = self.me.look(&path).await?;
        let waiting = queue.body.as_array()?;
        if waiting.is_empty() {
            return None;
        }
        let chosen = &waiting[self.me.rng.random_range(0..waiting.len())];
        chosen["id"].as_str()?.parse().ok()
    }

    async fn comment(&mut self, item: Uuid) -> Result<()> {
        let text = self.me.mark();
        let path = format!("/review/{item}/comments");
        let body = Body::Json(json!({ "text": text }));
        let call = Call::new(What::Comment, Method::POST, path, body).may_be_refused(TOO_LATE);
        let told = self
            .me
            .carry_out(call, |answer| {
                let id = id_in(answer, "id")?;
                let effect = Effect::new("ReviewCommented", item);
                Ok((vec![effect], Fact::Comment { item, id }))
            })
            .await?;
        if let Told::Done(_) = told {
            let shown = Expected::new(format!("comment {text}"), move |body| {
                any(&body["comments"], "text", &text)
            });
            self.me
                .see(&format!("/review/{item}"), shown.or_gone())
                .await;
        }
        Ok(())
    }

    async fn decide(&mut self, item: Uuid, decision: &'static str) -> Result<()> {
        let (feedback, reviewer) = (self.me.mark(), self.me.id);
        let body = Body::Json(json!({ "decision": decision, "feedback": feedback }));
        let call = Call::new(What::Decide, Method::PATCH, format!("/review/{item}"), body)
            .may_be_refused(TOO_LATE);
        let fact = Fact::Decision {
            item,
            decision,
            reviewer,
            feedback: feedback.clone(),
        };
        let promise = (vec![Effect::new("ReviewDecided", item)], fact);
        if let Told::Done(_) = self.me.carry_out(call, |_| Ok(promise)).await? {
            let shown = Expected::new(format!("decision {feedback}"), move |body| {
                any(&body["rounds"], "feedback", &feedback)
            });
            // What was rejected may be its owner's draft again.
            let shown = if decision == "approve" {
                shown
            } else {
                shown.or_gone()
            };
            self.me.see(&format!("/review/{item}"), shown).await;
        }
        Ok(())
    }

    async fn release(&mut self, item: Uuid) -> Result<()> {
        let path = format!("/review/{item}/claim");
        let call =
            Call::new(What::Release, Method::DELETE, path, Body::Nothing).may_be_refused(TOO_LATE);
        // Whether there was anything to release is not said.
        self.me
            .carry_out(call, |_| Ok((vec![], Fact::Nothing)))
            .await?;
        Ok(())
    }
}

fn any(list: &Value, field: &str, text: &str) -> bool {
    let mut entries = list.as_array().into_iter().flatten();
    entries.any(|entry| entry[field] == text)
}
