//! Writes what a batch changed: items, rounds, and the differences they make to the sums.

use super::{Item, Items, RoundChange};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use time::Date;
use uuid::Uuid;

impl Items {
    /// Writes all differences between before and after. A statement per table, none if nothing
    /// changed.
    pub(super) async fn write(self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        let changed: Vec<(&Uuid, &Item)> = self
            .after
            .iter()
            .filter(|(id, item)| self.before.get(id) != Some(item))
            .collect();
        if !changed.is_empty() {
            write_items(tx, &changed).await?;
            write_sums(tx, &self, &changed).await?;
        }
        for (id, change) in &self.rounds {
            write_round(tx, *id, change, &self.after).await?;
        }
        Ok(())
    }
}

async fn write_items(tx: &mut PgConnection, changed: &[(&Uuid, &Item)]) -> Result<(), sqlx::Error> {
    let column = |of: fn(&Item) -> String| changed.iter().map(|c| of(c.1)).collect::<Vec<_>>();
    sqlx::query!(
        "INSERT INTO analytics_items (item_id, item_type, project_id, owner_id, status, deleted,
                                      created_on, round, version, review_version)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::bool[],
                              $7::date[], $8::int4[], $9::int8[], $10::int8[])
         ON CONFLICT (item_id) DO UPDATE
         SET status = excluded.status, deleted = excluded.deleted, round = excluded.round,
             version = excluded.version, review_version = excluded.review_version",
        &changed.iter().map(|c| *c.0).collect::<Vec<_>>(),
        &column(|item| item.kind.clone()),
        &changed.iter().map(|c| c.1.project_id).collect::<Vec<_>>(),
        &changed.iter().map(|c| c.1.owner_id).collect::<Vec<_>>(),
        &column(|item| item.status.clone()),
        &changed.iter().map(|c| c.1.deleted).collect::<Vec<_>>(),
        &changed.iter().map(|c| c.1.created_on).collect::<Vec<_>>(),
        &changed.iter().map(|c| c.1.round).collect::<Vec<_>>(),
        &changed.iter().map(|c| c.1.version).collect::<Vec<_>>(),
        &changed
            .iter()
            .map(|c| c.1.review_version)
            .collect::<Vec<_>>(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

type StatusKey = (Uuid, Uuid, String, String);
type DayKey = (Uuid, Uuid, Date);

/// How much each sum grows (or shrinks).
#[derive(Default)]
struct Differences {
    statuses: BTreeMap<StatusKey, i64>,
    days: BTreeMap<DayKey, i64>,
}

impl Differences {
    fn count(&mut self, item: &Item, by: i64) {
        if item.deleted {
            return;
        }
        let status = (
            item.project_id,
            item.owner_id,
            item.kind.clone(),
            item.status.clone(),
        );
        *self.statuses.entry(status).or_default() += by;
        let day = (item.project_id, item.owner_id, item.created_on);
        *self.days.entry(day).or_default() += by;
    }
}

async fn write_sums(
    tx: &mut PgConnection,
    items: &Items,
    changed: &[(&Uuid, &Item)],
) -> Result<(), sqlx::Error> {
    let mut differences = Differences::default();
    for (id, item) in changed {
        if let Some(before) = items.before.get(id) {
            differences.count(before, -1);
        }
        differences.count(item, 1);
    }
    let Differences {
        mut statuses,
        mut days,
    } = differences;
    statuses.retain(|_, by| *by != 0);
    days.retain(|_, by| *by != 0);
    write_statuses(tx, &statuses).await?;
    write_days(tx, &days).await
}

async fn write_statuses(
    tx: &mut PgConnection,
    statuses: &BTreeMap<StatusKey, i64>,
) -> Result<(), sqlx::Error> {
    if statuses.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO analytics_status_counts AS sums (project_id, owner_id, item_type, status, count)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int8[])
         ON CONFLICT (project_id, owner_id, item_type, status) DO UPDATE
         SET count = sums.count + excluded.count",
        &statuses.keys().map(|key| key.0).collect::<Vec<_>>(),
        &statuses.keys().map(|key| key.1).collect::<Vec<_>>(),
        &statuses.keys().map(|key| key.2.clone()).collect::<Vec<_>>(),
        &statuses.keys().map(|key| key.3.clone()).collect::<Vec<_>>(),
        &statuses.values().copied().collect::<Vec<_>>(),
    )
    .execute(&mut *tx)
    .await?;
    // A sum that came to nothing is no row: else rows would tell in which batches events came.
    let shrunk = || {
        statuses
            .iter()
            .filter(|(_, by)| **by < 0)
            .map(|(key, _)| key)
    };
    sqlx::query!(
        "DELETE FROM analytics_status_counts
         WHERE count = 0 AND (project_id, owner_id, item_type, status) IN
             (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]))",
        &shrunk().map(|key| key.0).collect::<Vec<_>>(),
        &shrunk().map(|key| key.1).collect::<Vec<_>>(),
        &shrunk().map(|key| key.2.clone()).collect::<Vec<_>>(),
        &shrunk().map(|key| key.3.clone()).collect::<Vec<_>>(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_days(
    tx: &mut PgConnection,
    days: &BTreeMap<DayKey, i64>,
) -> Result<(), sqlx::Error> {
    if days.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO analytics_contributions_daily AS sums (project_id, owner_id, day, count)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::date[], $4::int8[])
         ON CONFLICT (project_id, day, owner_id) DO UPDATE SET count = sums.count + excluded.count",
        &days.keys().map(|key| key.0).collect::<Vec<_>>(),
        &days.keys().map(|key| key.1).collect::<Vec<_>>(),
        &days.keys().map(|key| key.2).collect::<Vec<_>>(),
        &days.values().copied().collect::<Vec<_>>(),
    )
    .execute(&mut *tx)
    .await?;
    let shrunk = || days.iter().filter(|(_, by)| **by < 0).map(|(key, _)| key);
    sqlx::query!(
        "DELETE FROM analytics_contributions_daily
         WHERE count = 0 AND (project_id, owner_id, day) IN
             (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::date[]))",
        &shrunk().map(|key| key.0).collect::<Vec<_>>(),
        &shrunk().map(|key| key.1).collect::<Vec<_>>(),
        &shrunk().map(|key| key.2).collect::<Vec<_>>(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_round(
    tx: &mut PgConnection,
    id: Uuid,
    change: &RoundChange,
    items: &BTreeMap<Uuid, Item>,
) -> Result<(), sqlx::Error> {
    match change {
        RoundChange::Begins { round, at } => {
            let Some(item) = items.get(&id) else {
                return Ok(());
            };
            sqlx::query!(
                "INSERT INTO analytics_rounds (item_id, round, project_id, owner_id, submitted_at)
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (item_id, round) DO NOTHING",
                id,
                round,
                item.project_id,
                item.owner_id,
                at,
            )
            .execute(tx)
            .await?;
        }
        RoundChange::Reopens { round } => {
            sqlx::query!(
                "UPDATE analytics_rounds SET outcome = NULL, reviewer_id = NULL, decided_at = NULL
                 WHERE item_id = $1 AND round = $2",
                id,
                round,
            )
            .execute(tx)
            .await?;
        }
        RoundChange::Ends {
            round,
            outcome,
            reviewer_id,
            at,
        } => {
            sqlx::query!(
                "UPDATE analytics_rounds SET outcome = $3, reviewer_id = $4, decided_at = $5
                 WHERE item_id = $1 AND round = $2 AND outcome IS NULL",
                id,
                round,
                outcome,
                *reviewer_id,
                at,
            )
            .execute(tx)
            .await?;
        }
    }
    Ok(())
}
