//! `alta events`: the log on standard output, an envelope a line.

use std::{
    io::{ErrorKind, Write},
    pin::pin,
};

use anyhow::{Context, Result};
use event_store::{Envelope, Filter, Log};
use futures::StreamExt;
use runtime::{config::Config, shutdown, telemetry};
use tokio_util::sync::CancellationToken;

use super::vault;
use crate::{cli::log::EventsAction, reader::Reader};

/// Prints what was asked for; whoever stops reading has had enough, and nothing is wrong.
pub(crate) async fn run(config: Config, action: EventsAction) -> Result<()> {
    telemetry::init(&config.logging, "alta")?;
    let secret = config.secrets.existing_key(&config.server.data_dir)?;
    let secret = secret.context("SECRET_KEY is not set, and none is kept in the data directory")?;
    let masters = vault::master_keys(&config.secrets, &secret);
    let stop = shutdown::on_signals()?;
    let reader = Reader::start(&config).await?;
    let printed = match reader.log(masters) {
        Ok(log) => act(&log, action, &stop).await,
        Err(error) => Err(error),
    };
    reader.stop().await;
    printed
}

async fn act(log: &Log, action: EventsAction, stop: &CancellationToken) -> Result<()> {
    let filter = match action {
        EventsAction::Replay(arguments) => arguments.filter(false),
        EventsAction::Tail(arguments) => {
            let mut filter = arguments.filter(true);
            if filter.from_position.is_none() {
                filter.from_position = Some(log.head().await? + 1);
            }
            filter
        }
    };
    print(log, filter, stop).await
}

async fn print(log: &Log, filter: Filter, stop: &CancellationToken) -> Result<()> {
    let mut batches = pin!(log.replay_batches(filter));
    loop {
        let batch = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            batch = batches.next() => batch,
        };
        let Some(batch) = batch.transpose()? else {
            return Ok(());
        };
        if !put(&batch)? {
            return Ok(());
        }
    }
}

/// Whether anybody still reads.
fn put(batch: &[Envelope]) -> Result<bool> {
    let mut lines = vec![];
    for envelope in batch {
        envelope.write_line(&mut lines)?;
    }
    let mut out = std::io::stdout().lock();
    match out.write_all(&lines).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        written => Ok(written.map(|()| true)?),
    }
}
