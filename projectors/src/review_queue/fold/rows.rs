//! What was folded as rows: the columns in the order in which `COPY` gets them.

use super::{Comment, Item, Reversal, Round, Words};
use crate::bulk::{Row, Rows};
use std::collections::HashMap;
use uuid::Uuid;

pub(super) const QUEUE: &str = "review_queue (item_id, project_id, item_type, round, title, submitter_id, \
                     submitted_at, claimed_by_id, claimed_until)";
pub(super) const ROUNDS: &str = "review_rounds (item_id, round, project_id, submitted_at, outcome, reviewer_id, \
                      feedback, decided_at)";
pub(super) const COMMENTS: &str =
    "review_comments (id, item_id, round, author_id, text, created_at)";
pub(super) const REVERSALS: &str = "review_reversals (item_id, version, round, outcome, reviewer_id, feedback, \
                         decided_at, reverted_by_id, reverted_at)";

/// A table with its rows.
pub(super) fn of<K: Send + 'static, V: Send + 'static>(
    table: &'static str,
    folded: HashMap<K, V>,
    row: fn((K, V)) -> Row,
) -> (&'static str, Rows) {
    (table, Box::new(folded.into_iter().map(row)))
}

fn text(words: Option<&Words>) -> Option<&str> {
    words.map(|words| words.text.as_str())
}

pub(super) fn queued((id, item): (Uuid, Item)) -> Row {
    Row::default()
        .with(id)
        .with(item.project_id)
        .with(item.kind.as_str())
        .with(item.round)
        .with(text(item.title.as_ref()))
        .with(item.submitter_id)
        .with(item.submitted_at)
        .with(item.claim.map(|claim| claim.0))
        .with(item.claim.map(|claim| claim.1))
}

pub(super) fn round(((id, number), round): ((Uuid, i32), Round)) -> Row {
    let ended = round.ended.as_ref();
    Row::default()
        .with(id)
        .with(number)
        .with(round.project_id)
        .with(round.submitted_at)
        .with(ended.map(|ended| ended.outcome))
        .with(ended.and_then(|ended| ended.reviewer_id))
        .with(text(ended.and_then(|ended| ended.feedback.as_ref())))
        .with(ended.map(|ended| ended.at))
}

pub(super) fn comment((id, comment): (Uuid, Comment)) -> Row {
    Row::default()
        .with(id)
        .with(comment.item_id)
        .with(comment.round)
        .with(comment.author_id)
        .with(text(comment.text.as_ref()))
        .with(comment.at)
}

pub(super) fn reversal(((id, version), reversal): ((Uuid, i64), Reversal)) -> Row {
    Row::default()
        .with(id)
        .with(version)
        .with(reversal.round)
        .with(reversal.ended.outcome)
        .with(reversal.ended.reviewer_id)
        .with(text(reversal.ended.feedback.as_ref()))
        .with(reversal.ended.at)
        .with(reversal.by)
        .with(reversal.at)
}
