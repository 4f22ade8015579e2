//! The command line of those who read the log and prove it: `alta events`, `alta audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use event_store::{Filter, audit::PublicKey};
use uuid::Uuid;

/// What can be done with the events.
#[derive(Debug, Subcommand)]
pub(crate) enum EventsAction {
    /// Print the events so far, oldest first.
    Replay(EventsArguments),
    /// Print events as they are recorded, until Ctrl-C.
    ///
    /// Begins with what is recorded from now on, or at `--from-position`.
    Tail(EventsArguments),
}

/// Which events.
#[derive(Debug, Args)]
pub(crate) struct EventsArguments {
    /// From this position on.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    from_position: Option<i64>,
    /// Up to this position, itself included.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    to_position: Option<i64>,
    /// Only of streams of this type: user, submission, …
    #[arg(long, value_name = "TYPE")]
    aggregate_type: Option<String>,
    /// Only of the streams with this id.
    #[arg(long, value_name = "UUID")]
    aggregate_id: Option<Uuid>,
    /// Only events of this name.
    #[arg(long, value_name = "NAME")]
    event_type: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    limit: Option<i64>,
    /// One JSON object a line, which is what is printed anyway.
    #[arg(long)]
    json: bool,
}

impl EventsArguments {
    /// As the log understands it.
    pub(crate) fn filter(self, follow: bool) -> Filter {
        Filter {
            from_position: self.from_position,
            to_position: self.to_position,
            aggregate_type: self.aggregate_type,
            aggregate_id: self.aggregate_id,
            event_type: self.event_type,
            limit: self.limit,
            follow,
        }
    }
}

/// What can be proved, and by what.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditAction {
    /// Recompute the hash chain; name the first bad position and end with status 1 if there is one.
    ///
    /// Against the database or, with `--export`, against a file alone: then neither a database nor
    /// NATS is needed.
    Verify(VerifyArguments),
    /// Write the sealed events with their hashes as NDJSON.
    ///
    /// Holds exactly what the hashes cover, and no personal data in clear. `alta audit verify
    /// --export` checks it anywhere.
    Export {
        #[command(flatten)]
        span: SpanArguments,
        /// Where to; standard output when it is not given.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Say what was written in one JSON object.
        #[arg(long, requires = "output")]
        json: bool,
    },
    /// Write a signed checkpoint: position and hash of the newest event.
    ///
    /// Kept where the service cannot reach it, it shows later whether the log was cut off or written
    /// anew.
    Checkpoint {
        /// Where to; standard output when it is not given.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Print the checkpoint, which is one JSON object, in any case.
        #[arg(long)]
        json: bool,
    },
    /// Print the public key that checks the service's checkpoints.
    Key {
        /// Say it in one JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// What is verified against what.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    pub(crate) span: SpanArguments,
    /// A file that `alta audit export` wrote, in the place of the database.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to"])]
    pub(crate) export: Option<PathBuf>,
    /// A signed checkpoint that must hold.
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// The key that must have signed it, as `alta audit key` prints it or in base64; the service's
    /// own when it is not given.
    #[arg(long, value_name = "KEY", requires = "checkpoint")]
    pub(crate) key: Option<PublicKey>,
    /// Say what was found in one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which positions.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct SpanArguments {
    /// From this position on.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) from: Option<i64>,
    /// Up to this position, itself included.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) to: Option<i64>,
}
