//! What is in an export: rows as JSON, files as they were uploaded.

use futures::TryStreamExt;
use media::{StoreError, store::ObjectStorage};
use serde_json::Value;
use sqlx::PgPool;
use std::io::{self, Write};
use tokio::runtime::Handle;
use uuid::Uuid;
use zip::{
    CompressionMethod, ZipWriter,
    write::{SimpleFileOptions, StreamWriter},
};

/// A file of rows: what of them, place first, of person `$1` after place `$2`, a page at a time. No
/// statement lives as long as a slow client reads.
const ROWS: [(&str, &str); 6] = [
    (
        "memberships.json",
        "SELECT m.id::text, jsonb_build_object('project_id', m.project_id, 'project', p.name,
                                               'role', m.role, 'created_at', m.created_at)
         FROM project_members m JOIN projects p ON p.id = m.project_id
         WHERE m.user_id = $1 AND m.id::text > $2 ORDER BY 1 LIMIT 200",
    ),
    (
        "items.json",
        "SELECT id::text, to_jsonb(s) FROM submissions s
         WHERE owner_id = $1 AND id::text > $2 ORDER BY 1 LIMIT 200",
    ),
    (
        "results.json",
        "SELECT r.item_id || '/' || lpad(r.number::text, 10, '0'), to_jsonb(r)
         FROM results r JOIN submissions s ON s.id = r.item_id
         WHERE s.owner_id = $1 AND r.item_id || '/' || lpad(r.number::text, 10, '0') > $2
         ORDER BY 1 LIMIT 200",
    ),
    (
        "comments.json",
        "SELECT id::text, to_jsonb(c) FROM review_comments c
         WHERE author_id = $1 AND id::text > $2 ORDER BY 1 LIMIT 200",
    ),
    (
        "decisions.json",
        "SELECT item_id || '/' || lpad(round::text, 10, '0'), to_jsonb(r) FROM review_rounds r
         WHERE reviewer_id = $1 AND item_id || '/' || lpad(round::text, 10, '0') > $2
         ORDER BY 1 LIMIT 200",
    ),
    // From where somebody else acted on the account is not the person's.
    (
        "history.json",
        "SELECT lpad(position::text, 20, '0'), to_jsonb(h) || CASE WHEN actor_user_id = $1 THEN '{}'
                ELSE '{\"ip_address\": null, \"user_agent\": null}' END::jsonb
         FROM history h
         WHERE (actor_user_id = $1 OR resource_id = $1::text)
           AND position > coalesce(nullif($2, '')::bigint, 0)
         ORDER BY position LIMIT 200",
    ),
];
const OBJECTS: &str = "SELECT id, original_filename, object_key, content_key, text_key, result_key
     FROM submissions WHERE owner_id = $1 AND id > $2 ORDER BY id LIMIT 200";

/// Why an export was cut off.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The read models do not answer.
    #[error("PostgreSQL: {0}")]
    Sql(#[from] sqlx::Error),
    /// The object store does not answer.
    #[error("the object store: {0}")]
    Store(#[from] StoreError),
    /// Nobody takes what is written.
    #[error("writing: {0}")]
    Io(#[from] io::Error),
    /// The archive cannot be written.
    #[error("writing: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// A row has no JSON form.
    #[error("a row cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// Writes the export of a person. To be called where blocking is allowed, within the runtime.
///
/// # Errors
/// When the read models, the object store or `out` fail; what was written then is no archive.
pub fn export<W: Write>(
    pool: &PgPool,
    storage: &ObjectStorage,
    person: Uuid,
    out: W,
) -> Result<(), ExportError> {
    let mut export = Export {
        zip: ZipWriter::new_stream(out),
        pool,
        storage,
        person,
        runtime: Handle::current(),
        missing: vec![],
    };
    export.account()?;
    for (name, statement) in ROWS {
        export.rows(name, statement)?;
    }
    export.objects()?;
    export.start("missing.json")?;
    serde_json::to_writer(&mut export.zip, &export.missing)?;
    export.zip.finish()?.flush()?;
    Ok(())
}

struct Export<'a, W: Write> {
    zip: ZipWriter<StreamWriter<W>>,
    pool: &'a PgPool,
    storage: &'a ObjectStorage,
    person: Uuid,
    runtime: Handle,
    /// Names of files that the object store does not have.
    missing: Vec<String>,
}

#[derive(sqlx::FromRow)]
struct Objects {
    id: Uuid,
    original_filename: Option<String>,
    object_key: Option<String>,
    content_key: Option<String>,
    text_key: Option<String>,
    result_key: Option<String>,
}

impl<W: Write> Export<'_, W> {
    fn start(&mut self, name: &str) -> Result<(), ExportError> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(true);
        Ok(self.zip.start_file(name, options)?)
    }

    fn account(&mut self) -> Result<(), ExportError> {
        let account = sqlx::query_scalar("SELECT to_jsonb(u) FROM users u WHERE id = $1")
            .bind(self.person)
            .fetch_optional(self.pool);
        let account: Option<Value> = self.runtime.block_on(account)?;
        self.start("account.json")?;
        Ok(serde_json::to_writer_pretty(&mut self.zip, &account)?)
    }

    fn rows(&mut self, name: &str, statement: &str) -> Result<(), ExportError> {
        self.start(name)?;
        self.zip.write_all(b"[")?;
        let (mut after, mut between) = (String::new(), "\n");
        loop {
            let page = sqlx::query_as(statement)
                .bind(self.person)
                .bind(&after)
                .fetch_all(self.pool);
            let page: Vec<(String, Value)> = self.runtime.block_on(page)?;
            let Some((last, _)) = page.last() else {
                break;
            };
            after.clone_from(last);
            for (_, row) in &page {
                self.zip.write_all(between.as_bytes())?;
                serde_json::to_writer(&mut self.zip, row)?;
                between = ",\n";
            }
        }
        Ok(self.zip.write_all(b"\n]\n")?)
    }

    fn objects(&mut self) -> Result<(), ExportError> {
        let mut after = Uuid::nil();
        loop {
            let page = sqlx::query_as(OBJECTS)
                .bind(self.person)
                .bind(after)
                .fetch_all(self.pool);
            let page: Vec<Objects> = self.runtime.block_on(page)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = last.id;
            for item in page {
                let name = file_name(item.original_filename.as_deref());
                let id = item.id;
                self.object(item.object_key, format!("files/{id}/{name}"))?;
                self.object(item.content_key, format!("texts/{id}/content.txt"))?;
                self.object(item.text_key, format!("texts/{id}/recognised.txt"))?;
                self.object(item.result_key, format!("texts/{id}/result.json"))?;
            }
        }
    }

    fn object(&mut self, key: Option<String>, name: String) -> Result<(), ExportError> {
        let Some(key) = key else {
            return Ok(());
        };
        let mut pieces = match self.runtime.block_on(self.storage.get_stream(&key, None)) {
            Ok(object) => object.stream,
            Err(StoreError::NotFound(_)) => {
                self.missing.push(name);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        self.start(&name)?;
        while let Some(piece) = self
            .runtime
            .block_on(pieces.try_next())
            .map_err(io::Error::other)?
        {
            self.zip.write_all(&piece)?;
        }
        Ok(())
    }
}

/// A name that stays in its directory wherever the archive is unpacked.
fn file_name(given: Option<&str>) -> String {
    let name = given.unwrap_or_default().replace(['/', '\\', ':'], "_");
    match name.trim() {
        "" | "." | ".." => "file".to_owned(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leads_out_of_its_directory() {
        assert_eq!(file_name(Some("letter.pdf")), "letter.pdf");
        assert_eq!(file_name(Some("../../etc/passwd")), ".._.._etc_passwd");
        assert_eq!(file_name(Some("C:\\x")), "C__x");
        for none in [None, Some(""), Some(".."), Some(" . ")] {
            assert_eq!(file_name(none), "file");
        }
    }
}
