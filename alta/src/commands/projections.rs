//! `alta projections`: read models, seen, made anew beside the live ones, compared with the log.

use std::{
    io::IsTerminal,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use projectors::rebuild::{
    self, Attempt, NAMES, Outcome, Progress, RebuildSettings, Verified, rebuild_named, verify_named,
};
use runtime::{config::Config, shutdown, telemetry};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{cli::ProjectionsAction, database::Role, parts::World, servers::ForOneCommand, shown};

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Who is further behind than this is catching up.
const LIVE_WITHIN_EVENTS: i64 = 1_000;

/// Does it on the running servers, or on the private ones, which are started for this.
pub(crate) async fn run(config: Config, action: ProjectionsAction) -> Result<()> {
    if let ProjectionsAction::Rebuild { name, .. } | ProjectionsAction::Verify { name, .. } =
        &action
    {
        let all = matches!(action, ProjectionsAction::Verify { .. }) && name == "all";
        if !all && !NAMES.contains(&name.as_str()) {
            bail!(
                "there is no projection {name}; there are {}",
                NAMES.join(", ")
            );
        }
    }
    let metrics = telemetry::init(&config.logging, "alta")?;
    let shutdown = shutdown::on_signals()?;
    let servers = ForOneCommand::start(&config).await?;
    let outcome = act(Arc::new(config), &servers, metrics, action, shutdown).await;
    servers.stop().await;
    outcome
}

async fn act(
    config: Arc<Config>,
    servers: &ForOneCommand,
    metrics: telemetry::Metrics,
    action: ProjectionsAction,
    shutdown: CancellationToken,
) -> Result<()> {
    let world = World::new(config, servers.places.clone(), metrics).await?;
    match action {
        ProjectionsAction::Status { json } => status(&world, json).await,
        ProjectionsAction::Rebuild {
            name,
            discard: true,
        } => {
            let left = rebuild::discard(&name, &world.rebuilds()?).await?;
            shown::line(if left {
                "the copy is gone"
            } else {
                "there is no copy"
            });
            Ok(())
        }
        ProjectionsAction::Rebuild { name, .. } => {
            make_anew(&name, &world.rebuilds()?, shutdown).await
        }
        ProjectionsAction::Verify { name, json } => {
            let names = NAMES
                .into_iter()
                .filter(|one| name == "all" || *one == name);
            verify(names, &world.rebuilds()?, shutdown, json).await
        }
    }
}

/// A projection as `status` shows it.
#[derive(Serialize)]
struct Status {
    name: String,
    version: i32,
    position: i64,
    lag_events: i64,
    lag_seconds: f64,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rebuild: Option<String>,
}

async fn status(world: &World, json: bool) -> Result<()> {
    let pool = world.pool(Role::Projectors, 1)?;
    let rows = sqlx::query!(
        r#"SELECT c.name, c.version, c.position, c.position < c.complete_at AS "filling!",
                  greatest(coalesce((SELECT max(position) FROM event_log), 0) - c.position, 0)
                      AS "lag_events!",
                  greatest(coalesce(extract(epoch FROM clock_timestamp() - next.recorded_at), 0), 0)
                      ::float8 AS "lag_seconds!",
                  CASE WHEN r.state <> 'done'
                       THEN r.state || ' ' || r.seen || '/' || r.target END AS rebuild
           FROM projection_checkpoints c
           LEFT JOIN projection_rebuilds r ON r.name = c.name
           LEFT JOIN LATERAL (
               SELECT e.recorded_at FROM event_log l JOIN events e ON e.id = l.event_id
               WHERE l.position = c.position + 1
           ) next ON true
           WHERE c.name IN (SELECT projection FROM projection_tables)
           ORDER BY c.name"#
    )
    .fetch_all(&pool)
    .await?;
    let all: Vec<Status> = rows
        .into_iter()
        .map(|row| Status {
            name: row.name,
            version: row.version,
            position: row.position,
            lag_events: row.lag_events,
            lag_seconds: (row.lag_seconds * 1_000.0).round() / 1_000.0,
            state: match (row.filling, &row.rebuild, row.lag_events) {
                (true, _, _) => "filling",
                (_, Some(rebuild), _) if !rebuild.starts_with("interrupted") => "rebuilding",
                (_, _, ..=LIVE_WITHIN_EVENTS) => "live",
                (_, _, _) => "catching_up",
            },
            rebuild: row.rebuild,
        })
        .collect();
    if json {
        shown::line(&serde_json::to_string(&all)?);
    }
    for one in all.iter().filter(|_| !json) {
        shown::line(&format!(
            "{:<13} version {}  position {}  {} events and {:.1} s behind  {}  {}",
            one.name,
            one.version,
            one.position,
            one.lag_events,
            one.lag_seconds,
            one.state,
            one.rebuild.as_deref().unwrap_or(""),
        ));
    }
    Ok(())
}

async fn make_anew(
    name: &str,
    settings: &RebuildSettings,
    shutdown: CancellationToken,
) -> Result<()> {
    let attempt = Attempt {
        shutdown,
        by_operator: true,
        progress: watch::Sender::default(),
    };
    let began = Instant::now();
    let outcome = watched(name, &attempt, rebuild_named(name, settings, &attempt)).await?;
    match outcome {
        Outcome::Swapped(position) => {
            let seconds = began.elapsed().as_secs_f64();
            let events = position - attempt.progress.borrow().from;
            shown::line(&format!(
                "{name} is made anew up to position {position}: {events} events in {seconds:.1} s, {:.0} a second",
                events as f64 / seconds.max(0.001)
            ));
            Ok(())
        }
        Outcome::Interrupted(position) => bail!(
            "interrupted at position {position}; the same command goes on from there, --discard throws the copy away"
        ),
    }
}

async fn verify(
    names: impl Iterator<Item = &'static str>,
    settings: &RebuildSettings,
    shutdown: CancellationToken,
    json: bool,
) -> Result<()> {
    let mut drifted = 0;
    for name in names {
        let attempt = Attempt::of_service(shutdown.clone());
        let verified = watched(name, &attempt, verify_named(name, settings, &attempt)).await?;
        if shutdown.is_cancelled() {
            bail!("interrupted");
        }
        drifted += usize::from(!verified.drift.is_empty());
        if json {
            shown::line(&serde_json::to_string(&verified)?);
        } else {
            for line in lines(&verified) {
                shown::line(&line);
            }
        }
    }
    if drifted > 0 {
        bail!(
            "{drifted} of the projections are not what the event store says; `alta projections rebuild` puts them right"
        );
    }
    Ok(())
}

/// What `verify` found, for people.
fn lines(verified: &Verified) -> Vec<String> {
    let (name, position) = (verified.name, verified.position);
    if verified.drift.is_empty() {
        return vec![format!(
            "{name}: as the event store says, at position {position}"
        )];
    }
    let mut lines = vec![format!("{name}: DRIFT at position {position}")];
    for table in &verified.drift {
        lines.push(format!("  {}: {} rows differ", table.table, table.rows));
        for row in &table.first {
            lines.push(format!("    {} {}", row.what, row.key));
        }
    }
    lines
}

/// Shows how far it is until `work` ends: a bar at a terminal, else a line now and then.
async fn watched<T>(
    name: &str,
    attempt: &Attempt,
    work: impl Future<Output = Result<T, rebuild::RebuildError>>,
) -> Result<T> {
    let mut heard = attempt.progress.subscribe();
    let terminal = std::io::stderr().is_terminal();
    let bar = if terminal {
        bar(name)
    } else {
        ProgressBar::hidden()
    };
    let mut lines = Lines::new();
    tokio::pin!(work);
    let outcome = loop {
        tokio::select! {
            outcome = &mut work => break outcome,
            changed = heard.changed() => {
                let progress = *heard.borrow_and_update();
                if changed.is_err() || progress.target == 0 {
                    continue;
                }
                bar.set_length((progress.target - progress.from).max(0) as u64);
                bar.set_position((progress.position - progress.from).max(0) as u64);
                if !terminal {
                    lines.say(name, progress);
                }
            }
        }
    };
    bar.finish_and_clear();
    Ok(outcome?)
}

fn bar(name: &str) -> ProgressBar {
    let bar = ProgressBar::new(0).with_message(name.to_owned());
    let looks = "{msg} {wide_bar} {percent}% {human_pos}/{human_len} events, {per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(looks) {
        bar.set_style(style);
    }
    bar
}

/// Plain lines in place of a bar.
struct Lines {
    began: Instant,
    last: Option<Instant>,
}

impl Lines {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            last: None,
        }
    }

    fn say(&mut self, name: &str, progress: Progress) {
        if self.last.is_some_and(|at| at.elapsed() < LINE_EVERY) {
            return;
        }
        self.last = Some(Instant::now());
        shown::progress(&line(name, progress, self.began.elapsed()));
    }
}

fn line(name: &str, progress: Progress, taken: Duration) -> String {
    let done = (progress.position - progress.from) as f64;
    let pace = done / taken.as_secs_f64().max(0.001);
    let left = (progress.target - progress.position).max(0) as f64;
    let time = if pace >= 1.0 {
        format!("{:.0} s left", left / pace)
    } else {
        "beginning".to_owned()
    };
    format!(
        "{name}: {} of {} events, {pace:.0} a second, {time}",
        progress.position, progress.target
    )
}

#[cfg(test)]
mod tests {
    use projectors::rebuild::{Difference, TableDrift};

    use super::*;

    #[test]
    fn a_line_says_how_fast_and_how_long_still() {
        let progress = Progress {
            from: 1_000,
            position: 3_000,
            target: 9_000,
        };
        assert_eq!(
            line("search", progress, Duration::from_secs(2)),
            "search: 3000 of 9000 events, 1000 a second, 6 s left"
        );
        let beginning = Progress {
            position: 1_000,
            ..progress
        };
        assert!(line("search", beginning, Duration::ZERO).ends_with("beginning"));
    }

    #[test]
    fn drift_is_named_by_table_and_key() {
        let verified = Verified {
            name: "review_queue",
            position: 7,
            drift: vec![TableDrift {
                table: "review_rounds",
                rows: 12,
                first: vec![Difference {
                    key: serde_json::json!({"round": 1}),
                    what: "missing".into(),
                }],
            }],
        };
        assert_eq!(
            lines(&verified),
            [
                "review_queue: DRIFT at position 7",
                "  review_rounds: 12 rows differ",
                "    missing {\"round\":1}"
            ]
        );
    }
}
