//! The first super admin, whom no other can make: at start, or from the shell. An account that the
//! address has already is promoted only from the shell and only with its password: at start, it
//! would be a gift to whoever registered the address first, and undo a demotion at every restart.

use axum::http::StatusCode;
use domain::{GlobalRole, User, user::UserCommand};
use event_store::{Also, Context};
use http_kit::ApiError;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{create_user::Request, login::password_hash};
use crate::{CommandApi, answer::Stop};

/// What became of the wish for a super admin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuperAdmin {
    /// There was no account with this address: now there is.
    Made,
    /// The address has an account with all rights.
    AlreadyThere,
    /// The account that the address has was given all rights.
    Promoted,
    /// The address has an account without them, or a suspended or closed one: it is left as it is.
    LeftAlone,
}

impl CommandApi {
    /// Makes an account with all rights, unless the address has an account.
    ///
    /// # Errors
    /// 422 for an address or a password that cannot be accepted, 5xx when the store fails.
    pub async fn ensure_super_admin(
        &self,
        email: &str,
        password: &str,
    ) -> Result<SuperAdmin, ApiError> {
        let ensured = self.ensure(email, password).await;
        ensured.map_err(Stop::refusal)
    }

    /// The same, but gives the rights to an account that the address has already if this is its
    /// password; its address counts as verified then.
    ///
    /// # Errors
    /// Those of [`CommandApi::ensure_super_admin`].
    pub async fn make_super_admin(
        &self,
        email: &str,
        password: &str,
    ) -> Result<SuperAdmin, ApiError> {
        match self.ensure_super_admin(email, password).await? {
            SuperAdmin::LeftAlone => {
                let promoted = self.promote(email, password).await;
                promoted.map_err(Stop::refusal)
            }
            outcome => Ok(outcome),
        }
    }

    async fn ensure(&self, email: &str, password: &str) -> Result<SuperAdmin, Stop> {
        if let Some(user_id) = self.store.user_with_address(email).await? {
            let user = self.store.load::<User>(user_id).await?.aggregate;
            let standing = user.standing().filter(|standing| standing.is_active());
            let role = standing.map(|standing| standing.global_role);
            return Ok(match role {
                Some(GlobalRole::SuperAdmin) => SuperAdmin::AlreadyThere,
                _ => SuperAdmin::LeftAlone,
            });
        }
        let user = self.checked(Request {
            email: email.to_owned(),
            password: Zeroizing::new(password.to_owned()),
            name: None,
            global_role: Some(GlobalRole::SuperAdmin),
        })?;
        let context = self.by_the_operator(user.user_id);
        match self.register_verified(user, &context, &None).await {
            Ok(_) => Ok(SuperAdmin::Made),
            Err(Stop::Refused(error)) if error.status() == StatusCode::CONFLICT => {
                Ok(SuperAdmin::LeftAlone)
            }
            Err(stop) => Err(stop),
        }
    }

    async fn promote(&self, email: &str, password: &str) -> Result<SuperAdmin, Stop> {
        let user_id = self.store.user_with_address(email).await?;
        let hash = password_hash(self, user_id).await?;
        let password = Zeroizing::new(password.to_owned());
        let right = self.passwords.verify(password, hash).await?;
        let Some(user_id) = user_id.filter(|_| right) else {
            return Ok(SuperAdmin::LeftAlone);
        };
        let user = self.store.load::<User>(user_id).await?.aggregate;
        if user.standing().is_none_or(|standing| standing.suspended) {
            return Ok(SuperAdmin::LeftAlone);
        }
        let promotion = UserCommand::Change {
            name: None,
            global_role: Some(GlobalRole::SuperAdmin),
            suspended: None,
        };
        let context = self.by_the_operator(user_id);
        for command in [UserCommand::VerifyEmail, promotion] {
            self.carry_out::<User>(user_id, command, &context, Also::default())
                .await?;
        }
        Ok(SuperAdmin::Promoted)
    }

    fn by_the_operator(&self, user_id: Uuid) -> Context {
        let request_id = self.ids.next().to_string();
        Context {
            actor_user_id: Some(user_id),
            correlation_id: request_id.clone(),
            request_id,
            ..Context::default()
        }
    }
}
