//! How many requests one caller may send in a minute, and how every answer says so. A window belongs
//! to a caller and begins with its first request. Sign-in and its like are counted together by all
//! replicas; the rest by each process, which is exact enough for fairness and costs no round trip.

mod shared;
mod windows;

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use runtime::{clock::Clock, config::rate_limits::RateLimitsConfig, secret::SecretKey};
use sqlx::PgPool;

use self::{
    shared::Shared,
    windows::{Caller, Class, Key, Window, Windows},
};
use crate::{
    AccessTokens, ApiError, client,
    headers::{X_RATELIMIT_LIMIT, X_RATELIMIT_REMAINING, X_RATELIMIT_RESET},
    measure::template,
};

/// How many callers a process remembers: some 10 MB of them.
const MOST_CALLERS: usize = 100_000;

/// The counts of this process. Clones share them.
#[derive(Clone)]
pub struct RateLimits(Arc<Inner>);

struct Inner {
    allowed: RateLimitsConfig,
    tokens: AccessTokens,
    clock: Clock,
    windows: Windows,
    shared: Option<Shared>,
}

/// How a caller stands after a request. On every answer, and on a request that was counted already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    limit: u32,
    remaining: u32,
    /// In Unix seconds.
    resets_at: i64,
    /// In how many seconds, when this request is too many.
    refused_for: Option<u32>,
}

impl RateLimits {
    /// The limits of this configuration; `None` when they are switched off. Where a database is
    /// given, with the secret under which callers are hashed, `/auth/*` is counted together with
    /// everybody else who counts in it.
    pub fn new(
        allowed: &RateLimitsConfig,
        tokens: AccessTokens,
        clock: Clock,
        database: Option<(PgPool, &SecretKey)>,
    ) -> Option<Self> {
        allowed.enabled.then(|| {
            Self(Arc::new(Inner {
                allowed: allowed.clone(),
                tokens,
                clock,
                windows: Windows::new(MOST_CALLERS),
                shared: database.map(|(pool, secret)| Shared::new(pool, secret)),
            }))
        })
    }

    async fn judge(&self, key: Key, counted: bool) -> Standing {
        let inner = &*self.0;
        let window = if counted {
            inner.count(key).await
        } else {
            inner.windows.look(key, inner.clock.now())
        };
        inner.standing(key.class, window, counted)
    }

    /// `/auth/*` is for those who have no identity yet. Elsewhere a token that we signed says who it
    /// is; whether its session still stands would cost a look-up and is not asked here.
    fn key(&self, request: &Request) -> Key {
        let class = class(request.method(), template(request.uri().path()));
        let address = || Caller::at(client::address_of(request));
        let caller = match class {
            Class::Auth => address(),
            Class::Upload | Class::General => {
                let claims = self.0.tokens.verify_bearer(request.headers());
                claims.map_or_else(|_| address(), |claims| Caller::User(claims.sub))
            }
        };
        Key { class, caller }
    }
}

impl Inner {
    async fn count(&self, key: Key) -> Window {
        let now = self.clock.now();
        let (Class::Auth, Some(shared)) = (key.class, &self.shared) else {
            return self.windows.take(key, now);
        };
        // Who is known to be over the limit costs no round trip.
        let known = self.windows.look(key, now);
        if known.taken > self.limit(key.class) {
            return known;
        }
        match shared.take(key, now).await {
            Some(window) => {
                self.windows.learn(key, window, now);
                window
            }
            // It goes on from what the shared counts said last.
            None => self.windows.take(key, now),
        }
    }

    fn limit(&self, class: Class) -> u32 {
        match class {
            Class::Auth => self.allowed.auth_per_minute,
            Class::Upload => self.allowed.upload_per_minute,
            Class::General => self.allowed.general_per_minute,
        }
    }

    fn standing(&self, class: Class, window: Window, counted: bool) -> Standing {
        let limit = self.limit(class);
        let left = (window.ends - self.clock.now()).as_seconds_f64().ceil();
        let refused = counted && window.taken > limit;
        Standing {
            limit,
            remaining: limit.saturating_sub(window.taken),
            resets_at: rounded_up(window.ends),
            refused_for: refused.then_some(left.max(1.0) as u32),
        }
    }
}

fn rounded_up(at: time::OffsetDateTime) -> i64 {
    at.unix_timestamp() + i64::from(at.nanosecond() > 0)
}

fn class(method: &Method, path: &str) -> Class {
    match path {
        "/documents" | "/voice" if method == Method::POST => Class::Upload,
        "/auth" => Class::Auth,
        path if path.starts_with("/auth/") => Class::Auth,
        _ => Class::General,
    }
}

/// Whether a request counts; the caller is told in any case how it stands.
fn counts(request: &Request) -> bool {
    // A browser sends these by itself, before what it was told to send.
    let preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    // An orchestrator that is refused takes a well process for a dead one, and all probes of a
    // cluster may come from one address. They cost next to nothing, so nothing is lost.
    let path = template(request.uri().path());
    let probe = matches!(path, "/health" | "/health/ready" | "/health/live");
    !preflight && !probe
}

impl Standing {
    fn write(self, headers: &mut HeaderMap) {
        headers.insert(X_RATELIMIT_LIMIT, HeaderValue::from(self.limit));
        headers.insert(X_RATELIMIT_REMAINING, HeaderValue::from(self.remaining));
        headers.insert(X_RATELIMIT_RESET, HeaderValue::from(self.resets_at));
    }
}

/// Counts a request, and tells its caller how it stands, whatever comes of it. A request that brings
/// its [`Standing`] was counted already.
pub(crate) async fn count(
    State(limits): State<RateLimits>,
    mut request: Request,
    next: Next,
) -> Response {
    // Read by a machine, every few seconds, and of no use to those who are to be slowed down.
    if request.uri().path() == "/metrics" {
        return next.run(request).await;
    }
    let before = request.extensions().get::<Standing>().copied();
    let standing = if let Some(standing) = before {
        standing
    } else {
        let (key, counted) = (limits.key(&request), counts(&request));
        limits.judge(key, counted).await
    };
    request.extensions_mut().insert(standing);
    let mut response = next.run(request).await;
    standing.write(response.headers_mut());
    response.extensions_mut().insert(standing);
    response
}

/// Refuses a request that was one too many. Further inside than the counting: what stands between
/// says to a browser that it may read this, and takes in what the client still sends.
pub(crate) async fn refuse(request: Request, next: Next) -> Response {
    let standing = request.extensions().get::<Standing>();
    match standing.and_then(|standing| standing.refused_for) {
        Some(seconds) => refusal(seconds).into_response(),
        None => next.run(request).await,
    }
}

fn refusal(seconds: u32) -> ApiError {
    ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "RATE_LIMITED",
        format!("Too many requests: try again in {seconds} seconds."),
    )
    .with_retry_after(seconds)
}

#[cfg(test)]
mod tests;
