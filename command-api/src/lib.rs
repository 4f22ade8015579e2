//! HTTP in, commands out: a folder per aggregate, a file per use case. Decides by what the streams
//! say, never by a read model; answers nothing that is not its own command's outcome.

mod accounts;
mod answer;
mod api;
mod caller;
mod checks;
mod dispatch;
mod idempotency;
mod projects;
mod recorded;
mod review;
mod submissions;
mod sweep;

pub use api::{CommandApi, Parts};

use axum::Router;

/// Every route of the command side, unprefixed and without layers: [`http_kit::edge()`] puts them
/// on.
pub fn router(api: CommandApi) -> Router {
    Router::new()
        .merge(accounts::routes())
        .merge(projects::routes())
        .merge(submissions::routes())
        .merge(review::routes())
        .with_state(api)
}
