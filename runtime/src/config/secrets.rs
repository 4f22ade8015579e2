//! The service's key, given in production, made once and kept in development; and the keys that wrap
//! the vault's, where they are not to follow from it.

use std::{fs, io, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use super::{
    ConfigError,
    server::Environment,
    vars::{Vars, bad},
};
use crate::secret::{SecretKey, SecretString, purpose, random_hex};

const SHORTEST: usize = 32;
const FILE: &str = "secret-key";

/// The service's keys.
#[derive(Clone, Debug, Default)]
pub struct SecretsConfig {
    /// `SECRET_KEY`, at least 32 bytes; always there in production.
    pub key: Option<SecretString>,
    /// `VAULT_KEY`, as long: what wraps the keys of personal data, in the place of what follows from
    /// the service's key.
    pub vault_key: Option<SecretString>,
    /// `VAULT_PREVIOUS_KEYS`: what may have wrapped them, or may come to wrap them.
    pub vault_previous_keys: Vec<SecretString>,
}

impl SecretsConfig {
    pub(super) fn read(vars: &Vars<'_>, environment: Environment) -> Result<Self, ConfigError> {
        let key = long_enough(vars, "SECRET_KEY")?;
        if key.is_none() && environment.is_production() {
            return Err(bad("SECRET_KEY", "it must be set in production"));
        }
        Ok(Self {
            key,
            vault_key: vault_key(vars)?,
            vault_previous_keys: vars.list("VAULT_PREVIOUS_KEYS", |key| match key.len() {
                SHORTEST.. => Ok(SecretString::new(key)),
                _ => Err(format!("one of them is shorter than {SHORTEST} bytes")),
            })?,
        })
    }

    /// The keys that wrap those of personal data; the first wraps what is new. What follows from the
    /// service's key, which once was the only one, is always among them.
    pub fn vault_keys(&self, key: &SecretKey) -> Vec<[u8; 32]> {
        let derive = |key: &SecretString| SecretKey::from_bytes(key.expose());
        let previous = self.vault_previous_keys.iter().map(derive);
        let keys: Vec<SecretKey> = match self.vault_key.as_ref().map(derive) {
            Some(current) => [current]
                .into_iter()
                .chain(previous)
                .chain([key.clone()])
                .collect(),
            None => [key.clone()].into_iter().chain(previous).collect(),
        };
        keys.iter()
            .map(|key| key.derive(purpose::VAULT_MASTER))
            .collect()
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

fn long_enough(vars: &Vars<'_>, name: &'static str) -> Result<Option<SecretString>, ConfigError> {
    let key = vars.secret(name);
    match &key {
        Some(key) if key.expose().len() < SHORTEST => {
            Err(bad(name, format!("it is shorter than {SHORTEST} bytes")))
        }
        _ => Ok(key),
    }
}

/// One that could never be listed among the previous ones is refused while nothing is wrapped with it.
fn vault_key(vars: &Vars<'_>) -> Result<Option<SecretString>, ConfigError> {
    let key = long_enough(vars, "VAULT_KEY")?;
    match &key {
        Some(key) if key.expose().contains(',') => Err(bad(
            "VAULT_KEY",
            "it has a comma, which divides VAULT_PREVIOUS_KEYS",
        )),
        _ => Ok(key),
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
        let config = SecretsConfig::default();
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

    #[test]
    fn the_vault_follows_the_services_key_until_it_has_one_of_its_own() {
        let key = SecretKey::from_bytes(*b"0123456789abcdef0123456789abcdef");
        let of = |text: &str| SecretKey::from_bytes(text).derive(purpose::VAULT_MASTER);
        let derived = key.derive(purpose::VAULT_MASTER);
        let named = |text: &str| SecretString::new(text);
        let mut config = SecretsConfig::default();
        assert_eq!(config.vault_keys(&key), [derived]);
        config.vault_previous_keys = vec![named("next")];
        assert_eq!(config.vault_keys(&key), [derived, of("next")]);
        config.vault_key = Some(named("next"));
        config.vault_previous_keys = vec![named("last")];
        assert_eq!(config.vault_keys(&key), [of("next"), of("last"), derived]);
    }
}
