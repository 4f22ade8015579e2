//! URLs with which a browser fetches one object from the store itself, for a short time, under the
//! name and as the type that we say: both are part of what is signed.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use object_store::signer::{Method, SignedUrlOptions, Signer};
use time::OffsetDateTime;

use super::shared_key::SharedKey;
use super::{ObjectStorage, StoreError};

/// Who signs.
#[derive(Clone)]
pub(super) enum Signing {
    /// The store's client.
    Store(Arc<dyn Signer>),
    /// We: the client for Azure can sign no headers of the answer.
    SharedKey(Arc<SharedKey>),
}

/// How the store shall answer whoever comes with a signed URL.
#[derive(Debug, Clone, Copy)]
pub struct AnswerAs<'a> {
    /// `Content-Type`.
    pub media_type: &'a str,
    /// `Content-Disposition`.
    pub disposition: &'a str,
}

impl ObjectStorage {
    /// A URL that gets the object from the store until `lifetime` after `now` is over; none where
    /// the store does not sign, or browsers cannot reach it.
    ///
    /// # Errors
    /// [`StoreError::BadKey`], or the store's when it has to be asked for its credentials.
    pub async fn signed_url(
        &self,
        key: &str,
        answer: AnswerAs<'_>,
        now: OffsetDateTime,
        lifetime: Duration,
    ) -> Result<Option<String>, StoreError> {
        let path = self.path(key)?;
        match &self.signing {
            None => Ok(None),
            Some(Signing::SharedKey(key)) => {
                Ok(Some(key.signed_url(path.as_ref(), answer, now + lifetime)))
            }
            Some(Signing::Store(signer)) => {
                let overrides = [
                    ("response-content-type", answer.media_type),
                    ("response-content-disposition", answer.disposition),
                ];
                let options = SignedUrlOptions::new().with_query(overrides);
                let url = signer.signed_url_opts(Method::GET, &path, lifetime, &options);
                Ok(Some(url.await?.into()))
            }
        }
    }
}

/// Percent-encodes all but what never needs it (RFC 3986, 2.3).
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
