//! How long from the commit of an event to its row in the review queue, under a steady load that is given.
//!
//! `cargo run -p benches --bin visible -- [writes per second] [seconds]`

use anyhow::Result;
use benches::{
    load::Schedule,
    scene::{self, Scene},
    visibility::{self, Announced},
};
use std::time::Duration;
use test_kit::nats;

const CONNECTIONS: usize = 32;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let rate: f64 = arguments.next().map_or(Ok(100.0), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(30), |text| text.parse())?;
    let bus = nats().await;
    let mut alta = scene::service()?.env("NATS_URL", &bus.url);
    alta.start().await?;
    let scene = Scene::set(&alta, 8, 1).await?;
    let announced = Announced::listen(&bus.url).await?;
    let schedule = Schedule::lasting(rate, Duration::from_secs(seconds), CONNECTIONS);
    let url = alta.database_url()?;
    let (report, visible) = visibility::measure(&scene, &announced, &url, schedule).await?;
    println!(
        "{rate} submissions a second for {seconds} s: {} committed, {} failed {:?}",
        visible.count(),
        report.failed,
        report.errors
    );
    println!("{:<40} {}", "request due to answer", report.times);
    println!("{:<40} {visible}", "commit to visible in the review queue");
    alta.terminate().await?;
    Ok(())
}
