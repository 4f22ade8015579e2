//! The columns that what was said about an item stands in.

use domain::submission::Description;
use serde_json::{Value, json};

/// Domain, language, tags and free metadata; none of an item that was erased.
pub(super) fn columns(
    description: Option<Description>,
) -> (Option<String>, Option<String>, Option<Value>, Option<Value>) {
    let Some(description) = description else {
        return (None, None, None, None);
    };
    (
        description.domain,
        description.language,
        Some(json!(description.tags)),
        description.extra_metadata.map(|extra| extra.json),
    )
}
