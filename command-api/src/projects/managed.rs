//! A project in the hands of who may change it, and its changes of who may do what: each is answered
//! once the reading side knows of it, also when it is asked for again.

use axum::http::StatusCode;
use domain::{
    ProjectMembership,
    project_membership::{Project, ProjectCommand},
};
use event_store::Also;
use http_kit::permissions::Action;
use serde_json::Value;
use uuid::Uuid;

use super::STREAM;
use crate::{
    CommandApi,
    answer::{Answer, Stop},
    caller::{Bearer, Caller},
    idempotency::{Fill, Key, StoreKey, keep},
};

/// A project that is there, with who asks and under which key.
pub(super) struct Managed {
    pub caller: Caller,
    pub project: Project,
    pub project_id: Uuid,
    pub key: StoreKey,
}

impl CommandApi {
    /// The project, for who may manage it.
    pub(super) async fn managed(
        &self,
        bearer: Bearer,
        project_id: Uuid,
        key: Option<Key>,
    ) -> Result<Managed, Stop> {
        let (caller, project, key) = self.in_project(bearer, project_id, key).await?;
        caller.must(Action::ManageProject, Some(&project), false)?;
        Ok(Managed {
            caller,
            project,
            project_id,
            key,
        })
    }
}

impl Managed {
    /// Carries out a change of who may do what.
    pub async fn change_rights(
        self,
        api: &CommandApi,
        command: ProjectCommand,
        status: StatusCode,
        body: Option<Value>,
    ) -> Result<Answer, Stop> {
        let context = self.caller.context();
        let rights = Fill::Rights {
            aggregate_type: STREAM.to_owned(),
            id: self.project_id,
            request_id: context.request_id.clone(),
        };
        let also = Also {
            idempotency: keep(&self.key, status, body.as_ref(), rights),
            ..Also::default()
        };
        let appended = api
            .carry_out::<ProjectMembership>(self.project_id, command, &context, also)
            .await?;
        api.answer_once_applied(status, body, self.project_id, &appended)
            .await
    }
}
