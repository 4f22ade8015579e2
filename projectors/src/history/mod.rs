//! Every event, readable: who did what to which resource, when, and from which value to which:
//! `history`, and `history_values` to compare with. Secrets stand in no event and so in no row.

mod erased;
mod fields;
mod rows;

use self::fields::{Changes, changes};
use crate::projector::{ProjectionError, Projector};
use event_store::{Log, RecordedEvent, erases};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The projector of histories.
#[derive(Clone)]
pub struct History {
    /// Where histories are read again from after an erasure.
    pub log: Log,
}

impl Projector for History {
    const NAME: &'static str = "history";
    const VERSION: i32 = 2;
    const CLEAR: &'static str = "TRUNCATE history, history_values";

    async fn apply(
        &self,
        tx: &mut PgConnection,
        events: &[RecordedEvent],
    ) -> Result<(), ProjectionError> {
        for piece in events.split_inclusive(|event| erases(&event.event_type)) {
            write(tx, piece).await?;
            if let Some(event) = piece.last().filter(|event| erases(&event.event_type)) {
                erased::erase(tx, &self.log, event).await?;
            }
        }
        Ok(())
    }
}

/// Adds what events say to the histories of their resources.
async fn write(tx: &mut PgConnection, events: &[RecordedEvent]) -> Result<(), ProjectionError> {
    let mut resources = rows::load(tx, events).await?;
    let mut touched = BTreeSet::new();
    let mut entries = Vec::with_capacity(events.len());
    for event in events {
        let changes = changes(event)?;
        let id = event.aggregate_id.to_string();
        let resource = resources
            .entry(id.clone())
            .or_insert_with(|| Resource::unknown(&event.aggregate_type));
        resource.learn(&changes);
        entries.push(Entry {
            event,
            resource_type: resource.kind.clone(),
            resource_id: id.clone(),
            project_id: resource.project_id,
            owner_id: resource.owner_id,
            status: changes.status,
            changes: resource.difference(changes),
        });
        touched.insert(id);
    }
    rows::write_values(tx, &resources, &touched).await?;
    rows::write_entries(tx, &entries).await?;
    Ok(())
}

/// A thing with a history, as it is after the events so far.
#[derive(Clone, Debug, Default, PartialEq)]
struct Resource {
    kind: String,
    project_id: Option<Uuid>,
    owner_id: Option<Uuid>,
    fields: Map<String, Value>,
}

/// One row of `history`.
struct Entry<'a> {
    event: &'a RecordedEvent,
    resource_type: String,
    resource_id: String,
    project_id: Option<Uuid>,
    owner_id: Option<Uuid>,
    status: &'static str,
    changes: Value,
}

impl Resource {
    fn unknown(aggregate_type: &str) -> Self {
        Self {
            kind: aggregate_type.to_owned(),
            ..Self::default()
        }
    }

    fn learn(&mut self, changes: &Changes) {
        if let Some(resource_type) = changes.resource_type {
            resource_type.clone_into(&mut self.kind);
        }
        self.project_id = changes.project_id.or(self.project_id);
        self.owner_id = changes.owner_id.or(self.owner_id);
    }

    /// What differs from before, as `{field: {"old": …, "new": …}}`; remembers the new values.
    fn difference(&mut self, changes: Changes) -> Value {
        let mut differing = Map::new();
        for (field, new) in changes.values {
            let old = self.fields.get(&field).cloned().unwrap_or(Value::Null);
            if old == new {
                continue;
            }
            differing.insert(field.clone(), json!({"old": old, "new": new}));
            if new.is_null() {
                self.fields.remove(&field);
            } else {
                self.fields.insert(field, new);
            }
        }
        for (field, new) in changes.said {
            differing.insert(field, json!({"old": null, "new": new}));
        }
        Value::Object(differing)
    }
}

type Resources = BTreeMap<String, Resource>;
