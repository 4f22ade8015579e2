//! The keys that wrap the keys of subjects. One of them wraps whatever is new, all of them open, so
//! that the one can be changed while rows of the other are still there. Each row names the key that
//! wraps it.

use crate::{StoreError, sealing};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use uuid::Uuid;
use zeroize::Zeroizing;

/// How many bytes of a digest name a key: enough that no two keys of one service meet.
const NAME_BYTES: usize = 8;

/// All master keys that are known.
#[derive(Clone)]
pub struct MasterKeys {
    current: MasterKey,
    others: Vec<MasterKey>,
}

#[derive(Clone)]
struct MasterKey {
    name: Arc<str>,
    key: Arc<Zeroizing<[u8; 32]>>,
}

impl MasterKey {
    /// The name says nothing of the key: it is a digest of 256 random bits.
    fn new(key: [u8; 32]) -> Self {
        let key = Zeroizing::new(key);
        let digest = Sha256::new()
            .chain_update(b"alta vault key")
            .chain_update(*key)
            .finalize();
        Self {
            name: hex::encode(&digest[..NAME_BYTES]).into(),
            key: Arc::new(key),
        }
    }
}

impl From<[u8; 32]> for MasterKeys {
    fn from(key: [u8; 32]) -> Self {
        Self::new(key, [])
    }
}

impl MasterKeys {
    /// The key that wraps, and those that only open.
    pub fn new(current: [u8; 32], others: impl IntoIterator<Item = [u8; 32]>) -> Self {
        Self {
            current: MasterKey::new(current),
            others: others.into_iter().map(MasterKey::new).collect(),
        }
    }

    /// The name of the key that wraps.
    pub fn current(&self) -> &str {
        &self.current.name
    }

    /// Whether a key of this name is among them.
    pub fn has(&self, name: &str) -> bool {
        self.all().any(|master| *master.name == *name)
    }

    fn all(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.current).chain(&self.others)
    }

    /// Wraps the key of a subject with the current one.
    pub(crate) fn wrap(&self, subject_id: Uuid, key: &[u8; 32]) -> Result<Vec<u8>, StoreError> {
        sealing::seal(&self.current.key, key, subject_id.as_bytes())
    }

    /// Opens the key of a subject with the key that is named; where none is, with whichever does.
    pub(crate) fn unwrap(
        &self,
        subject_id: Uuid,
        wrapped: &[u8],
        wrapped_by: Option<&str>,
    ) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        let open = |master: &MasterKey| sealing::open(&master.key, wrapped, subject_id.as_bytes());
        let unknown = || StoreError::UnknownMasterKey(wrapped_by.map(str::to_owned));
        let key = match wrapped_by {
            Some(name) => {
                let named = self.all().find(|master| *master.name == *name);
                open(named.ok_or_else(unknown)?)?
            }
            None => self
                .all()
                .find_map(|master| open(master).ok())
                .ok_or_else(unknown)?,
        };
        let key = Zeroizing::new(key);
        let key: [u8; 32] = key
            .as_slice()
            .try_into()
            .map_err(|_| StoreError::Vault("a subject key has the wrong length"))?;
        Ok(Zeroizing::new(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: Uuid = Uuid::from_u128(7);
    const KEY: [u8; 32] = [3; 32];

    fn opened(keys: &MasterKeys, wrapped: &[u8], by: Option<&str>) -> Result<[u8; 32], StoreError> {
        keys.unwrap(SUBJECT, wrapped, by).map(|key| *key)
    }

    #[test]
    fn what_one_key_wrapped_opens_wherever_that_key_is_among_the_known_ones() {
        let old = MasterKeys::from([1; 32]);
        let wrapped = old.wrap(SUBJECT, &KEY).expect("wrapped");
        let changed = MasterKeys::new([2; 32], [[1; 32]]);
        assert_ne!(changed.current(), old.current());
        for by in [Some(old.current()), None] {
            assert_eq!(opened(&changed, &wrapped, by).expect("opened"), KEY);
        }
    }

    #[test]
    fn a_key_that_is_not_known_is_named() {
        let old = MasterKeys::from([1; 32]);
        let wrapped = old.wrap(SUBJECT, &KEY).expect("wrapped");
        let stranger = MasterKeys::from([2; 32]);
        let refused = opened(&stranger, &wrapped, Some(old.current()));
        let said = refused.expect_err("it cannot be opened").to_string();
        assert!(said.contains(old.current()), "{said}");
        let unnamed = opened(&stranger, &wrapped, None);
        assert!(matches!(unnamed, Err(StoreError::UnknownMasterKey(None))));
    }

    #[test]
    fn a_wrapped_key_belongs_to_its_subject() {
        let keys = MasterKeys::from([1; 32]);
        let wrapped = keys.wrap(SUBJECT, &KEY).expect("wrapped");
        let elsewhere = keys.unwrap(Uuid::from_u128(8), &wrapped, Some(keys.current()));
        assert!(matches!(elsewhere, Err(StoreError::Vault(_))));
    }
}
