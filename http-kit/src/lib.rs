//! The edge that both APIs share: error envelope, extractors, request ids, headers, tokens,
//! permissions, paging and health. Knows no aggregate, no event and no read model.

pub mod access_token;
pub mod client;
mod complaint;
mod cors;
pub mod edge;
pub mod error;
pub mod extract;
mod head;
pub mod headers;
pub mod health;
mod measure;
mod numbers;
pub mod openapi;
pub mod paging;
pub mod permissions;
pub mod rate_limit;
pub mod request_id;
mod routes;
pub mod unparsed;
mod unread;

pub use access_token::{AccessClaims, AccessTokens};
pub use client::Client;
pub use edge::{EdgeSettings, NoSuchRoute, edge};
pub use error::{ApiError, RefusalCode};
pub use extract::{Json, JsonOrForm, Path, Query};
pub use health::Health;
pub use permissions::routes::Access;
pub use rate_limit::RateLimits;
pub use routes::{Described, Routes};
