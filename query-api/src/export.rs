//! Everything that the read models and the object store hold on a person, as one ZIP. It is written
//! while it is sent: neither the files nor the rows are ever in memory together. What fails on the way
//! cuts the answer off, so that half an export is never taken for a whole one.

use crate::{
    QueryApi,
    audit::{Reader, Sensitive},
    caller::{Caller, Everything},
};
use axum::{
    body::Body,
    extract::State,
    http::header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use http_kit::ApiError;
use media::{StoreError, store::ObjectStorage};
use serde_json::Value;
use sqlx::PgPool;
use std::{
    collections::BTreeSet,
    io::{self, Write},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    sync::{
        Semaphore, SemaphorePermit,
        mpsc::{self, error::SendTimeoutError},
    },
};
use uuid::Uuid;
use zip::{
    CompressionMethod, ZipWriter,
    write::{SimpleFileOptions, StreamWriter},
};

/// How many exports one process writes at a time: each has a thread.
static AT_ONCE: Semaphore = Semaphore::const_new(8);
/// Whose exports those are: one of each person, so that nobody takes all turns.
static UNDER_WAY: Mutex<BTreeSet<Uuid>> = Mutex::new(BTreeSet::new());
/// When to ask again who gets no turn.
const RETRY_AFTER_SECONDS: u32 = 10;
/// How many pieces may wait for the client.
const AHEAD: usize = 16;
const PIECE: usize = 64 << 10;
/// How long a client may take nothing at all; and, added up, how far it may fall behind a modem.
const PATIENCE: Duration = Duration::from_secs(30);
const SLOWEST_BYTES_PER_SECOND: u64 = 16 << 10;

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

/// Gives the caller everything that is held on them: rows as JSON, files as they were uploaded.
///
/// One at a time for each person, and not too many at once: else it is 503 `EXPORT_BUSY`. Whoever reads
/// it slower than 16 KiB a second is cut off.
#[utoipa::path(get, path = "/auth/me/export", operation_id = "export_me", tag = "accounts",
    responses((status = 200, content_type = "application/zip", body = [u8])))]
pub(crate) async fn me(
    State(api): State<QueryApi>,
    caller: Caller<Everything>,
    reader: Reader,
) -> Result<Response, ApiError> {
    let person = caller.id();
    let turn = Turn::of(person)?;
    reader
        .record(&api, person, &Sensitive::thing(person, None))
        .await?;
    let written = move |pipe| {
        let out = io::BufWriter::with_capacity(PIECE, pipe);
        let outcome = export(&api.pool, &api.storage, person, out);
        if let Err(error) = &outcome {
            tracing::warn!(%person, %error, "the export of {person} was cut off: {error}");
        }
        // Whoever has read it to its end has the next turn.
        drop(turn);
        outcome.is_ok()
    };
    let headers = [
        (CONTENT_TYPE, "application/zip"),
        (CONTENT_DISPOSITION, "attachment; filename=\"export.zip\""),
    ];
    let body = Body::from_stream(pieces(written, PATIENCE));
    Ok((headers, body).into_response())
}

/// What is written, on a thread of its own, piece by piece. The end of one that is not whole is an error,
/// whatever ended it.
fn pieces(
    write: impl FnOnce(Pipe) -> bool + Send + 'static,
    patience: Duration,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let (pieces, taken) = mpsc::channel(AHEAD);
    let (end, whole) = (pieces.clone(), Arc::new(AtomicBool::new(false)));
    let is_whole = whole.clone();
    tokio::task::spawn_blocking(move || {
        whole.store(write(Pipe::new(pieces, patience)), Ordering::Release);
        drop(end);
    });
    let pieces = futures::stream::unfold(Some(taken), move |taken| {
        let whole = is_whole.clone();
        async move {
            let mut taken: mpsc::Receiver<Bytes> = taken?;
            match taken.recv().await {
                Some(piece) => Some((Ok(piece), Some(taken))),
                None if whole.load(Ordering::Acquire) => None,
                None => Some((Err(io::Error::other("cut off")), None)),
            }
        }
    });
    // Whoever compresses may ask again after the end.
    pieces.fuse()
}

/// A person's turn to be written an export; ends when it is dropped.
struct Turn {
    person: Uuid,
    _one: SemaphorePermit<'static>,
}

impl Turn {
    /// # Errors
    /// 503 while the person has one, and while there is none left.
    fn of(person: Uuid) -> Result<Self, ApiError> {
        let one = AT_ONCE
            .try_acquire()
            .map_err(|_| busy("Too many exports are being written."))?;
        if !under_way().insert(person) {
            return Err(busy("Another export of yours is being written."));
        }
        Ok(Self { person, _one: one })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        under_way().remove(&self.person);
    }
}

fn under_way() -> MutexGuard<'static, BTreeSet<Uuid>> {
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn busy(message: &'static str) -> ApiError {
    ApiError::busy("EXPORT_BUSY", message, RETRY_AFTER_SECONDS)
}

/// What the blocking writer has written goes to the body of the answer, as fast as the client takes it;
/// for one that is too slow that ends with an error.
struct Pipe {
    pieces: mpsc::Sender<Bytes>,
    runtime: Handle,
    patience: Duration,
    sent: u64,
    waited: Duration,
}

impl Pipe {
    fn new(pieces: mpsc::Sender<Bytes>, patience: Duration) -> Self {
        Self {
            pieces,
            runtime: Handle::current(),
            patience,
            sent: 0,
            waited: Duration::ZERO,
        }
    }

    /// How long the next piece may take: less for a client that was waited for much.
    fn left(&self) -> Duration {
        let earned = Duration::from_secs(self.sent / SLOWEST_BYTES_PER_SECOND);
        let left = (self.patience + earned).saturating_sub(self.waited);
        left.min(self.patience)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let began = Instant::now();
        let piece = Bytes::copy_from_slice(bytes);
        let sent = self.pieces.send_timeout(piece, self.left());
        match self.runtime.block_on(sent) {
            Ok(()) => {}
            Err(SendTimeoutError::Timeout(_)) => return Err(io::ErrorKind::TimedOut.into()),
            Err(SendTimeoutError::Closed(_)) => return Err(io::ErrorKind::BrokenPipe.into()),
        }
        self.waited += began.elapsed();
        self.sent += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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

    fn fill(pipe: &mut Pipe, count: usize) -> io::Result<()> {
        let piece = vec![7; PIECE];
        (0..count).try_for_each(|_| pipe.write_all(&piece))
    }

    #[tokio::test]
    async fn who_takes_nothing_is_cut_off_and_told_that_it_is_not_whole() {
        let (tell, told) = tokio::sync::oneshot::channel();
        let write = move |mut pipe: Pipe| {
            let outcome = fill(&mut pipe, AHEAD + 1);
            tell.send(outcome.map_err(|error| error.kind())).is_err()
        };
        let pieces = pieces(write, Duration::from_millis(50));
        let cut_off = told.await.expect("it ends by itself");
        assert_eq!(cut_off, Err(io::ErrorKind::TimedOut));
        let pieces: Vec<_> = pieces.collect().await;
        let last = pieces.last().map(Result::is_err);
        assert_eq!((pieces.len(), last), (AHEAD + 1, Some(true)));
    }

    #[tokio::test]
    async fn who_takes_all_gets_all_and_no_error() {
        let write = |mut pipe: Pipe| fill(&mut pipe, 4 * AHEAD).is_ok();
        let pieces = pieces(write, PATIENCE);
        let taken: Vec<Bytes> = pieces.try_collect().await.expect("whole");
        let bytes: usize = taken.iter().map(Bytes::len).sum();
        assert_eq!(bytes, 4 * AHEAD * PIECE);
    }

    #[tokio::test]
    async fn what_ends_in_a_panic_is_not_whole() {
        let write = |mut pipe: Pipe| {
            fill(&mut pipe, 1).expect("taken");
            panic!("on purpose");
        };
        let taken: Vec<_> = pieces(write, PATIENCE).collect().await;
        assert!(matches!(taken[..], [Ok(_), Err(_)]), "{taken:?}");
    }

    #[tokio::test]
    async fn patience_is_earned_by_what_was_taken_and_used_up_by_waiting() {
        let (pieces, _taken) = mpsc::channel(1);
        let patience = Duration::from_secs(30);
        let mut pipe = Pipe::new(pieces, patience);
        assert_eq!(pipe.left(), patience);
        pipe.waited = Duration::from_secs(20);
        assert_eq!(pipe.left(), Duration::from_secs(10));
        pipe.sent = 5 * SLOWEST_BYTES_PER_SECOND;
        assert_eq!(pipe.left(), Duration::from_secs(15));
        pipe.sent = 1_000 * SLOWEST_BYTES_PER_SECOND;
        assert_eq!(pipe.left(), patience, "never more than that at once");
        pipe.waited = Duration::from_secs(2_000);
        assert_eq!(pipe.left(), Duration::ZERO);
    }

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
