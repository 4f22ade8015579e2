//! A file for each subcommand.

mod admin;
pub(crate) mod audit;
mod dead_letters;
mod events;
mod mail;
mod migrate;
mod part;
mod projections;
mod seed;
mod up;
mod users;
pub(crate) mod vault;

use anyhow::Result;
use runtime::config::Config;

use crate::cli::{Action, AdminAction};

/// Does what was asked for.
pub(crate) async fn run(command: Action, config: Config) -> Result<()> {
    match command {
        Action::Up => up::run(config).await,
        Action::CommandApi => part::run(config, part::Which::CommandApi).await,
        Action::QueryApi => part::run(config, part::Which::QueryApi).await,
        Action::Relay => part::run(config, part::Which::Relay).await,
        Action::Projectors => part::run(config, part::Which::Projectors).await,
        Action::Processors { only } => part::run(config, part::Which::Processors(only)).await,
        Action::Migrate { down } => migrate::run(config, down).await,
        Action::Admin(AdminAction::Create { email }) => admin::create(config, &email).await,
        Action::Users(action) => users::run(config, action).await,
        Action::Vault(action) => vault::run(config, action).await,
        Action::DeadLetters(action) => dead_letters::run(config, action).await,
        Action::Mail(action) => mail::run(config, action).await,
        Action::Events(action) => events::run(config, action).await,
        Action::Audit(action) => audit::run(config, action).await,
        Action::Projections(action) => projections::run(config, action).await,
        Action::Seed(_) => seed::run(config).await,
        Action::Engine { .. } => unreachable!("it never gets as far as a runtime"),
    }
}
