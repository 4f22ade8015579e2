//! No command fails because a policy has not run yet: before an owner's command on an item that
//! waits for review, what its review has come to is recorded, by the command the policy would send.

use domain::{Review, Submission, policy::record_outcome, submission::Status};
use event_store::Also;
use uuid::Uuid;

use crate::{CommandApi, answer::Stop, caller::Held, dispatch::context};

impl CommandApi {
    /// The item with the outcome of its review, if there is one that it does not know of yet.
    pub(crate) async fn settled(&self, item_id: Uuid, held: Held) -> Result<Held, Stop> {
        if held.item.status != Status::PendingReview {
            return Ok(held);
        }
        let review = self.store.load::<Review>(item_id).await?.aggregate;
        let Some(command) = record_outcome(&review) else {
            return Ok(held);
        };
        // Nobody's act: it follows from what the reviewer or the owner did before.
        let context = context(&held.caller.client, None);
        let appended = self
            .carry_out::<Submission>(item_id, command, &context, Also::default())
            .await?;
        let Submission::Created(item) = appended.aggregate else {
            return Ok(held);
        };
        Ok(Held {
            item,
            version: appended.version,
            ..held
        })
    }
}
