//! Everything that the read models and the object store hold on a person, as one ZIP. It is written
//! while it is sent: neither the files nor the rows are ever in memory together. What fails on the way
//! cuts the answer off, so that half an export is never taken for a whole one.

mod archive;
mod pipe;

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
use http_kit::ApiError;
use std::{
    collections::BTreeSet,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

pub use archive::{ExportError, export};
use pipe::{PATIENCE, PIECE, pieces};

/// How many exports one process writes at a time: each has a thread.
static AT_ONCE: Semaphore = Semaphore::const_new(8);
/// Whose exports those are: one of each person, so that nobody takes all turns.
static UNDER_WAY: Mutex<BTreeSet<Uuid>> = Mutex::new(BTreeSet::new());
/// When to ask again who gets no turn.
const RETRY_AFTER_SECONDS: u32 = 10;

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
