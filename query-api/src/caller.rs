//! Who asks: from the bearer token to a standing session and an active account, and no further than
//! the projections that a route names have come.

use crate::{
    QueryApi,
    audit::past,
    parameters,
    read_your_writes::{Reader, fresh},
};
use axum::{extract::FromRequestParts, http::request::Parts};
use http_kit::{
    ApiError,
    permissions::{Action, GlobalRole, ProjectRole, Verdict, verdict},
};
use std::marker::PhantomData;
use time::OffsetDateTime;
use uuid::Uuid;

/// The projections that a route reads, besides `access`, which all do.
pub(crate) trait Reads: Send + Sync + 'static {
    /// Their names.
    const PROJECTIONS: &'static [&'static str];

    /// Those that this request reads.
    fn projections(_: &Parts) -> &'static [&'static str] {
        Self::PROJECTIONS
    }
}

macro_rules! reads {
    ($($(#[$doc:meta])* $name:ident = [$($projection:literal),*];)+) => {
        $(
            $(#[$doc])*
            pub(crate) struct $name;
            impl Reads for $name {
                const PROJECTIONS: &'static [&'static str] = &["access", $($projection),*];
            }
        )+
    };
}

reads! {
    /// Users, projects, members, invitations.
    Access = [];
    /// Items.
    Items = ["submissions"];
    /// Figures.
    Figures = ["analytics"];
    /// All that is held on a person.
    Everything = ["submissions", "review_queue", "history"];
    /// Histories, and the items that decide who may read them.
    Histories = ["history", "submissions"];
}

/// What waits for review, and the items themselves; for what waited once, what happened too.
pub(crate) struct Queue;

impl Reads for Queue {
    const PROJECTIONS: &'static [&'static str] = &["access", "review_queue", "submissions"];

    fn projections(parts: &Parts) -> &'static [&'static str] {
        if past::asks_for_the_past(parts.uri.query()) {
            &["access", "review_queue", "submissions", "history"]
        } else {
            Self::PROJECTIONS
        }
    }
}

/// Items, and the words by which they are found where words are asked for: a read that asks for none
/// does not wait for long texts to be indexed.
pub(crate) struct ItemsAndWords;

impl Reads for ItemsAndWords {
    const PROJECTIONS: &'static [&'static str] = Items::PROJECTIONS;

    fn projections(parts: &Parts) -> &'static [&'static str] {
        if parameters::asks_for_words(&parts.uri) {
            &["access", "submissions", "search"]
        } else {
            Self::PROJECTIONS
        }
    }
}

/// The account that asks.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub id: Uuid,
    pub email: Option<String>,
    pub name: Option<String>,
    pub is_verified: bool,
    pub global_role: String,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

/// The caller of a route that reads `R`: by the time a handler has it, those projections show all
/// that the caller has written.
pub(crate) struct Caller<R> {
    pub account: Account,
    /// The caller's roles by project, deleted ones left out; `None` when they are too many to be brought
    /// along.
    pub roles: Option<Vec<(Uuid, String)>>,
    /// All projections of `R` have passed this position.
    pub position: i64,
    reads: PhantomData<fn() -> R>,
}

impl<R: Reads> FromRequestParts<QueryApi> for Caller<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &QueryApi) -> Result<Self, ApiError> {
        let claims = api.tokens.verify_bearer(&parts.headers)?;
        let Reader {
            account,
            roles,
            position,
        } = fresh(api, &claims, R::projections(parts)).await?;
        if let Some(access) = http_kit::Access::of(parts) {
            access.admits(GlobalRole::of(&account.global_role))?;
        }
        Ok(Self {
            account,
            roles,
            position,
            reads: PhantomData,
        })
    }
}

impl<R> Caller<R> {
    pub(crate) fn id(&self) -> Uuid {
        self.account.id
    }

    pub(crate) fn global(&self) -> GlobalRole {
        GlobalRole::of(&self.account.global_role)
    }

    pub(crate) fn is_super_admin(&self) -> bool {
        self.global() == GlobalRole::SuperAdmin
    }

    /// Whether the caller, with this role in the project concerned, may do this.
    pub(crate) fn verdict(&self, action: Action, role: Option<&str>, own: bool) -> Verdict {
        verdict(action, self.global(), role.and_then(ProjectRole::of), own)
    }

    /// Refuses whoever does not administer the whole service.
    pub(crate) fn must_administer(&self) -> Result<(), ApiError> {
        self.verdict(Action::Administer, None, false).check()
    }
}
