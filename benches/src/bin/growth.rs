//! What a command costs with few events stored, and with many. A service for each size, each with a
//! database of its own on one PostgreSQL that keeps what it commits; only one of them runs at a time, in
//! turns, so that no size has the machine's better minutes.
//!
//! The store is filled by repeating the events of a text that was made, handed in and approved, with all
//! that the projections have of it. Processor time is that of the service, PostgreSQL and NATS together,
//! from the first command until every projection shows the last one.
//!
//! `cargo run --release -p benches --bin growth -- [sizes, as 1000,100000,5000000] [commands] [rounds]`

use anyhow::{Context, Result, ensure};
use benches::{
    http::Connection,
    load::{Report, Until, closed_loop},
    processes::Work,
    scene::{self, Scene, settled},
    stored::grow,
};
use std::time::Instant;
use test_kit::{AltaProcess, DurablePostgres, durable_postgres};

const WRITERS: usize = 8;
/// How much more a command may cost than with the fewest events.
const GOAL: f64 = 1.2;
const WARM_UP: usize = 100;
const WHAT: [&str; 3] = [
    "POST /raw-text, 1 client",
    "POST /raw-text, 8 clients",
    "POST /submit, 8 clients",
];

/// A service with so many events.
struct World {
    alta: AltaProcess,
    scene: Scene,
    url: String,
    events: i64,
    /// By [`WHAT`], of each round.
    costs: [Vec<Cost>; 3],
}

/// Of one command, in milliseconds.
#[derive(Clone, Copy)]
struct Cost {
    processors: f64,
    median: f64,
    ninety_ninth: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let sizes = arguments.next();
    let sizes = sizes.as_deref().unwrap_or("1000,100000,5000000").split(',');
    let sizes: Vec<i64> = sizes.map(str::parse).collect::<Result<_, _>>()?;
    let commands: usize = arguments.next().map_or(Ok(600), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let postgres = durable_postgres().await;
    let mut worlds = vec![];
    for (number, events) in sizes.into_iter().enumerate() {
        worlds.push(World::make(&postgres, number, events).await?);
    }
    for round in 1..=rounds {
        for world in &mut worlds {
            world.measure(commands).await?;
            println!("round {round}, {} events: done", world.events);
        }
    }
    for (number, what) in WHAT.iter().enumerate() {
        println!("{what}, {commands} commands, best of {rounds} rounds");
        let few = worlds.first().context("a size")?.best(number);
        for world in &worlds {
            let cost = world.best(number);
            let ratio = cost.processors / few.processors;
            let verdict = if ratio <= GOAL { "met" } else { "MISSED" };
            println!(
                "    {:>9} events: processors {:.2} ms  p50 {:.1} ms  p99 {:.1} ms  of the first: \
                 processors {ratio:.2}, p50 {:.2}  goal {GOAL}: {verdict}",
                world.events,
                cost.processors,
                cost.median,
                cost.ninety_ninth,
                cost.median / few.median
            );
        }
    }
    Ok(())
}

impl World {
    async fn make(postgres: &DurablePostgres, number: usize, events: i64) -> Result<Self> {
        let url = another_database(&postgres.url, &format!("growth_{number}")).await?;
        let mut alta = scene::service()?.env("DATABASE_URL", &url);
        alta.start().await?;
        let scene = Scene::set(&alta, WRITERS, 1).await?;
        let mut connection = Connection::open(&scene.address).await?;
        let item = connection.id(&scene.create(0)).await?;
        connection.send(&scene.submit(0, &item)).await?;
        connection.send(&scene.approve(0, &item)).await?;
        settled(&url).await?;
        alta.terminate().await?;
        let begun = Instant::now();
        let stored = grow(&url, &item, events).await?;
        println!(
            "{stored} events stored, with all that the projections have of them, within {:.0} s",
            begun.elapsed().as_secs_f64()
        );
        Ok(Self {
            alta,
            scene,
            url,
            events,
            costs: Default::default(),
        })
    }

    async fn measure(&mut self, commands: usize) -> Result<()> {
        self.alta.start().await?;
        self.scene.sign_in_again().await?;
        self.scene.texts(WARM_UP).await?;
        let scene = &self.scene;
        let create = async |connection: &mut Connection, number: usize| {
            connection.send(&scene.create(number)).await?;
            Ok(())
        };
        let alone = cost(scene, &self.url, 1, commands, create).await?;
        let together = cost(scene, &self.url, 8, commands, create).await?;
        let texts = scene.texts(commands).await?;
        let submit = async |connection: &mut Connection, number: usize| {
            connection
                .send(&scene.submit(number, &texts[number]))
                .await?;
            Ok(())
        };
        let submitted = cost(scene, &self.url, 8, commands, submit).await?;
        for (costs, cost) in self.costs.iter_mut().zip([alone, together, submitted]) {
            costs.push(cost);
        }
        self.alta.terminate().await?;
        Ok(())
    }

    /// The least of each, as for any figure that other processes can only make worse.
    fn best(&self, number: usize) -> Cost {
        let least = |of: fn(&Cost) -> f64| {
            let all = self.costs[number].iter().map(of);
            all.fold(f64::INFINITY, f64::min)
        };
        Cost {
            processors: least(|cost| cost.processors),
            median: least(|cost| cost.median),
            ninety_ninth: least(|cost| cost.ninety_ninth),
        }
    }
}

async fn cost(
    scene: &Scene,
    url: &str,
    clients: usize,
    commands: usize,
    work: impl AsyncFn(&mut Connection, usize) -> Result<()>,
) -> Result<Cost> {
    settled(url).await?;
    let work_done = Work::begin();
    let report: Report = closed_loop(&scene.address, clients, Until::Count(commands), work).await?;
    settled(url).await?;
    let processors = work_done.each(commands);
    ensure!(report.failed == 0, "commands failed: {:?}", report.errors);
    Ok(Cost {
        processors,
        median: report.times.at(0.5),
        ninety_ninth: report.times.at(0.99),
    })
}

/// A fresh database on the same server.
async fn another_database(url: &str, name: &str) -> Result<String> {
    let pool = sqlx::PgPool::connect(url).await?;
    sqlx::raw_sql(&format!("CREATE DATABASE {name}"))
        .execute(&pool)
        .await?;
    pool.close().await;
    let (server, _) = url.rsplit_once('/').context("the URL names a database")?;
    Ok(format!("{server}/{name}"))
}
