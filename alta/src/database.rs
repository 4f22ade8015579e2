//! Connections to PostgreSQL, each part under its own role, and the schema's migrations.

use std::{str::FromStr, time::Duration};

use anyhow::{Context, Result, bail};
use runtime::secret::SecretString;
use sqlx::{
    Connection, PgConnection, PgPool, Row,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio_util::sync::CancellationToken;

/// All migrations, as they were when this binary was built.
static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// How long one statement of the query side may take: heavy searches are not to hold all connections.
const LONGEST_READ: &str = "10s";
/// How long it may wait for a lock: a migration that keeps a table to itself is not to hold all
/// connections either.
const LONGEST_WAIT: &str = "1s";
/// How long counting a request may take: the request does not wait longer.
const LONGEST_COUNT: &str = "200ms";
/// How long nothing may be heard of a session in the middle of a transaction: a process that hangs there is
/// not to keep its locks. Projectors bound theirs themselves, and an export of the audit trail waits for its
/// reader.
const LONGEST_SILENCE: &str = "1min";

/// As what a part works on the database. Each role may do no more than its part needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Command,
    Query,
    Relay,
    Projectors,
    Processors,
    Edge,
    Audit,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Command => "alta_command",
            Self::Query => "alta_query",
            Self::Relay => "alta_relay",
            Self::Projectors => "alta_projectors",
            Self::Processors => "alta_processors",
            Self::Edge => "alta_edge",
            Self::Audit => "alta_audit",
        }
    }
}

/// How to connect under a role. The role is part of the connection's start, so that not even a
/// RESET leads back to the owner's rights.
pub(crate) fn options(url: &SecretString, role: Role) -> Result<PgConnectOptions> {
    let options = owner_options(url)?
        .application_name(role.name())
        .options([("role", role.name())]);
    let options = match role {
        Role::Projectors | Role::Audit | Role::Edge => options,
        Role::Command | Role::Query | Role::Relay | Role::Processors => {
            options.options(event_store::BY_KEYS)
        }
    };
    let options = match role {
        Role::Projectors | Role::Audit => options,
        _ => options.options([("idle_in_transaction_session_timeout", LONGEST_SILENCE)]),
    };
    Ok(match role {
        Role::Query => options.options([
            ("statement_timeout", LONGEST_READ),
            ("lock_timeout", LONGEST_WAIT),
        ]),
        Role::Edge => options.options([("statement_timeout", LONGEST_COUNT)]),
        _ => options,
    })
}

/// At most `most` connections under a role, opened when they are needed.
pub(crate) fn pool(url: &SecretString, role: Role, most: u32) -> Result<PgPool> {
    Ok(PgPoolOptions::new()
        .max_connections(most)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(10))
        .connect_lazy_with(options(url, role)?))
}

/// Connections for counting requests, of which each waits a moment only: they are open from the
/// start and for good.
pub(crate) fn counting_pool(url: &SecretString) -> Result<PgPool> {
    Ok(PgPoolOptions::new()
        .min_connections(2)
        .max_connections(2)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(options(url, Role::Edge)?))
}

/// Brings the schema up to date. Returns the newest version and how many steps that took.
pub(crate) async fn migrate(url: &SecretString) -> Result<(i64, usize)> {
    let mut connection = connect(url).await?;
    let before = applied(&mut connection).await?.len();
    MIGRATIONS
        .run(&mut connection)
        .await
        .context("migrating the database")?;
    let after = applied(&mut connection).await?;
    connection.close().await?;
    Ok((after.last().copied().unwrap_or(0), after.len() - before))
}

/// Undoes the newest `steps` migrations. Returns the version that is left.
pub(crate) async fn migrate_down(url: &SecretString, steps: u32) -> Result<i64> {
    let mut connection = connect(url).await?;
    let versions = applied(&mut connection).await?;
    let left = versions.len().checked_sub(steps as usize);
    let Some(left) = left else {
        bail!(
            "only {} migrations are applied, {steps} cannot be undone",
            versions.len()
        )
    };
    let target = left
        .checked_sub(1)
        .and_then(|last| versions.get(last))
        .copied()
        .unwrap_or(0);
    MIGRATIONS
        .undo(&mut connection, target)
        .await
        .context("undoing migrations")?;
    connection.close().await?;
    Ok(target)
}

/// Writes the table of keys anew: what was destroyed is in its file no more. Returns how many keys
/// are destroyed.
pub(crate) async fn vacuum_keys(url: &SecretString) -> Result<i64> {
    let mut connection = connect(url).await?;
    sqlx::query("VACUUM (FULL) vault.subject_keys")
        .execute(&mut connection)
        .await
        .context("writing the table of keys anew")?;
    let graves = "SELECT count(*) FROM vault.subject_keys WHERE wrapped_key IS NULL";
    let graves = sqlx::query(graves).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(graves.try_get(0)?)
}

/// Waits until another process has brought the schema to where this binary needs it.
pub(crate) async fn migrated(url: &SecretString, shutdown: &CancellationToken) -> Result<()> {
    let wanted = newest();
    let mut last = None;
    while !shutdown.is_cancelled() {
        let state = match is_at(url, wanted).await {
            Ok(true) => return Ok(()),
            Ok(false) => format!("the schema is not at version {wanted} yet (alta migrate)"),
            Err(error) => format!("{error:#}"),
        };
        if last.as_ref() != Some(&state) {
            tracing::warn!("waiting for the database: {state}");
            last = Some(state);
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
    Ok(())
}

/// Refuses a database whose schema is older than this binary needs.
pub(crate) async fn must_be_migrated(url: &SecretString) -> Result<()> {
    let wanted = newest();
    if !is_at(url, wanted).await? {
        bail!("the schema is not at version {wanted} yet (alta migrate)");
    }
    Ok(())
}

/// The version to which this binary's migrations lead.
fn newest() -> i64 {
    MIGRATIONS
        .iter()
        .map(|step| step.version)
        .max()
        .unwrap_or(0)
}

async fn is_at(url: &SecretString, wanted: i64) -> Result<bool> {
    let mut connection = connect(url).await?;
    let versions = applied(&mut connection).await?;
    connection.close().await?;
    Ok(versions.last().is_some_and(|version| *version >= wanted))
}

/// The versions of the applied migrations, ascending.
async fn applied(connection: &mut PgConnection) -> Result<Vec<i64>> {
    let exists = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    if !sqlx::query(exists)
        .fetch_one(&mut *connection)
        .await?
        .try_get::<bool, _>(0)?
    {
        return Ok(Vec::new());
    }
    let versions = "SELECT version FROM _sqlx_migrations WHERE success ORDER BY version";
    let rows = sqlx::query(versions).fetch_all(connection).await?;
    Ok(rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?)
}

async fn connect(url: &SecretString) -> Result<PgConnection> {
    let options = owner_options(url)?;
    PgConnection::connect_with(&options)
        .await
        .context("connecting to the database")
}

/// How to connect as the database's owner.
pub(crate) fn owner_options(url: &SecretString) -> Result<PgConnectOptions> {
    // The parser's own message could show the password.
    let parsed = PgConnectOptions::from_str(url.expose()).ok();
    parsed.context("it is no URL of a database")
}

#[cfg(test)]
mod tests {
    use sqlx::Executor;

    use super::*;

    const ROLES: [Role; 7] = [
        Role::Command,
        Role::Query,
        Role::Relay,
        Role::Projectors,
        Role::Processors,
        Role::Edge,
        Role::Audit,
    ];

    async fn url() -> SecretString {
        SecretString::new(test_kit::postgres().await.url)
    }

    #[tokio::test]
    async fn each_part_works_under_its_own_role_for_good() {
        let url = url().await;
        for role in ROLES {
            let pool = pool(&url, role, 1).expect("the URL parses");
            pool.execute("RESET ROLE").await.expect("it is obeyed");
            let user: String = sqlx::query_scalar("SELECT current_user")
                .fetch_one(&pool)
                .await
                .expect("answered");
            assert_eq!(user, role.name());
        }
    }

    #[tokio::test]
    async fn only_what_callers_wait_for_is_bounded_in_time() {
        let url = url().await;
        for role in ROLES {
            let pool = pool(&url, role, 1).expect("the URL parses");
            let bound: String = sqlx::query_scalar("SHOW statement_timeout")
                .fetch_one(&pool)
                .await
                .expect("answered");
            let expected = match role {
                Role::Query => LONGEST_READ,
                Role::Edge => LONGEST_COUNT,
                _ => "0",
            };
            assert_eq!(bound, expected, "{role:?}");
        }
    }

    #[tokio::test]
    async fn who_hangs_in_a_transaction_does_not_keep_its_locks() {
        let url = url().await;
        for role in ROLES {
            let pool = pool(&url, role, 1).expect("the URL parses");
            let bound: String = sqlx::query_scalar("SHOW idle_in_transaction_session_timeout")
                .fetch_one(&pool)
                .await
                .expect("answered");
            let expected = match role {
                Role::Projectors | Role::Audit => "0",
                _ => LONGEST_SILENCE,
            };
            assert_eq!(bound, expected, "{role:?}");
        }
    }

    #[tokio::test]
    async fn no_part_can_change_what_happened() {
        let url = url().await;
        for role in ROLES {
            let pool = pool(&url, role, 1).expect("the URL parses");
            for table in ["events", "event_log"] {
                for attempt in ["DELETE FROM", "TRUNCATE"] {
                    let refused = pool.execute(format!("{attempt} {table}").as_str()).await;
                    assert!(refused.is_err(), "{attempt} {table} as {role:?}");
                }
            }
        }
    }

    #[tokio::test]
    async fn migrations_go_down_step_by_step_and_up_again() {
        let url = SecretString::new(test_kit::empty_database().await.url);
        let (newest, steps) = migrate(&url).await.expect("up");
        assert_eq!(migrate(&url).await.expect("up to date"), (newest, 0));
        assert!(migrate_down(&url, 1).await.expect("one down") < newest);
        let all = u32::try_from(steps - 1).expect("few");
        assert_eq!(migrate_down(&url, all).await.expect("the rest down"), 0);
        assert!(migrate_down(&url, 1).await.is_err());
        assert_eq!(migrate(&url).await.expect("up again"), (newest, steps));
    }

    #[tokio::test]
    async fn a_bad_url_is_refused_without_showing_it() {
        let url = SecretString::new("postgres://u:hush@[/x");
        let refused = migrate(&url).await.expect_err("it does not parse");
        assert!(!format!("{refused:#}").contains("hush"));
    }

    #[tokio::test]
    async fn a_destroyed_key_is_in_the_file_of_the_table_until_it_is_written_anew() {
        let url = url().await;
        let mut connection = connect(&url).await.expect("connected");
        let secret = "the bytes of a key that is destroyed";
        let made = "INSERT INTO vault.subject_keys (subject_id, wrapped_key)
                    VALUES (gen_random_uuid(), convert_to($1, 'UTF8'))";
        let made = sqlx::query(made).bind(secret).execute(&mut connection);
        made.await.expect("made");
        connection
            .execute("UPDATE vault.subject_keys SET wrapped_key = NULL, erased_at = now()")
            .await
            .expect("destroyed");
        let mut in_file = async || -> bool {
            connection.execute("CHECKPOINT").await.expect("flushed");
            let file = "SELECT position(convert_to($1, 'UTF8') IN pg_read_binary_file(
                            pg_relation_filepath('vault.subject_keys'))) > 0";
            let row = sqlx::query(file).bind(secret).fetch_one(&mut connection);
            row.await.expect("read").get(0)
        };
        assert!(in_file().await);
        assert_eq!(vacuum_keys(&url).await.expect("vacuumed"), 1);
        assert!(!in_file().await);
    }
}
