//! Secrets in memory: the service's key, the keys made from it, and strings that must not be printed.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The purposes that keys are derived for. Each has its own key, so that what leaks through one
/// use is of no use elsewhere.
pub mod purpose {
    /// Signs access tokens.
    pub const ACCESS_TOKEN: &str = "access-token";
    /// Signs verification, reset and invitation tokens.
    pub const SIGNED_TOKEN: &str = "signed-token";
    /// Keys the HMAC under which an e-mail address is claimed.
    pub const EMAIL_CLAIM: &str = "email-claim";
    /// Wraps the data keys of persons.
    pub const VAULT_MASTER: &str = "vault-master";
    /// Signs checkpoints of the log.
    pub const AUDIT_CHECKPOINT: &str = "audit-checkpoint";
}

/// The service's secret, from which every other key is derived. Overwritten when dropped.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<Vec<u8>>);

impl SecretKey {
    /// Takes the secret's bytes. How long they must be is the configuration's rule.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The 256-bit key for one purpose (HKDF-SHA256); the same each time.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(Some(b"alta-data"), &self.0)
            .expand(purpose.as_bytes(), &mut key)
            .expect("32 bytes are within what HKDF-SHA256 can give");
        key
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// A string that is not shown in logs. Overwritten when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretString(Zeroizing<String>);

impl SecretString {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretString(…)")
    }
}

/// A new random word of `bytes` random bytes in lower-case hexadecimal.
pub fn random_hex(bytes: usize) -> SecretString {
    let mut raw = Zeroizing::new(vec![0_u8; bytes]);
    rand::fill(raw.as_mut_slice());
    SecretString::new(
        raw.iter()
            .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_has_its_own_key_and_always_the_same() {
        let key = SecretKey::from_bytes(*b"0123456789abcdef0123456789abcdef");
        assert_eq!(
            key.derive(purpose::ACCESS_TOKEN),
            key.clone().derive(purpose::ACCESS_TOKEN)
        );
        assert_ne!(
            key.derive(purpose::ACCESS_TOKEN),
            key.derive(purpose::SIGNED_TOKEN)
        );
    }

    #[test]
    fn secrets_do_not_show_when_printed() {
        let shown = format!(
            "{:?} {:?}",
            SecretKey::from_bytes("hush"),
            SecretString::new("hush")
        );
        assert!(!shown.contains("hush") && !shown.contains("104"), "{shown}");
    }

    #[test]
    fn random_words_differ_and_have_the_length_asked_for() {
        assert_eq!(random_hex(16).expose().len(), 32);
        assert_ne!(random_hex(16), random_hex(16));
    }
}
