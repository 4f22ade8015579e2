//! Whether a request to Google Cloud Storage was signed by the service account's key: by a token in a
//! header, or in its URL (version 4).

use std::fmt::Write;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use runtime::clock::Clock;
use sha2::{Digest, Sha256};
use time::{Duration, PrimitiveDateTime, macros::format_description};

use crate::google::{Request, State};

impl State {
    /// The status with which a request is refused that nobody signed who may.
    pub fn refusal(&self, request: &Request) -> Option<u16> {
        if let Some(token) = request.headers.get("authorization") {
            let token = token
                .strip_prefix("Bearer ")
                .and_then(|token| token.rsplit_once('.'));
            let good = token.is_some_and(|(signed, signature)| {
                let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
                self.signed(signed, &signature)
            });
            return (!good).then_some(401);
        }
        (!self.signed_url(request).unwrap_or(false)).then_some(403)
    }

    fn signed(&self, text: &str, signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public_key);
        key.verify(text.as_bytes(), signature).is_ok()
    }

    fn signed_url(&self, request: &Request) -> Option<bool> {
        let (begin, lifetime) = (
            request.parameter("X-Goog-Date")?,
            request.parameter("X-Goog-Expires")?,
        );
        let format = format_description!("[year][month][day]T[hour][minute][second]Z");
        let end = PrimitiveDateTime::parse(begin, format).ok()?.assume_utc()
            + Duration::seconds(lifetime.parse().ok()?);
        if Clock::system().now() > end {
            return Some(false);
        }
        let mut query: Vec<String> = request
            .query
            .iter()
            .filter(|pair| pair.0 != "X-Goog-Signature")
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        query.sort();
        let canonical = format!(
            "{}\n{}\n{}\nhost:storage.googleapis.com\n\nhost\nUNSIGNED-PAYLOAD",
            request.method,
            request.path,
            query.join("&")
        );
        let scope = request.parameter("X-Goog-Credential")?.split_once('/')?.1;
        let digest = media::store::hex(&Sha256::digest(canonical));
        let text = format!("GOOG4-RSA-SHA256\n{begin}\n{scope}\n{digest}");
        let signature = request.parameter("X-Goog-Signature")?;
        let signature: Vec<u8> = (0..signature.len() / 2)
            .filter_map(|at| u8::from_str_radix(signature.get(at * 2..at * 2 + 2)?, 16).ok())
            .collect();
        Some(self.signed(&text, &signature))
    }
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if plain(byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}
