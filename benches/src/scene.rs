//! Who works while it is measured: several writers and reviewers in a project, and what each of them asks
//! for. One account alone would wait for itself.

use crate::{
    http::{Call, Connection},
    load::{Until, closed_loop},
};
use anyhow::{Context, Result, ensure};
use e2e::{Client, Mailbox, Person, super_admin};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::time::{Duration, Instant};
use test_kit::AltaProcess;

/// The account that administers everything.
const ADMIN: (&str, &str) = ("root@example.org", e2e::PASSWORD);
const SENTENCES: &str = "It has been raining for a week here, and the river stands at the third step of \
    the mill. My mother says that it was like this in the year of the great flood, when the bridge went \
    and the letters came by boat. ";
/// How many clients make what others need.
const MAKERS: usize = 8;
/// How long the projections may take to show everything.
const SETTLED_WITHIN: Duration = Duration::from_mins(5);

/// People and their project.
pub struct Scene {
    /// `host:port` of the service.
    pub address: String,
    /// Owns the project.
    pub owner: Person,
    /// Contribute to it.
    pub writers: Vec<Person>,
    /// Decide in it.
    pub reviewers: Vec<Person>,
    /// Administers everything.
    pub root: Person,
    /// The project.
    pub project: String,
    mailbox: Mailbox,
    url: String,
}

/// A service to be started for a scene.
///
/// # Errors
/// When there is no place for it.
pub fn service() -> Result<AltaProcess> {
    Ok(AltaProcess::new()?
        .env("SUPER_ADMIN_EMAIL", ADMIN.0)
        .env("SUPER_ADMIN_PASSWORD", ADMIN.1)
        .env("RUST_LOG", "warn"))
}

impl Scene {
    /// Gathers people around a [`service`] that runs.
    ///
    /// # Errors
    /// Those of the service.
    pub async fn set(alta: &AltaProcess, writers: usize, reviewers: usize) -> Result<Self> {
        let (url, mailbox) = (alta.url(), Mailbox::of(&alta.data_dir()));
        let anybody = Client::new(&url)?;
        let owner = Person::register(&anybody, &mailbox, "owner@example.org").await?;
        let mut scene = Self {
            address: format!("127.0.0.1:{}", alta.port()),
            root: super_admin(&anybody, ADMIN.0, ADMIN.1).await?,
            project: owner.project("Bench").await?,
            owner,
            writers: vec![],
            reviewers: vec![],
            mailbox,
            url,
        };
        for number in 0..writers {
            let writer = scene
                .newcomer(&format!("writer{number}@example.org"))
                .await?;
            scene.bring_in("contributor", &writer).await?;
            scene.writers.push(writer);
        }
        for number in 0..reviewers {
            let reviewer = scene
                .newcomer(&format!("reviewer{number}@example.org"))
                .await?;
            scene.bring_in("reviewer", &reviewer).await?;
            scene.reviewers.push(reviewer);
        }
        Ok(scene)
    }

    async fn newcomer(&self, email: &str) -> Result<Person> {
        Person::register(&Client::new(&self.url)?, &self.mailbox, email).await
    }

    async fn bring_in(&self, role: &str, person: &Person) -> Result<()> {
        let owner = &self.owner;
        owner
            .bring_in(&self.project, role, person, &self.mailbox)
            .await
    }

    /// Another project with the first writer as contributor and the first reviewer as reviewer.
    ///
    /// # Errors
    /// Those of the service.
    pub async fn another_project(&self, name: &str) -> Result<String> {
        let project = self.owner.project(name).await?;
        for (role, people) in [
            ("contributor", &self.writers),
            ("reviewer", &self.reviewers),
        ] {
            let person = people.first().context("there is one of each")?;
            let brought_in = self.owner.bring_in(&project, role, person, &self.mailbox);
            brought_in.await?;
        }
        Ok(project)
    }

    /// Signs everybody in again: an access token does not last for ever.
    ///
    /// # Errors
    /// Those of the service.
    pub async fn sign_in_again(&mut self) -> Result<()> {
        let anybody = Client::new(&self.url)?;
        let people = [&mut self.owner, &mut self.root].into_iter();
        let people = people.chain(&mut self.writers).chain(&mut self.reviewers);
        for person in people {
            let (id, email) = (person.id.clone(), person.email.clone());
            *person = Person::sign_in(&anybody, id, &email, e2e::PASSWORD).await?;
        }
        Ok(())
    }

    /// Signing in.
    pub fn login(&self, number: usize) -> Call {
        let writer = of(&self.writers, number);
        let credentials = json!({ "email": writer.email, "password": e2e::PASSWORD });
        Call::post("", "/auth/login", &credentials, 200)
    }

    /// The text of this number, by the writer of this number.
    pub fn create(&self, number: usize) -> Call {
        let text = json!({
            "project_id": self.project,
            "title": format!("Letter {number} from the country"),
            "content": format!("{number}. {}", SENTENCES.repeat(2)),
            "tags": ["letters"],
        });
        Call::post(self.writer(number), "/raw-text", &text, 201)
    }

    /// A text handed in by its writer.
    pub fn submit(&self, number: usize, id: &str) -> Call {
        let ids = json!({ "raw_text_ids": [id] });
        Call::post(self.writer(number), "/submit", &ids, 200)
    }

    /// A text approved.
    pub fn approve(&self, number: usize, id: &str) -> Call {
        let path = format!("/review/{id}?item_type=raw_text");
        let decision: Value = json!({ "decision": "approve" });
        Call::patch(of(&self.reviewers, number).client.token(), path, &decision)
    }

    /// Create, hand in, approve.
    ///
    /// # Errors
    /// When one of them fails.
    pub async fn whole_life(&self, connection: &mut Connection, number: usize) -> Result<()> {
        let id = connection.id(&self.create(number)).await?;
        connection.send(&self.submit(number, &id)).await?;
        connection.send(&self.approve(number, &id)).await?;
        Ok(())
    }

    /// The writer's token of a number.
    pub fn writer(&self, number: usize) -> &str {
        of(&self.writers, number).client.token()
    }

    /// Makes texts, and returns their ids by number.
    ///
    /// # Errors
    /// When one cannot be made.
    pub async fn texts(&self, count: usize) -> Result<Vec<String>> {
        let ids = RefCell::new(vec![String::new(); count]);
        let make = async |connection: &mut Connection, number: usize| {
            let id = connection.id(&self.create(number)).await?;
            ids.borrow_mut()[number] = id;
            Ok(())
        };
        let report = closed_loop(&self.address, MAKERS, Until::Count(count), make).await?;
        ensure!(
            report.failed == 0,
            "texts were refused: {:?}",
            report.errors
        );
        Ok(ids.into_inner())
    }
}

fn of(people: &[Person], number: usize) -> &Person {
    &people[number % people.len()]
}

/// Waits until everything that was appended has a position, and every projection and follower has passed
/// the last one. Returns that.
///
/// # Errors
/// When it takes too long, and those of PostgreSQL.
pub async fn settled(url: &str) -> Result<i64> {
    let pool = sqlx::PgPool::connect(url).await?;
    let begun = Instant::now();
    loop {
        let (appended, numbered, passed): (i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT coalesce(max(id), 0) FROM events),
                    (SELECT coalesce(max(event_id), 0) FROM event_log),
                    (SELECT max(position) FROM event_log)
                      - (SELECT min(position) FROM projection_checkpoints)",
        )
        .fetch_one(&pool)
        .await?;
        if appended == numbered && passed <= 0 {
            let head: i64 = sqlx::query_scalar("SELECT max(position) FROM event_log")
                .fetch_one(&pool)
                .await?;
            pool.close().await;
            return Ok(head);
        }
        ensure!(
            begun.elapsed() < SETTLED_WITHIN,
            "the projections are {passed} events behind"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
