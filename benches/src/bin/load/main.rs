//! How much the service takes and how fast it answers, beside what PostgreSQL alone does with the same
//! rows and statements on the same server in the same run. See `docs/performance.md`.
//!
//! `cargo run --release -p benches --bin load -- [items] [seconds per figure]`
//! `cargo run --release -p benches --bin load -- soak [minutes]`

mod figures;
mod reads;
mod replay;
mod soak;
mod writes;

use anyhow::Result;
use benches::{
    ceiling::Ceilings,
    processes::Sampler,
    scene::{self, Scene},
    visibility::Announced,
};
use figures::print_memory;
use std::time::Duration;
use test_kit::{AltaProcess, nats};

const WRITERS: usize = 8;
const REVIEWERS: usize = 4;

/// A service under load.
struct Bench {
    alta: AltaProcess,
    scene: Scene,
    announced: Announced,
    /// Of its database.
    url: String,
    /// How long a figure is measured.
    lasting: Duration,
}

impl Bench {
    fn ceilings(&self) -> Ceilings<'_> {
        Ceilings::new(&self.url, self.lasting.min(Duration::from_secs(4)))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize, otherwise: u64| {
        let given = arguments.get(place);
        given.map_or(Ok(otherwise), |text| text.parse::<u64>())
    };
    let soaks = arguments.first().is_some_and(|word| word == "soak");
    let lasting = Duration::from_secs(if soaks { 10 } else { number(1, 8)? });
    let bus = nats().await;
    let mut alta = scene::service()?.env("NATS_URL", &bus.url);
    alta.start().await?;
    println!(
        "{} processors; {WRITERS} writers and {REVIEWERS} reviewers; the generator and pgbench run on \
         the same processors",
        std::thread::available_parallelism()?
    );
    let mut bench = Bench {
        scene: Scene::set(&alta, WRITERS, REVIEWERS).await?,
        announced: Announced::listen(&bus.url).await?,
        url: alta.database_url()?,
        alta,
        lasting,
    };
    let memory = Sampler::start(&bench.alta)?;
    if soaks {
        soak::run(&mut bench, number(1, 20)?).await?;
        print_memory("soak", &memory.stop());
    } else {
        writes::run(&bench).await?;
        print_memory("creating and deciding", &memory.stop());
        let memory = Sampler::start(&bench.alta)?;
        writes::logins(&bench).await?;
        print_memory("signing in", &memory.stop());
        bench.scene.sign_in_again().await?;
        let memory = Sampler::start(&bench.alta)?;
        reads::run(&bench, usize::try_from(number(0, 100_000)?)?).await?;
        print_memory("lists", &memory.stop());
        let memory = Sampler::start(&bench.alta)?;
        replay::run(&bench).await?;
        print_memory("replay", &memory.stop());
    }
    bench.alta.terminate().await?;
    Ok(())
}
