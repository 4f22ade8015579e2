//! Bytes that only the holder of a key can read, and only where they were put: XChaCha20-Poly1305
//! with random nonces. Whose key it is, and where it is kept, others say.

use crate::StoreError;
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};

const NONCE_BYTES: usize = 24;

/// Seals `clear` to the place that `bound` describes.
///
/// # Errors
/// When there is too much of it.
pub fn seal(key: &[u8; 32], clear: &[u8], bound: &[u8]) -> Result<Vec<u8>, StoreError> {
    let nonce: [u8; NONCE_BYTES] = rand::random();
    let payload = Payload {
        msg: clear,
        aad: bound,
    };
    let sealed = XChaCha20Poly1305::new(key.into())
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| StoreError::Vault("a value cannot be sealed"))?;
    Ok([nonce.as_slice(), &sealed].concat())
}

/// Opens what was sealed with the same key to the same place.
///
/// # Errors
/// For another key, another place, or changed bytes.
pub fn open(key: &[u8; 32], sealed: &[u8], bound: &[u8]) -> Result<Vec<u8>, StoreError> {
    let (nonce, sealed) = sealed
        .split_first_chunk::<NONCE_BYTES>()
        .ok_or(StoreError::Vault("a sealed value is too short"))?;
    let payload = Payload {
        msg: sealed,
        aad: bound,
    };
    XChaCha20Poly1305::new(key.into())
        .decrypt(&XNonce::from(*nonce), payload)
        .map_err(|_| StoreError::Vault("a sealed value cannot be opened"))
}
