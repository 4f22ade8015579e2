//! Accounts: one's own, and all of them for administrators. Closed accounts are not shown.

use crate::{
    QueryApi,
    answer::Answer,
    caller::{Access, Account, Caller},
    parameters::{containing, descending, flag, word},
    written::Time,
};
use axum::{extract::State, http::StatusCode, response::Response};
use http_kit::{
    ApiError, Path, Query,
    paging::{Numbered, PageMeta},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// `GET /auth/me`.
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

#[derive(Serialize)]
struct Me {
    id: Uuid,
    email: Option<String>,
    name: Option<String>,
    is_verified: bool,
    global_role: String,
    created_at: Time,
    updated_at: Time,
}

#[derive(Serialize)]
struct User {
    #[serde(flatten)]
    me: Me,
    suspended: bool,
}

struct UserRow {
    id: Uuid,
    email: Option<String>,
    name: Option<String>,
    is_verified: bool,
    global_role: String,
    suspended: bool,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            me: Me {
                id: row.id,
                email: row.email,
                name: row.name,
                is_verified: row.is_verified,
                global_role: row.global_role,
                created_at: row.created_at.into(),
                updated_at: row.updated_at.into(),
            },
            suspended: row.suspended,
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct ListQuery {
    #[serde(flatten)]
    page: Numbered,
    q: Option<String>,
    role: Option<String>,
    verified: Option<String>,
    sort_by: Option<String>,
    order: Option<String>,
}

#[derive(Serialize)]
struct Page {
    data: Vec<User>,
    meta: PageMeta,
}

/// `GET /admin/users`, also `GET /users`.
pub(crate) async fn list(
    State(api): State<QueryApi>,
    caller: Caller<Access>,
    Query(query): Query<ListQuery>,
) -> Result<Response, ApiError> {
    caller.must_administer()?;
    let page = query.page.page()?;
    let sort_by = word(
        "sort_by",
        query.sort_by.as_deref(),
        &["created_at", "updated_at", "email", "name"],
    )?;
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", email, name, is_verified AS "is_verified!",
                  global_role AS "global_role!", suspended AS "suspended!",
                  created_at AS "created_at!", updated_at AS "updated_at!", total AS "total!"
           FROM (
               SELECT u.*, count(*) OVER () AS total,
                      CASE $6 WHEN 'updated_at' THEN to_char(updated_at, 'YYYYMMDDHH24MISSUS')
                              WHEN 'email' THEN lower(email)
                              WHEN 'name' THEN lower(name)
                              ELSE to_char(created_at, 'YYYYMMDDHH24MISSUS') END AS sorted
               FROM users u
               WHERE NOT deactivated
                 AND ($1::text IS NULL OR email ILIKE $1 OR name ILIKE $1)
                 AND ($2::text IS NULL OR global_role = $2)
                 AND ($3::bool IS NULL OR is_verified = $3)
           ) AS found
           ORDER BY CASE WHEN $7 THEN sorted END DESC NULLS LAST,
                    CASE WHEN NOT $7 THEN sorted END ASC NULLS LAST, id
           LIMIT $4 OFFSET $5"#,
        containing("q", query.q.as_deref())?,
        word("role", query.role.as_deref(), &["user", "super_admin"])?,
        flag("verified", query.verified.as_deref())?,
        page.page_size,
        page.offset(),
        sort_by.unwrap_or("created_at"),
        descending(query.order.as_deref(), true)?,
    )
    .fetch_all(&api.pool)
    .await?;
    let total = match rows.first() {
        Some(row) => row.total,
        // Beyond the last page there is no row to count with.
        None => count(&api, &query).await?,
    };
    let users = rows.into_iter().map(|row| UserRow {
        id: row.id,
        email: row.email,
        name: row.name,
        is_verified: row.is_verified,
        global_role: row.global_role,
        suspended: row.suspended,
        created_at: row.created_at,
        updated_at: row.updated_at,
    });
    Ok(Answer::at(caller.position).json(Page {
        data: users.map(User::from).collect(),
        meta: page.meta(total),
    }))
}

async fn count(api: &QueryApi, query: &ListQuery) -> Result<i64, ApiError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM users
           WHERE NOT deactivated
             AND ($1::text IS NULL OR email ILIKE $1 OR name ILIKE $1)
             AND ($2::text IS NULL OR global_role = $2)
             AND ($3::bool IS NULL OR is_verified = $3)"#,
        containing("q", query.q.as_deref())?,
        query.role,
        flag("verified", query.verified.as_deref())?,
    )
    .fetch_one(&api.pool)
    .await?)
}

/// `GET /admin/users/{id}`, also `GET /users/{id}`.
pub(crate) async fn one(
    State(api): State<QueryApi>,
    caller: Caller<Access>,
    Path(id): Path<Uuid>,
) -> Result<Response, ApiError> {
    caller.must_administer()?;
    let row = sqlx::query_as!(
        UserRow,
        "SELECT id, email, name, is_verified, global_role, suspended, created_at, updated_at
         FROM users WHERE id = $1 AND NOT deactivated",
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
    Ok(Answer::at(caller.position).json(User::from(row)))
}
