//! Tokens for links in mails, signed and not stored: whoever has the key can make the same token
//! again, so none ever stands in an event, a queue or a table.
//!
//! A token is `kind ‖ subject ‖ nonce ‖ expiry ‖ HMAC-SHA256`, in URL-safe base64. That it is used
//! only once is the business of the aggregate that knows its nonce.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;
use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::secret::{SecretKey, purpose};

const BODY: usize = 1 + 16 + 16 + 8;
const SIGNATURE: usize = 32;

/// What a token is good for. One kind never passes for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Shows that an address belongs to its user.
    VerifyEmail,
    /// Lets a user set a new password.
    ResetPassword,
    /// Lets an invited address join a project.
    Invitation,
}

impl TokenKind {
    const fn tag(self) -> u8 {
        match self {
            Self::VerifyEmail => 1,
            Self::ResetPassword => 2,
            Self::Invitation => 3,
        }
    }
}

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The user or invitation that the token is about.
    pub subject: Uuid,
    /// Tells this token from others of its kind and subject.
    pub nonce: Uuid,
    /// From when on it is void (whole seconds).
    pub expires_at: OffsetDateTime,
}

/// Why a token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Not of the right form, or of another kind.
    #[error("the token is malformed")]
    Malformed,
    /// Not made with this key, or changed since.
    #[error("the token's signature does not match")]
    BadSignature,
    /// Genuine, but too old.
    #[error("the token has expired")]
    Expired {
        /// What it said.
        claims: Claims,
    },
}

/// Makes and checks tokens under one key.
#[derive(Clone)]
pub struct SignedTokens {
    key: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for SignedTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignedTokens(…)")
    }
}

impl SignedTokens {
    /// Uses the key that `secret` gives for signed tokens.
    pub fn new(secret: &SecretKey) -> Self {
        Self {
            key: Zeroizing::new(secret.derive(purpose::SIGNED_TOKEN)),
        }
    }

    /// The token for these values; always the same for the same ones. `expires_at` counts in whole
    /// seconds.
    pub fn sign(
        &self,
        kind: TokenKind,
        subject: Uuid,
        nonce: Uuid,
        expires_at: OffsetDateTime,
    ) -> String {
        let mut token = Vec::with_capacity(BODY + SIGNATURE);
        token.push(kind.tag());
        token.extend_from_slice(subject.as_bytes());
        token.extend_from_slice(nonce.as_bytes());
        token.extend_from_slice(&expires_at.unix_timestamp().to_be_bytes());
        let signature = self.mac(&token).finalize().into_bytes();
        token.extend_from_slice(&signature);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// What `token` says, if it is of this kind, genuine and still good at `now`.
    pub fn verify(
        &self,
        kind: TokenKind,
        token: &str,
        now: OffsetDateTime,
    ) -> Result<Claims, TokenError> {
        if token.len() > 2 * (BODY + SIGNATURE) {
            return Err(TokenError::Malformed);
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(token)
            .map_err(|_| TokenError::Malformed)?;
        let (body, signature) = bytes
            .split_at_checked(BODY)
            .filter(|(_, s)| s.len() == SIGNATURE)
            .ok_or(TokenError::Malformed)?;
        self.mac(body)
            .verify_slice(signature)
            .map_err(|_| TokenError::BadSignature)?;
        let claims = parse(kind, body).ok_or(TokenError::Malformed)?;
        if now >= claims.expires_at {
            return Err(TokenError::Expired { claims });
        }
        Ok(claims)
    }

    fn mac(&self, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_slice())
            .expect("HMAC takes keys of any length");
        mac.update(body);
        mac
    }
}

fn parse(kind: TokenKind, body: &[u8]) -> Option<Claims> {
    let (tag, rest) = body.split_first()?;
    let (subject, rest) = rest.split_at_checked(16)?;
    let (nonce, expiry) = rest.split_at_checked(16)?;
    let seconds = i64::from_be_bytes(expiry.try_into().ok()?);
    (*tag == kind.tag()).then_some(Claims {
        subject: Uuid::from_slice(subject).ok()?,
        nonce: Uuid::from_slice(nonce).ok()?,
        expires_at: OffsetDateTime::from_unix_timestamp(seconds).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn tokens() -> SignedTokens {
        SignedTokens::new(&SecretKey::from_bytes(*b"0123456789abcdef0123456789abcdef"))
    }

    fn sample() -> (String, Claims) {
        let claims = Claims {
            subject: Uuid::from_u128(1),
            nonce: Uuid::from_u128(2),
            expires_at: NOW + Duration::HOUR,
        };
        let token = tokens().sign(
            TokenKind::Invitation,
            claims.subject,
            claims.nonce,
            claims.expires_at,
        );
        (token, claims)
    }

    #[test]
    fn a_token_says_what_was_signed_and_is_the_same_each_time() {
        let (token, claims) = sample();
        assert_eq!(sample().0, token);
        assert_eq!(
            tokens().verify(TokenKind::Invitation, &token, NOW),
            Ok(claims)
        );
    }

    #[test]
    fn a_token_of_another_kind_is_refused() {
        let refused = tokens().verify(TokenKind::ResetPassword, &sample().0, NOW);
        assert_eq!(refused, Err(TokenError::Malformed));
    }

    #[test]
    fn an_old_token_is_refused_and_still_says_whose_it_was() {
        let (token, claims) = sample();
        let refused = tokens().verify(TokenKind::Invitation, &token, claims.expires_at);
        assert_eq!(refused, Err(TokenError::Expired { claims }));
    }

    #[test]
    fn a_changed_token_is_refused_wherever_it_was_changed() {
        let (token, _) = sample();
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("base64 is ASCII");
            assert!(
                tokens()
                    .verify(TokenKind::Invitation, &changed, NOW)
                    .is_err(),
                "at {at}"
            );
        }
    }

    #[test]
    fn a_token_under_another_key_is_refused() {
        let other = SignedTokens::new(&SecretKey::from_bytes(*b"another"));
        let refused = other.verify(TokenKind::Invitation, &sample().0, NOW);
        assert_eq!(refused, Err(TokenError::BadSignature));
    }

    #[test]
    fn rubbish_is_malformed() {
        for rubbish in ["", "x", "ä", "====", &"A".repeat(97), &"A".repeat(100_000)] {
            let refused = tokens().verify(TokenKind::VerifyEmail, rubbish, NOW);
            assert_eq!(refused, Err(TokenError::Malformed), "{rubbish:.20}");
        }
    }
}
