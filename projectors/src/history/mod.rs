//! Every event, readable: who did what to which resource, when, and from which value to which:
//! `history`, and `history_values` to compare with. Accesses stand there too, under the resource that
//! they are about. Secrets stand in no event and so in no row.

mod accesses;
mod erased;
mod fields;
mod rows;

use self::{
    accesses::Accessed,
    fields::{Changes, changes},
};
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
    const VERSION: i32 = 4;
    const TABLES: &'static [&'static str] = &["history", "history_values"];

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
    let told = events
        .iter()
        .map(|event| Ok((event, told(event)?)))
        .collect::<Result<Vec<_>, ProjectionError>>()?;
    let mut resources = rows::load(tx, told.iter().map(|(_, told)| told.about())).await?;
    let mut touched = BTreeSet::new();
    let mut entries = Vec::with_capacity(events.len());
    for (event, told) in told {
        let id = told.about().to_string();
        match told {
            Told::Change(_, changes) => {
                let resource = resources
                    .entry(id.clone())
                    .or_insert_with(|| Resource::unknown(&event.aggregate_type));
                resource.learn(&changes);
                touched.insert(id.clone());
                entries.push(Entry::of_change(event, id, resource, changes));
            }
            Told::Access(access) => {
                entries.push(Entry::of_access(event, resources.get(&id), access));
            }
        }
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

/// What an event tells.
enum Told {
    /// The resource, and what changed of it.
    Change(Uuid, Changes),
    /// Somebody tried or read something.
    Access(Accessed),
}

fn told(event: &RecordedEvent) -> Result<Told, ProjectionError> {
    Ok(match accesses::accessed(event)? {
        Some(access) => Told::Access(access),
        None => Told::Change(event.aggregate_id, changes(event)?),
    })
}

impl Told {
    fn about(&self) -> Uuid {
        match self {
            Self::Change(resource_id, _) => *resource_id,
            Self::Access(access) => access.about,
        }
    }
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
    access: bool,
    details: Option<Value>,
}

impl<'a> Entry<'a> {
    fn of_change(
        event: &'a RecordedEvent,
        resource_id: String,
        resource: &mut Resource,
        changes: Changes,
    ) -> Self {
        Self {
            event,
            resource_type: resource.kind.clone(),
            resource_id,
            project_id: resource.project_id,
            owner_id: resource.owner_id,
            status: "success",
            changes: resource.difference(changes),
            access: false,
            details: None,
        }
    }

    fn of_access(event: &'a RecordedEvent, resource: Option<&Resource>, access: Accessed) -> Self {
        Self {
            event,
            resource_type: resource
                .map_or(access.resource_type, |known| &known.kind)
                .to_owned(),
            resource_id: access.about.to_string(),
            project_id: resource
                .and_then(|known| known.project_id)
                .or(access.project_id),
            owner_id: resource.and_then(|known| known.owner_id),
            status: access.status,
            changes: json!({}),
            access: true,
            details: Some(access.details),
        }
    }
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
