//! Sends the commands of a sequence to the service, and compares.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use e2e::{Answer, Client, Person};
use futures::future::try_join_all;
use serde_json::{Value, json};

use super::contract::{Answered, Command, Model, PEOPLE, Status};
use crate::house::House;

/// The service with a few people.
pub struct Scene {
    house: House,
    root: Person,
    people: Vec<Person>,
}

/// One sequence in its project.
struct Play<'a> {
    scene: &'a Scene,
    project: String,
    /// The items in the order in which they were made.
    items: Vec<String>,
    /// The states that the answers so far allow.
    models: Vec<Model>,
}

/// What there is in the end, as somebody sees it who sees everything.
#[derive(Debug, PartialEq, Eq)]
struct State {
    members: BTreeMap<String, String>,
    items: Vec<String>,
}

impl Scene {
    pub async fn start() -> Result<Self> {
        let house = House::start().await?;
        let root = e2e::super_admin(&house.anybody, "root@example.org", e2e::PASSWORD).await?;
        let mut people = vec![];
        for number in 0..PEOPLE {
            people.push(house.person(&format!("person{number}@example.org")).await?);
        }
        Ok(Self {
            house,
            root,
            people,
        })
    }

    pub async fn end(&mut self) -> Result<()> {
        let status = self.house.alta.terminate().await?;
        ensure!(status.success(), "{status}");
        Ok(())
    }

    /// Plays a sequence, so many commands at once.
    pub async fn play(&self, commands: &[Command], at_once: usize) -> Result<()> {
        let mut play = Play {
            scene: self,
            project: self.people[0].project("A sequence").await?,
            items: vec![],
            models: vec![Model::new()],
        };
        for group in commands.chunks(at_once) {
            play.take(group).await?;
        }
        play.compare().await
    }
}

impl Play<'_> {
    /// Sends some commands at once; what they answer must be what a model answers in some order.
    async fn take(&mut self, group: &[Command]) -> Result<()> {
        let known = self.items.len();
        let group: Vec<Command> = group
            .iter()
            .filter_map(|command| aimed(*command, known))
            .collect();
        let sent = group.iter().map(|command| self.send(*command));
        let answers = try_join_all(sent).await?;
        let created = answers.iter().filter_map(|(_, created)| created.clone());
        // Nobody knows the ids of items before their makers do.
        self.items.extend(created);
        let answers: Vec<Answered> = answers.into_iter().map(|(answer, _)| answer).collect();
        let mut possible: Vec<Model> = vec![];
        let mut said = vec![];
        for model in &self.models {
            for order in orders(&group) {
                let (model, expected) = played(model, &group, &order);
                if expected == answers && !possible.contains(&model) {
                    possible.push(model);
                }
                said.push(expected);
            }
        }
        ensure!(
            !possible.is_empty(),
            "{group:?}: answered {answers:?}, expected one of {said:?}"
        );
        self.models = possible;
        Ok(())
    }

    async fn send(&self, command: Command) -> Result<(Answered, Option<String>)> {
        let (project, client) = (&self.project, |person: usize| {
            &self.scene.people[person].client
        });
        let answer = match command {
            Command::Join { who, role } => {
                let invited = &self.scene.people[who].email;
                let body = json!({ "email": invited, "role": role.as_str() });
                let path = format!("/projects/{project}/invite");
                // Whether somebody may invite is not part of what is tried.
                let answer = self.scene.root.client.post(&path, body).await?;
                if answer.status == 201 {
                    let token = answer.text("token")?;
                    let path = format!("/projects/invitations/{token}/accept");
                    client(who).trigger(&path).await?
                } else {
                    answer
                }
            }
            Command::ChangeRole { by, who, role } => {
                let body = json!({ "role": role.as_str() });
                client(by).put(&self.member(who), body).await?
            }
            Command::Remove { by, who } => client(by).delete(&self.member(who)).await?,
            Command::Leave { by } => {
                client(by)
                    .trigger(&format!("/projects/{project}/leave"))
                    .await?
            }
            Command::Create { by } => {
                let body = json!({ "project_id": project, "title": "A text", "content": "Words." });
                let answer = client(by).post("/raw-text", body).await?;
                let id = (answer.status == 201).then(|| answer.text("id"));
                return Ok((answered(&answer), id.transpose()?));
            }
            Command::Submit { by, item } => {
                let body = json!({ "raw_text_ids": [self.items[item]] });
                let answer = client(by).post("/submit", body).await?.expect(200)?;
                return Ok((one_of_many(&answer), None));
            }
            Command::Edit { by, item }
            | Command::Delete { by, item }
            | Command::Withdraw { by, item }
            | Command::Claim { by, item }
            | Command::Release { by, item }
            | Command::Comment { by, item }
            | Command::Decide { by, item, .. } => {
                on_item(client(by), command, &self.items[item]).await?
            }
        };
        Ok((answered(&answer), None))
    }

    fn member(&self, who: usize) -> String {
        format!(
            "/projects/{}/members/{}",
            self.project, self.scene.people[who].id
        )
    }

    /// One who sees everything writes something, and so reads all that was written before.
    async fn compare(&self) -> Result<()> {
        let root = &self.scene.root.client;
        let path = format!("/projects/{}", self.project);
        root.put(&path, json!({ "name": "Read" }))
            .await?
            .expect(200)?;
        let found = self.found(root).await?;
        let expected: Vec<State> = self
            .models
            .iter()
            .map(|model| self.expected(model))
            .collect();
        if !expected.contains(&found) {
            bail!("in the end there is {found:?}, expected one of {expected:?}");
        }
        Ok(())
    }

    async fn found(&self, root: &Client) -> Result<State> {
        let path = format!("/projects/{}/members", self.project);
        let members = root.get(&path).await?.expect(200)?;
        let members = members.body.as_array().context("an array")?.iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let members = members.map(|member| (text(&member["user_id"]), text(&member["role"])));
        let mut items = vec![];
        for id in &self.items {
            let shown = root.get(&format!("/raw-text/{id}")).await?;
            let review = root.get(&format!("/review/{id}")).await?;
            let domain = text(&shown.body["domain"]);
            let comments = review.body["comments"].as_array().map_or(0, Vec::len);
            let claim = match shown.body["status"].as_str() {
                Some("pending_review") => text(&review.body["claimed_by_id"]),
                _ => String::new(),
            };
            let status = text(&shown.body["status"]);
            items.push(format!(
                "{} {status} changed: {} comments: {comments} {} claim: {claim}",
                shown.status,
                !domain.is_empty(),
                review.status,
            ));
        }
        Ok(State {
            members: members.collect(),
            items,
        })
    }

    fn expected(&self, model: &Model) -> State {
        let id = |person: usize| self.scene.people[person].id.clone();
        let members = model.roles.iter();
        let members = members.map(|(person, role)| (id(*person), role.as_str().to_owned()));
        let items = model.items.iter().map(|item| {
            if item.deleted {
                return "404  changed: false comments: 0 404 claim: ".to_owned();
            }
            let (review, comments) = if item.rounds > 0 {
                (200, item.comments)
            } else {
                (404, 0)
            };
            let claim = item.claim.filter(|_| item.status == Status::Pending);
            format!(
                "200 {} changed: {} comments: {comments} {review} claim: {}",
                item.status.as_str(),
                item.edits > 0,
                claim.map(id).unwrap_or_default(),
            )
        });
        State {
            members: members.collect(),
            items: items.collect(),
        }
    }
}

async fn on_item(client: &Client, command: Command, id: &str) -> Result<Answer> {
    match command {
        Command::Edit { .. } => {
            let domain = format!("changed {}", rand::random::<u64>());
            let body = json!({ "domain": domain });
            client.put(&format!("/raw-text/{id}"), body).await
        }
        Command::Delete { .. } => client.delete(&format!("/raw-text/{id}")).await,
        Command::Withdraw { .. } => client.trigger(&format!("/submissions/{id}/withdraw")).await,
        Command::Claim { .. } => client.trigger(&format!("/review/{id}/claim")).await,
        Command::Release { .. } => client.delete(&format!("/review/{id}/claim")).await,
        Command::Comment { .. } => {
            let body = json!({ "text": "A remark." });
            client.post(&format!("/review/{id}/comments"), body).await
        }
        Command::Decide { decision, .. } => {
            let body = json!({ "decision": decision.as_str(), "feedback": "Why." });
            client.patch(&format!("/review/{id}"), body).await
        }
        _ => bail!("{command:?} is about no item"),
    }
}

/// The same about an item that is there; nothing while there is none.
fn aimed(mut command: Command, known: usize) -> Option<Command> {
    match &mut command {
        Command::Edit { item, .. }
        | Command::Delete { item, .. }
        | Command::Submit { item, .. }
        | Command::Withdraw { item, .. }
        | Command::Claim { item, .. }
        | Command::Release { item, .. }
        | Command::Comment { item, .. }
        | Command::Decide { item, .. } => *item = item.checked_rem(known)?,
        _ => {}
    }
    Some(command)
}

fn answered(answer: &Answer) -> Answered {
    (answer.status, answer.code().to_owned())
}

/// What became of the only item that was handed in.
fn one_of_many(answer: &Answer) -> Answered {
    match answer.body["failed_items"][0]["code"].as_str() {
        None => (200, String::new()),
        Some(code) => {
            let status = match code {
                "ITEM_NOT_FOUND" => 404,
                "FORBIDDEN" => 403,
                _ => 409,
            };
            (status, code.to_owned())
        }
    }
}

/// What a model answers to a group in this order, each command at its own place in the group.
fn played(model: &Model, group: &[Command], order: &[usize]) -> (Model, Vec<Answered>) {
    let mut model = model.clone();
    let mut answers = vec![(0, String::new()); group.len()];
    for &index in order {
        answers[index] = model.answer(group[index]);
    }
    (model, answers)
}

/// All orders of a group in which items are made in the order in which their ids are kept.
fn orders(group: &[Command]) -> Vec<Vec<usize>> {
    let makes = |index: &usize| matches!(group[*index], Command::Create { .. });
    let mut orders = permutations(group.len());
    orders.retain(|order| {
        let made: Vec<usize> = order.iter().copied().filter(makes).collect();
        made.is_sorted()
    });
    orders
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else {
        return vec![vec![]];
    };
    let shorter = permutations(last).into_iter();
    let longer = shorter.flat_map(|order| {
        (0..=order.len()).map(move |place| {
            let mut longer = order.clone();
            longer.insert(place, last);
            longer
        })
    });
    longer.collect()
}
