//! A person's keys go in the transaction of the event that says so, for every process at once.

use crate::house::{House, MASTER, context, registration, until};
use domain::{
    Review, User,
    review::{Pending, ReviewCommand},
    user::UserCommand,
};
use event_store::{Also, Context, DispatchError, Erase, Log, Vault};
use uuid::Uuid;

impl House {
    pub async fn claimed(&self, email: &str) -> Uuid {
        let id = self.ids.next();
        let also = Also {
            claim_email: Some((email.into(), id)),
            ..Also::default()
        };
        let (command, context) = (registration(id, email), context(Some(id)));
        let done = self.store.execute_with::<User>(id, command, &context, also);
        done.await.expect("a registration");
        id
    }

    pub async fn erase(
        &self,
        id: Uuid,
        context: &Context,
    ) -> Result<(), DispatchError<domain::user::UserError>> {
        let also = Also {
            erase: Some(Erase::Person(id)),
            ..Also::default()
        };
        let done = self
            .store
            .execute_with::<User>(id, UserCommand::Erase, context, also);
        done.await.map(|_| ())
    }

    async fn comment(&self, item: Uuid, owner: Uuid, author: Uuid, text: &str) {
        let command = ReviewCommand::Comment {
            pending: Some(Pending {
                round: 1,
                reopened: 0,
                project_id: Uuid::nil(),
                item_type: domain::ItemType::RawText,
                submitter_id: owner,
            }),
            comment_id: self.ids.next(),
            author_id: author,
            text: text.into(),
        };
        let context = context(Some(author));
        let done = self.store.execute::<Review>(item, command, &context);
        done.await.expect("a comment");
    }

    async fn hashes(&self) -> Vec<Vec<u8>> {
        sqlx::query_scalar("SELECT hash FROM event_log ORDER BY position")
            .fetch_all(&self.database.pool)
            .await
            .expect("hashes")
    }
}

#[tokio::test]
async fn what_was_said_by_and_to_the_person_goes_and_what_others_said_stays() {
    let house = House::new().await;
    let relay = house.relay().await;
    let amal = house.claimed("amal@example.org").await;
    let badr = house.claimed("badr@example.org").await;
    let carim = house.claimed("carim@example.org").await;
    let item_of = async |owner| {
        house.raw_text(owner, "words").await;
        let items = house.store.streams_of(owner, &["RawTextCreated"]).await;
        items.expect("items")[0]
    };
    let (of_amal, of_badr) = (item_of(amal).await, item_of(badr).await);
    house.comment(of_amal, amal, badr, "badr to amal").await;
    house.comment(of_badr, badr, amal, "amal to badr").await;
    house.comment(of_badr, badr, carim, "carim to badr").await;
    let log_before = house.whole_log().await;
    let hashes = house.hashes().await;
    house
        .erase(amal, &context(Some(amal)))
        .await
        .expect("erased");

    let log = format!("{:?}", house.whole_log().await);
    for gone in ["amal@", "badr to amal", "amal to badr"] {
        assert!(
            format!("{log_before:?}").contains(gone) && !log.contains(gone),
            "{gone}"
        );
    }
    for kept in ["badr@example.org", "carim to badr", "words"] {
        assert!(log.contains(kept), "{kept}");
    }
    let after = house.hashes().await;
    assert_eq!(after[..hashes.len()], hashes[..], "the chain is as it was");
    house.claimed("AMAL@example.org").await;
    relay.stop().await;
}

#[tokio::test]
async fn another_process_forgets_the_key_that_it_had_read() {
    let house = House::new().await;
    let relay = house.relay().await;
    let amal = house.claimed("amal@example.org").await;
    house.whole_log().await;
    let pool = house.database.pool.clone();
    let elsewhere = Log::new(
        pool.clone(),
        Vault::new(pool, MASTER).forgetting(&house.heads),
    );
    let first = async || format!("{:?}", elsewhere.read(0, 1).await.expect("the log"));
    assert!(first().await.contains("amal@example.org"));
    house
        .erase(amal, &context(Some(amal)))
        .await
        .expect("erased");
    // Only the first event is read: nothing in it tells of the erasure.
    until("the other process forgets", async || {
        !first().await.contains("amal@example.org")
    })
    .await;
    relay.stop().await;
}

#[tokio::test]
async fn who_reads_of_the_erasure_opens_nothing_with_a_key_from_before() {
    let house = House::new().await;
    let relay = house.relay().await;
    let amal = house.claimed("amal@example.org").await;
    house.whole_log().await;
    let pool = house.database.pool.clone();
    // It hears nothing from others.
    let deaf = Log::new(pool.clone(), Vault::new(pool, MASTER));
    assert!(format!("{:?}", deaf.read(0, 1).await.expect("read")).contains("amal@"));
    house
        .erase(amal, &context(Some(amal)))
        .await
        .expect("erased");
    house.whole_log().await;
    assert!(!format!("{:?}", deaf.read(0, 10).await.expect("read")).contains("amal@"));
    relay.stop().await;
}

#[tokio::test]
async fn an_erasure_that_is_not_appended_destroys_nothing_and_a_grave_stays_one() {
    let house = House::new().await;
    let amal = house.claimed("amal@example.org").await;
    let late = Context {
        expected_version: Some(7),
        ..context(Some(amal))
    };
    let refused = house.erase(amal, &late).await;
    assert!(matches!(
        refused,
        Err(DispatchError::VersionMismatch { current: 1 })
    ));
    let user = house
        .store
        .load::<User>(amal)
        .await
        .expect("loaded")
        .aggregate;
    assert!(
        user.standing()
            .is_some_and(|standing| standing.email.get().is_some())
    );

    house
        .erase(amal, &context(Some(amal)))
        .await
        .expect("erased");
    house
        .erase(amal, &context(Some(amal)))
        .await
        .expect("again");
    let revived =
        sqlx::query("UPDATE vault.subject_keys SET wrapped_key = '\\x00', erased_at = NULL")
            .execute(&house.database.pool)
            .await;
    let error = revived.expect_err("refused").to_string();
    assert!(error.contains("stays erased"), "{error}");
}
