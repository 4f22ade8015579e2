//! Writes and reads at half of what they saturate at, minute by minute: whether memory stays flat and
//! nothing gets slower.

use crate::{Bench, figures::print};
use anyhow::{Context, Result};
use benches::{
    http::{Call, Connection},
    load::{Schedule, Until, closed_loop, open_loop},
    processes::{resident, slope},
    scene::{Scene, settled},
};
use std::time::{Duration, Instant};

const CLIENTS: usize = 32;
const MINUTE: Duration = Duration::from_mins(1);
/// Access tokens live for half an hour.
const SIGN_IN_EVERY: u64 = 10;
/// What comes before is warming up.
const FIRST: f64 = 120.0;
/// How much more memory than in the beginning is still flat, in the whole time.
const FLAT: f64 = 0.05;

pub(crate) async fn run(bench: &mut Bench, minutes: u64) -> Result<()> {
    let address = bench.scene.address.clone();
    let until = Until::Time(bench.lasting);
    let scene = &bench.scene;
    let mix =
        async |connection: &mut Connection, number: usize| mixed(scene, connection, number).await;
    let report = closed_loop(&address, CLIENTS, until, mix).await?;
    print("two writes and three reads, closed loop", CLIENTS, &report);
    settled(&bench.url).await?;
    let rate = report.achieved / 2.0;
    let (begun, mut samples) = (Instant::now(), vec![]);
    let mut numbered = report.sent;
    for minute in 1..=minutes {
        if minute.is_multiple_of(SIGN_IN_EVERY) {
            bench.scene.sign_in_again().await?;
        }
        let scene = &bench.scene;
        let mix = async |connection: &mut Connection, number: usize| {
            mixed(scene, connection, numbered + number).await
        };
        let schedule = Schedule::lasting(rate, MINUTE, CLIENTS);
        let report = open_loop(&address, schedule, mix).await?;
        numbered += report.sent;
        let mebibytes = resident(&bench.alta.tree()) as f64 / 1_024.0;
        samples.push((begun.elapsed().as_secs_f64(), mebibytes));
        print(
            &format!("minute {minute}: {mebibytes:.1} MiB"),
            CLIENTS,
            &report,
        );
    }
    judge(&samples)
}

/// A text made and handed in, and as its people go on, three reads.
async fn mixed(scene: &Scene, connection: &mut Connection, number: usize) -> Result<()> {
    let reviewer = &scene.reviewers[number % scene.reviewers.len()];
    let reviewer = reviewer.client.token();
    let id = connection.id(&scene.create(number)).await?;
    connection.send(&scene.submit(number, &id)).await?;
    let project = &scene.project;
    let reads = [
        Call::get(reviewer, format!("/review?project_id={project}")),
        Call::get(scene.writer(number), "/my-contributions"),
        Call::get(reviewer, "/submissions?q=river"),
    ];
    for read in &reads {
        connection.send(read).await?;
    }
    Ok(())
}

fn judge(samples: &[(f64, f64)]) -> Result<()> {
    let warm: Vec<_> = samples.iter().copied().filter(|at| at.0 >= FIRST).collect();
    let first = warm
        .first()
        .context("too short to tell: three minutes at least")?;
    let last = warm.last().context("there is a first")?;
    let grown = slope(&warm) * (last.0 - first.0);
    println!(
        "memory over the last {:.0} minutes: {:+.2} MiB a minute, {:+.1} % in all  goal within {:.0} %: {}",
        (last.0 - first.0) / 60.0,
        slope(&warm) * 60.0,
        grown / first.1 * 100.0,
        FLAT * 100.0,
        crate::figures::verdict(grown / first.1 <= FLAT)
    );
    Ok(())
}
