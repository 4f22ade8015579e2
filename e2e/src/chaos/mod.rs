//! The service under faults: two of every part on one PostgreSQL and a JetStream cluster of three,
//! clients that write, review and read all the while, and faults drawn from a seed. In the end, what
//! the clients were told is held against what is there.
//!
//! The faults, their order and their pauses follow from the seed, and so does what each client wants
//! to do next; how far it gets in between is the machine's affair. So a seed brings back the same
//! storm, not the same instruction at which it struck.

mod actor;
mod checks;
mod engine;
mod faults;
mod newcomers;
mod parts;
mod plan;
mod reads;
mod record;
mod reviewers;
mod seen;
mod stage;
mod writers;

use std::{
    fmt::Write,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use tokio::{task::JoinSet, time::sleep};
use uuid::Uuid;

use self::{
    actor::{Actor, Fleet},
    faults::Faults,
    plan::{PARTS, REPLICAS, Trouble},
    record::Ledger,
    reviewers::Reviewer,
    seen::Seen,
    stage::Stage,
    writers::Writer,
};
pub use self::{plan::Plan, record::Finding, writers::Samples};
use crate::Client;

const WRITERS: u64 = 4;
const REVIEWERS: u64 = 2;
/// After so many faults all of them are undone, to see that everything recovers.
const CALM_EVERY: usize = 25;
/// How soon the clients must get on once nothing is wrong any more.
const GETS_ON_WITHIN: Duration = Duration::from_mins(1);
/// How many answers show that they do.
const GETS_ON: usize = 20;
const WRITERS_PAUSE: Duration = Duration::from_millis(300);
const OTHERS_PAUSE: Duration = Duration::from_millis(600);

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// Everything that must not be; empty when all is well.
    pub findings: Vec<Finding>,
    /// How many faults there were.
    pub faults: usize,
    /// How many commands were acknowledged, and how many there were.
    pub acknowledged: (usize, usize),
    /// How many reads showed what had been written, and how many were put off.
    pub reads: (u64, u64),
    /// How many events there are.
    pub events: usize,
    /// How long it took.
    pub took: Duration,
}

/// The clients at work.
struct Clients {
    fleet: Arc<Fleet>,
    working: JoinSet<Result<()>>,
}

/// Runs a plan.
///
/// # Errors
/// When something cannot even be set up, or does not recover.
pub async fn run(plan: Plan, samples: Samples) -> Result<Report> {
    let begun = Instant::now();
    let stage = Arc::new(Stage::start().await?);
    let fleet = Arc::new(fleet(&stage));
    let keepers = parts::keep_up(&stage.parts, &fleet);
    let mut clients = Clients::start(plan, &stage, &fleet, samples).await?;
    println!(
        "{:7.1} s  all is up, clients are at work",
        begun.elapsed().as_secs_f64()
    );
    let faults = storm(plan, &stage, &mut clients).await;
    let told = match &faults {
        Ok(_) => clients.finish().await,
        Err(_) => Ok(()),
    };
    let ended = match (faults, told) {
        (Ok(faults), Ok(())) => end(&stage, &fleet, &faults).await,
        (Err(error), _) | (_, Err(error)) => Err(error),
    };
    drop(keepers);
    let (seen, findings) = match ended {
        Ok(ended) => ended,
        Err(error) => {
            let found: Vec<String> = fleet
                .ledger
                .findings()
                .iter()
                .map(ToString::to_string)
                .collect();
            return Err(error.context(format!("findings until then: {found:#?}")));
        }
    };
    let ops = fleet.ledger.ops().len();
    Ok(Report {
        findings,
        faults: plan.faults,
        acknowledged: (fleet.ledger.acknowledged(), ops),
        reads: fleet.ledger.reads(),
        events: seen.events.len(),
        took: begun.elapsed(),
    })
}

fn fleet(stage: &Stage) -> Fleet {
    let of = |part: &str| -> Vec<Client> {
        let replicas = stage.parts.iter().enumerate();
        let own = replicas.filter(|(index, _)| PARTS[index / REPLICAS] == part);
        own.map(|(_, replica)| replica.client.clone()).collect()
    };
    Fleet {
        commands: of("command-api"),
        queries: of("query-api"),
        ledger: Ledger::default(),
        ending: OnceLock::new(),
    }
}

/// All faults of the plan, with a calm every now and then and at the end.
async fn storm(plan: Plan, stage: &Arc<Stage>, clients: &mut Clients) -> Result<Faults> {
    let mut faults = Faults::new(stage);
    for (number, fault) in plan.drawn().into_iter().enumerate() {
        if matches!(fault.trouble, Trouble::Clock { .. }) && !stage.clocks {
            println!("            left out, since libfaketime is not installed: {fault}");
            continue;
        }
        faults.inject(fault).await?;
        if (number + 1) % CALM_EVERY == 0 {
            calm(stage, &mut faults, clients).await?;
        }
    }
    calm(stage, &mut faults, clients).await?;
    Ok(faults)
}

/// Waits until nothing is wrong any more; then everything must serve, and the clients get on.
async fn calm(stage: &Stage, faults: &mut Faults, clients: &mut Clients) -> Result<()> {
    faults.over().await?;
    let begun = Instant::now();
    stage.ready().await?;
    clients.get_on(stage).await?;
    let took = begun.elapsed().as_secs_f64();
    println!("            calm: all serve and the clients get on after {took:.1} s");
    Ok(())
}

/// Waits until all that follows is done, and judges.
async fn end(stage: &Stage, fleet: &Fleet, faults: &Faults) -> Result<(Seen, Vec<Finding>)> {
    let quiet = seen::quiet(&stage.database_url).await;
    if let Err(error) = quiet {
        return Err(error.context(last_words(stage).await));
    }
    let seen = Seen::look(&stage.database_url, &stage.mails.mails()).await?;
    let mut findings = fleet.ledger.findings();
    findings.extend(checks::all(&fleet.ledger.ops(), &seen, &faults.happened()));
    for (rule, arguments) in [
        ("the chain of the log verifies", &["audit", "verify"][..]),
        (
            "the projections are what the log says",
            &["projections", "verify", "all"][..],
        ),
    ] {
        if let Err(error) = stage.run(arguments).await {
            findings.push(Finding::new(rule, format!("{error:#}")));
        }
    }
    try_join_all(stage.parts.iter().map(|part| part.terminate())).await?;
    for part in &stage.parts {
        let output = part.output().await;
        let panicked = output.lines().filter(|line| line.contains("panicked"));
        findings.extend(
            panicked.map(|line| Finding::new("nothing panics", format!("{}: {line}", part.name))),
        );
    }
    Ok((seen, findings))
}

async fn last_words(stage: &Stage) -> String {
    let mut words = String::new();
    for part in &stage.parts {
        let last = part.last_words().await;
        let _ = writeln!(words, "== {}\n{last}", part.name);
    }
    words
}

impl Clients {
    /// Makes everybody's account, and lets them work.
    async fn start(
        plan: Plan,
        stage: &Stage,
        fleet: &Arc<Fleet>,
        samples: Samples,
    ) -> Result<Self> {
        let seed = |number: u64| plan.seed.wrapping_mul(1_000).wrapping_add(number);
        let mut manager = Actor::new("manager", seed(0), fleet);
        let named =
            |what: &str, number| Actor::new(&format!("{what}{number}"), seed(number), fleet);
        let mut writers: Vec<_> = (1..=WRITERS).map(|n| named("writer", n)).collect();
        let mut reviewers: Vec<_> = (11..11 + REVIEWERS).map(|n| named("reviewer", n)).collect();
        let everybody = [&mut manager]
            .into_iter()
            .chain(&mut writers)
            .chain(&mut reviewers);
        try_join_all(everybody.map(|person| settle(person, stage))).await?;
        let project = newcomers::project(&mut manager).await?;
        let project = project.context("the manager has no project")?;
        for writer in &mut writers {
            newcomers::bring_in(&mut manager, project, writer, "contributor").await?;
        }
        for reviewer in &mut reviewers {
            newcomers::bring_in(&mut manager, project, reviewer, "reviewer").await?;
        }
        let mut working = JoinSet::new();
        let files = plan.faults.div_ceil(4);
        for writer in writers {
            let writer = Writer::new(writer, project, samples.clone(), WRITERS_PAUSE, files);
            working.spawn(writer.work());
        }
        for reviewer in reviewers {
            working.spawn(reviewer_of(reviewer, project).work());
        }
        let (fleet, mails) = (fleet.clone(), stage.mails.clone());
        working.spawn(newcomers::arrive(
            fleet.clone(),
            mails,
            seed(100),
            OTHERS_PAUSE,
        ));
        Ok(Self { fleet, working })
    }

    /// Waits for some more answers.
    async fn get_on(&mut self, stage: &Stage) -> Result<()> {
        let (begun, wanted) = (Instant::now(), self.fleet.ledger.acknowledged() + GETS_ON);
        while self.fleet.ledger.acknowledged() < wanted {
            if begun.elapsed() > GETS_ON_WITHIN {
                anyhow::bail!("the clients do not get on:\n{}", last_words(stage).await);
            }
            while let Some(ended) = self.working.try_join_next() {
                ended??;
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Tells everybody to come to an end, and waits for them.
    async fn finish(&mut self) -> Result<()> {
        self.fleet.ending.get_or_init(tokio::time::Instant::now);
        while let Some(ended) = self.working.join_next().await {
            ended??;
        }
        Ok(())
    }
}

fn reviewer_of(me: Actor, project: Uuid) -> Reviewer {
    Reviewer {
        me,
        project,
        pause: OTHERS_PAUSE,
    }
}

async fn settle(person: &mut Actor, stage: &Stage) -> Result<()> {
    let name = person.name.clone();
    ensure!(
        newcomers::register(person).await?,
        "{name} is not registered"
    );
    let verified = newcomers::verify(person, &stage.mails).await?;
    ensure!(verified, "{name} is not verified");
    Ok(())
}
