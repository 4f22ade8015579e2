//! The columns that what was said about an item stands in.

use domain::submission::Description;
use serde_json::{Value, json};

/// Domain, language, tags and free metadata.
pub(super) type Described = (Option<String>, Option<String>, Option<Value>, Option<Value>);

/// What was said about an item; nothing about one that was erased.
pub(super) fn columns(description: Option<Description>) -> Described {
    let Some(description) = description else {
        return Described::default();
    };
    (
        description.domain,
        description.language,
        Some(json!(description.tags)),
        description.extra_metadata.map(|extra| extra.json),
    )
}
