//! Signed checkpoints: "at this position the log has this hash". Ed25519, under a key of its own that
//! is derived from the service's secret. One that is kept where the service cannot reach it holds the
//! whole log up to its position, because each hash covers all that came before.

use super::{AuditError, Verified};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use std::{fmt, str::FromStr};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// What the text of every signature begins with: no signature for another purpose can pass for one.
const DOMAIN: &[u8] = b"alta-data audit checkpoint v1\0";
const FORMAT: &str = "alta-audit-checkpoint/1";

/// A signed position and hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    format: String,
    /// The position.
    pub position: i64,
    /// The entry's hash there.
    #[serde(with = "hex::serde")]
    pub hash: [u8; 32],
    /// When it was made: RFC 3339, UTC.
    pub created_at: String,
    /// The key that signed it.
    #[serde(with = "hex::serde")]
    pub public_key: [u8; 32],
    #[serde(with = "hex::serde")]
    signature: [u8; 64],
}

/// Why a checkpoint cannot be relied on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is no checkpoint.
    #[error("the checkpoint cannot be read: {0}")]
    Unreadable(String),
    /// Somebody else signed it.
    #[error("the checkpoint is signed with another key: {0}")]
    AnotherKey(PublicKey),
    /// It was changed after it was signed, or never signed.
    #[error("the checkpoint's signature is not good")]
    BadSignature,
    /// What was looked at does not reach it.
    #[error("the checkpoint is at {0}, which is not among what was looked at")]
    OutOfReach(i64),
}

/// A key that checks signatures. Read from hexadecimal or base64, written in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unpadded = text.trim_end_matches('=');
        let bytes = hex::decode(text)
            .or_else(|_| STANDARD_NO_PAD.decode(unpadded))
            .or_else(|_| URL_SAFE_NO_PAD.decode(unpadded));
        let key: [u8; 32] = bytes
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or("must be 32 bytes in hexadecimal or base64")?;
        VerifyingKey::from_bytes(&key).map_err(|_| "is no Ed25519 key")?;
        Ok(Self(key))
    }
}

/// The key that signs. Overwritten when dropped.
#[derive(Clone)]
pub struct Signer(SigningKey);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(…)")
    }
}

impl Signer {
    /// The signer with this secret key.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    /// What checks its signatures.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs that the log has `hash` at `position`.
    ///
    /// # Errors
    /// When the time cannot be written.
    pub fn sign(
        &self,
        position: i64,
        hash: [u8; 32],
        at: OffsetDateTime,
    ) -> Result<Checkpoint, CheckpointError> {
        let created_at = at
            .to_offset(UtcOffset::UTC)
            .format(&Rfc3339)
            .map_err(|error| CheckpointError::Unreadable(error.to_string()))?;
        let signature = self.0.sign(&text(position, &hash, &created_at)).to_bytes();
        Ok(Checkpoint {
            format: FORMAT.to_owned(),
            position,
            hash,
            created_at,
            public_key: self.public_key().0,
            signature,
        })
    }
}

/// What is signed: the purpose, then everything that the checkpoint says.
fn text(position: i64, hash: &[u8; 32], created_at: &str) -> Vec<u8> {
    [DOMAIN, &position.to_be_bytes(), hash, created_at.as_bytes()].concat()
}

impl Checkpoint {
    /// Reads a checkpoint. That does not mean that it is good.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(json: &[u8]) -> Result<Self, CheckpointError> {
        let unreadable = |why: String| CheckpointError::Unreadable(why);
        let read: Self =
            serde_json::from_slice(json).map_err(|error| unreadable(error.to_string()))?;
        if read.format != FORMAT {
            return Err(unreadable(format!("it is not of the format {FORMAT}")));
        }
        Ok(read)
    }

    /// Whether `key` signed exactly this.
    ///
    /// # Errors
    /// When another key did, or the signature is not good.
    pub fn check(&self, key: PublicKey) -> Result<(), CheckpointError> {
        let by = PublicKey(self.public_key);
        if by != key {
            return Err(CheckpointError::AnotherKey(by));
        }
        let text = text(self.position, &self.hash, &self.created_at);
        VerifyingKey::from_bytes(&self.public_key)
            .and_then(|key| key.verify_strict(&text, &Signature::from_bytes(&self.signature)))
            .map_err(|_| CheckpointError::BadSignature)
    }

    /// The hash at a position, if this is the one that the checkpoint is about.
    pub(super) fn at(&self, position: i64) -> Option<[u8; 32]> {
        (self.position == position).then_some(self.hash)
    }

    /// Holds a verified log, whose hash at the checkpoint's position is `hash`, against it.
    pub(super) fn holds(
        &self,
        verified: &Verified,
        hash: Option<[u8; 32]>,
    ) -> Result<(), AuditError> {
        use super::{Fault, Wrong};
        if verified.to < self.position {
            let wrong = Wrong::CutOff {
                end: verified.to,
                expected: self.position,
            };
            let position = verified.to + 1;
            return Err(Fault { position, wrong }.into());
        }
        match hash {
            Some(hash) if hash == self.hash => Ok(()),
            Some(_) => Err(Fault {
                position: self.position,
                wrong: Wrong::NotAsInCheckpoint,
            }
            .into()),
            None => Err(CheckpointError::OutOfReach(self.position).into()),
        }
    }
}

/// The newest entry, for a checkpoint: none while the log is empty. Where a checkpoint was made
/// before, the log must still hold what it says, so that none is ever signed on top of another
/// history.
///
/// # Errors
/// When the log is not what `last` says, or PostgreSQL fails.
pub async fn signable(
    pool: &PgPool,
    last: Option<&Checkpoint>,
) -> Result<Option<(i64, [u8; 32])>, AuditError> {
    let mut connection = pool.acquire().await?;
    let newest = newest(&mut connection).await?;
    if let Some(last) = last {
        let (to, hash) = newest.unwrap_or_default();
        let verified = Verified { from: to, to, hash };
        let there = hash_at(&mut connection, last.position).await?;
        last.holds(&verified, there)?;
    }
    Ok(newest)
}

async fn newest(connection: &mut PgConnection) -> Result<Option<(i64, [u8; 32])>, sqlx::Error> {
    let row = sqlx::query!("SELECT position, hash FROM event_log ORDER BY position DESC LIMIT 1")
        .fetch_optional(connection)
        .await?;
    Ok(row.and_then(|row| Some((row.position, row.hash.try_into().ok()?))))
}

/// The hash that the log has at a position.
pub(super) async fn hash_at(
    connection: &mut PgConnection,
    position: i64,
) -> Result<Option<[u8; 32]>, sqlx::Error> {
    let hash = sqlx::query_scalar!("SELECT hash FROM event_log WHERE position = $1", position)
        .fetch_optional(connection)
        .await?;
    Ok(hash.and_then(|hash| hash.try_into().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn checkpoint(secret: u8) -> Checkpoint {
        Signer::new(&[secret; 32])
            .sign(7, [1; 32], datetime!(2026-01-15 10:30 UTC))
            .expect("signed")
    }

    #[test]
    fn a_checkpoint_is_good_as_it_was_signed_and_no_other_way() {
        let key = Signer::new(&[3; 32]).public_key();
        let good = checkpoint(3);
        let json = serde_json::to_vec(&good).expect("JSON");
        assert_eq!(Checkpoint::read(&json), Ok(good.clone()));
        assert_eq!(good.check(key), Ok(()));
        let mut bad = vec![good.clone(); 4];
        bad[0].position = 8;
        bad[1].hash[31] ^= 1;
        bad[2].created_at = "2026-01-15T10:30:01Z".into();
        bad[3].signature[0] ^= 1;
        for bad in bad {
            assert_eq!(bad.check(key), Err(CheckpointError::BadSignature));
        }
        let other = checkpoint(4);
        let by = Signer::new(&[4; 32]).public_key();
        assert_eq!(other.check(key), Err(CheckpointError::AnotherKey(by)));
        let mut claimed = other;
        claimed.public_key = good.public_key;
        assert_eq!(claimed.check(key), Err(CheckpointError::BadSignature));
    }

    #[test]
    fn what_is_no_checkpoint_is_not_read_as_one() {
        let json = serde_json::to_string(&checkpoint(3)).expect("JSON");
        for bad in [
            json.replace("checkpoint/1", "checkpoint/2"),
            json.replace("\"position\"", "\"more\":1,\"position\""),
            "{}".to_owned(),
            String::new(),
        ] {
            let read = Checkpoint::read(bad.as_bytes());
            assert!(matches!(read, Err(CheckpointError::Unreadable(_))), "{bad}");
        }
    }

    #[test]
    fn keys_are_read_from_hexadecimal_and_base64() {
        let key = Signer::new(&[3; 32]).public_key();
        let padded = base64::engine::general_purpose::STANDARD.encode(key.0);
        for text in [
            key.to_string(),
            key.to_string().to_uppercase(),
            padded.clone(),
            padded.trim_end_matches('=').to_owned(),
            URL_SAFE_NO_PAD.encode(key.0),
        ] {
            assert_eq!(text.parse(), Ok(key), "{text}");
        }
        for bad in ["", "00", "zz", &key.to_string()[1..]] {
            assert!(bad.parse::<PublicKey>().is_err(), "{bad}");
        }
    }
}
