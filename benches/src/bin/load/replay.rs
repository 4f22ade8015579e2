//! The log from its beginning: over HTTP, and from the shell.

use crate::Bench;
use anyhow::{Result, ensure};
use benches::{
    http::{Call, Connection},
    scene::settled,
};
use futures::StreamExt;
use sqlx::{Connection as _, PgConnection};
use std::time::Instant;
use test_kit::AltaProcess;

pub(crate) async fn run(bench: &Bench) -> Result<()> {
    let head = settled(&bench.url).await?;
    copied(bench, head).await?;
    let mut connection = Connection::open(&bench.scene.address).await?;
    let call = Call::get(
        bench.scene.root.client.token(),
        format!("/events?to_position={head}"),
    );
    let begun = Instant::now();
    let (lines, bytes) = connection.lines(&call).await?;
    ensure!(
        i64::try_from(lines)? == head,
        "{lines} of {head} events came"
    );
    say("GET /events", lines, bytes, begun);

    let until = head.to_string();
    let mut shell = AltaProcess::new()?
        .arguments(&["events", "replay", "--to-position", &until])
        .env(
            "ALTA_DATA_DIR",
            &bench.alta.data_dir().display().to_string(),
        );
    let begun = Instant::now();
    shell.launch()?;
    let status = shell.wait().await?;
    ensure!(status.success(), "alta events replay: {}", shell.output());
    let output = shell.output();
    let lines = output.lines().filter(|line| line.starts_with('{')).count();
    ensure!(
        i64::try_from(lines)? == head,
        "{lines} of {head} events came"
    );
    say("alta events replay", lines, output.len(), begun);
    Ok(())
}

/// The ceiling: PostgreSQL writes the same events out as they are stored.
async fn copied(bench: &Bench, head: i64) -> Result<()> {
    let mut connection = PgConnection::connect(&bench.url).await?;
    let statement = format!(
        "COPY (SELECT l.position, l.hash, e.* FROM event_log l JOIN events e ON e.id = l.event_id
               WHERE l.position <= {head} ORDER BY l.position) TO STDOUT"
    );
    let begun = Instant::now();
    let mut rows = connection.copy_out_raw(&statement).await?;
    let mut bytes = 0;
    while let Some(chunk) = rows.next().await {
        bytes += chunk?.len();
    }
    say(
        "plain COPY of the same events",
        usize::try_from(head)?,
        bytes,
        begun,
    );
    Ok(())
}

fn say(what: &str, lines: usize, bytes: usize, begun: Instant) {
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{what:<44} {lines} events, {} MB in {seconds:.2} s: {:.0} events/s",
        bytes >> 20,
        lines as f64 / seconds
    );
}
