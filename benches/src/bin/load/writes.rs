//! Creating, handing in, deciding, signing in; and how soon a commit is visible.

use crate::{
    Bench,
    figures::{Ceiling, beside, print, print_work, verdict},
};
use anyhow::Result;
use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use benches::{
    http::Connection,
    load::{Report, Schedule, Until, closed_loop, open_loop},
    processes::Work,
    scene::settled,
    visibility,
};
use std::time::{Duration, Instant};

const CLIENTS: [usize; 3] = [1, 8, 32];
/// Of the highest rate that clients in a closed loop reach.
const HALF: f64 = 0.5;
/// In milliseconds, from commit to visible at half of saturation.
const VISIBLE_GOAL: f64 = 25.0;
const WARM_UP: usize = 200;

pub(crate) async fn run(bench: &Bench) -> Result<()> {
    bench.scene.texts(WARM_UP).await?;
    let ceilings = bench.ceilings().inserts(&CLIENTS).await?;
    let saturation = created(bench, &ceilings).await?;
    lives(bench, ceilings[2]).await?;
    let texts = (saturation * bench.lasting.as_secs_f64()) as usize;
    handed_in(bench, texts.max(CLIENTS[2]), ceilings[2]).await
}

/// The highest rate, and what it costs.
async fn closed(
    bench: &Bench,
    what: &str,
    clients: usize,
    work: impl AsyncFn(&mut Connection, usize) -> Result<()>,
) -> Result<Report> {
    settled(&bench.url).await?;
    let (until, spent) = (Until::Time(bench.lasting), Work::begin());
    let report = closed_loop(&bench.scene.address, clients, until, work).await?;
    print(&format!("{what}, closed loop"), clients, &report);
    let begun = Instant::now();
    settled(&bench.url).await?;
    let until = format!(
        "all projections show all, {:.1} s after the last answer",
        begun.elapsed().as_secs_f64()
    );
    print_work(&spent.by_name(report.sent), &until);
    Ok(report)
}

async fn half(
    bench: &Bench,
    what: &str,
    saturation: f64,
    work: impl AsyncFn(&mut Connection, usize) -> Result<()>,
) -> Result<()> {
    settled(&bench.url).await?;
    let schedule = Schedule::lasting(saturation * HALF, bench.lasting, CLIENTS[2]);
    let report = open_loop(&bench.scene.address, schedule, work).await?;
    print(&format!("{what}, half of saturation"), CLIENTS[2], &report);
    Ok(())
}

/// Returns the highest rate.
async fn created(bench: &Bench, ceilings: &[f64]) -> Result<f64> {
    let work = async |connection: &mut Connection, number: usize| {
        connection.send(&bench.scene.create(number)).await?;
        Ok(())
    };
    let mut saturation = 0.0;
    for (clients, ceiling) in CLIENTS.into_iter().zip(ceilings) {
        let report = closed(bench, "POST /raw-text", clients, work).await?;
        let ceiling = Ceiling {
            rate: *ceiling,
            of: "pgbench, the same INSERT and commit",
            goal: (clients == CLIENTS[2]).then_some(0.5),
        };
        beside(report.achieved, &ceiling);
        saturation = report.achieved;
    }
    half(bench, "POST /raw-text", saturation, work).await?;
    Ok(saturation)
}

async fn lives(bench: &Bench, ceiling: f64) -> Result<()> {
    let work = async |connection: &mut Connection, number: usize| {
        bench.scene.whole_life(connection, number).await
    };
    let report = closed(bench, "create, submit, approve", CLIENTS[2], work).await?;
    let ceiling = Ceiling {
        rate: ceiling / 3.0,
        of: "pgbench, three INSERTs and commits",
        goal: None,
    };
    beside(report.achieved, &ceiling);
    half(bench, "create, submit, approve", report.achieved, work).await
}

/// Handing in: what it costs, and how soon it shows in the review queue.
async fn handed_in(bench: &Bench, count: usize, ceiling: f64) -> Result<()> {
    let texts = bench.scene.texts(count).await?;
    let work = async |connection: &mut Connection, number: usize| {
        let call = bench.scene.submit(number, &texts[number]);
        connection.send(&call).await?;
        Ok(())
    };
    settled(&bench.url).await?;
    let (until, spent) = (Until::Count(texts.len()), Work::begin());
    let report = closed_loop(&bench.scene.address, CLIENTS[2], until, work).await?;
    print("POST /submit, closed loop", CLIENTS[2], &report);
    settled(&bench.url).await?;
    print_work(&spent.by_name(report.sent), "all projections show all");
    let of = "pgbench, the same INSERT and commit";
    let ceiling = Ceiling {
        rate: ceiling,
        of,
        goal: Some(0.5),
    };
    beside(report.achieved, &ceiling);
    let schedule = Schedule::lasting(report.achieved * HALF, bench.lasting, CLIENTS[2]);
    let (report, visible) =
        visibility::measure(&bench.scene, &bench.announced, &bench.url, schedule).await?;
    print("POST /submit, half of saturation", CLIENTS[2], &report);
    println!(
        "    from commit to visible in the review queue: {visible}  ({} samples)  goal p99 <= {VISIBLE_GOAL} \
         ms: {}",
        visible.count(),
        verdict(visible.at(0.99) <= VISIBLE_GOAL)
    );
    Ok(())
}

pub(crate) async fn logins(bench: &Bench) -> Result<()> {
    let work = async |connection: &mut Connection, number: usize| {
        connection.send(&bench.scene.login(number)).await?;
        Ok(())
    };
    let report = closed(bench, "POST /auth/login", CLIENTS[1], work).await?;
    let rate = verified_in_a_second(bench.lasting.min(Duration::from_secs(4)))?;
    let of = "argon2id alone, on all processors";
    beside(
        report.achieved,
        &Ceiling {
            rate,
            of,
            goal: None,
        },
    );
    half(bench, "POST /auth/login", report.achieved, work).await
}

/// How many passwords all processors together can check, with the parameters of the service.
fn verified_in_a_second(lasting: Duration) -> Result<f64> {
    // argon2id, 19 MiB, 2 passes, 1 lane: the default.
    let hash = Argon2::default().hash_password(e2e::PASSWORD.as_bytes())?;
    let hash = hash.to_string();
    let check = || {
        let begun = Instant::now();
        let mut checked = 0_usize;
        while begun.elapsed() < lasting {
            let hash = PasswordHash::new(&hash);
            let matches = hash.is_ok_and(|hash| {
                let password = e2e::PASSWORD.as_bytes();
                Argon2::default().verify_password(password, &hash).is_ok()
            });
            checked += usize::from(matches);
        }
        checked as f64 / begun.elapsed().as_secs_f64()
    };
    let threads = std::thread::available_parallelism()?.get();
    Ok(std::thread::scope(|scope| {
        let checking: Vec<_> = (0..threads).map(|_| scope.spawn(check)).collect();
        let rates = checking.into_iter().filter_map(|thread| thread.join().ok());
        rates.sum()
    }))
}
