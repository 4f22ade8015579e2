//! How many connections to PostgreSQL this process has open, by role, as metrics: looked at whenever
//! metrics are asked for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use sqlx::PgPool;

use crate::database::Role;

/// The pools that were opened. A role may have several.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pools(Arc<Mutex<Vec<(Role, PgPool)>>>);

/// What the connections of a role do, and how many there may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Use {
    used: usize,
    idle: usize,
    most: usize,
}

impl Pools {
    /// Looks at this one too from now on.
    pub(crate) fn watch(&self, role: Role, pool: &PgPool) {
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pools.push((role, pool.clone()));
    }

    /// Sets the metrics.
    pub(crate) fn measure(&self) {
        for (role, now) in self.uses() {
            for (state, count) in [("used", now.used), ("idle", now.idle)] {
                metrics::gauge!("alta_database_connections", "role" => role, "state" => state)
                    .set(count as f64);
            }
            metrics::gauge!("alta_database_connections_limit", "role" => role).set(now.most as f64);
        }
    }

    fn uses(&self) -> BTreeMap<&'static str, Use> {
        let pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut uses = BTreeMap::<_, Use>::new();
        for (role, pool) in pools.iter() {
            let (open, idle) = (pool.size() as usize, pool.num_idle());
            let all = uses.entry(role.name()).or_default();
            all.used += open.saturating_sub(idle);
            all.idle += idle;
            all.most += pool.options().get_max_connections() as usize;
        }
        uses
    }
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgPoolOptions;

    use super::*;

    #[tokio::test]
    async fn connections_are_counted_by_role_over_all_its_pools() {
        let database = test_kit::postgres().await;
        let pools = Pools::default();
        let open = async |most| {
            let options = PgPoolOptions::new().max_connections(most);
            options.connect(&database.url).await.expect("a pool")
        };
        let (one, other) = (open(2).await, open(3).await);
        pools.watch(Role::Query, &one);
        pools.watch(Role::Query, &other);
        let held = one.acquire().await.expect("a connection");
        let uses = pools.uses();
        assert_eq!(uses.len(), 1);
        let expected = Use {
            used: 1,
            idle: 1,
            most: 5,
        };
        assert_eq!(uses["alta_query"], expected);
        drop(held);
    }
}
