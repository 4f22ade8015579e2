//! What PostgreSQL alone can do with the same rows and the same statements: pgbench beside the service,
//! over TCP on the same server, in the same run.

use anyhow::{Context, Result, ensure};
use std::{ffi::OsString, io::Write, path::PathBuf, time::Duration};
use tempfile::NamedTempFile;
use tokio::process::Command;

use crate::statements::Statement;

/// A table with the columns, checks, defaults and indexes of `events`.
const TABLE: &str = "DROP TABLE IF EXISTS ceiling_events;
                     CREATE TABLE ceiling_events (LIKE events INCLUDING ALL)";
const INSERT: &str = "INSERT INTO ceiling_events
    (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
    VALUES ('submission', gen_random_uuid()::text, 1, 'RawTextCreated', '2', :payload, :metadata);";

/// Transactions a second.
pub struct Ceilings<'a> {
    url: &'a str,
    lasting: Duration,
}

impl<'a> Ceilings<'a> {
    /// Of the server with this database; each figure is measured for so long.
    pub const fn new(url: &'a str, lasting: Duration) -> Self {
        Self { url, lasting }
    }

    /// One row of the shape of the newest created text, inserted and committed, by each of so many
    /// clients at once.
    ///
    /// # Errors
    /// When there is no such text, and those of pgbench.
    pub async fn inserts(&self, clients: &[usize]) -> Result<Vec<f64>> {
        let pool = sqlx::PgPool::connect(self.url).await?;
        sqlx::raw_sql(TABLE).execute(&pool).await?;
        let (payload, metadata): (String, String) = sqlx::query_as(
            "SELECT payload::text, metadata::text FROM events
             WHERE event_type = 'RawTextCreated' ORDER BY id DESC LIMIT 1",
        )
        .fetch_one(&pool)
        .await?;
        let variables = [
            ("payload".to_owned(), payload),
            ("metadata".to_owned(), metadata),
        ];
        let mut rates = vec![];
        for &clients in clients {
            let rate = self.pgbench(INSERT, &variables, clients, "prepared").await;
            rates.push(rate?);
        }
        sqlx::raw_sql("DROP TABLE ceiling_events")
            .execute(&pool)
            .await?;
        pool.close().await;
        Ok(rates)
    }

    /// These statements one after the other, by each of so many clients: prepared once, or planned each
    /// time, whichever is faster.
    ///
    /// # Errors
    /// Those of pgbench.
    pub async fn selects(&self, statements: &[&Statement], clients: usize) -> Result<f64> {
        let (mut script, mut variables) = (String::new(), vec![]);
        for (number, statement) in statements.iter().enumerate() {
            let (sql, values) = statement.script(&format!("s{number}p"));
            script.push_str(&sql);
            script.push_str(";\n");
            variables.extend(values);
        }
        let prepared = self.pgbench(&script, &variables, clients, "prepared");
        let prepared = prepared.await?;
        let planned = self.pgbench(&script, &variables, clients, "extended");
        Ok(prepared.max(planned.await?))
    }

    async fn pgbench(
        &self,
        script: &str,
        variables: &[(String, String)],
        clients: usize,
        protocol: &str,
    ) -> Result<f64> {
        let mut file = NamedTempFile::new()?;
        file.write_all(script.as_bytes())?;
        let threads = std::thread::available_parallelism()?.get().min(clients);
        let mut command = Command::new(program());
        command
            .args(["-n", "-M", protocol, "-c", &clients.to_string()])
            .args(["-j", &threads.to_string(), "-f"])
            .arg(file.path())
            .args(["-T", &self.lasting.as_secs().max(1).to_string()])
            .kill_on_drop(true);
        for (name, value) in variables {
            command.arg("-D").arg(format!("{name}={value}"));
        }
        let output = command
            .arg(self.url)
            .output()
            .await
            .context("pgbench does not run")?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success(),
            "pgbench: {}\n{script}",
            String::from_utf8_lossy(&output.stderr)
        );
        rate(&said).with_context(|| format!("pgbench said no rate: {said}"))
    }
}

/// Of Debian's newest PostgreSQL, else whichever is found.
fn program() -> OsString {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let programs = versions
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            let program: PathBuf = entry.path().join("bin/pgbench");
            program.is_file().then_some((version, program))
        });
    programs
        .max()
        .map_or_else(|| "pgbench".into(), |(_, program)| program.into())
}

fn rate(said: &str) -> Option<f64> {
    let rest = said.lines().find_map(|line| line.strip_prefix("tps = "))?;
    rest.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read() {
        let said = "number of failed transactions: 0 (0.000%)\nlatency average = 1.9 ms\n\
                    tps = 523.301984 (without initial connection time)\n";
        assert_eq!(rate(said), Some(523.301_984));
        assert_eq!(rate("nothing"), None);
    }
}
