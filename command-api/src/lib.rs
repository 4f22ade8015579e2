//! HTTP in, commands out: a folder per aggregate, a file per use case. Decides by what the streams
//! say, never by a read model; answers nothing that is not its own command's outcome.

mod accounts;
mod answer;
mod api;
mod caller;
mod checks;
pub mod dead_letters;
mod dispatch;
mod each;
mod idempotency;
mod projects;
mod recorded;
mod review;
mod submissions;
mod sweep;

pub use accounts::{Account, SuperAdmin, may_sign_in};
pub use api::{CommandApi, Parts};

use http_kit::Routes;

/// Every route of the command side, unprefixed and without layers: [`http_kit::edge()`] puts them
/// on.
pub fn routes() -> Routes<CommandApi> {
    Routes::new()
        .merge(accounts::routes())
        .merge(projects::routes())
        .merge(submissions::routes())
        .merge(review::routes())
        .merge(dead_letters::routes())
}
