//! Accounts: one's own, and all of them for administrators. Closed accounts are not shown.

use crate::{
    QueryApi,
    answer::Answer,
    caller::{Access, Account, Caller},
    parameters::{Order, containing, descending, flag, word},
    written::Time,
};
use axum::{extract::State, http::StatusCode, response::Response};
use http_kit::{
    ApiError, Path, Query,
    paging::{Numbered, PageMeta, PageNumber},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// What an account may do everywhere.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the words in `global_role`")]
pub(crate) enum GlobalRole {
    User,
    SuperAdmin,
}

/// The caller's own account.
#[derive(Serialize, ToSchema)]
#[schema(as = Me, example = json!({"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11",
    "email": "amina@example.org", "name": "Amina", "is_verified": true, "global_role": "user",
    "created_at": "2026-01-15T10:30:00Z", "updated_at": "2026-01-15T10:30:00Z"}))]
pub(crate) struct Me {
    id: Uuid,
    #[schema(required)]
    email: Option<String>,
    #[schema(required)]
    name: Option<String>,
    is_verified: bool,
    #[schema(value_type = GlobalRole)]
    global_role: String,
    created_at: Time,
    updated_at: Time,
}

/// Tells the caller who they are.
#[utoipa::path(get, path = "/auth/me", operation_id = "read_own_account", tag = "accounts",
    responses((status = 200, body = Me)))]
pub(crate) async fn me(caller: Caller<Access>) -> Response {
    let Account {
        id,
        email,
        name,
        is_verified,
        global_role,
        created_at,
        updated_at,
    } = caller.account;
    Answer::at(caller.position).json(Me {
        id,
        email,
        name,
        is_verified,
        global_role,
        created_at: created_at.into(),
        updated_at: updated_at.into(),
    })
}

/// An account as administrators see it.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11",
    "email": "amina@example.org", "name": null, "is_verified": true, "global_role": "user",
    "suspended": false, "created_at": "2026-01-15T10:30:00Z",
    "updated_at": "2026-01-15T10:30:00Z"}))]
pub(crate) struct User {
    id: Uuid,
    #[schema(required)]
    email: Option<String>,
    #[schema(required)]
    name: Option<String>,
    is_verified: bool,
    #[schema(value_type = GlobalRole)]
    global_role: String,
    suspended: bool,
    created_at: Time,
    updated_at: Time,
}

/// What a list of accounts is sorted by.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the words of `sort_by`")]
enum UserSort {
    CreatedAt,
    UpdatedAt,
    Email,
    Name,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    #[serde(flatten)]
    #[param(ignore)]
    page: Numbered,
    /// Stands somewhere in the address or the name, in any case.
    #[param(max_length = 300)]
    q: Option<String>,
    /// With this role alone.
    #[param(inline, value_type = Option<GlobalRole>)]
    role: Option<String>,
    /// Those whose address was proved, or those whose was not.
    #[param(value_type = Option<bool>)]
    verified: Option<String>,
    #[param(inline, value_type = Option<UserSort>)]
    sort_by: Option<String>,
    #[param(inline, value_type = Option<Order>)]
    order: Option<String>,
}

/// Which accounts, checked.
pub(crate) struct Wanted {
    pub(crate) page: PageNumber,
    /// Of `LIKE`.
    pub(crate) pattern: Option<String>,
    role: Option<&'static str>,
    verified: Option<bool>,
    sort_by: &'static str,
    descending: bool,
}

impl ListQuery {
    /// The same, checked.
    ///
    /// # Errors
    /// 400 `INVALID_PARAMETER`.
    pub(crate) fn wanted(&self) -> Result<Wanted, ApiError> {
        let sorts = &["created_at", "updated_at", "email", "name"];
        let sort_by = word("sort_by", self.sort_by.as_deref(), sorts)?;
        Ok(Wanted {
            page: self.page.page()?,
            pattern: containing("q", self.q.as_deref())?,
            role: word("role", self.role.as_deref(), &["user", "super_admin"])?,
            verified: flag("verified", self.verified.as_deref())?,
            sort_by: sort_by.unwrap_or("created_at"),
            descending: descending(self.order.as_deref(), true)?,
        })
    }
}

/// A page of accounts.
#[derive(Serialize, ToSchema)]
#[schema(as = UserPage)]
pub(crate) struct Page {
    data: Vec<User>,
    meta: PageMeta,
}

/// Lists the accounts that were not closed.
#[utoipa::path(get, path = "/admin/users", operation_id = "list_users", tag = "users",
    params(Numbered, ListQuery), responses((status = 200, body = Page)))]
pub(crate) async fn list(
    State(api): State<QueryApi>,
    caller: Caller<Access>,
    Query(query): Query<ListQuery>,
) -> Result<Response, ApiError> {
    let wanted = query.wanted()?;
    let page = wanted.page;
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", email, name, is_verified AS "is_verified!",
                  global_role AS "global_role!", suspended AS "suspended!",
                  created_at AS "created_at!", updated_at AS "updated_at!", total AS "total!"
           FROM (
               SELECT u.*, count(*) OVER () AS total,
                      CASE $6 WHEN 'updated_at' THEN to_char(updated_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS')
                              WHEN 'email' THEN lower(email)
                              WHEN 'name' THEN lower(name)
                              ELSE to_char(created_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS') END AS sorted
               FROM users u
               WHERE NOT deactivated
                 AND ($1::text IS NULL OR email ILIKE $1 OR name ILIKE $1)
                 AND ($2::text IS NULL OR global_role = $2)
                 AND ($3::bool IS NULL OR is_verified = $3)
           ) AS found
           ORDER BY CASE WHEN $7 THEN sorted END DESC NULLS LAST,
                    CASE WHEN NOT $7 THEN sorted END ASC NULLS LAST, id
           LIMIT $4 OFFSET $5"#,
        wanted.pattern,
        wanted.role,
        wanted.verified,
        page.page_size,
        page.offset(),
        wanted.sort_by,
        wanted.descending,
    )
    .fetch_all(&api.pool)
    .await?;
    let total = match rows.first() {
        Some(row) => row.total,
        // Beyond the last page there is no row to count with.
        None => count(&api, &wanted).await?,
    };
    let users = rows.into_iter().map(|row| User {
        id: row.id,
        email: row.email,
        name: row.name,
        is_verified: row.is_verified,
        global_role: row.global_role,
        suspended: row.suspended,
        created_at: row.created_at.into(),
        updated_at: row.updated_at.into(),
    });
    Ok(Answer::at(caller.position).json(Page {
        data: users.collect(),
        meta: page.meta(total),
    }))
}

async fn count(api: &QueryApi, wanted: &Wanted) -> Result<i64, ApiError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM users
           WHERE NOT deactivated
             AND ($1::text IS NULL OR email ILIKE $1 OR name ILIKE $1)
             AND ($2::text IS NULL OR global_role = $2)
             AND ($3::bool IS NULL OR is_verified = $3)"#,
        wanted.pattern,
        wanted.role,
        wanted.verified,
    )
    .fetch_one(&api.pool)
    .await?)
}

/// Reads an account that was not closed.
#[utoipa::path(get, path = "/admin/users/{id}", operation_id = "read_user", tag = "users",
    params(("id" = Uuid, Path, description = "The account.")),
    responses((status = 200, body = User), (status = 404, description = "`USER_NOT_FOUND`")))]
pub(crate) async fn one(
    State(api): State<QueryApi>,
    caller: Caller<Access>,
    Path(id): Path<Uuid>,
) -> Result<Response, ApiError> {
    let user = sqlx::query_as!(
        User,
        r#"SELECT id, email, name, is_verified, global_role, suspended,
                  created_at AS "created_at: _", updated_at AS "updated_at: _"
           FROM users WHERE id = $1 AND NOT deactivated"#,
        id,
    )
    .fetch_optional(&api.pool)
    .await?
    .ok_or_else(|| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "USER_NOT_FOUND",
            "There is no such user.",
        )
    })?;
    Ok(Answer::at(caller.position).json(user))
}
