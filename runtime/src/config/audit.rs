//! Signed checkpoints of the log: how often they are written, and where.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{ConfigError, vars::Vars};

const A_YEAR: u64 = 366 * 24 * 60;

/// Signed checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditConfig {
    /// `AUDIT_CHECKPOINT_MINUTES`: how long from one to the next; none are written when it is 0.
    pub checkpoint_every: Option<Duration>,
    /// `AUDIT_CHECKPOINT_DIR`; by default `checkpoints` in the data directory.
    pub checkpoint_dir: PathBuf,
}

impl AuditConfig {
    pub(super) fn read(vars: &Vars<'_>, data_dir: &Path) -> Result<Self, ConfigError> {
        let minutes = vars.number("AUDIT_CHECKPOINT_MINUTES", 60, 0..=A_YEAR)?;
        let directory = vars.text("AUDIT_CHECKPOINT_DIR").map(PathBuf::from);
        Ok(Self {
            checkpoint_every: (minutes > 0).then(|| Duration::from_mins(minutes)),
            checkpoint_dir: directory.unwrap_or_else(|| data_dir.join("checkpoints")),
        })
    }
}
