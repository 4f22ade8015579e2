//! Access tokens: short-lived, signed, naming a user and a session. Whether the session still
//! stands and the user may still act is asked anew on every request, elsewhere.

use axum::http::{HeaderMap, header};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use runtime::{
    clock::Clock,
    secret::{SecretKey, purpose},
};
use serde::{Deserialize, Serialize};
use time::Duration;
use uuid::Uuid;

use crate::ApiError;

/// How long an access token holds.
pub const LIFETIME: Duration = Duration::minutes(30);

const TYPE: &str = "access";
const LONGEST: usize = 2_048;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Whose it is.
    pub sub: Uuid,
    /// The session it belongs to.
    pub sid: Uuid,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// From when on it is void, in seconds since 1970.
    pub exp: i64,
    /// Always `access`.
    pub typ: String,
}

/// Makes and checks access tokens.
#[derive(Clone)]
pub struct AccessTokens {
    signing: EncodingKey,
    checking: DecodingKey,
    clock: Clock,
}

impl AccessTokens {
    /// Uses the key that `secret` gives for access tokens.
    pub fn new(secret: &SecretKey, clock: Clock) -> Self {
        let key = secret.derive(purpose::ACCESS_TOKEN);
        Self {
            signing: EncodingKey::from_secret(&key),
            checking: DecodingKey::from_secret(&key),
            clock,
        }
    }

    /// A token for this user and session, and how many seconds it holds.
    ///
    /// # Errors
    /// 500 when it cannot be signed.
    pub fn issue(&self, user_id: Uuid, session_id: Uuid) -> Result<(String, i64), ApiError> {
        let now = self.clock.now().unix_timestamp();
        let claims = AccessClaims {
            sub: user_id,
            sid: session_id,
            iat: now,
            exp: now + LIFETIME.whole_seconds(),
            typ: TYPE.to_owned(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
            .map(|token| (token, LIFETIME.whole_seconds()))
            .map_err(|error| ApiError::internal(&error))
    }

    /// What `token` says, if it is ours and still good.
    ///
    /// # Errors
    /// 401 otherwise.
    pub fn verify(&self, token: &str) -> Result<AccessClaims, ApiError> {
        let refused = |_| ApiError::unauthenticated();
        if token.len() > LONGEST {
            return Err(ApiError::unauthenticated());
        }
        let mut rules = Validation::new(Algorithm::HS256);
        rules.leeway = 0;
        // Checked below against our own clock.
        rules.validate_exp = false;
        let decoded = jsonwebtoken::decode::<AccessClaims>(token, &self.checking, &rules);
        let claims = decoded.map_err(refused)?.claims;
        if claims.typ != TYPE || self.clock.now().unix_timestamp() >= claims.exp {
            return Err(ApiError::unauthenticated());
        }
        Ok(claims)
    }

    /// What the bearer token in these headers says.
    ///
    /// # Errors
    /// 401 when there is none or it is not good.
    pub fn verify_bearer(&self, headers: &HeaderMap) -> Result<AccessClaims, ApiError> {
        self.verify(bearer(headers).ok_or_else(ApiError::unauthenticated)?)
    }
}

/// The token of an `Authorization: Bearer …` header. Of two such headers none says who asks.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (given.next(), given.next()) else {
        return None;
    };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use time::OffsetDateTime;

    fn tokens() -> (AccessTokens, Clock) {
        let clock = Clock::fixed(OffsetDateTime::UNIX_EPOCH + Duration::days(20_000));
        let secret = SecretKey::from_bytes(*b"0123456789abcdef0123456789abcdef");
        (AccessTokens::new(&secret, clock.clone()), clock)
    }

    fn issue(tokens: &AccessTokens) -> String {
        tokens
            .issue(Uuid::from_u128(1), Uuid::from_u128(2))
            .expect("signed")
            .0
    }

    #[test]
    fn a_token_says_who_and_which_session() {
        let (tokens, _) = tokens();
        let claims = tokens.verify(&issue(&tokens)).expect("good");
        assert_eq!(
            (claims.sub, claims.sid),
            (Uuid::from_u128(1), Uuid::from_u128(2))
        );
        assert_eq!(claims.exp - claims.iat, 1_800);
    }

    #[test]
    fn a_token_ends_after_thirty_minutes_to_the_second() {
        let (tokens, clock) = tokens();
        let token = issue(&tokens);
        clock.advance(LIFETIME - Duration::SECOND);
        assert!(tokens.verify(&token).is_ok());
        clock.advance(Duration::SECOND);
        assert!(tokens.verify(&token).is_err());
    }

    #[test]
    fn no_other_algorithm_passes_and_no_other_key() {
        let (tokens, clock) = tokens();
        let token = issue(&tokens);
        let (_, rest) = token.split_once('.').expect("three parts");
        let (payload, _) = rest.split_once('.').expect("three parts");
        for algorithm in ["none", "HS512", "RS256"] {
            let header =
                URL_SAFE_NO_PAD.encode(format!("{{\"typ\":\"JWT\",\"alg\":\"{algorithm}\"}}"));
            assert!(
                tokens.verify(&format!("{header}.{payload}.")).is_err(),
                "{algorithm}"
            );
            assert!(
                tokens.verify(&format!("{header}.{rest}")).is_err(),
                "{algorithm}"
            );
        }
        let other = AccessTokens::new(&SecretKey::from_bytes(*b"another"), clock);
        assert!(other.verify(&token).is_err());
        for rubbish in ["", ".", "..", "a.b.c", &"a".repeat(10_000)] {
            assert!(tokens.verify(rubbish).is_err());
        }
    }

    #[test]
    fn a_token_of_another_type_is_no_access_token() {
        let (tokens, clock) = tokens();
        let mut claims = tokens.verify(&issue(&tokens)).expect("good");
        claims.typ = "refresh".to_owned();
        claims.exp = clock.now().unix_timestamp() + 60;
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &tokens.signing);
        assert!(tokens.verify(&token.expect("signed")).is_err());
    }
}
