//! `alta dead-letters`: jobs that were given up, seen, tried again, or set aside.

use std::sync::Arc;

use anyhow::Result;
use command_api::dead_letters::{self, DeadLetter};
use event_store::Context;
use runtime::{config::Config, telemetry};
use time::format_description::well_known::Rfc3339;

use crate::{cli::DeadLettersAction, database::Role, parts::World, servers::ForOneCommand, shown};

/// What stands where there is nothing to show.
const NONE: &str = "-";

/// Does it on the running servers, or on the private ones, which are started for this.
pub(crate) async fn run(config: Config, action: DeadLettersAction) -> Result<()> {
    let metrics = telemetry::init(&config.logging, "alta")?;
    let servers = ForOneCommand::start(&config).await?;
    let world = World::new(Arc::new(config), servers.places.clone(), metrics).await?;
    let outcome = act(&world, action).await;
    servers.stop().await;
    outcome
}

async fn act(world: &World, action: DeadLettersAction) -> Result<()> {
    world.keys_are_known().await?;
    let store = world.store(world.pool(Role::Command, 2)?);
    match action {
        DeadLettersAction::List { limit } => {
            let letters = dead_letters::list(store.pool(), limit).await?;
            if letters.is_empty() {
                shown::line("there are no dead letters");
            }
            for letter in &letters {
                shown::line(&row(letter));
            }
        }
        DeadLettersAction::Retry { id } => {
            let context = Context::default();
            let job = dead_letters::retry(&store, &world.ids, id, &context).await?;
            shown::line(&format!("{id} is tried again as job {job}"));
        }
        DeadLettersAction::Discard { id } => {
            dead_letters::discard(store.pool(), id, None).await?;
            tracing::info!(%id, "dead letter {id} was set aside");
            shown::line(&format!("{id} was set aside"));
        }
    }
    Ok(())
}

fn row(letter: &DeadLetter) -> String {
    let item = letter.item_id.map_or(NONE.to_owned(), |id| id.to_string());
    let at = letter.failed_at.and_then(|at| at.format(&Rfc3339).ok());
    // What an engine said may hold anything but must not move the terminal's cursor.
    let error: String = letter
        .error
        .as_deref()
        .unwrap_or(NONE)
        .chars()
        .map(visible)
        .collect();
    format!(
        "{}  {:<13}  {item:<36}  {:<18}  {} attempts  {}  {error}",
        letter.id,
        letter.kind,
        letter.error_code.as_deref().unwrap_or(NONE),
        letter.attempts,
        at.as_deref().unwrap_or(NONE),
    )
}

fn visible(letter: char) -> char {
    if letter.is_control() { ' ' } else { letter }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_is_one_line_whatever_it_says() {
        let letter = DeadLetter {
            id: uuid::Uuid::from_u128(1),
            kind: "ocr".into(),
            item_id: None,
            project_id: None,
            error_code: Some("ENGINE_FAILED".into()),
            error: Some("a\nb\u{1b}[2J".into()),
            attempts: 4,
            failed_at: None,
        };
        let row = row(&letter);
        assert!(row.starts_with("00000000-0000-0000-0000-000000000001  ocr "));
        assert!(
            row.ends_with("ENGINE_FAILED       4 attempts  -  a b [2J"),
            "{row}"
        );
    }
}
