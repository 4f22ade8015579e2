//! How an item is shown: the models of documents, voice samples and raw texts.

use super::{ItemRow, text::Texts};
use crate::written::{Time, seconds, time};
use serde_json::{Map, Value, json};

/// The full model of an item. `texts` is absent in lists, which show no texts.
pub(crate) fn full(item: &ItemRow, texts: Option<Texts>) -> Map<String, Value> {
    let mut model = Map::new();
    let mut set = |field: &str, value: Value| model.insert(field.to_owned(), value);
    set("id", json!(item.id));
    set("type", json!(item.item_type));
    set("project_id", json!(item.project_id));
    set("status", json!(item.status));
    set("domain", json!(item.domain));
    set("language", json!(item.language));
    set("submitted_at", json!(time(item.submitted_at)));
    set("reviewed_by_id", json!(item.reviewed_by_id));
    set("feedback", json!(item.feedback));
    set("tags", item.tags.clone().unwrap_or_else(|| json!([])));
    set("extra_metadata", json!(item.extra_metadata));
    set("version", json!(item.version));
    set("created_at", json!(Time(item.created_at)));
    set("updated_at", json!(Time(item.updated_at)));
    let own = match item.item_type.as_str() {
        "document" => document(item, texts),
        "voice_sample" => voice(item, texts),
        _ => raw_text(item, texts),
    };
    model.extend(own);
    model
}

fn document(item: &ItemRow, texts: Option<Texts>) -> Map<String, Value> {
    let mut model = file(item);
    let mut set = |field: &str, value: Value| model.insert(field.to_owned(), value);
    set("pages", json!(item.pages));
    set("is_raw", json!(item.is_raw));
    if let Some(texts) = texts {
        set("ocr_text", json!(texts.processed));
        set("ocr", outcome(item, texts.result, "pages"));
    }
    model
}

fn voice(item: &ItemRow, texts: Option<Texts>) -> Map<String, Value> {
    let mut model = file(item);
    let mut set = |field: &str, value: Value| model.insert(field.to_owned(), value);
    set("duration_seconds", seconds(item.duration_seconds));
    if let Some(texts) = texts {
        set("transcription_text", json!(texts.processed));
        set("transcription", outcome(item, texts.result, "segments"));
    }
    model
}

fn raw_text(item: &ItemRow, texts: Option<Texts>) -> Map<String, Value> {
    let mut model = Map::new();
    let mut set = |field: &str, value: Value| model.insert(field.to_owned(), value);
    set("created_by_id", json!(item.owner_id));
    set("title", json!(item.title));
    if let Some(texts) = texts {
        set("content", json!(texts.content));
    }
    model
}

fn file(item: &ItemRow) -> Map<String, Value> {
    let mut model = Map::new();
    let mut set = |field: &str, value: Value| model.insert(field.to_owned(), value);
    set("uploaded_by_id", json!(item.owner_id));
    set("original_filename", json!(item.original_filename));
    set("gcs_uri", json!(item.gcs_uri));
    set("sha256", json!(item.sha256));
    set("size_bytes", json!(item.size_bytes));
    set("media_type", json!(item.media_type));
    set("processed", json!(item.processed));
    model
}

/// What the engine knows besides the text, `null` before there is a result. The engine's own object
/// is shown as it is; a bare list stands under `parts`.
fn outcome(item: &ItemRow, result: Option<Value>, parts: &str) -> Value {
    if !item.processed {
        return Value::Null;
    }
    let mut shown = match result {
        Some(Value::Object(object)) => object,
        Some(list @ Value::Array(_)) => Map::from_iter([(parts.to_owned(), list)]),
        _ => Map::new(),
    };
    // The text stands beside it already.
    shown.remove("text");
    shown.entry(parts).or_insert_with(|| json!([]));
    shown.insert("engine".to_owned(), json!(item.engine));
    shown.insert("language".to_owned(), json!(item.detected_language));
    shown.insert("confidence".to_owned(), json!(item.confidence));
    Value::Object(shown)
}
