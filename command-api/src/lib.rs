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
mod projections;
mod projects;
mod recorded;
mod refusals;
mod review;
mod submissions;
pub mod suppressed;
mod sweep;

pub use accounts::{Account, SuperAdmin, may_sign_in};
pub use api::{CommandApi, Parts};
pub use submissions::forms;

use http_kit::Routes;

/// The command side, ready for [`http_kit::edge()`]: its routes, each refusal of which is recorded.
pub fn served(api: &CommandApi) -> Routes {
    let recording = axum::middleware::from_fn_with_state(api.clone(), refusals::layer);
    let routes = routes().with_state(api.clone());
    routes.layered(|router| router.layer(recording))
}

/// Every route of the command side, unprefixed and without layers.
pub fn routes() -> Routes<CommandApi> {
    Routes::new()
        .merge(accounts::routes())
        .merge(projects::routes())
        .merge(submissions::routes())
        .merge(review::routes())
        .merge(dead_letters::routes())
        .merge(suppressed::routes())
        .merge(projections::routes())
}
