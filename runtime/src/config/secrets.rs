//! The service's key: given in production, made once and kept in development.

use std::{fs, io, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use super::{
    ConfigError,
    server::Environment,
    vars::{Vars, bad},
};
use crate::secret::{SecretKey, SecretString, random_hex};

const SHORTEST: usize = 32;
const FILE: &str = "secret-key";

/// The service's key.
#[derive(Clone, Debug)]
pub struct SecretsConfig {
    /// `SECRET_KEY`, at least 32 bytes; always there in production.
    pub key: Option<SecretString>,
}

impl SecretsConfig {
    pub(super) fn read(vars: &Vars<'_>, environment: Environment) -> Result<Self, ConfigError> {
        let key = vars.secret("SECRET_KEY");
        match &key {
            Some(key) if key.expose().len() < SHORTEST => Err(bad(
                "SECRET_KEY",
                format!("it is shorter than {SHORTEST} bytes"),
            )),
            None if environment.is_production() => {
                Err(bad("SECRET_KEY", "it must be set in production"))
            }
            _ => Ok(Self { key }),
        }
    }

    /// The configured key or, where none is, the one kept as `secret-key` in `data_dir` (mode
    /// 0600), which is made now if it is not there yet.
    pub fn secret_key(&self, data_dir: &Path) -> Result<SecretKey, ConfigError> {
        if let Some(key) = &self.key {
            return Ok(SecretKey::from_bytes(key.expose()));
        }
        let path = data_dir.join(FILE);
        let kept = keep(&path).map_err(|error| {
            bad(
                "SECRET_KEY",
                format!("none is set and {} fails: {error}", path.display()),
            )
        })?;
        if kept.trim().len() < SHORTEST {
            return Err(bad("SECRET_KEY", format!("{} is damaged", path.display())));
        }
        Ok(SecretKey::from_bytes(kept.trim()))
    }
}

impl SecretsConfig {
    /// The configured key or the one kept in `data_dir`; none is made.
    pub fn existing_key(&self, data_dir: &Path) -> Result<Option<SecretKey>, ConfigError> {
        if self.key.is_none() && !data_dir.join(FILE).exists() {
            return Ok(None);
        }
        self.secret_key(data_dir).map(Some)
    }
}

/// Reads the file, or writes a new key to it. Two who do so at once get the same key.
fn keep(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read,
    }
    let own = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&own)?;
    file.write_all(random_hex(32).expose().as_bytes())?;
    file.sync_all()?;
    match fs::hard_link(&own, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => fs::remove_file(&own)?,
    }
    fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_made_key_is_kept_for_its_owner_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let config = SecretsConfig { key: None };
        let none = config.existing_key(dir.path()).expect("none");
        assert!(none.is_none() && fs::read_dir(dir.path()).expect("readable").count() == 0);
        let first = config.secret_key(dir.path()).expect("made").derive("x");
        assert_eq!(
            config.secret_key(dir.path()).expect("kept").derive("x"),
            first
        );
        let existing = config.existing_key(dir.path()).expect("kept");
        assert_eq!(existing.expect("there").derive("x"), first);
        let mode = fs::metadata(dir.path().join(FILE))
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 1);
    }
}
