//! Rows of new items that are written together: one statement instead of one for each.

use domain::User;
use event_store::RecordedEvent;
use std::collections::HashSet;
use uuid::Uuid;

/// What waits to be written. It is written before any event that may touch it, so that the order in which
/// events came never shows.
pub(crate) struct Gathered<T> {
    items: HashSet<Uuid>,
    rows: Vec<T>,
}

impl<T> Default for Gathered<T> {
    fn default() -> Self {
        Self {
            items: HashSet::new(),
            rows: vec![],
        }
    }
}

impl<T> Gathered<T> {
    pub(crate) fn add(&mut self, item_id: Uuid, row: T) {
        self.items.insert(item_id);
        self.rows.push(row);
    }

    /// What must be written before `event` is applied: everything, where the event is about one of the
    /// items, or about a person, who may own any of them.
    pub(crate) fn due_before(&mut self, event: &RecordedEvent) -> Vec<T> {
        if event.is::<User>() || self.items.contains(&event.aggregate_id) {
            self.take()
        } else {
            vec![]
        }
    }

    /// All of it.
    pub(crate) fn take(&mut self) -> Vec<T> {
        self.items.clear();
        std::mem::take(&mut self.rows)
    }
}
