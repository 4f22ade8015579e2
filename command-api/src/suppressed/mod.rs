//! Addresses to which no mail is sent for a while, because a server said that there is no such mailbox:
//! seen, and taken off the list when it was wrong. They are known by their blind index alone.

mod addresses;
mod lift;

pub use addresses::{Suppressed, lift, list, until};

use http_kit::Routes;
use utoipa_axum::routes;

use crate::CommandApi;

pub(crate) fn routes() -> Routes<CommandApi> {
    Routes::new().route(routes!(lift::handle))
}
