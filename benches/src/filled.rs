//! Many items in the read model's tables, as the projectors would have left them: no events stand
//! behind them, so nothing but reading can be measured with them.

use crate::corpus::{Corpus, Dice};
use anyhow::Result;
use media::words;
use sqlx::{Executor, PgConnection};
use std::fmt::Write;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

/// Rows of three tables, in PostgreSQL's COPY text format.
#[derive(Default)]
struct Rows {
    submissions: String,
    search: String,
    review_queue: String,
}

/// Fills the tables with `items` items that wait for review in the first project, and a fifth as many
/// of every status in the second. Six of ten are the contributor's.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn fill(
    connection: &mut PgConnection,
    contributor: Uuid,
    projects: [Uuid; 2],
    items: usize,
) -> Result<Corpus> {
    let (mut corpus, mut dice) = (Corpus::new(), Dice::new(11));
    let index: String =
        sqlx::query_scalar("SELECT indexdef FROM pg_indexes WHERE indexname = 'search_words'")
            .fetch_one(&mut *connection)
            .await?;
    connection.execute("DROP INDEX search_words").await?;
    let mut rows = Rows::default();
    for n in 0..items + items / 5 {
        let elsewhere = n % 6 == 5;
        let item = Item {
            id: Uuid::from_u128(u128::from(dice.roll()) << 64 | u128::from(dice.roll())),
            kind: [
                "raw_text",
                "document",
                "raw_text",
                "document",
                "voice_sample",
            ][dice.below(5)],
            project: projects[usize::from(elsewhere)],
            owner: match dice.below(10) {
                0..6 => contributor,
                _ => Uuid::from_u128(dice.below(40) as u128 + 1),
            },
            status: match (elsewhere, dice.below(4)) {
                (false, _) | (true, 0) => "pending_review",
                (true, 1) => "draft",
                (true, 2) => "rejected",
                (true, _) => "approved",
            },
            tag: dice.below(50),
            at: 1_767_225_600 + n as i64 * 97,
        };
        item.write(&mut rows, &mut corpus)?;
        if n % 5_000 == 4_999 {
            rows.copy(connection).await?;
        }
    }
    rows.copy(connection).await?;
    connection
        .execute("SET maintenance_work_mem = '512MB'")
        .await?;
    connection.execute(index.as_str()).await?;
    connection
        .execute(
            "INSERT INTO search_lexicon SELECT word, count(*)
             FROM search, unnest(tsvector_to_array(words)) AS word
             WHERE word NOT LIKE '@%' GROUP BY word
             ON CONFLICT (word) DO UPDATE SET items = EXCLUDED.items",
        )
        .await?;
    for table in ["submissions", "search", "search_lexicon", "review_queue"] {
        connection
            .execute(format!("VACUUM ANALYZE {table}").as_str())
            .await?;
    }
    Ok(corpus)
}

/// Fills the audit trail with 1,000,000 entries of 2025, older than any that the service writes.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn fill_trail(connection: &mut PgConnection, projects: [Uuid; 2]) -> Result<()> {
    let [project, other] = projects;
    let fill = format!(
        "INSERT INTO history (position, event_id, event_type, resource_type, resource_id, project_id,
                              owner_id, actor_user_id, request_id, status, changes, recorded_at, access)
         SELECT n - 1000001, gen_random_uuid(),
                (ARRAY['SubmissionSubmitted', 'ReviewClaimed', 'ReviewDecided', 'SubmissionApproved',
                       'ProcessingSucceeded'])[1 + n % 5],
                'document', lpad(to_hex(n / 5), 32, '0')::uuid::text,
                (ARRAY['{project}', '{other}'])[1 + n % 2]::uuid, lpad(to_hex(n % 40), 32, '0')::uuid,
                lpad(to_hex(n % 100), 32, '0')::uuid, 'request', CASE n % 50 WHEN 0 THEN 'failure' ELSE 'success' END,
                '{{\"status\": {{\"old\": \"draft\", \"new\": \"pending_review\"}}}}',
                '2025-01-01'::timestamptz + n * interval '31 s', false
         FROM generate_series(1, 1000000) n"
    );
    connection.execute(fill.as_str()).await?;
    connection.execute("VACUUM ANALYZE history").await?;
    Ok(())
}

struct Item {
    id: Uuid,
    kind: &'static str,
    project: Uuid,
    owner: Uuid,
    status: &'static str,
    tag: usize,
    /// Seconds since 1970.
    at: i64,
}

impl Item {
    fn write(&self, rows: &mut Rows, corpus: &mut Corpus) -> Result<()> {
        let written = corpus.write();
        let typed = self.kind == "raw_text";
        let at = OffsetDateTime::from_unix_timestamp(self.at)?.format(&Rfc3339)?;
        let file = format!("{}.pdf", written.title.replace(' ', "_"));
        let (title, file_name) = if typed {
            (written.title.as_str(), "\\N")
        } else {
            ("\\N", file.as_str())
        };
        let name = if typed { title } else { file_name };
        let (content, recognised) = if typed {
            (written.body.as_str(), "\\N")
        } else {
            ("\\N", written.body.as_str())
        };
        let Self {
            id,
            kind,
            project,
            owner,
            status,
            tag,
            ..
        } = self;
        let submitted = if *status == "draft" { "\\N" } else { &at };
        let waits = if *status == "pending_review" {
            &at
        } else {
            "\\N"
        };
        let round = i32::from(*status != "draft");
        writeln!(
            rows.submissions,
            "{id}\t{kind}\t{project}\t{owner}\t{status}\t{round}\t2\t{title}\t{file_name}\t{content}\t\
             {recognised}\t[\"t{tag}\"]\t{submitted}\t{at}\t{at}"
        )?;
        let handed_in = if round == 0 { "\\N" } else { "1" };
        writeln!(
            rows.search,
            "{id}\t{project}\t{owner}\t2\t{at}\t{handed_in}\t{}\t{}",
            vector(name),
            vector(&written.body)
        )?;
        writeln!(
            rows.review_queue,
            "{id}\t{project}\t{kind}\t{round}\t{name}\t{owner}\t{waits}"
        )?;
        Ok(())
    }
}

/// The words of a text as the projector has them indexed.
fn vector(text: &str) -> String {
    let quoted = words::index(text)
        .into_iter()
        .map(|word| format!("'{word}'"));
    quoted.collect::<Vec<_>>().join(" ")
}

impl Rows {
    async fn copy(&mut self, connection: &mut PgConnection) -> Result<()> {
        let tables = [
            (
                "submissions (id, item_type, project_id, owner_id, status, round, version, title, \
                 original_filename, content, processed_text, tags, submitted_at, created_at, updated_at)",
                &mut self.submissions,
            ),
            (
                "search (item_id, project_id, owner_id, version, created_at, handed_in, name, body)",
                &mut self.search,
            ),
            (
                "review_queue (item_id, project_id, item_type, round, title, submitter_id, submitted_at)",
                &mut self.review_queue,
            ),
        ];
        for (table, rows) in tables {
            let mut copy = connection
                .copy_in_raw(&format!("COPY {table} FROM STDIN"))
                .await?;
            copy.send(rows.as_bytes()).await?;
            copy.finish().await?;
            rows.clear();
        }
        Ok(())
    }
}

/// Counts what [`fill`] has written, as the projector of figures would have.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn fill_figures(connection: &mut PgConnection, projects: [Uuid; 2]) -> Result<()> {
    let statements = [
        "INSERT INTO analytics_status_counts (project_id, owner_id, item_type, status, count)
         SELECT project_id, owner_id, item_type, status, count(*) FROM submissions
         WHERE project_id = ANY($1) GROUP BY 1, 2, 3, 4",
        "INSERT INTO analytics_contributions_daily (project_id, owner_id, day, count)
         SELECT project_id, owner_id, (created_at AT TIME ZONE 'UTC')::date, count(*) FROM submissions
         WHERE project_id = ANY($1) GROUP BY 1, 2, 3",
    ];
    for statement in statements {
        let statement = sqlx::query(statement).bind(projects.as_slice());
        statement.execute(&mut *connection).await?;
    }
    for table in ["analytics_status_counts", "analytics_contributions_daily"] {
        let vacuum = format!("VACUUM ANALYZE {table}");
        connection.execute(vacuum.as_str()).await?;
    }
    Ok(())
}
