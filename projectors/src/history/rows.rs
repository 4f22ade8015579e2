//! Reads and writes the rows of histories: three statements a batch, however large it is.

use super::{Entry, Resource, Resources};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use std::collections::BTreeSet;
use uuid::Uuid;

/// The resources of these ids, as far as they are known.
pub(super) async fn load(
    tx: &mut PgConnection,
    ids: impl Iterator<Item = Uuid>,
) -> Result<Resources, sqlx::Error> {
    let ids: BTreeSet<String> = ids.map(|id| id.to_string()).collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let rows = sqlx::query!(
        r#"SELECT resource_id, resource_type, project_id, owner_id, fields
           FROM history_values WHERE resource_id = ANY($1)"#,
        &ids,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let resource = Resource {
                kind: row.resource_type,
                project_id: row.project_id,
                owner_id: row.owner_id,
                fields: object(row.fields),
            };
            (row.resource_id, resource)
        })
        .collect())
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

pub(super) async fn write_values(
    tx: &mut PgConnection,
    resources: &Resources,
    touched: &BTreeSet<String>,
) -> Result<(), sqlx::Error> {
    let rows: Vec<(&String, &Resource)> = resources
        .iter()
        .filter(|(id, _)| touched.contains(*id))
        .collect();
    sqlx::query!(
        "INSERT INTO history_values (resource_id, resource_type, project_id, owner_id, fields)
         SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::uuid[], $5::jsonb[])
         ON CONFLICT (resource_id) DO UPDATE
         SET resource_type = excluded.resource_type, project_id = excluded.project_id,
             owner_id = excluded.owner_id, fields = excluded.fields",
        &rows.iter().map(|row| row.0.clone()).collect::<Vec<_>>(),
        &rows
            .iter()
            .map(|row| row.1.kind.clone())
            .collect::<Vec<_>>(),
        &rows.iter().map(|row| row.1.project_id).collect::<Vec<_>>() as &[Option<Uuid>],
        &rows.iter().map(|row| row.1.owner_id).collect::<Vec<_>>() as &[Option<Uuid>],
        &rows
            .iter()
            .map(|row| Value::Object(row.1.fields.clone()))
            .collect::<Vec<_>>(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn write_entries(
    tx: &mut PgConnection,
    entries: &[Entry<'_>],
) -> Result<(), sqlx::Error> {
    let texts = |of: fn(&Entry<'_>) -> String| entries.iter().map(of).collect::<Vec<_>>();
    let ids = |of: fn(&Entry<'_>) -> Option<Uuid>| entries.iter().map(of).collect::<Vec<_>>();
    let optional =
        |of: fn(&Entry<'_>) -> Option<String>| entries.iter().map(of).collect::<Vec<_>>();
    sqlx::query!(
        "INSERT INTO history (position, event_id, event_type, resource_type, resource_id, project_id,
                              owner_id, actor_user_id, request_id, ip_address, user_agent, status,
                              changes, recorded_at, causation_id, access, details)
         SELECT * FROM unnest($1::int8[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::uuid[],
                              $7::uuid[], $8::uuid[], $9::text[], $10::text[], $11::text[],
                              $12::text[], $13::jsonb[], $14::timestamptz[], $15::uuid[],
                              $16::bool[], $17::jsonb[])
         ON CONFLICT (position) DO NOTHING",
        &entries.iter().map(|entry| entry.event.position).collect::<Vec<_>>(),
        &entries.iter().map(|entry| entry.event.event_id).collect::<Vec<_>>(),
        &texts(|entry| entry.event.event_type.clone()),
        &texts(|entry| entry.resource_type.clone()),
        &texts(|entry| entry.resource_id.clone()),
        &ids(|entry| entry.project_id) as &[Option<Uuid>],
        &ids(|entry| entry.owner_id) as &[Option<Uuid>],
        &ids(|entry| entry.event.metadata.actor_user_id) as &[Option<Uuid>],
        &texts(|entry| entry.event.metadata.request_id.clone()),
        &optional(|entry| entry.event.metadata.ip_address.clone()) as &[Option<String>],
        &optional(|entry| entry.event.metadata.user_agent.clone()) as &[Option<String>],
        &texts(|entry| entry.status.to_owned()),
        &entries.iter().map(|entry| entry.changes.clone()).collect::<Vec<_>>(),
        &entries.iter().map(|entry| entry.event.recorded_at).collect::<Vec<_>>(),
        &ids(|entry| entry.event.metadata.causation_id) as &[Option<Uuid>],
        &entries.iter().map(|entry| entry.access).collect::<Vec<_>>(),
        &entries.iter().map(|entry| entry.details.clone()).collect::<Vec<_>>() as &[Option<Value>],
    )
    .execute(tx)
    .await?;
    Ok(())
}
