//! Which faults come, in which order and when: drawn from the seed alone, whatever the machine does.

use std::{fmt, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};

/// The parts of the service, of which each runs twice.
pub(super) const PARTS: [&str; 5] = [
    "command-api",
    "query-api",
    "relay",
    "projectors",
    "processors",
];
pub(super) const REPLICAS: usize = 2;
pub(super) const NATS_NODES: usize = 3;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// SIGKILL; started again after the fault's time.
    Kill { part: usize },
    /// SIGSTOP, and SIGCONT after the fault's time.
    Freeze { part: usize },
    /// One NATS server is killed.
    NatsNode { node: usize },
    /// All of them are.
    NatsAll,
    /// All of them are, and JetStream's files are deleted.
    NatsWiped,
    /// PostgreSQL is stopped in immediate mode.
    Postgres,
    /// All sessions of one part, or of all, are ended by PostgreSQL.
    Severed { part: Option<usize> },
    /// A session inserts an event, or only has a transaction id, and does not come to an end.
    OpenWriter { inserts: bool },
    /// Others take every connection that PostgreSQL has to give.
    Crowd,
    /// The transcription engine takes recordings and does not answer.
    EngineHangs,
    /// The mail server takes mails and hangs up instead of saying so.
    MailHangsUp,
    /// The clock of one part is so many seconds off.
    Clock { part: usize, by: i64 },
}

/// The sessions that are severed together: of which part, and what they call themselves.
pub(super) const SESSIONS: [(&str, &[&str]); 5] = [
    ("command-api", &["alta_command"]),
    ("query-api", &["alta_query"]),
    ("relay", &["alta_relay"]),
    (
        "projectors",
        &[
            "alta_projectors",
            "access",
            "submissions",
            "review_queue",
            "analytics",
            "history",
            "search",
        ],
    ),
    (
        "processors",
        &["alta_processors", "policies", "jobs", "erasures"],
    ),
];

impl Trouble {
    /// What no two faults may have in hand at the same time.
    pub fn target(self) -> String {
        match self {
            Self::Kill { part } | Self::Freeze { part } => format!("part {part}"),
            Self::NatsNode { .. } | Self::NatsAll | Self::NatsWiped => "nats".to_owned(),
            Self::Postgres => "postgres".to_owned(),
            Self::Severed { .. } => "connections".to_owned(),
            Self::OpenWriter { .. } => "writer".to_owned(),
            Self::Crowd => "crowd".to_owned(),
            Self::EngineHangs => "engine".to_owned(),
            Self::MailHangsUp => "mail".to_owned(),
            Self::Clock { part, .. } => format!("clock {part}"),
        }
    }

    /// Whether a mail that was taken at about that time may come a second time: its sender died before
    /// it could write down that it had, or was told that it had not. Everything else must not double a
    /// mail.
    pub fn doubles_mails(self) -> bool {
        match self {
            Self::Kill { part } => PARTS[part / REPLICAS] == "processors",
            Self::MailHangsUp => true,
            _ => false,
        }
    }
}

pub(super) fn part_name(part: usize) -> String {
    format!("{} {}", PARTS[part / REPLICAS], part % REPLICAS + 1)
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Kill { part } => write!(f, "{} is killed", part_name(part)),
            Self::Freeze { part } => write!(f, "{} hangs", part_name(part)),
            Self::NatsNode { node } => write!(f, "NATS server {} is killed", node + 1),
            Self::NatsAll => write!(f, "all NATS servers are killed"),
            Self::NatsWiped => write!(f, "JetStream is wiped"),
            Self::Postgres => write!(f, "PostgreSQL is stopped in immediate mode"),
            Self::Severed { part: None } => write!(f, "all connections are severed"),
            Self::Severed { part: Some(part) } => {
                write!(f, "the connections of {} are severed", SESSIONS[part].0)
            }
            Self::OpenWriter { inserts: true } => write!(f, "an event's transaction stays open"),
            Self::OpenWriter { inserts: false } => write!(f, "a transaction stays open"),
            Self::Crowd => write!(f, "every connection is taken"),
            Self::EngineHangs => write!(f, "the engine hangs"),
            Self::MailHangsUp => write!(f, "the mail server hangs up"),
            Self::Clock { part, by } => {
                write!(f, "the clock of {} is {by} s off", part_name(part))
            }
        }
    }
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// How long after the one before it begins.
    pub after: Duration,
    pub trouble: Trouble,
    /// How long it lasts.
    pub lasts: Duration,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {:.1} s", self.trouble, self.lasts.as_secs_f64())
    }
}

/// A run: everything that is drawn comes from the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What all is drawn from.
    pub seed: u64,
    /// How many faults there are.
    pub faults: usize,
    /// How long the longest of them last at most; most are over sooner.
    pub longest: Duration,
}

impl Plan {
    /// The faults. Each round of kinds has every kind in an order of its own, so that no kind is left
    /// out however few faults there are, and frequent ones more than once.
    pub(super) fn drawn(&self) -> Vec<Fault> {
        let mut rng = StdRng::seed_from_u64(self.seed);
        let mut faults = Vec::with_capacity(self.faults);
        while faults.len() < self.faults {
            let mut kinds = KINDS;
            kinds.shuffle(&mut rng);
            // The first round is for every kind once; the short form has no other.
            let mut seen = [false; 12];
            let first = faults.is_empty();
            for kind in kinds {
                let again = std::mem::replace(&mut seen[kind as usize], true);
                if faults.len() < self.faults && !(first && again) {
                    faults.push(self.fault(kind, &mut rng));
                }
            }
        }
        faults
    }

    fn fault(&self, kind: Kind, rng: &mut StdRng) -> Fault {
        let after = Duration::from_millis(rng.random_range(300..1_500));
        let part = rng.random_range(0..PARTS.len() * REPLICAS);
        let short = Duration::from_millis(rng.random_range(300..3_000));
        let (trouble, lasts) = match kind {
            Kind::Kill => (Trouble::Kill { part }, short),
            Kind::Freeze => (Trouble::Freeze { part }, short * 3),
            Kind::NatsNode => {
                let node = rng.random_range(0..NATS_NODES);
                (Trouble::NatsNode { node }, short * 2)
            }
            Kind::NatsAll => (Trouble::NatsAll, short),
            Kind::NatsWiped => (Trouble::NatsWiped, short / 2),
            Kind::Postgres => (Trouble::Postgres, short / 2),
            Kind::Severed => {
                let part = rng.random_range(0..=SESSIONS.len());
                let part = (part < SESSIONS.len()).then_some(part);
                (Trouble::Severed { part }, Duration::ZERO)
            }
            Kind::OpenWriter => {
                let inserts = rng.random_bool(0.7);
                (Trouble::OpenWriter { inserts }, self.longest)
            }
            Kind::Crowd => (Trouble::Crowd, short),
            Kind::EngineHangs => (Trouble::EngineHangs, short * 2),
            Kind::MailHangsUp => (Trouble::MailHangsUp, short),
            Kind::Clock => {
                let part = CLOCKS[rng.random_range(0..CLOCKS.len())];
                let most = if PARTS[part / REPLICAS] == "processors" {
                    7_200
                } else {
                    // Short of what a claim or a token lasts.
                    600
                };
                let by = rng.random_range(60..most) * if rng.random_bool(0.5) { 1 } else { -1 };
                (Trouble::Clock { part, by }, short * 2)
            }
        };
        let lasts = lasts.min(self.longest);
        Fault {
            after,
            trouble,
            lasts,
        }
    }
}

/// The parts whose clocks can be set.
pub(super) const CLOCKS: [usize; 2] = [1, 9];

#[derive(Clone, Copy)]
enum Kind {
    Kill,
    Freeze,
    NatsNode,
    NatsAll,
    NatsWiped,
    Postgres,
    Severed,
    OpenWriter,
    Crowd,
    EngineHangs,
    MailHangsUp,
    Clock,
}

/// What is common in life is common here.
const KINDS: [Kind; 24] = [
    Kind::Kill,
    Kind::Kill,
    Kind::Kill,
    Kind::Kill,
    Kind::Kill,
    Kind::Kill,
    Kind::Freeze,
    Kind::Freeze,
    Kind::Freeze,
    Kind::Freeze,
    Kind::NatsNode,
    Kind::NatsNode,
    Kind::NatsAll,
    Kind::NatsWiped,
    Kind::Postgres,
    Kind::Severed,
    Kind::Severed,
    Kind::Severed,
    Kind::OpenWriter,
    Kind::Crowd,
    Kind::EngineHangs,
    Kind::MailHangsUp,
    Kind::Clock,
    Kind::Clock,
];

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan {
        seed: 7,
        faults: 200,
        longest: Duration::from_mins(1),
    };

    #[test]
    fn the_same_seed_gives_the_same_faults_and_another_seed_others() {
        assert_eq!(PLAN.drawn(), PLAN.drawn());
        let other = Plan { seed: 8, ..PLAN };
        assert_ne!(PLAN.drawn(), other.drawn());
    }

    #[test]
    fn a_run_of_twelve_faults_has_one_of_each_kind_and_a_shorter_run_is_its_beginning() {
        let twelve = Plan { faults: 12, ..PLAN }.drawn();
        assert_eq!(twelve, PLAN.drawn()[..12]);
        let kinds = |faults: &[Fault]| {
            let kinds = faults.iter().map(|f| std::mem::discriminant(&f.trouble));
            kinds.collect::<std::collections::HashSet<_>>().len()
        };
        assert_eq!(kinds(&twelve), 12);
    }

    #[test]
    fn no_fault_lasts_longer_than_the_plan_allows() {
        let short = Plan {
            longest: Duration::from_secs(2),
            ..PLAN
        };
        assert!(
            short
                .drawn()
                .iter()
                .all(|fault| fault.lasts <= short.longest)
        );
        let longest = PLAN.drawn().iter().map(|fault| fault.lasts).max();
        assert_eq!(longest, Some(PLAN.longest));
    }
}
