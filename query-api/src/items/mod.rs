//! Items: documents, voice samples and raw texts, one by one and in lists.

pub(crate) mod download;
pub(crate) mod drafts;
pub(crate) mod list;
mod model;
pub(crate) mod one;
pub(crate) mod processing;
mod row;
mod text;

pub(crate) use model::full;
pub(crate) use row::{ItemRow, load, may_read};
pub(crate) use text::texts;
