//! How long lists take with 100,000 items behind them, at 8 clients that each ask again as soon as
//! they are answered: the review queue, searches for rare, middling and very common words in English
//! and Arabic as three roles, page 1 against page 1,000, and the audit trail over 1,000,000 entries.
//!
//! The items are written straight into the read model's tables, as the projectors would have left them:
//! nothing is measured but reading. Times are a caller's, from the request to the last byte; beside them
//! stands how long the service and its servers worked for one request.
//!
//! `cargo run --release -p benches --bin lists -- [items] [requests per figure] [part of a figure's name]`

use anyhow::{Context, Result, bail};
use benches::{
    corpus::Corpus,
    filled::{fill, fill_trail},
    processes::processor_time,
};
use e2e::{Answer, Client, Mailbox, Person, super_admin};
use futures::future::try_join_all;
use reqwest::Method;
use sqlx::{Connection, PgConnection};
use std::{
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use test_kit::AltaProcess;
use tokio::time::Instant;
use uuid::Uuid;

const CLIENTS: usize = 8;
/// In milliseconds, for the ninety-ninth of a hundred requests.
const GOAL: f64 = 20.0;
const ADMIN: (&str, &str) = ("root@example.org", "correct horse battery 7");

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let items: usize = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
    let requests: usize = arguments.next().map_or(Ok(2_000), |text| text.parse())?;
    let only = arguments.next().unwrap_or_default();
    let mut alta = AltaProcess::new()?
        .env("SUPER_ADMIN_EMAIL", ADMIN.0)
        .env("SUPER_ADMIN_PASSWORD", ADMIN.1);
    alta.start().await?;
    let people = People::gather(&alta).await?;
    let begun = Instant::now();
    let mut connection = PgConnection::connect(&alta.database_url()?).await?;
    let contributor = people.contributor.id.parse()?;
    let corpus = fill(&mut connection, contributor, people.projects, items).await?;
    println!(
        "{items} items that wait for review in one project and {} of every status in another, written \
         into the read model's tables (no events) in {:.0} s; {CLIENTS} clients, {requests} requests \
         a figure, {} processors",
        items / 5,
        begun.elapsed().as_secs_f64(),
        std::thread::available_parallelism()?
    );
    let bench = Bench {
        requests,
        only,
        alta: &alta,
    };
    bench.queue(&people).await?;
    bench.searches(&people, &corpus).await?;
    bench.pages(&people).await?;
    fill_trail(&mut connection, people.projects).await?;
    bench.trail(&people).await?;
    connection.close().await?;
    alta.terminate().await?;
    Ok(())
}

struct People {
    contributor: Person,
    reviewer: Person,
    root: Person,
    /// The large one, and another.
    projects: [Uuid; 2],
}

impl People {
    async fn gather(alta: &AltaProcess) -> Result<Self> {
        let (anybody, mailbox) = (Client::new(&alta.url())?, Mailbox::of(&alta.data_dir()));
        let admin = Person::register(&anybody, &mailbox, "admin@example.org").await?;
        let contributor = Person::register(&anybody, &mailbox, "c@example.org").await?;
        let reviewer = Person::register(&anybody, &mailbox, "r@example.org").await?;
        let root = super_admin(&anybody, ADMIN.0, ADMIN.1).await?;
        let mut projects = [Uuid::nil(); 2];
        for (place, name) in projects.iter_mut().zip(["Archive", "Letters"]) {
            let project = admin.project(name).await?;
            admin
                .bring_in(&project, "contributor", &contributor, &mailbox)
                .await?;
            admin
                .bring_in(&project, "reviewer", &reviewer, &mailbox)
                .await?;
            *place = project.parse()?;
        }
        Ok(Self {
            contributor,
            reviewer,
            root,
            projects,
        })
    }

    fn roles(&self) -> [(&'static str, &Client); 3] {
        [
            ("contributor", &self.contributor.client),
            ("reviewer", &self.reviewer.client),
            ("super admin", &self.root.client),
        ]
    }
}

struct Bench<'a> {
    requests: usize,
    /// What a figure's name must hold to be taken.
    only: String,
    alta: &'a AltaProcess,
}

impl Bench<'_> {
    async fn queue(&self, people: &People) -> Result<()> {
        let project = people.projects[0];
        let roles = || {
            [
                ("reviewer", &people.reviewer.client),
                ("super admin", &people.root.client),
            ]
        };
        for (role, client) in roles() {
            let path = format!("/review?project_id={project}");
            self.measure(
                &format!("GET /review?project_id=, {role}"),
                &[(client, path)],
            )
            .await?;
        }
        for (role, client) in roles() {
            self.measure(
                &format!("GET /review, {role}"),
                &[(client, "/review".into())],
            )
            .await?;
        }
        Ok(())
    }

    async fn searches(&self, people: &People, corpus: &Corpus) -> Result<()> {
        let classes = [
            ("rare (1 in 10,000)", 0.000_1),
            ("middling (1 in 100)", 0.01),
            ("middling (1 in 20)", 0.05),
            ("common (1 in 5)", 0.2),
            ("very common (1 in 3)", 0.34),
        ];
        let (mut alone, mut together) = (vec![], vec![]);
        for (language, arabic) in [("English", false), ("Arabic", true)] {
            let mut former: Option<(&str, Vec<String>)> = None;
            for (class, share) in classes {
                let words = corpus.common(arabic, share, 5);
                for (role, client) in people.roles() {
                    let asked: Vec<_> = words
                        .iter()
                        .map(|word| (client, format!("/submissions?q={}", escaped(word))))
                        .collect();
                    self.measure(
                        &format!("GET /submissions?q= {class} {language}, {role}"),
                        &asked,
                    )
                    .await?;
                    alone.extend(asked);
                }
                if let Some((rarer, others)) = former {
                    let two = words.iter().zip(&others).flat_map(|(one, other)| {
                        let path = format!("/submissions?q={}%20{}", escaped(one), escaped(other));
                        people.roles().map(|(_, client)| (client, path.clone()))
                    });
                    let two: Vec<_> = two.collect();
                    self.measure(
                        &format!("GET /submissions?q= two words, {rarer}, {class} {language}"),
                        &two,
                    )
                    .await?;
                    together.extend(two);
                }
                former = Some((class, words));
            }
        }
        self.measure("GET /submissions?q= two words, all roles", &together)
            .await?;
        self.measure("GET /submissions?q= all of the words, all roles", &alone)
            .await
    }

    async fn pages(&self, people: &People) -> Result<()> {
        let mut lists = vec![("reviewer", &people.reviewer.client, "/review?limit=50")];
        for (role, client) in people.roles() {
            lists.push((role, client, "/submissions?limit=50"));
            lists.push((
                role,
                client,
                "/submissions?limit=50&sort_by=updated_at&order=asc",
            ));
        }
        lists.push((
            "contributor",
            &people.contributor.client,
            "/my-contributions?limit=50",
        ));
        for (role, client, first) in lists {
            let wanted = |page| self.wants(&format!("GET {first}, {role}, page {page}"));
            if !wanted("1") && !wanted("1,000") {
                continue;
            }
            let far = turned(client, first, 999).await?;
            for (page, path) in [("1", first.to_owned()), ("1,000", far)] {
                self.measure(
                    &format!("GET {first}, {role}, page {page}"),
                    &[(client, path)],
                )
                .await?;
            }
        }
        Ok(())
    }

    /// Each look leaves an entry itself, and its caller's next one waits until that shows.
    async fn trail(&self, people: &People) -> Result<()> {
        let [project, _] = people.projects;
        let actor = Uuid::from_u128(7);
        let filters = [
            String::new(),
            "&status=failure".into(),
            "&action=SubmissionApproved".into(),
            format!("&actor={actor}"),
            format!("&project_id={project}"),
            format!("&project_id={project}&action=SubmissionApproved&actor={actor}"),
            "&from=2025-06-01&to=2025-06-02".into(),
            format!("&resource_id={}", Uuid::from_u128(70)),
        ];
        for filter in filters {
            let path = format!("/audit?limit=50{filter}");
            let what = path
                .replace(&project.to_string(), "…")
                .replace(&actor.to_string(), "…");
            let asked = [(&people.root.client, path)];
            self.measure_with(1, &format!("GET {what}, one client"), &asked)
                .await?;
            self.measure(&format!("GET {what}"), &asked).await?;
        }
        Ok(())
    }

    fn wants(&self, what: &str) -> bool {
        what.contains(&self.only)
    }

    async fn measure(&self, what: &str, asked: &[(&Client, String)]) -> Result<()> {
        self.measure_with(CLIENTS, what, asked).await
    }

    /// Asks in turn for each of these and prints how long that took.
    async fn measure_with(
        &self,
        clients: usize,
        what: &str,
        asked: &[(&Client, String)],
    ) -> Result<()> {
        if !self.wants(what) {
            return Ok(());
        }
        let asked: Arc<Vec<(Client, String)>> = Arc::new(
            asked
                .iter()
                .map(|(client, path)| ((*client).clone(), path.clone()))
                .collect(),
        );
        // Caches and connections are warm before anything counts.
        spent(&asked, (self.requests / 10).max(asked.len()), clients).await?;
        let processes = self.alta.tree();
        let before = processor_time(&processes);
        let mut all = spent(&asked, self.requests, clients).await?;
        let worked = processor_time(&processes) - before;
        print(what, &mut all, worked / self.requests as f64);
        Ok(())
    }
}

/// Milliseconds of each of `requests` requests.
async fn spent(
    asked: &Arc<Vec<(Client, String)>>,
    requests: usize,
    clients: usize,
) -> Result<Vec<f64>> {
    let next = Arc::new(AtomicUsize::new(0));
    let clients = (0..clients).map(|_| {
        let (asked, next) = (asked.clone(), next.clone());
        tokio::spawn(async move {
            let mut spent = vec![];
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= requests {
                    return anyhow::Ok(spent);
                }
                let (client, path) = &asked[n % asked.len()];
                let begun = Instant::now();
                let response = client.request(Method::GET, path).send().await?;
                let status = response.status().as_u16();
                response.bytes().await?;
                spent.push(begun.elapsed());
                if status != 200 {
                    bail!("{path}: {status}");
                }
            }
        })
    });
    let mut all = vec![];
    for spent in try_join_all(clients).await? {
        all.extend(spent?.iter().map(Duration::as_secs_f64).map(|s| s * 1e3));
    }
    Ok(all)
}

/// The path of a page so many pages after the first.
async fn turned(client: &Client, first: &str, times: usize) -> Result<String> {
    let mut path = first.to_owned();
    for _ in 0..times {
        let answer: Answer = client.get(&path).await?.expect(200)?;
        let link = answer.header("link").context("the list is too short")?;
        let next = link
            .strip_prefix("</api")
            .and_then(|link| link.split('>').next());
        next.context("no path in the link")?.clone_into(&mut path);
    }
    Ok(path)
}

fn escaped(word: &str) -> String {
    word.bytes().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "%{byte:02X}");
        text
    })
}

fn print(what: &str, milliseconds: &mut [f64], worked: f64) {
    milliseconds.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (milliseconds.len().saturating_sub(1)) as f64 * share;
        milliseconds
            .get(index.round() as usize)
            .copied()
            .unwrap_or(f64::NAN)
    };
    let met = if at(0.99) < GOAL { "met" } else { "MISSED" };
    println!(
        "{what:<90} p50 {:>6.1} ms  p99 {:>6.1} ms  max {:>6.1} ms  \
         (processors {worked:.1} ms)  goal p99 < {GOAL} ms: {met}",
        at(0.5),
        at(0.99),
        at(1.0),
    );
}
