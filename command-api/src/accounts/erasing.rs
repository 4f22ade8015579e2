//! What all ways of erasing a person have in common, and what an operator does about one from the
//! shell. What is refused there, or read, is recorded as it is over HTTP.

use domain::{
    Access, GlobalRole, User,
    access::{AccessCommand, AccessEvent},
    user::UserCommand,
};
use event_store::{Also, Context, DispatchError, Erase, Idempotency};
use http_kit::ApiError;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    CommandApi,
    answer::{Stop, store_failed},
    refusals::is_refusal,
};

/// The erasure holds; what others keep of it follows.
#[derive(ToSchema)]
#[schema(as = ErasureAccepted, example = json!({"status": "accepted"}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct Accepted {
    /// `accepted`.
    status: String,
}

/// Which account an operator means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// The one with this id.
    Id(Uuid),
    /// The one that has this address.
    Email(String),
}

pub(super) fn accepted() -> Value {
    json!({"status": "accepted"})
}

/// What goes together with the event that a person was erased.
pub(super) fn person(user_id: Uuid, idempotency: Option<Idempotency>) -> Also {
    Also {
        idempotency,
        erase: Some(Erase::Person(user_id)),
        ..Also::default()
    }
}

impl CommandApi {
    /// The account that an operator means, if there is one.
    ///
    /// # Errors
    /// 404 when there is none, 5xx when the store fails.
    pub async fn account(&self, account: &Account) -> Result<Uuid, ApiError> {
        let found = match account {
            Account::Id(id) => Some(*id),
            Account::Email(address) => self
                .store
                .user_with_address(address)
                .await
                .map_err(Stop::from)
                .map_err(Stop::refusal)?,
        };
        found.ok_or_else(|| {
            let words = "No account has this address.";
            ApiError::new(axum::http::StatusCode::NOT_FOUND, "USER_NOT_FOUND", words)
        })
    }

    /// Erases a person from the shell. False when that was done before.
    ///
    /// # Errors
    /// 404 when there is no such account, 409 for an active super admin, 5xx when the store fails.
    pub async fn erase_account(&self, user_id: Uuid) -> Result<bool, ApiError> {
        let erased = self.erase(user_id).await.map_err(Stop::refusal);
        if let Err(refusal) = &erased
            && is_refusal(refusal.status())
        {
            let refused = AccessEvent::CommandRefused {
                operation: "alta users erase".to_owned(),
                status: refusal.status().as_u16(),
                code: refusal.code().to_owned(),
                resource_id: Some(user_id),
                project_id: None,
            };
            self.record(refused, self.ids.next(), self.shell()).await;
        }
        erased
    }

    /// Records that an operator takes out everything that is held on a person. What cannot be recorded
    /// is not to be taken out.
    ///
    /// # Errors
    /// 5xx when the store fails.
    pub async fn record_export(&self, user_id: Uuid) -> Result<(), ApiError> {
        let read = AccessEvent::SensitiveRead {
            operation: "alta users export".to_owned(),
            resource_id: Some(user_id),
            project_id: None,
        };
        let (command, context) = (AccessCommand::Record(read), self.shell());
        let recorded = self
            .store
            .execute::<Access>(self.ids.next(), command, &context)
            .await;
        match recorded {
            Ok(_) => Ok(()),
            Err(DispatchError::Store(error)) => Err(store_failed(error)),
            Err(error) => Err(ApiError::internal(&error)),
        }
    }

    /// The shell: nobody who has an account here, and a request of its own.
    fn shell(&self) -> Context {
        let request_id = self.ids.next().to_string();
        Context {
            correlation_id: request_id.clone(),
            request_id,
            ..Context::default()
        }
    }

    async fn erase(&self, user_id: Uuid) -> Result<bool, Stop> {
        let user = self.store.load::<User>(user_id).await?.aggregate;
        let standing = user.standing().filter(|standing| standing.is_active());
        if standing.is_some_and(|standing| standing.global_role == GlobalRole::SuperAdmin) {
            let words = "This is a super admin: another one must take that role away first.";
            return Err(ApiError::conflict("SUPER_ADMIN", words).into());
        }
        let (command, also) = (UserCommand::Erase, person(user_id, None));
        let erased = self
            .carry_out::<User>(user_id, command, &self.shell(), also)
            .await?;
        Ok(!erased.events.is_empty())
    }
}
