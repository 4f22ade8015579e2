//! Somebody who makes items, changes them, hands them in and takes them back.

use std::time::Duration;

use anyhow::Result;
use rand::{RngExt, seq::SliceRandom};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    actor::{Actor, Body, Call, Told, id_in},
    reads::Expected,
    record::{Effect, Fact, What},
};
use crate::{Answer, Upload};

/// No more items than this wait in one writer's hands.
const HELD: usize = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Document,
    Recording,
}

impl Kind {
    const fn path(self) -> &'static str {
        match self {
            Self::Text => "/raw-text",
            Self::Document => "/documents",
            Self::Recording => "/voice",
        }
    }

    const fn list(self) -> &'static str {
        match self {
            Self::Text => "raw_text_ids",
            Self::Document => "document_ids",
            Self::Recording => "voice_sample_ids",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Draft,
    /// Handed in; others may have decided meanwhile.
    Pending,
}

#[derive(Clone, Copy, Debug)]
struct Mine {
    id: Uuid,
    kind: Kind,
    state: State,
}

impl Mine {
    fn path(self) -> String {
        format!("{}/{}", self.kind.path(), self.id)
    }
}

/// A writer at work.
pub(super) struct Writer {
    pub me: Actor,
    pub project: Uuid,
    pub pause: Duration,
    /// The most files, since each is work for the engines.
    pub files: usize,
    pub samples: Samples,
    mine: Vec<Mine>,
}

/// The files that are uploaded.
#[derive(Clone, Debug)]
pub struct Samples {
    /// A PDF with a text layer.
    pub document: Upload,
    /// A short WAV.
    pub recording: Upload,
}

impl Writer {
    pub fn new(me: Actor, project: Uuid, samples: Samples, pause: Duration, files: usize) -> Self {
        Self {
            me,
            project,
            pause,
            files,
            samples,
            mine: vec![],
        }
    }

    pub async fn work(mut self) -> Result<()> {
        while !self.me.fleet.is_ending() {
            match self.me.rng.random_range(0..100) {
                0..4 if self.files > 0 => self.upload(Kind::Document).await?,
                4..8 if self.files > 0 => self.upload(Kind::Recording).await?,
                8..25 => self.edit().await?,
                25..45 => self.submit().await?,
                45..52 => self.withdraw().await?,
                52..56 => self.delete().await?,
                56..66 => self.look_after().await?,
                _ if self.mine.len() < HELD => self.create().await?,
                _ => self.submit().await?,
            }
            self.me.rest(self.pause).await;
        }
        Ok(())
    }

    async fn create(&mut self) -> Result<()> {
        let title = self.me.mark();
        let body = json!({
            "project_id": self.project, "title": title, "content": format!("The text of {title}."),
        });
        let call = Call::new(
            What::CreateText,
            Method::POST,
            "/raw-text",
            Body::Json(body),
        );
        self.made(call, Kind::Text, title, "title").await
    }

    async fn upload(&mut self, kind: Kind) -> Result<()> {
        self.files -= 1;
        let (what, sample, ending) = match kind {
            Kind::Recording => (What::UploadRecording, &self.samples.recording, "wav"),
            _ => (What::UploadDocument, &self.samples.document, "pdf"),
        };
        let name = format!("{}.{ending}", self.me.mark());
        let file = Upload {
            name: name.clone(),
            ..sample.clone()
        };
        let path = format!("{}?project_id={}", kind.path(), self.project);
        let call = Call::new(what, Method::POST, path, Body::File(file));
        self.made(call, kind, name, "original_filename").await
    }

    async fn made(
        &mut self,
        call: Call,
        kind: Kind,
        name: String,
        field: &'static str,
    ) -> Result<()> {
        let (owner, what) = (self.me.id, call.what);
        let told = self
            .me
            .carry_out(call, |answer| {
                let id = id_in(answer, "id")?;
                let effects = what.events().iter().map(|event| Effect::new(event, id));
                let name = name.clone();
                Ok((effects.collect(), Fact::Item { id, name, owner }))
            })
            .await?;
        let Told::Done(answer) = told else {
            return Ok(());
        };
        let mine = Mine {
            id: id_in(&answer, "id")?,
            kind,
            state: State::Draft,
        };
        let shown = Expected::new(format!("{field} {name}"), move |body| {
            body[field] == name.as_str()
        });
        self.me.see(&mine.path(), shown).await;
        self.mine.push(mine);
        Ok(())
    }

    async fn edit(&mut self) -> Result<()> {
        let Some(index) = self.any(State::Draft) else {
            return self.create().await;
        };
        let domain = self.me.mark();
        let mine = self.mine[index];
        self.change(index, mine, domain).await
    }

    /// An owner's change of a draft, or of a rejected item, which becomes a draft again.
    async fn change(&mut self, index: usize, mine: Mine, domain: String) -> Result<()> {
        let body = Body::Json(json!({ "domain": domain }));
        let call = Call::new(What::Edit, Method::PUT, mine.path(), body);
        let fact = Fact::Domain {
            item: mine.id,
            domain: domain.clone(),
        };
        let promise = (vec![Effect::new("SubmissionEdited", mine.id)], fact);
        match self.me.carry_out(call, |_| Ok(promise)).await? {
            Told::Done(_) => {
                self.mine[index].state = State::Draft;
                let shown = Expected::new(format!("domain {domain}"), move |body| {
                    body["domain"] == domain.as_str()
                });
                self.me.see(&mine.path(), shown).await;
            }
            Told::No => {}
            Told::Unknown => {
                self.mine.swap_remove(index);
            }
        }
        Ok(())
    }

    async fn submit(&mut self) -> Result<()> {
        let mut chosen: Vec<usize> = (0..self.mine.len())
            .filter(|&index| self.mine[index].state == State::Draft)
            .collect();
        chosen.shuffle(&mut self.me.rng);
        chosen.truncate(self.me.rng.random_range(1..=3));
        let items: Vec<Mine> = chosen.iter().map(|&index| self.mine[index]).collect();
        let Some(&first) = items.first() else {
            return self.create().await;
        };
        let call = Call::new(
            What::Submit,
            Method::POST,
            "/submit",
            Body::Json(lists(&items)),
        );
        let promise = |answer: &Answer| Ok((submitted(answer), Fact::Nothing));
        let told = self.me.carry_out(call, promise).await?;
        if let Told::Done(answer) = &told {
            if answer.body["failed_items"] != json!([]) {
                let detail = format!("{}: {}", self.me.name, answer.body);
                self.me.find("a draft can be handed in", detail);
            }
            for &index in &chosen {
                self.mine[index].state = State::Pending;
            }
            let shown = Expected::new("an item that is no draft", |body| body["status"] != "draft");
            self.me.see(&first.path(), shown).await;
        } else {
            self.mine
                .retain(|mine| !items.iter().any(|item| item.id == mine.id));
        }
        Ok(())
    }

    async fn withdraw(&mut self) -> Result<()> {
        let Some(index) = self.any(State::Pending) else {
            return Ok(());
        };
        let mine = self.mine[index];
        let path = format!("/submissions/{}/withdraw", mine.id);
        let call = Call::new(What::Withdraw, Method::POST, path, Body::Nothing)
            .may_be_refused(&["ALREADY_DECIDED", "NOT_PENDING"]);
        let promise = (vec![Effect::new("ReviewWithdrawn", mine.id)], Fact::Nothing);
        match self.me.carry_out(call, |_| Ok(promise)).await? {
            Told::Done(_) => {
                self.mine[index].state = State::Draft;
                let shown = Expected::new("a draft", |body| body["status"] == "draft");
                self.me.see(&mine.path(), shown).await;
            }
            Told::No | Told::Unknown => {
                self.mine.swap_remove(index);
            }
        }
        Ok(())
    }

    async fn delete(&mut self) -> Result<()> {
        let Some(index) = self.any(State::Draft) else {
            return Ok(());
        };
        let mine = self.mine.swap_remove(index);
        let call = Call::new(What::Delete, Method::DELETE, mine.path(), Body::Nothing);
        let effects = vec![Effect::new("SubmissionDeleted", mine.id)];
        let promise = (effects, Fact::Deleted(mine.id));
        if let Told::Done(_) = self.me.carry_out(call, |_| Ok(promise)).await? {
            let path = format!("/my-contributions?project_id={}&limit=200", self.project);
            let id = mine.id.to_string();
            let shown = Expected::new(format!("list without {id}"), move |body| {
                !ids(body).any(|listed| listed == id)
            });
            self.me.see(&path, shown).await;
        }
        Ok(())
    }

    /// What became of a pending item: the rejected ones are taken up again, the others left.
    async fn look_after(&mut self) -> Result<()> {
        let Some(index) = self.any(State::Pending) else {
            return Ok(());
        };
        let mine = self.mine[index];
        let Some(answer) = self.me.look(&mine.path()).await else {
            return Ok(());
        };
        match answer.body["status"].as_str() {
            Some("rejected") => {
                let domain = self.me.mark();
                self.change(index, mine, domain).await
            }
            Some("approved") => {
                self.mine.swap_remove(index);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn any(&mut self, state: State) -> Option<usize> {
        let found: Vec<usize> = (0..self.mine.len())
            .filter(|&index| self.mine[index].state == state)
            .collect();
        (!found.is_empty()).then(|| found[self.me.rng.random_range(0..found.len())])
    }
}

fn lists(items: &[Mine]) -> Value {
    let mut body = json!({});
    for kind in [Kind::Text, Kind::Document, Kind::Recording] {
        let ids: Vec<_> = items
            .iter()
            .filter(|item| item.kind == kind)
            .map(|item| item.id)
            .collect();
        body[kind.list()] = json!(ids);
    }
    body
}

fn submitted(answer: &Answer) -> Vec<Effect> {
    let items = ids(&answer.body["submitted_items"]);
    items
        .filter_map(|id| Some(Effect::new("SubmissionSubmitted", id.parse().ok()?)))
        .collect()
}

fn ids(list: &Value) -> impl Iterator<Item = &str> {
    let entries = list.as_array().into_iter().flatten();
    entries.filter_map(|entry| entry["id"].as_str())
}
