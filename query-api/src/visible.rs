//! Which projects a caller has a part in, read once before a list, so that the list's own statement
//! holds nothing but what an index can follow.

use crate::{caller::Caller, items::ItemRow, projects::role_in};
use http_kit::{
    ApiError,
    permissions::{Action, Verdict},
};
use sqlx::PgConnection;
use uuid::Uuid;

/// The projects that a list is about.
pub(crate) enum Visible {
    /// All but these, which are deleted.
    AllBut(Vec<Uuid>),
    /// These.
    Only(Vec<(Uuid, Part)>),
}

/// What of a project's items a caller may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of them.
    All,
    /// Those that were handed in.
    HandedIn,
    /// The caller's own.
    Own,
}

impl Part {
    fn of<R>(caller: &Caller<R>, role: Option<&str>) -> Self {
        let may = |action| caller.verdict(action, role, false) == Verdict::Allow;
        if may(Action::ReadDraft) {
            Self::All
        } else if may(Action::ReadSubmitted) {
            Self::HandedIn
        } else {
            Self::Own
        }
    }
}

impl Visible {
    /// The project named, or all that the caller may see.
    ///
    /// # Errors
    /// 404 for a project that is not there for the caller.
    pub(crate) async fn to<R>(
        connection: &mut PgConnection,
        caller: &Caller<R>,
        project_id: Option<Uuid>,
    ) -> Result<Self, ApiError> {
        if let Some(project_id) = project_id {
            let role = role_in(connection, caller, project_id).await?;
            let part = Part::of(caller, role.as_deref());
            return Ok(Self::Only(vec![(project_id, part)]));
        }
        if caller.is_super_admin() {
            return Ok(Self::AllBut(deleted(connection).await?));
        }
        let roles = roles(connection, caller).await?.into_iter();
        let parts = roles.map(|(id, role)| (id, Part::of(caller, Some(&role))));
        Ok(Self::Only(parts.collect()))
    }

    /// The projects in which the caller may do this with items of their own; the one named, if any.
    ///
    /// # Errors
    /// 404 for a project that is not there for the caller, 403 where they may not.
    pub(crate) async fn allowing<R>(
        connection: &mut PgConnection,
        caller: &Caller<R>,
        action: Action,
        project_id: Option<Uuid>,
    ) -> Result<Self, ApiError> {
        if let Some(project_id) = project_id {
            let role = role_in(connection, caller, project_id).await?;
            caller.verdict(action, role.as_deref(), true).check()?;
            return Ok(Self::Only(vec![(project_id, Part::All)]));
        }
        if caller.is_super_admin() {
            return Ok(Self::AllBut(deleted(connection).await?));
        }
        let roles = roles(connection, caller).await?.into_iter();
        let allowed =
            roles.filter(|(_, role)| caller.verdict(action, Some(role), true) == Verdict::Allow);
        Ok(Self::Only(allowed.map(|(id, _)| (id, Part::All)).collect()))
    }

    /// No project at all.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Only(projects) if projects.is_empty())
    }

    /// Whether the caller, whose id this is, may read this item.
    pub(crate) fn shows(&self, caller_id: Uuid, item: &ItemRow) -> bool {
        let of = |projects: &[(Uuid, Part)]| {
            let found = projects.iter().find(|(id, _)| *id == item.project_id);
            found.is_some_and(|(_, part)| match part {
                Part::All => true,
                Part::HandedIn => item.status != "draft",
                Part::Own => item.owner_id == caller_id,
            })
        };
        match self {
            Self::AllBut(deleted) => !deleted.contains(&item.project_id),
            Self::Only(projects) => of(projects),
        }
    }

    /// The ids of the projects of which the caller reads this part.
    pub(crate) fn ids(&self, wanted: impl Fn(Part) -> bool) -> Vec<Uuid> {
        match self {
            Self::AllBut(_) => vec![],
            Self::Only(projects) => projects
                .iter()
                .filter(|(_, part)| wanted(*part))
                .map(|(id, _)| *id)
                .collect(),
        }
    }
}

async fn deleted(connection: &mut PgConnection) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("SELECT id FROM projects WHERE deleted")
        .fetch_all(connection)
        .await
}

async fn roles<R>(
    connection: &mut PgConnection,
    caller: &Caller<R>,
) -> Result<Vec<(Uuid, String)>, sqlx::Error> {
    if let Some(roles) = &caller.roles {
        return Ok(roles.clone());
    }
    let rows = sqlx::query!(
        "SELECT m.project_id, m.role FROM project_members m
         JOIN projects p ON p.id = m.project_id AND NOT p.deleted
         WHERE m.user_id = $1",
        caller.id(),
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.project_id, row.role))
        .collect())
}
