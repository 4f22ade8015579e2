//! The very statements that the service runs for a request, with their values: as PostgreSQL's own log
//! tells them, so that a ceiling is never that of a statement of long ago.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long PostgreSQL may take to begin to log, and to have logged.
const BREATH: Duration = Duration::from_millis(500);
/// As whom the query API connects.
const READER: &str = "alta_query";

/// A statement as it was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// With `$1` and so on.
    pub sql: String,
    /// Their values; `None` for NULL.
    values: Vec<Option<String>>,
}

impl Statement {
    /// For pgbench, with variables that begin with `prefix`, and their values. pgbench sends no types, so
    /// that what is an id, or a list of them, is said to be one; and it knows no NULL.
    pub fn script(&self, prefix: &str) -> (String, Vec<(String, String)>) {
        let (mut sql, mut variables) = (self.sql.clone(), vec![]);
        // The last first: $1 begins $10.
        for (index, value) in self.values.iter().enumerate().rev() {
            let place = format!("${}", index + 1);
            let Some(value) = value else {
                sql = sql.replace(&place, "NULL");
                continue;
            };
            let name = format!("{prefix}{}", index + 1);
            sql = sql.replace(&place, &format!(":{name}{}", cast(value)));
            variables.push((name, value.clone()));
        }
        (sql, variables)
    }
}

fn cast(value: &str) -> &'static str {
    let is_id = |text: &str| text.len() == 36 && uuid::Uuid::try_parse(text).is_ok();
    let list = value
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    match list {
        Some(ids) if ids.split(',').all(is_id) => "::uuid[]",
        None if is_id(value) => "::uuid",
        _ => "",
    }
}

/// What the query API executes while `request` is carried out.
///
/// # Errors
/// Those of the request; when PostgreSQL's log cannot be read.
pub async fn executed(
    data_dir: &Path,
    url: &str,
    request: impl Future<Output = Result<()>>,
) -> Result<Vec<Statement>> {
    let mut connection = PgConnection::connect(url).await?;
    set(&mut connection, "log_destination = 'jsonlog'").await?;
    set(&mut connection, "log_min_duration_statement = 0").await?;
    let directory = data_dir.join("postgres/data/log");
    tokio::time::sleep(BREATH).await;
    let before = lengths(&directory)?;
    let outcome = request.await;
    tokio::time::sleep(BREATH).await;
    let log = grown(&directory, &before)?;
    sqlx::raw_sql("ALTER SYSTEM RESET log_destination")
        .execute(&mut connection)
        .await?;
    sqlx::raw_sql("ALTER SYSTEM RESET log_min_duration_statement")
        .execute(&mut connection)
        .await?;
    sqlx::raw_sql("SELECT pg_reload_conf()")
        .execute(&mut connection)
        .await?;
    connection.close().await?;
    outcome?;
    tokio::time::sleep(BREATH).await;
    let statements: Vec<_> = log.lines().filter_map(statement).collect();
    if statements.is_empty() {
        bail!("PostgreSQL logged no statement of {READER}");
    }
    Ok(statements)
}

async fn set(connection: &mut PgConnection, what: &str) -> Result<()> {
    sqlx::raw_sql(&format!("ALTER SYSTEM SET {what}"))
        .execute(&mut *connection)
        .await?;
    sqlx::raw_sql("SELECT pg_reload_conf()")
        .execute(connection)
        .await?;
    Ok(())
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let paths = entries.flatten().map(|entry| entry.path());
    Ok(paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect())
}

fn lengths(directory: &Path) -> Result<HashMap<PathBuf, usize>> {
    let with_length = |path: PathBuf| {
        let length = fs::metadata(&path).map_or(0, |file| file.len());
        (path, length as usize)
    };
    Ok(files(directory)?.into_iter().map(with_length).collect())
}

fn grown(directory: &Path, before: &HashMap<PathBuf, usize>) -> Result<String> {
    let mut log = String::new();
    for path in files(directory)? {
        let text = fs::read(&path)?;
        let old = before.get(&path).copied().unwrap_or(0);
        log.push_str(&String::from_utf8_lossy(
            text.get(old..).unwrap_or_default(),
        ));
    }
    Ok(log)
}

/// The statement that a line says was executed by the query API.
fn statement(line: &str) -> Option<Statement> {
    let line: Value = serde_json::from_str(line).ok()?;
    if line["application_name"] != READER {
        return None;
    }
    let (_, executed) = line["message"].as_str()?.split_once("  execute ")?;
    let (_, sql) = executed.split_once(": ")?;
    let detail = line["detail"].as_str().unwrap_or_default();
    Some(Statement {
        sql: sql.trim_end().trim_end_matches(';').to_owned(),
        values: values(detail.strip_prefix("parameters: ").unwrap_or_default()),
    })
}

/// Reads `$1 = 'it''s', $2 = NULL`.
fn values(mut text: &str) -> Vec<Option<String>> {
    let mut values = vec![];
    while let Some((_, rest)) = text.split_once(" = ") {
        let Some(quoted) = rest.strip_prefix('\'') else {
            values.push(None);
            text = rest.split_once(", ").map_or("", |(_, rest)| rest);
            continue;
        };
        let (mut value, mut left) = (String::new(), quoted);
        while let Some((part, rest)) = left.split_once('\'') {
            value.push_str(part);
            left = rest;
            let Some(rest) = left.strip_prefix('\'') else {
                break;
            };
            value.push('\'');
            left = rest;
        }
        values.push(Some(value));
        text = left;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11";

    #[test]
    fn a_line_of_the_log_is_a_statement_with_its_values() {
        let line = serde_json::json!({
            "application_name": "alta_query",
            "message": "duration: 0.061 ms  execute sqlx_s_3: SELECT $1, $2, $3",
            "detail": format!("parameters: $1 = 'it''s, $2 = ''x''', $2 = NULL, $3 = '{ID}'"),
        });
        let found = statement(&line.to_string()).expect("a statement");
        let it = "it's, $2 = 'x'".to_owned();
        assert_eq!(found.sql, "SELECT $1, $2, $3");
        assert_eq!(found.values, [Some(it.clone()), None, Some(ID.to_owned())]);
        let (sql, variables) = found.script("p");
        assert_eq!(sql, "SELECT :p1, NULL, :p3::uuid");
        assert_eq!(
            variables,
            [("p3".to_owned(), ID.to_owned()), ("p1".to_owned(), it)]
        );
    }

    #[test]
    fn what_others_execute_is_not_ours() {
        let line =
            r#"{"application_name": "alta_relay", "message": "duration: 1 ms  execute s: SELECT"}"#;
        assert_eq!(statement(line), None);
        let line =
            r#"{"application_name": "alta_query", "message": "duration: 1 ms  bind s: SELECT"}"#;
        assert_eq!(statement(line), None);
    }

    #[test]
    fn the_tenth_value_is_not_the_first() {
        let values: Vec<_> = (1..=10).map(|n| Some(n.to_string())).collect();
        let sql = "SELECT $1, $10".to_owned();
        let (sql, _) = Statement { sql, values }.script("p");
        assert_eq!(sql, "SELECT :p1, :p10");
    }

    #[test]
    fn lists_of_ids_are_said_to_be_some() {
        assert_eq!(cast(&format!("{{{ID},{ID}}}")), "::uuid[]");
        assert_eq!(cast("{document}"), "");
        assert_eq!(cast("51"), "");
    }
}
