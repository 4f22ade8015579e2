//! The read models, for who runs the service: made anew on request.

mod rebuild;

use http_kit::Routes;
use utoipa_axum::routes;

use crate::CommandApi;

pub(crate) fn routes() -> Routes<CommandApi> {
    Routes::new().route(routes!(rebuild::handle))
}
