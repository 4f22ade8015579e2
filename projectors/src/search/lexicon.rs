//! How many items have each word: kept up with the rows in the same transaction, a batch at a time, and
//! without a trace of words that no item has any more.

use sqlx::PgConnection;
use std::collections::BTreeMap;

/// What a batch of events changes in `search_lexicon`.
#[derive(Debug, Default)]
pub(super) struct Lexicon(BTreeMap<String, i64>);

impl Lexicon {
    /// An item that was found by these words is found by those.
    pub(super) fn changes(&mut self, before: Option<Vec<String>>, after: Option<Vec<String>>) {
        for word in before.into_iter().flatten() {
            self.count(word, -1);
        }
        for word in after.into_iter().flatten() {
            self.count(word, 1);
        }
    }

    /// Marks of time are not looked up.
    fn count(&mut self, word: String, items: i64) {
        if !word.starts_with('@') {
            *self.0.entry(word).or_default() += items;
        }
    }

    /// Brings the table up to date.
    pub(super) async fn write(mut self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.0.retain(|_, items| *items != 0);
        if self.0.is_empty() {
            return Ok(());
        }
        let fewer = self.0.iter().filter(|(_, items)| **items < 0);
        let fewer: Vec<_> = fewer.map(|(word, _)| word.clone()).collect();
        let (words, items): (Vec<_>, Vec<_>) = self.0.into_iter().unzip();
        sqlx::query!(
            "INSERT INTO search_lexicon AS l (word, items) SELECT * FROM unnest($1::text[], $2::bigint[])
             ON CONFLICT (word) DO UPDATE SET items = l.items + excluded.items",
            &words,
            &items,
        )
        .execute(&mut *tx)
        .await?;
        if !fewer.is_empty() {
            sqlx::query!(
                "DELETE FROM search_lexicon WHERE word = ANY($1) AND items = 0",
                &fewer,
            )
            .execute(tx)
            .await?;
        }
        Ok(())
    }
}
