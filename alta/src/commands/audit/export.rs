//! `alta audit export`: the sealed log as a file that proves itself.

use std::{
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::{Context, Result};
use event_store::audit::{self, AuditError, Span, Verified};
use runtime::config::Config;
use serde_json::json;

use crate::{atomic_file::AtomicFile, reader::Reader, shown};

/// Writes in one piece to a file.
const BUFFER: usize = 1 << 20;

/// Writes it to the file, which is complete or not there, or to standard output.
pub(crate) async fn run(
    config: &Config,
    span: Span,
    output: Option<&Path>,
    as_json: bool,
) -> Result<()> {
    let reader = Reader::start(config).await?;
    let written = match output {
        None => to_standard_output(&reader, span).await,
        Some(file) => to_file(&reader, span, file).await.map(|written| {
            shown::line(&words(&written, file, as_json));
        }),
    };
    reader.stop().await;
    written
}

/// Whoever stops reading has had enough, and nothing is wrong.
async fn to_standard_output(reader: &Reader, span: Span) -> Result<()> {
    let mut connection = reader.connection().await?;
    let mut out = BufWriter::with_capacity(BUFFER, std::io::stdout());
    match audit::export(&mut connection, span, &mut out).await {
        Err(AuditError::File(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written.map(|_| ())?),
    }
}

async fn to_file(reader: &Reader, span: Span, file: &Path) -> Result<Verified> {
    let mut connection = reader.connection().await?;
    let named = || file.display().to_string();
    let new = AtomicFile::create(file).with_context(named)?;
    let mut out = BufWriter::with_capacity(BUFFER, new);
    let written = audit::export(&mut connection, span, &mut out).await?;
    out.flush().with_context(named)?;
    let new = out.into_inner().context("writing the last bytes")?;
    new.keep().with_context(named)?;
    Ok(written)
}

fn words(written: &Verified, file: &Path, as_json: bool) -> String {
    let (count, from, to) = (written.count(), written.from, written.to);
    let file = file.display().to_string();
    if as_json {
        let hash = hex::encode(written.hash);
        json!({
            "ok": true,
            "from_position": from,
            "to_position": to,
            "count": count,
            "hash": hash,
            "output": file,
        })
        .to_string()
    } else {
        format!("{count} events, positions {from} to {to}, are in {file}")
    }
}
