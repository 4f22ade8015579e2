//! The master key is changed while the service runs: nothing becomes unreadable on the way, and what
//! was destroyed stays destroyed.

use crate::house::{House, MASTER, context, registration};
use domain::{User, user::UserCommand};
use event_store::{
    Also, Erase, EventStore, Log, MasterKeys, Rotated, StoreError, StoreSettings, Vault, Wrapping,
    rotate, wrappings,
};
use sqlx::PgPool;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const NEXT: [u8; 32] = [11; 32];

fn both() -> MasterKeys {
    MasterKeys::new(NEXT, [MASTER])
}

impl House {
    fn pool(&self) -> &PgPool {
        &self.database.pool
    }

    /// The store of a process that was started with these master keys.
    fn store_with(&self, masters: MasterKeys) -> EventStore {
        let settings = StoreSettings {
            ids: self.ids.clone(),
            address_key: [9; 32],
            position_timeout: Duration::from_secs(5),
            applied_timeout: Duration::from_secs(5),
        };
        let vault = Vault::new(self.pool().clone(), masters);
        EventStore::new(self.pool().clone(), vault, self.heads.clone(), settings)
    }

    async fn claim(&self, store: &EventStore, email: &str) -> Uuid {
        let id = self.ids.next();
        let also = Also {
            claim_email: Some((email.into(), id)),
            ..Also::default()
        };
        let (command, context) = (registration(id, email), context(Some(id)));
        let done = store.execute_with::<User>(id, command, &context, also);
        done.await.expect("a registration");
        id
    }

    async fn rotated(&self, masters: MasterKeys) -> Rotated {
        let never = CancellationToken::new();
        let rotated = rotate(self.pool(), &masters, &never, |_| ()).await;
        rotated.expect("a rotation")
    }

    async fn wrapped(&self, masters: &MasterKeys) -> Vec<Wrapping> {
        wrappings(self.pool(), masters).await.expect("counted")
    }
}

async fn email_of(store: &EventStore, id: Uuid) -> Option<String> {
    let user = store.load::<User>(id).await.expect("it opens").aggregate;
    user.standing().and_then(|user| user.email.get().cloned())
}

async fn erased(store: &EventStore, id: Uuid) {
    let also = Also {
        erase: Some(Erase::Person(id)),
        ..Also::default()
    };
    let context = context(Some(id));
    let done = store.execute_with::<User>(id, UserCommand::Erase, &context, also);
    done.await.expect("an erasure");
}

#[tokio::test]
async fn rows_of_both_keys_open_until_all_are_of_the_new_one_and_then_without_the_old() {
    let house = House::new().await;
    let old = house.claim(&house.store, "old@example.org").await;
    let gone = house.claim(&house.store, "gone@example.org").await;
    erased(&house.store, gone).await;
    let between = house.store_with(both());
    let new = house.claim(&between, "new@example.org").await;
    for (id, email) in [(old, "old@example.org"), (new, "new@example.org")] {
        assert_eq!(email_of(&between, id).await.as_deref(), Some(email));
    }
    let counts = |wrappings: Vec<Wrapping>| {
        let count = |one: &Wrapping| (one.keys, one.known, one.current);
        let mut counts: Vec<_> = wrappings.iter().map(count).collect();
        counts.sort_by_key(|count| count.2);
        counts
    };
    let before = counts(house.wrapped(&both()).await);
    assert_eq!(before, [(1, true, false), (1, true, true)]);

    let first = house.rotated(both()).await;
    assert_eq!(
        (first.rewrapped, first.unknown, first.complete),
        (1, 0, true)
    );
    assert_eq!(house.rotated(both()).await.rewrapped, 0, "twice is once");
    let after = counts(house.wrapped(&both()).await);
    assert_eq!(after, [(2, true, true)]);

    let alone = house.store_with(NEXT.into());
    for (id, email) in [(old, "old@example.org"), (new, "new@example.org")] {
        assert_eq!(email_of(&alone, id).await.as_deref(), Some(email));
        // What finds an account by its address has nothing to do with the master key.
        let found = alone.user_with_address(&email.to_uppercase()).await;
        assert_eq!(found.expect("asked"), Some(id));
    }
    let graves: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM vault.subject_keys WHERE wrapped_key IS NULL AND subject_id = $1",
    )
    .bind(gone)
    .fetch_one(house.pool())
    .await
    .expect("counted");
    assert_eq!(graves, 1, "what was destroyed stays destroyed");
}

#[tokio::test]
async fn a_key_that_nobody_knows_is_an_error_and_not_an_erasure() {
    let house = House::new().await;
    let relay = house.relay().await;
    house.claim(&house.store, "old@example.org").await;
    house.whole_log().await;
    let stranger = MasterKeys::from(NEXT);
    let vault = Vault::new(house.pool().clone(), stranger.clone());
    let log = Log::new(house.pool().clone(), vault);
    let refused = log.read(0, 10).await;
    assert!(matches!(
        refused,
        Err(StoreError::UnknownMasterKey(Some(_)))
    ));
    let seen = house.wrapped(&stranger).await;
    assert!(seen.iter().all(|one| !one.known && !one.current));

    let rotated = house.rotated(stranger).await;
    assert_eq!((rotated.rewrapped, rotated.unknown), (0, 1));
    let kept = house.wrapped(&MASTER.into()).await;
    assert!(kept.iter().all(|one| one.known && one.current), "untouched");
    relay.stop().await;
}

#[tokio::test]
async fn one_damaged_row_does_not_keep_the_others_from_being_wrapped_anew() {
    let house = House::new().await;
    let broken = house.claim(&house.store, "broken@example.org").await;
    let sound = house.claim(&house.store, "sound@example.org").await;
    sqlx::query("UPDATE vault.subject_keys SET wrapped_key = '\\x00' WHERE subject_id = $1")
        .bind(broken)
        .execute(house.pool())
        .await
        .expect("damaged");
    let rotated = house.rotated(both()).await;
    assert_eq!(
        (rotated.rewrapped, rotated.damaged, rotated.unknown),
        (1, 1, 0)
    );
    let alone = house.store_with(NEXT.into());
    assert!(email_of(&alone, sound).await.is_some());
}

#[tokio::test]
async fn rows_from_before_keys_had_names_open_with_whichever_wrapped_them() {
    let house = House::new().await;
    let old = house.claim(&house.store, "old@example.org").await;
    sqlx::query("UPDATE vault.subject_keys SET wrapped_by = NULL")
        .execute(house.pool())
        .await
        .expect("as it was");
    let seen = house.wrapped(&both()).await;
    assert!(seen[0].known && seen[0].master_key.is_none());
    assert!(!house.wrapped(&NEXT.into()).await[0].known);
    let store = house.store_with(both());
    assert!(email_of(&store, old).await.is_some());
    assert_eq!(house.rotated(both()).await.rewrapped, 1);
    let alone = house.store_with(NEXT.into());
    assert!(email_of(&alone, old).await.is_some());
}

/// Keys that nobody opens, looked at before all others: twenty fewer than one transaction takes.
async fn strangers(house: &House) {
    sqlx::query(
        "INSERT INTO vault.subject_keys (subject_id, wrapped_key, wrapped_by)
         SELECT ('00000000' || substr(gen_random_uuid()::text, 9))::uuid, '\\x00', 'nobody has it'
         FROM generate_series(1, 480)",
    )
    .execute(house.pool())
    .await
    .expect("keys");
}

#[tokio::test]
async fn a_rotation_that_is_broken_off_keeps_what_it_did_and_goes_on_later() {
    let house = House::new().await;
    for number in 0..30 {
        let email = format!("{number}@example.org");
        house.claim(&house.store, &email).await;
    }
    strangers(&house).await;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let first = rotate(house.pool(), &both(), &stop, |_| stopped.cancel()).await;
    let first = first.expect("a rotation");
    assert_eq!((first.rewrapped, first.complete), (20, false));
    let rest = house.rotated(both()).await;
    assert_eq!((rest.rewrapped, rest.complete), (10, true));
    assert_eq!(rest.unknown, 480);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_and_go_while_the_keys_are_wrapped_anew() {
    let house = House::new().await;
    strangers(&house).await;
    let mut standing = vec![];
    for number in 0..40 {
        let email = format!("{number}@example.org");
        standing.push((house.claim(&house.store, &email).await, email));
    }
    let store = house.store_with(both());
    let (pool, done) = (house.pool().clone(), CancellationToken::new());
    let until_done = done.clone();
    let rotating = tokio::spawn(async move {
        let never = CancellationToken::new();
        let mut rounds = 0;
        while !until_done.is_cancelled() || rounds == 0 {
            rotate(&pool, &both(), &never, |_| ())
                .await
                .expect("a rotation");
            rounds += 1;
        }
    });
    let leaving: Vec<_> = standing.drain(..20).collect();
    for (number, (id, _)) in leaving.iter().enumerate() {
        erased(&store, *id).await;
        // One process is still of the old key.
        let email = format!("late{number}@example.org");
        standing.push((house.claim(&house.store, &email).await, email));
    }
    done.cancel();
    rotating.await.expect("no rotation fails");
    house.rotated(both()).await;
    let alone = house.store_with(NEXT.into());
    for (id, email) in &standing {
        assert_eq!(email_of(&alone, *id).await.as_ref(), Some(email));
    }
    let left = house.wrapped(&both()).await;
    assert!(left.iter().filter(|one| one.known).all(|one| one.current));
    for (id, _) in &leaving {
        let user = alone.load::<User>(*id).await.expect("it opens").aggregate;
        assert!(
            user.standing()
                .is_none_or(|user| user.email.get().is_none())
        );
    }
}
