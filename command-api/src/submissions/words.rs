//! What answers about items look like, for their description alone.

use utoipa::ToSchema;
use uuid::Uuid;

/// The kinds of items.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
pub(crate) enum ItemTypeWord {
    Document,
    VoiceSample,
    RawText,
}

/// An item that is as was asked.
#[derive(ToSchema)]
#[schema(example = json!({"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11", "status": "updated"}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct ChangedItem {
    id: Uuid,
    #[schema(inline)]
    status: ChangedWord,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
enum ChangedWord {
    Updated,
}

/// A draft that was deleted.
#[derive(ToSchema)]
#[schema(example = json!({"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11", "status": "deleted"}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct DeletedItem {
    id: Uuid,
    #[schema(inline)]
    status: DeletedWord,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
enum DeletedWord {
    Deleted,
}

/// A draft that was brought back.
#[derive(ToSchema)]
#[schema(example = json!({"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11", "status": "restored"}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct RestoredItem {
    id: Uuid,
    #[schema(inline)]
    status: RestoredWord,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
enum RestoredWord {
    Restored,
}

/// An item that is a draft.
#[derive(ToSchema)]
#[schema(example = json!({"id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11", "status": "draft"}))]
#[expect(dead_code, reason = "describes the answer")]
pub(super) struct TakenBackItem {
    id: Uuid,
    #[schema(inline)]
    status: DraftWord,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a word")]
pub(super) enum DraftWord {
    Draft,
}

/// One of many items, and why it was refused.
#[derive(ToSchema)]
#[schema(example = json!({"type": "raw_text", "id": "0192f0c1-7d5e-7b52-8d9a-8a2f0f7b3c11",
    "code": "NOT_A_DRAFT", "message": "Only a draft can be changed, submitted or deleted."}))]
#[expect(dead_code, reason = "describes the answer")]
pub(crate) struct FailedItem {
    #[schema(inline)]
    r#type: ItemTypeWord,
    /// As it was given.
    #[schema(max_length = 64)]
    id: String,
    /// A stable word.
    code: String,
    message: String,
}
