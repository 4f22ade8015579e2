//! Who asks, and what they may: from the access token, the session, and the streams of the account
//! and the project. A right that was taken away is gone with the next request.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use domain::{
    GlobalRole, ItemType, ProjectMembership, Submission, User,
    project_membership::Project,
    submission::{Item, Status},
    user::Standing,
};
use event_store::{Context, Loaded, Session};
use http_kit::{
    Access, AccessClaims, ApiError, Client,
    permissions::{self, Action, verdict},
};
use uuid::Uuid;

use crate::{
    CommandApi,
    answer::Stop,
    dispatch,
    idempotency::{Key, StoreKey},
    projects, submissions,
};

/// A good access token; nothing else is checked yet.
#[derive(Debug, Clone)]
pub(crate) struct Bearer {
    claims: AccessClaims,
    client: Client,
    access: Option<Access>,
}

impl FromRequestParts<CommandApi> for Bearer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &CommandApi) -> Result<Self, ApiError> {
        Ok(Self {
            claims: api.access.verify_bearer(&parts.headers)?,
            client: Client::of(parts),
            access: Access::of(parts),
        })
    }
}

/// An account that may act.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub user_id: Uuid,
    pub session_id: Uuid,
    pub standing: Standing,
    pub client: Client,
    /// The call over many items that this is a part of: its events share it.
    pub causation_id: Option<Uuid>,
}

/// An item with who asks for it and where it belongs.
pub(crate) struct Held {
    pub caller: Caller,
    pub item: Item,
    pub version: u64,
    pub project: Project,
}

impl Caller {
    /// The context of the caller's commands.
    pub fn context(&self) -> Context {
        Context {
            causation_id: self.causation_id,
            ..dispatch::context(&self.client, Some(self.user_id))
        }
    }

    /// Whose idempotency keys these are.
    pub fn identity(&self) -> String {
        self.user_id.to_string()
    }

    /// Refuses what the caller's roles do not allow.
    pub fn must(
        &self,
        action: Action,
        project: Option<&Project>,
        own: bool,
    ) -> Result<(), ApiError> {
        let (global, role) = (global(&self.standing), role_in(project, self.user_id));
        let verdict = verdict(action, global, role, own).check();
        // A project that is hidden looks like one that is not there.
        verdict.map_err(|error| match (error.status(), project) {
            (StatusCode::NOT_FOUND, Some(_)) => projects::not_found(),
            _ => error,
        })
    }
}

fn global(standing: &Standing) -> permissions::GlobalRole {
    match standing.global_role {
        GlobalRole::User => permissions::GlobalRole::User,
        GlobalRole::SuperAdmin => permissions::GlobalRole::SuperAdmin,
    }
}

fn role_in(project: Option<&Project>, user_id: Uuid) -> Option<permissions::ProjectRole> {
    let member = project?.members.get(&user_id)?;
    permissions::ProjectRole::of(member.role.as_str())
}

impl Held {
    /// Whether the item is the caller's.
    pub fn own(&self) -> bool {
        self.item.owner_id == self.caller.user_id
    }

    /// The item's stream as it was loaded.
    pub fn loaded(&self) -> Loaded<Submission> {
        Loaded {
            aggregate: Submission::Created(self.item.clone()),
            version: self.version,
        }
    }

    /// Refuses who may not read it; nobody else may know of it.
    pub fn must_read(&self) -> Result<(), ApiError> {
        // What was never handed in is a draft; what was is known to reviewers even if it came back.
        let draft = self.item.status == Status::Draft && self.item.rounds == 0;
        let action = if draft {
            Action::ReadDraft
        } else {
            Action::ReadSubmitted
        };
        self.must(action)
    }

    /// Refuses who may not change it.
    pub fn must_change(&self) -> Result<(), ApiError> {
        let draft = self.item.status == Status::Draft;
        self.must(if draft {
            Action::ChangeDraft
        } else {
            Action::ChangeSubmitted
        })
    }

    /// Refuses what the caller's roles do not allow with this item.
    pub fn must(&self, action: Action) -> Result<(), ApiError> {
        let verdict = self.caller.must(action, Some(&self.project), self.own());
        verdict.map_err(|error| match error.status() {
            StatusCode::NOT_FOUND => submissions::not_found(),
            _ => error,
        })
    }

    /// Whether somebody else may do this with the item, which is not theirs.
    pub fn may_another(&self, standing: &Standing, action: Action) -> bool {
        let role = role_in(Some(&self.project), standing.user_id);
        let verdict = verdict(action, global(standing), role, false);
        standing.is_active() && verdict.check().is_ok()
    }

    /// Refuses an item of another type: under that path it is not there.
    pub fn must_be(&self, item_type: Option<ItemType>) -> Result<(), ApiError> {
        match item_type {
            Some(item_type) if item_type != self.item.item_type => Err(submissions::not_found()),
            _ => Ok(()),
        }
    }
}

impl CommandApi {
    /// Who asks, if they may still act.
    pub(crate) async fn caller(&self, bearer: Bearer) -> Result<Caller, Stop> {
        let session = self.session(&bearer);
        let user = self.store.load_within::<User>(&session);
        let user = user.await?.ok_or_else(ApiError::unauthenticated)?;
        Ok(active(bearer, user.aggregate)?)
    }

    /// The session that must stand.
    fn session(&self, bearer: &Bearer) -> Session {
        Session {
            session_id: bearer.claims.sid,
            user_id: bearer.claims.sub,
            now: self.clock.now(),
        }
    }

    /// Who asks about which project; 404 for a project that is not there. A repeat is answered
    /// before that: what the first time did may have hidden the project.
    pub(crate) async fn in_project(
        &self,
        bearer: Bearer,
        project_id: Uuid,
        key: Option<Key>,
    ) -> Result<(Caller, Project, StoreKey), Stop> {
        let (caller, project, key) = self.in_any_project(bearer, project_id, key).await?;
        match project {
            ProjectMembership::Created(project) if !project.deleted => Ok((caller, project, key)),
            _ => Err(projects::not_found().into()),
        }
    }

    /// Who asks about which project, deleted ones too.
    pub(crate) async fn in_any_project(
        &self,
        bearer: Bearer,
        project_id: Uuid,
        key: Option<Key>,
    ) -> Result<(Caller, ProjectMembership, StoreKey), Stop> {
        let session = self.session(&bearer);
        let both = self
            .store
            .load_two_within::<User, ProjectMembership>(&session, project_id);
        let (user, project) = both.await?.ok_or_else(ApiError::unauthenticated)?;
        let caller = active(bearer, user.aggregate)?;
        let key = self.begin(key, &caller.identity()).await?;
        Ok((caller, project.aggregate, key))
    }

    /// Who asks about which item, deleted ones too. What they may is not checked yet; a repeat is
    /// answered at once.
    pub(crate) async fn with_item(
        &self,
        bearer: Bearer,
        item_id: Uuid,
        key: Option<Key>,
    ) -> Result<(Held, StoreKey), Stop> {
        let session = self.session(&bearer);
        let both = self
            .store
            .load_two_within::<User, Submission>(&session, item_id);
        let (user, submission) = both.await?.ok_or_else(ApiError::unauthenticated)?;
        let caller = active(bearer, user.aggregate)?;
        let key = self.begin(key, &caller.identity()).await?;
        Ok((self.hold(caller, submission).await?, key))
    }

    /// The same for a caller who is known already.
    pub(crate) async fn hold(
        &self,
        caller: Caller,
        submission: event_store::Loaded<Submission>,
    ) -> Result<Held, Stop> {
        let Submission::Created(item) = submission.aggregate else {
            return Err(submissions::not_found().into());
        };
        let project = self
            .store
            .load::<ProjectMembership>(item.project_id)
            .await?
            .aggregate;
        match project {
            ProjectMembership::Created(project) if !project.deleted => Ok(Held {
                caller,
                item,
                version: submission.version,
                project,
            }),
            _ => Err(submissions::not_found().into()),
        }
    }
}

fn active(bearer: Bearer, user: User) -> Result<Caller, ApiError> {
    let User::Registered(standing) = user else {
        return Err(ApiError::unauthenticated());
    };
    if !standing.is_active() {
        return Err(ApiError::unauthenticated());
    }
    let caller = Caller {
        user_id: bearer.claims.sub,
        session_id: bearer.claims.sid,
        standing,
        client: bearer.client,
        causation_id: None,
    };
    if let Some(access) = bearer.access {
        access.admits(global(&caller.standing))?;
    }
    Ok(caller)
}
