//! Who is who, and who may see what: `users`, `projects`, `project_members`, `project_invitations`.

use crate::projector::{ProjectionError, Projector, unreadable};
use domain::{
    Personal, ProjectMembership, User, project_membership::ProjectEvent, user::UserEvent,
};
use event_store::RecordedEvent;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// The projector of users, projects, members and invitations.
#[derive(Clone, Copy, Debug)]
pub struct Access;

impl Projector for Access {
    const NAME: &'static str = "access";
    const VERSION: i32 = 1;
    const TABLES: &'static [&'static str] = &[
        "users",
        "projects",
        "project_members",
        "project_invitations",
    ];

    fn concerns(event: &RecordedEvent) -> bool {
        event.is::<User>() || event.is::<ProjectMembership>()
    }

    async fn apply(
        &self,
        tx: &mut PgConnection,
        events: &[RecordedEvent],
    ) -> Result<(), ProjectionError> {
        for event in events {
            let (id, at) = (event.aggregate_id, event.recorded_at);
            if event.is::<User>() {
                user(
                    tx,
                    id,
                    at,
                    event.decode::<User>().map_err(unreadable(event))?,
                )
                .await?;
            } else if event.is::<ProjectMembership>() {
                project(
                    tx,
                    id,
                    at,
                    event
                        .decode::<ProjectMembership>()
                        .map_err(unreadable(event))?,
                )
                .await?;
            }
        }
        Ok(())
    }
}

async fn user(
    tx: &mut PgConnection,
    id: Uuid,
    at: OffsetDateTime,
    event: UserEvent,
) -> Result<(), sqlx::Error> {
    let change = match event {
        UserEvent::UserRegistered {
            email,
            name,
            global_role,
            is_verified,
            verification_expires_at: _,
        } => {
            sqlx::query!(
                "INSERT INTO users (id, email, name, is_verified, global_role, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (id) DO NOTHING",
                id,
                email.into_value(),
                name.and_then(Personal::into_value),
                is_verified,
                global_role.as_str(),
                at,
            )
            .execute(tx)
            .await?;
            return Ok(());
        }
        UserEvent::EmailVerified {} => UserChange {
            is_verified: Some(true),
            ..UserChange::default()
        },
        UserEvent::ProfileChanged { name } => UserChange {
            name: Some(Name(name.and_then(Personal::into_value))),
            ..UserChange::default()
        },
        UserEvent::GlobalRoleChanged { global_role } => UserChange {
            global_role: Some(global_role.as_str()),
            ..UserChange::default()
        },
        UserEvent::UserSuspended {} => UserChange {
            suspended: Some(true),
            ..UserChange::default()
        },
        UserEvent::UserReinstated {} => UserChange {
            suspended: Some(false),
            ..UserChange::default()
        },
        UserEvent::UserDeactivated {} => UserChange {
            deactivated: Some(true),
            ..UserChange::default()
        },
        UserEvent::UserErased {} => return erased(tx, id, at).await,
        // What is asked of or done to a password shows nowhere.
        UserEvent::VerificationRequested { .. }
        | UserEvent::PasswordResetRequested { .. }
        | UserEvent::PasswordReset { .. }
        | UserEvent::PasswordChanged {} => return Ok(()),
    };
    change.write(tx, id, at).await
}

/// The address and the name go, and the address where it was invited: those invitations whose keys
/// were destroyed.
async fn erased(tx: &mut PgConnection, id: Uuid, at: OffsetDateTime) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE project_invitations i SET email = NULL FROM vault.subject_keys k
         WHERE i.email IS NOT NULL AND k.subject_id = i.id AND k.erased_at IS NOT NULL",
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE users SET email = NULL, name = NULL, deactivated = true, updated_at = $2
         WHERE id = $1",
        id,
        at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A display name, or that there is none any more.
struct Name(Option<String>);

#[derive(Default)]
struct UserChange {
    is_verified: Option<bool>,
    name: Option<Name>,
    global_role: Option<&'static str>,
    suspended: Option<bool>,
    deactivated: Option<bool>,
}

impl UserChange {
    async fn write(
        self,
        tx: &mut PgConnection,
        id: Uuid,
        at: OffsetDateTime,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "UPDATE users SET is_verified = coalesce($2, is_verified),
                 name = CASE WHEN $3 THEN $4 ELSE name END,
                 global_role = coalesce($5, global_role),
                 suspended = coalesce($6, suspended),
                 deactivated = coalesce($7, deactivated),
                 updated_at = $8
             WHERE id = $1",
            id,
            self.is_verified,
            self.name.is_some(),
            self.name.and_then(|name| name.0),
            self.global_role,
            self.suspended,
            self.deactivated,
            at,
        )
        .execute(tx)
        .await?;
        Ok(())
    }
}

async fn project(
    tx: &mut PgConnection,
    id: Uuid,
    at: OffsetDateTime,
    event: ProjectEvent,
) -> Result<(), sqlx::Error> {
    match event {
        ProjectEvent::ProjectCreated {
            name,
            description,
            created_by_id,
            allow_self_review: self_review,
        } => {
            sqlx::query!(
                "INSERT INTO projects (id, name, description, created_by_id, allow_self_review,
                                       created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (id) DO NOTHING",
                id,
                name,
                description,
                created_by_id,
                self_review,
                at,
            )
            .execute(tx)
            .await?;
        }
        ProjectEvent::ProjectChanged {
            name,
            description,
            allow_self_review: self_review,
        } => {
            sqlx::query!(
                "UPDATE projects SET name = $2, description = $3, allow_self_review = $4,
                                     updated_at = $5
                 WHERE id = $1",
                id,
                name,
                description,
                self_review,
                at,
            )
            .execute(tx)
            .await?;
        }
        ProjectEvent::ProjectDeleted {} => set_deleted(tx, id, at, true).await?,
        ProjectEvent::ProjectRestored {} => set_deleted(tx, id, at, false).await?,
        ProjectEvent::MemberInvited {
            invitation_id,
            email,
            role,
            invited_by_id,
            expires_at,
        } => {
            sqlx::query!(
                "INSERT INTO project_invitations (id, project_id, email, role, invited_by_id, state,
                                                  expires_at, created_at)
                 VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7) ON CONFLICT (id) DO NOTHING",
                invitation_id,
                id,
                email.into_value(),
                role.as_str(),
                invited_by_id,
                expires_at,
                at,
            )
            .execute(tx)
            .await?;
        }
        ProjectEvent::InvitationRevoked { invitation_id } => {
            end_invitation(tx, invitation_id, "revoked").await?;
        }
        ProjectEvent::InvitationAccepted {
            invitation_id,
            user_id: _,
        } => end_invitation(tx, invitation_id, "accepted").await?,
        ProjectEvent::MemberJoined {
            membership_id,
            user_id,
            role,
        } => {
            sqlx::query!(
                "INSERT INTO project_members (id, project_id, user_id, role, created_at)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (project_id, user_id) DO UPDATE
                 SET id = excluded.id, role = excluded.role, created_at = excluded.created_at",
                membership_id,
                id,
                user_id,
                role.as_str(),
                at,
            )
            .execute(tx)
            .await?;
        }
        ProjectEvent::MemberRoleChanged {
            user_id,
            previous_role: _,
            role,
        } => {
            sqlx::query!(
                "UPDATE project_members SET role = $3 WHERE project_id = $1 AND user_id = $2",
                id,
                user_id,
                role.as_str(),
            )
            .execute(tx)
            .await?;
        }
        ProjectEvent::MemberRemoved { user_id } | ProjectEvent::MemberLeft { user_id } => {
            sqlx::query!(
                "DELETE FROM project_members WHERE project_id = $1 AND user_id = $2",
                id,
                user_id,
            )
            .execute(tx)
            .await?;
        }
    }
    Ok(())
}

async fn set_deleted(
    tx: &mut PgConnection,
    id: Uuid,
    at: OffsetDateTime,
    deleted: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE projects SET deleted = $2, updated_at = $3 WHERE id = $1",
        id,
        deleted,
        at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn end_invitation(
    tx: &mut PgConnection,
    invitation_id: Uuid,
    state: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE project_invitations SET state = $2 WHERE id = $1",
        invitation_id,
        state,
    )
    .execute(tx)
    .await?;
    Ok(())
}
