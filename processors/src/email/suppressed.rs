//! Addresses that refused a mail for ever: nothing is sent there for a while. Which they are is known
//! by their blind index alone.

use event_store::EventStore;
use time::{Duration, OffsetDateTime};

/// How sure a server was that there is no such mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bounce {
    /// It said so (RFC 3463: 5.1.1 and its like).
    Certain,
    /// It refused, and did not say why.
    Likely,
}

impl Bounce {
    /// For how long nothing is sent: what is only likely may be the sender's fault, mended soon.
    const fn rest(self) -> Duration {
        match self {
            Self::Certain => Duration::days(7),
            Self::Likely => Duration::hours(1),
        }
    }
}

/// Until when nothing is sent to the address.
pub(super) async fn until(
    store: &EventStore,
    address: &str,
    now: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT until FROM suppressed_addresses WHERE address_hmac = $1 AND until > $2",
        store.address_hmac(address),
        now,
    )
    .fetch_optional(store.pool())
    .await
}

/// Nothing is sent to the address for a while.
pub(super) async fn suppress(
    store: &EventStore,
    address: &str,
    bounce: Bounce,
    now: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO suppressed_addresses (address_hmac, since, until) VALUES ($1, $2, $3)
         ON CONFLICT (address_hmac) DO UPDATE
         SET since = excluded.since, until = greatest(suppressed_addresses.until, excluded.until)",
        store.address_hmac(address),
        now,
        now + bounce.rest(),
    )
    .execute(store.pool())
    .await?;
    Ok(())
}
