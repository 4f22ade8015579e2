//! Taking rights away from super admins, so that one is always left: nobody does it to themselves,
//! and of several at once each is done by who still is a super admin when its turn comes.

use std::time::Duration;

use domain::{GlobalRole, User, user::UserCommand};
use event_store::{Also, Appended, Context, beating};
use http_kit::ApiError;
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::{CommandApi, answer::Stop, caller::Caller};

/// Advisory lock of whoever takes rights away from accounts ("admi").
const ADMINISTRATION: i64 = 0x6164_6d69;
/// How often, and how many times, it is asked for: a wait inside PostgreSQL would hold a connection.
const POLL: Duration = Duration::from_millis(10);
const ASKED: u32 = 500;

/// 409 for a super admin who would lock themselves out: another one must do it.
pub(super) fn not_oneself(caller: &Caller, user_id: Uuid) -> Result<(), ApiError> {
    if caller.user_id == user_id {
        return Err(ApiError::conflict(
            "OWN_ACCOUNT",
            "Another super admin must do this to your account.",
        ));
    }
    Ok(())
}

impl CommandApi {
    /// Carries out what takes rights away from an account.
    pub(super) async fn take_rights(
        &self,
        caller: &Caller,
        user_id: Uuid,
        command: UserCommand,
        context: &Context,
        also: Also,
    ) -> Result<Appended<User>, Stop> {
        not_oneself(caller, user_id)?;
        let mut turn = self.turn_to_administer().await?;
        let ends_sessions = also.end_sessions.is_some();
        let carried_out = async {
            if self.still_administers(caller.user_id).await? {
                self.carry_out::<User>(user_id, command, context, also)
                    .await
            } else {
                Err(ApiError::forbidden().into())
            }
        };
        // However long an erasure takes, the turn is held.
        let outcome = beating(&mut turn, Box::pin(carried_out)).await?;
        // Where this fails, the session has ended, and the turn with it.
        let _ = turn.rollback().await;
        let appended = outcome?;
        if ends_sessions {
            // That of a sign-in at this very moment was not seen by the statement itself.
            self.end_sessions(user_id, None).await?;
        }
        Ok(appended)
    }

    async fn still_administers(&self, user_id: Uuid) -> Result<bool, Stop> {
        let user = self.store.load::<User>(user_id).await?.aggregate;
        let standing = user.standing().filter(|standing| standing.is_active());
        Ok(standing.is_some_and(|standing| standing.global_role == GlobalRole::SuperAdmin))
    }

    /// Held until its end by one request at a time, in the whole service.
    async fn turn_to_administer(&self) -> Result<Transaction<'static, Postgres>, Stop> {
        for _ in 0..ASKED {
            let mut turn = self.store.pool().begin().await?;
            let mine = sqlx::query_scalar!(
                r#"SELECT pg_try_advisory_xact_lock($1) AS "mine!""#,
                ADMINISTRATION
            )
            .fetch_one(&mut *turn)
            .await?;
            if mine {
                return Ok(turn);
            }
            turn.rollback().await?;
            tokio::time::sleep(POLL).await;
        }
        Err(ApiError::unavailable(1).into())
    }
}
