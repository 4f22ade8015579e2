//! The command line: names, arguments and their help.

pub(crate) mod log;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Alta Data: collect documents, recordings and texts, have them read, reviewed and counted.
///
/// Everything is configured by environment variables, or by a file `.env` in the working
/// directory; `.env.example` lists them all.
#[derive(Debug, Parser)]
#[command(name = "alta", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) action: Action,
}

/// What can be run.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Run everything in one process tree.
    ///
    /// Starts a private PostgreSQL and NATS under `ALTA_DATA_DIR` (default `./.alta`), unless
    /// `DATABASE_URL` and `NATS_URL` name others; brings the schema up to date; then runs both APIs on
    /// one port (`HOST`, `PORT`), the relay, the projectors and the processors. Prints one line per
    /// part, then the URL. Ctrl-C or SIGTERM drains and stops all of it, a second one ends it at
    /// once.
    Up,
    /// Run the command API: everything that changes something.
    ///
    /// Listens on `HOST`:`PORT`, with /health and /metrics. Needs `DATABASE_URL` and `NATS_URL`. Any
    /// number may run at once.
    CommandApi,
    /// Run the query API: everything that is read.
    ///
    /// Listens on `HOST`:`PORT`, with /health and /metrics. Needs `DATABASE_URL` and `NATS_URL`. Any
    /// number may run at once.
    QueryApi,
    /// Run the relay: number events and publish them.
    ///
    /// Listens on `HOST`:`PORT` with /health and /metrics. Needs `DATABASE_URL` and `NATS_URL`. Any
    /// number may run at once: one leads, another takes over when it goes away.
    Relay,
    /// Run the projectors: keep the read models up to date.
    ///
    /// Listens on `HOST`:`PORT` with /health and /metrics. Needs `DATABASE_URL` and `NATS_URL`. Any
    /// number may run at once: for each read model one leads.
    Projectors,
    /// Run the processors: policies, OCR, transcription, e-mail.
    ///
    /// Listens on `HOST`:`PORT` with /health and /metrics. Needs `DATABASE_URL` and `NATS_URL`. Any
    /// number may run at once.
    Processors {
        /// Do only this; may be given more than once. Something must do each of them.
        #[arg(long, value_enum, value_name = "WORK")]
        only: Vec<Work>,
    },
    /// Bring the database's schema up to date, or take steps back.
    ///
    /// Works on `DATABASE_URL`, else on the private PostgreSQL under `ALTA_DATA_DIR`.
    Migrate {
        /// Undo the newest N migrations instead; what they held is lost.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        down: Option<u32>,
    },
    /// Look after administrators.
    #[command(subcommand)]
    Admin(AdminAction),
    /// Look after people's accounts.
    ///
    /// Works on the configured servers, else on the private ones under `ALTA_DATA_DIR`, whether
    /// `alta up` runs or not.
    #[command(subcommand)]
    Users(UsersAction),
    /// Look after the keys that personal data is sealed under.
    ///
    /// Works on the configured servers, else on the private ones under `ALTA_DATA_DIR`, whether
    /// `alta up` runs or not.
    #[command(subcommand)]
    Vault(VaultAction),
    /// Look after jobs that were given up.
    ///
    /// Works on the configured servers, else on the private ones under `ALTA_DATA_DIR`, whether
    /// `alta up` runs or not.
    #[command(subcommand)]
    DeadLetters(DeadLettersAction),
    /// Look after addresses to which no mail is sent.
    ///
    /// Where a server says that there is no such mailbox, nothing is sent there for a week, or for an
    /// hour where it does not say why it refuses. Works on the configured servers, else on the private
    /// ones under `ALTA_DATA_DIR`, whether `alta up` runs or not.
    #[command(subcommand)]
    Mail(MailAction),
    /// Read the log: one event a line, in JSON, oldest first.
    ///
    /// Works on `DATABASE_URL`, else on the private PostgreSQL under `ALTA_DATA_DIR`, whether `alta up`
    /// runs or not. Changes nothing.
    #[command(subcommand)]
    Events(log::EventsAction),
    /// Prove that the log is what was recorded.
    ///
    /// Works on `DATABASE_URL`, else on the private PostgreSQL under `ALTA_DATA_DIR`, whether `alta up`
    /// runs or not. Changes nothing.
    #[command(subcommand)]
    Audit(log::AuditAction),
    /// Look after read models: how far they are, make one anew, compare one with the log.
    ///
    /// Works on the configured servers, else on the private ones under `ALTA_DATA_DIR`, whether
    /// `alta up` runs or not.
    #[command(subcommand)]
    Projections(ProjectionsAction),
    /// Make sample users, projects and items of every kind and status, all through commands.
    Seed(SeedArguments),
    /// One step of an engine, in a bounded child process.
    #[command(hide = true)]
    Engine {
        /// What to do.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

/// One thing that processors do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Work {
    /// Commands that follow from events.
    Policies,
    /// Turning events into jobs.
    Intake,
    /// Reading documents.
    Ocr,
    /// Reading recordings.
    Transcription,
    /// Sending mails.
    Email,
}

impl Work {
    /// What the processors call it.
    pub(crate) fn part(self) -> processors::Part {
        use processors::{Part, jobs::Kind};
        match self {
            Self::Policies => Part::Policies,
            Self::Intake => Part::Intake,
            Self::Ocr => Part::Work(Kind::Ocr),
            Self::Transcription => Part::Work(Kind::Transcription),
            Self::Email => Part::Work(Kind::Email),
        }
    }
}

/// What can be done about administrators.
#[derive(Debug, Subcommand)]
pub(crate) enum AdminAction {
    /// Make a super admin.
    ///
    /// The password is read from standard input, or asked for at a terminal. Works on the configured
    /// servers, else on the private ones under `ALTA_DATA_DIR`, whether `alta up` runs or not.
    Create {
        /// The e-mail address to sign in with.
        #[arg(long)]
        email: String,
    },
}

/// What can be done about people's accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum UsersAction {
    /// Erase a person: the account is closed for ever, and their personal data becomes unreadable.
    ///
    /// It cannot be taken back. Asks before, at a terminal. An active super admin is refused.
    Erase {
        #[command(flatten)]
        user: WhichUser,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Write everything that is held on a person into one ZIP, which only its maker may read.
    Export {
        #[command(flatten)]
        user: WhichUser,
        /// The file to make; there must be none.
        #[arg(long, value_name = "FILE")]
        output: std::path::PathBuf,
    },
}

/// What can be done about keys.
#[derive(Debug, Subcommand)]
pub(crate) enum VaultAction {
    /// Show which master key wraps how many keys, and whether each is known.
    ///
    /// The exit status is 1 when one is not.
    Status {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Wrap all keys with the master key that `VAULT_KEY` sets now.
    ///
    /// Needs the one from before in `VAULT_PREVIOUS_KEYS`, unless it is the one that follows from
    /// `SECRET_KEY`. The service goes on meanwhile. Ctrl-C ends it after the batch under way; the same
    /// command goes on from there, and does nothing where all is done.
    Rotate {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write the table of keys anew, so that the bytes of destroyed ones are in its file no more.
    ///
    /// They may still be in the write-ahead log and in backups. Holds up whatever needs a key for the
    /// moment that it takes.
    Vacuum,
}

/// One account.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct WhichUser {
    /// The account with this id.
    #[arg(long)]
    pub(crate) id: Option<uuid::Uuid>,
    /// The account that has this e-mail address.
    #[arg(long)]
    pub(crate) email: Option<String>,
}

/// What can be done about jobs that were given up.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersAction {
    /// List them, newest first: id, kind, item, error, attempts, when.
    List {
        /// At most so many.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
    },
    /// Have one tried again, with as many attempts as a new job.
    Retry {
        /// As `list` shows it.
        id: uuid::Uuid,
    },
    /// Set one aside; the item's history keeps the failure.
    Discard {
        /// As `list` shows it.
        id: uuid::Uuid,
    },
}

/// What can be done about addresses to which no mail is sent.
#[derive(Debug, Subcommand)]
pub(crate) enum MailAction {
    /// Show them, newest first: when one refused a mail, and until when nothing is sent there.
    ///
    /// Which addresses they are is not known: they are kept as blind indexes, by which a given one is
    /// found.
    Suppressed {
        /// This address alone; nothing is shown where mails are sent to it.
        email: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
        /// As JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
    /// Have mails sent to one again. Fails where they are.
    ///
    /// What was not sent meanwhile stays unsent.
    Lift {
        /// The address.
        email: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What can be done about read models.
#[derive(Debug, Subcommand)]
pub(crate) enum ProjectionsAction {
    /// Show each with its version, position, lag and state.
    Status {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make one anew from the event store, beside the one that is read meanwhile.
    ///
    /// Fills a copy, shows how far it is, and puts it in the place of the live one in one transaction.
    /// Ctrl-C leaves the copy; the same command goes on from there. Fails when a rebuild of the same
    /// projection is under way.
    Rebuild {
        /// `access`, `analytics`, `history`, `review_queue`, `search` or `submissions`.
        name: String,
        /// Throw the copy of an interrupted rebuild away instead.
        #[arg(long)]
        discard: bool,
    },
    /// Compare one with what the event store says, row by row; nothing is changed.
    ///
    /// Names the first rows of each table that differ. The exit status is 1 when any does.
    Verify {
        /// As for `rebuild`, or `all`.
        name: String,
        /// As JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
}

/// How samples are made.
#[derive(Debug, Args)]
pub(crate) struct SeedArguments {
    /// What the samples are for.
    #[arg(long, value_enum, value_name = "ENVIRONMENT")]
    pub(crate) env: SeedEnvironment,
}

/// What samples are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SeedEnvironment {
    /// A developer's machine.
    Development,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_sound_and_everything_has_help() {
        let mut command = Cli::command();
        command.build();
        command.clone().debug_assert();
        let mut open = vec![command];
        while let Some(command) = open.pop() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{argument}");
            }
            open.extend(command.get_subcommands().cloned());
        }
    }
}
