//! Passwords: what may be one, and hashing them (argon2id, 19 MiB, 2 passes, 1 lane) off the async
//! threads, a few at a time, so that a burst of sign-ins exhausts neither threads nor memory.

use std::{sync::Arc, thread, time::Duration};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{self, PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use http_kit::ApiError;
use serde::{Deserialize, Deserializer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use super::common_passwords::is_common;
use crate::checks::Checks;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// How long a sign-in waits for its turn.
const PATIENCE: Duration = Duration::from_secs(15);

/// A password on its way in; overwritten when dropped.
pub(crate) type Password = Zeroizing<String>;

/// Hashes and checks passwords.
#[derive(Clone)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    /// The hash of a password that nobody has: checked where there is no account, so that the
    /// answer takes the same time.
    nobodys: Arc<str>,
}

/// Reads a secret so that it is overwritten when dropped.
pub(crate) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Password, D::Error> {
    String::deserialize(deserializer).map(Zeroizing::new)
}

/// Complains about what may not be a new password.
pub(crate) fn acceptable(checks: &mut Checks, field: &str, password: &str, email: Option<&str>) {
    let length = password.chars().count();
    if !(8..=128).contains(&length) {
        checks.refuse(field, "must have 8 to 128 characters");
    }
    let as_address = email.is_some_and(|email| email.eq_ignore_ascii_case(password));
    if as_address || is_common(password) {
        checks.refuse(field, "is too easy to guess");
    }
}

impl Passwords {
    /// # Errors
    /// When hashing does not work at all.
    pub fn new() -> Result<Self, password_hash::Error> {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        Ok(Self {
            turns: Arc::new(Semaphore::new(cores.clamp(2, 4))),
            nobodys: hash(&runtime::secret::random_hex(16).expose().to_owned().into())?.into(),
        })
    }

    /// The password's hash as a PHC string.
    ///
    /// # Errors
    /// 503 when too many are waiting.
    pub async fn hash(&self, password: Password) -> Result<String, ApiError> {
        let turn = self.turn().await?;
        let hashed = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            hash(&password)
        });
        match hashed.await {
            Ok(Ok(hash)) => Ok(hash),
            Ok(Err(error)) => Err(ApiError::internal(&error)),
            Err(error) => Err(ApiError::internal(&error)),
        }
    }

    /// Whether the password belongs to the hash; never, but after the same time, without a hash.
    ///
    /// # Errors
    /// 503 when too many are waiting.
    pub async fn verify(&self, password: Password, hash: Option<String>) -> Result<bool, ApiError> {
        let turn = self.turn().await?;
        let nobodys = Arc::clone(&self.nobodys);
        let verified = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let matches = matches_hash(&password, hash.as_deref().unwrap_or(&nobodys));
            matches && hash.is_some()
        });
        verified.await.map_err(|error| ApiError::internal(&error))
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        match tokio::time::timeout(PATIENCE, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(ApiError::unavailable(5)),
        }
    }
}

fn hash(password: &Password) -> Result<String, password_hash::Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    Ok(argon2.hash_password(password.as_bytes())?.to_string())
}

fn matches_hash(password: &Password, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_right_password_belongs_to_a_hash() {
        let passwords = Passwords::new().expect("hashing works");
        let hash = passwords
            .hash(password("correct horse 7"))
            .await
            .expect("hashed");
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        let verify = |text: &str, hash: Option<&str>| {
            let (passwords, text, hash) =
                (passwords.clone(), password(text), hash.map(str::to_owned));
            async move { passwords.verify(text, hash).await.expect("checked") }
        };
        assert!(verify("correct horse 7", Some(&hash)).await);
        assert!(!verify("correct horse 8", Some(&hash)).await);
        assert!(!verify("correct horse 7", None).await);
        assert!(!verify("correct horse 7", Some("rubbish")).await);
    }

    #[test]
    fn short_long_and_common_passwords_are_refused() {
        let refused = |text: &str| {
            let mut checks = Checks::default();
            acceptable(&mut checks, "password", text, Some("somebody@example.org"));
            checks.finish().is_err()
        };
        for bad in [
            "",
            "seven77",
            "Password123",
            "Somebody@example.org",
            &"a".repeat(129),
        ] {
            assert!(refused(bad), "{bad}");
        }
        for good in ["ünicode!", "SecurePass123!", &"ab".repeat(64)] {
            assert!(!refused(good), "{good}");
        }
    }
}
