//! What is asked about: items in each state and of each owner, projects with their members, accounts.
//! Made when first needed, and anew once a call has changed it.

use anyhow::{Context, Result};
use e2e::{Answer, Client, PASSWORD, Upload};
use http_kit::permissions::routes::{Access, Rule};
use serde_json::json;
use std::{collections::HashMap, time::Duration};

use super::people::People;
use crate::house::{House, raw_text};

const SEEN_WITHIN: Duration = Duration::from_secs(20);

/// Whose an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    Admin,
    Contributor,
    /// Who contributed it before becoming a reviewer.
    Reviewer,
    /// Somebody in a project that none of the others belongs to.
    Outsider,
}

impl Owner {
    pub const ALL: [Self; 4] = [
        Self::Admin,
        Self::Contributor,
        Self::Reviewer,
        Self::Outsider,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Contributor => "contributor",
            Self::Reviewer => "reviewer",
            Self::Outsider => "outsider",
        }
    }
}

/// How far an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    Draft,
    Pending,
    /// A draft that was deleted.
    Deleted,
}

impl State {
    pub const fn is_draft(self) -> bool {
        !matches!(self, Self::Pending)
    }
}

/// In which states a route is asked about an item.
pub fn states_for(rule: &Rule) -> &'static [State] {
    if rule.path.ends_with("/{id}/restore") {
        &[State::Deleted]
    } else {
        &[State::Draft, State::Pending]
    }
}

/// What a call is about.
#[derive(Debug, Clone, Default)]
pub struct Target {
    pub project: String,
    pub foreign_project: String,
    pub item: String,
    pub account: String,
    pub colleague: String,
    pub invitation: String,
    /// An account that none of those who ask has.
    pub outsider: String,
    /// Whose each access token is.
    pub oneself: HashMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Document,
    Voice,
    RawText,
    Project,
    Account,
}

fn kind_of(rule: &Rule) -> Kind {
    let path = rule.path;
    match rule.access {
        Access::Everything if path.contains("/users") => Kind::Account,
        Access::Item { .. } if path.starts_with("/documents") || path.ends_with("/ocr") => {
            Kind::Document
        }
        Access::Item { .. } if path.starts_with("/voice") || path.ends_with("/transcribe") => {
            Kind::Voice
        }
        Access::Item { .. } => Kind::RawText,
        _ => Kind::Project,
    }
}

/// The targets that are there.
pub struct Scenes<'a> {
    house: &'a House,
    people: &'a People,
    outsider: Option<(String, Client)>,
    /// The project of all items, and that of the outsider.
    projects: Option<(String, String)>,
    made: HashMap<(Kind, Owner, State), Target>,
    count: usize,
}

impl<'a> Scenes<'a> {
    pub fn new(house: &'a House, people: &'a People) -> Self {
        Self {
            house,
            people,
            outsider: None,
            projects: None,
            made: HashMap::new(),
            count: 0,
        }
    }

    /// What this rule is to be asked about.
    pub async fn target(&mut self, rule: &Rule, owner: Owner, state: State) -> Result<Target> {
        let kind = kind_of(rule);
        if let Some(target) = self.made.get(&(kind, owner, state)) {
            return Ok(target.clone());
        }
        let (project, foreign_project) = self.projects().await?;
        let mut target = Target {
            project,
            foreign_project,
            ..Target::default()
        };
        for actor in self.people.active() {
            let (token, id) = (actor.client.token().to_owned(), actor.id.clone());
            target.oneself.insert(token, id);
        }
        target
            .colleague
            .clone_from(&self.people.actor("colleague").id);
        target.account.clone_from(&target.colleague);
        if let Some((id, _)) = &self.outsider {
            target.outsider.clone_from(id);
        }
        match kind {
            Kind::Project => {
                target.project = self.project().await?;
                target.invitation = self.invitation(&target.project).await?;
            }
            Kind::Account => target.account = self.account().await?,
            _ => target.item = self.item(kind, owner, state, &target).await?,
        }
        self.made.insert((kind, owner, state), target.clone());
        Ok(target)
    }

    /// A call has changed it.
    pub fn forget(&mut self, rule: &Rule, owner: Owner, state: State) {
        self.made.remove(&(kind_of(rule), owner, state));
    }

    fn name(&mut self) -> String {
        self.count += 1;
        format!("thing-{}", self.count)
    }

    async fn projects(&mut self) -> Result<(String, String)> {
        if let Some(projects) = &self.projects {
            return Ok(projects.clone());
        }
        let account = json!({ "email": "outsider@example.org", "password": PASSWORD });
        let root = &self.people.actor("root").client;
        let made = root
            .post("/admin/users", account.clone())
            .await?
            .expect(201)?;
        let anybody = &self.house.anybody;
        let tokens = anybody.post("/auth/login", account).await?.expect(200)?;
        let outsider = anybody.with_token(&tokens.text("access_token")?);
        let body = json!({ "name": "Elsewhere" });
        let elsewhere = outsider
            .post("/projects", body)
            .await?
            .expect(201)?
            .text("id")?;
        self.outsider = Some((made.text("id")?, outsider));
        let projects = (self.project().await?, elsewhere);
        self.projects = Some(projects.clone());
        Ok(projects)
    }

    /// A project in which everybody has the role that they are known by.
    async fn project(&mut self) -> Result<String> {
        let body = json!({ "name": self.name() });
        let admin = &self.people.actor("admin").client;
        let project = admin
            .post("/projects", body)
            .await?
            .expect(201)?
            .text("id")?;
        for (name, role) in [
            ("contributor", "contributor"),
            ("colleague", "contributor"),
            ("reviewer", "reviewer"),
        ] {
            let body = json!({ "email": self.people.email(name), "role": role });
            let path = format!("/projects/{project}/invite");
            let token = admin.post(&path, body).await?.expect(201)?.text("token")?;
            let accept = format!("/projects/invitations/{token}/accept");
            self.people
                .actor(name)
                .client
                .trigger(&accept)
                .await?
                .expect(200)?;
        }
        Ok(project)
    }

    async fn invitation(&self, project: &str) -> Result<String> {
        let admin = &self.people.actor("admin").client;
        let body = json!({ "email": "invited@example.org", "role": "reviewer" });
        let invite = format!("/projects/{project}/invite");
        admin.post(&invite, body).await?.expect(201)?;
        let list = format!("/projects/{project}/invitations");
        let pending = admin.get(&list).await?.expect(200)?;
        let id = pending.body[0]["id"].as_str().context("an invitation")?;
        Ok(id.to_owned())
    }

    async fn account(&mut self) -> Result<String> {
        let email = format!("{}@example.org", self.name());
        let root = &self.people.actor("root").client;
        let body = json!({ "email": email, "password": PASSWORD });
        root.post("/admin/users", body)
            .await?
            .expect(201)?
            .text("id")
    }

    async fn item(
        &mut self,
        kind: Kind,
        owner: Owner,
        state: State,
        target: &Target,
    ) -> Result<String> {
        let title = self.name();
        let (_, outsider) = self.outsider.clone().context("the outsider")?;
        let (client, project) = match owner {
            Owner::Outsider => (outsider, &target.foreign_project),
            _ => (
                self.people.actor(owner.name()).client.clone(),
                &target.project,
            ),
        };
        self.role_of_reviewer(owner, project, "contributor").await?;
        let item = made(&client, kind, project, &title).await?;
        let (route, list) = match kind {
            Kind::Document => ("documents", "document_ids"),
            Kind::Voice => ("voice", "voice_sample_ids"),
            _ => ("raw-text", "raw_text_ids"),
        };
        match state {
            State::Draft => {}
            State::Pending => {
                let answer = client.post("/submit", json!({ list: [item] })).await?;
                anyhow::ensure!(answer.body["submitted_count"] == 1, "{}", answer.body);
            }
            State::Deleted => {
                client
                    .delete(&format!("/{route}/{item}"))
                    .await?
                    .expect(200)?;
            }
        }
        self.role_of_reviewer(owner, project, "reviewer").await?;
        self.seen_by_others(&item, state).await?;
        Ok(item)
    }

    /// Who wrote it sees it at once; the others a moment later.
    async fn seen_by_others(&self, item: &str, state: State) -> Result<()> {
        let root = &self.people.actor("root").client;
        let wanted = |answer: &Answer| match state {
            State::Draft => answer.body["status"] == "draft",
            State::Pending => answer.body["status"] == "pending_review",
            State::Deleted => answer.status == 404,
        };
        let path = format!("/submissions/{item}");
        root.until(&path, SEEN_WITHIN, wanted).await?;
        let queued = |answer: &Answer| state != State::Pending || answer.status == 200;
        root.until(&format!("/review/{item}"), SEEN_WITHIN, queued)
            .await?;
        Ok(())
    }

    async fn role_of_reviewer(&self, owner: Owner, project: &str, role: &str) -> Result<()> {
        if owner == Owner::Reviewer {
            let reviewer = &self.people.actor("reviewer").id;
            let path = format!("/projects/{project}/members/{reviewer}");
            let admin = &self.people.actor("admin").client;
            admin
                .put(&path, json!({ "role": role }))
                .await?
                .expect(200)?;
        }
        Ok(())
    }
}

async fn made(client: &Client, kind: Kind, project: &str, title: &str) -> Result<String> {
    let answer = match kind {
        Kind::Document => {
            let path = format!("/documents?project_id={project}&is_raw=true");
            client.upload(&path, page(title)?).await?
        }
        Kind::Voice => {
            client
                .upload(&format!("/voice?project_id={project}"), silence(title))
                .await?
        }
        _ => client.post("/raw-text", raw_text(project, title)).await?,
    };
    answer.expect(201)?.text("id")
}

/// A scanned page.
pub fn page(title: &str) -> Result<Upload> {
    let mut page = crate::house::sample("page.png", "image/png")?;
    page.name = format!("{title}.png");
    Ok(page)
}

/// A fifth of a second of silence: nothing that would keep the engines busy.
pub fn silence(title: &str) -> Upload {
    let (rate, samples) = (8_000_u32, 1_600_u32);
    let bytes_of_sound = samples * 2;
    let mut bytes = Vec::new();
    bytes.extend(b"RIFF");
    bytes.extend((36 + bytes_of_sound).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16_u32.to_le_bytes());
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * 2).to_le_bytes());
    bytes.extend(2_u16.to_le_bytes());
    bytes.extend(16_u16.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(bytes_of_sound.to_le_bytes());
    bytes.resize(bytes.len() + bytes_of_sound as usize, 0);
    Upload {
        name: format!("{title}.wav"),
        claimed_type: "audio/wav".to_owned(),
        bytes,
    }
}
