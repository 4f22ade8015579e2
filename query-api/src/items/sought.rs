//! What a search comes to: the indexed words that the searched ones stand for, with how many items have
//! each, looked up before the search itself. So the index is asked for whole words, which meet with
//! one another without all their items being read, and what a search costs is known beforehand.

use super::{marks, places::Wanted};
use crate::visible::{Part, Visible};
use media::words::Query;
use sqlx::PgConnection;
use time::OffsetDateTime;

/// The most words that one beginning is replaced by; for more, the index looks for the beginning.
const MOST_WORDS: usize = 100;
/// The most projects that the index is asked for.
const MOST_PROJECTS: usize = 100;
/// The share of items from which on the index is not asked for a mark: the rows say it too, and for most
/// items that is the cheaper way.
const MOST_MARKED: f64 = 0.2;

/// The share of items that a beginning of more words than could be named is taken to have.
const VAGUE: f64 = 0.5;

/// A search as the index understands it.
#[derive(Debug, PartialEq)]
pub(super) struct Sought {
    /// What the index knows by name, as a `tsquery`; empty where that is nothing.
    pub named: String,
    /// Beginnings that stand for more words than could be named, as a `tsquery`: the index would have
    /// to read all their items. Empty where there is none.
    pub vague: String,
    /// The share of items that are likely to have what is named.
    pub share_named: f64,
    /// The share of items that are likely to have it all.
    pub share: f64,
    /// When the item was created that comes first in a list by time.
    pub outermost: Option<OffsetDateTime>,
}

/// A word or mark to be looked up.
#[derive(Debug, Clone, PartialEq)]
struct Key {
    word: String,
    is_beginning: bool,
}

/// Of what any must be had.
#[derive(Debug, Clone, PartialEq)]
struct Any {
    of: Vec<All>,
    /// It says where an item is to be, as its row does.
    marks: bool,
}

/// All of these.
type All = Vec<Key>;

/// Words of the lexicon, and how many items have each.
type Known = Vec<(String, i64)>;

impl Sought {
    /// What finds these words where the caller may see them, among so many items; `None` when no item
    /// has one of them.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub(super) async fn look_up(
        connection: &mut PgConnection,
        words: &Query,
        visible: &Visible,
        wanted: &Wanted,
        items: f64,
    ) -> Result<Option<Self>, sqlx::Error> {
        let asked = asked(words, visible, wanted);
        let keys: Vec<_> = asked.iter().flat_map(|any| &any.of).flatten().collect();
        let (known, outermost) = known(connection, &keys, wanted.descending).await?;
        let sought = Self::of(&asked, known, items);
        Ok(sought.map(|sought| Self {
            outermost,
            ..sought
        }))
    }

    /// All of it, as a `tsquery`.
    pub(super) fn spelled(&self) -> String {
        let both = [&*self.named, &*self.vague];
        let both = both.into_iter().filter(|part| !part.is_empty());
        both.collect::<Vec<_>>().join(" & ")
    }

    fn of(asked: &[Any], known: Vec<Known>, items: f64) -> Option<Self> {
        let mut known = known.into_iter();
        let (mut named, mut vague) = (vec![], vec![]);
        let (mut words_named, mut words, mut marks_named, mut marks) = (vec![], vec![], 1.0, 1.0);
        for any in asked {
            let (mut either, mut shares, mut is_vague) = (vec![], vec![], false);
            for all in &any.of {
                let (mut both, mut each) = (vec![], vec![]);
                for (key, known) in all.iter().zip(known.by_ref()) {
                    is_vague |= known.len() > MOST_WORDS;
                    each.push(share_of(&known, items));
                    both.extend(spell(key, &known));
                }
                if both.len() == all.len() {
                    either.push(both.join(" & "));
                    shares.push(each);
                }
            }
            if either.is_empty() {
                return None;
            }
            let spelled = format!("({})", either.join(" | "));
            if any.marks {
                let share = marked(&shares);
                marks *= share;
                if share < MOST_MARKED {
                    marks_named *= share;
                    named.push(spelled);
                }
                continue;
            }
            let share = either_of(shares.concat());
            words.push(share);
            if is_vague {
                vague.push(spelled);
            } else {
                words_named.push(share);
                named.push(spelled);
            }
        }
        Some(Self {
            named: named.join(" & "),
            vague: vague.join(" & "),
            share_named: together(words_named) * marks_named,
            share: together(words) * marks,
            outermost: None,
        })
    }
}

/// All that must be had.
fn asked(words: &Query, visible: &Visible, wanted: &Wanted) -> Vec<Any> {
    let mark = |word| Key {
        word,
        is_beginning: false,
    };
    let words = words.words().iter().map(|forms| {
        let keys = forms.iter().map(|form| Key {
            word: form.word.clone(),
            is_beginning: form.is_beginning,
        });
        Any {
            of: keys.map(|key| vec![key]).collect(),
            marks: false,
        }
    });
    let mut asked: Vec<_> = words.collect();
    if let Visible::Only(projects) = visible
        && projects.len() <= MOST_PROJECTS
    {
        let any = projects.iter().map(|(id, part)| match part {
            Part::All | Part::HandedIn => vec![mark(marks::project(*id))],
            Part::Own => vec![
                mark(marks::project(*id)),
                mark(marks::owner(wanted.caller_id)),
            ],
        });
        asked.push(Any {
            of: any.collect(),
            marks: true,
        });
    }
    if let Some(owner_id) = wanted.owner_id {
        asked.push(Any {
            of: vec![vec![mark(marks::owner(owner_id))]],
            marks: true,
        });
    }
    asked
}

/// What the lexicon has for each key; and when the newest item was created, or the oldest.
async fn known(
    connection: &mut PgConnection,
    keys: &[&Key],
    newest: bool,
) -> Result<(Vec<Known>, Option<OffsetDateTime>), sqlx::Error> {
    let (mut from, mut to) = (vec![], vec![]);
    for key in keys {
        from.push(key.word.clone());
        let last = if key.is_beginning { "\u{10FFFF}" } else { "" };
        to.push(format!("{}{last}", key.word));
    }
    let mut known = vec![vec![]; from.len()];
    // Behind a SELECT, so that values do not show and one plan does for all: to plan takes longer than
    // to look.
    let rows = sqlx::query!(
        r#"SELECT asked.number AS "number!", found.word, found.items,
                  CASE WHEN (SELECT $4::boolean) THEN (SELECT max(created_at) FROM search)
                       ELSE (SELECT min(created_at) FROM search) END AS outermost
           FROM unnest((SELECT $1::text[]), (SELECT $2::text[]))
                WITH ORDINALITY AS asked(first, last, number)
           CROSS JOIN LATERAL (
               SELECT l.word, l.items FROM search_lexicon l
               WHERE l.word BETWEEN asked.first AND asked.last
               ORDER BY l.word LIMIT (SELECT $3::bigint)) AS found"#,
        &from,
        &to,
        MOST_WORDS as i64 + 1,
        newest,
    )
    .fetch_all(connection)
    .await?;
    let outermost = rows.first().and_then(|row| row.outermost);
    for row in rows {
        known[row.number as usize - 1].push((row.word, row.items));
    }
    Ok((known, outermost))
}

/// The share of items that have all of some words, each of which this share has. Words that are searched
/// together stand together more often than chance would have it: each after the rarest counts for less,
/// its share's square root, the next one's fourth root and so on ("exponential backoff").
fn together(mut shares: Vec<f64>) -> f64 {
    shares.sort_by(f64::total_cmp);
    let roots = shares.into_iter().zip(0..);
    roots
        .map(|(share, n)| share.powf(0.5_f64.powi(n)))
        .product()
}

/// The share of items that have any of some words.
fn either_of(shares: Vec<f64>) -> f64 {
    1.0 - shares.into_iter().map(|share| 1.0 - share).product::<f64>()
}

/// The share of items that stand where one of these marks says: in one project or another, or, where an
/// owner is named too, in one of those and theirs. No item is in two projects.
fn marked(shares: &[Vec<f64>]) -> f64 {
    let (mut whole, mut own, mut owner) = (0.0, 0.0, 1.0);
    for each in shares {
        match each[..] {
            [project, owners] => (own, owner) = (own + project, owners),
            _ => whole += each.iter().sum::<f64>(),
        }
    }
    f64::min(whole + f64::min(own, owner), 1.0)
}

fn share_of(known: &Known, items: f64) -> f64 {
    if known.len() > MOST_WORDS {
        return VAGUE;
    }
    either_of(
        known
            .iter()
            .map(|(_, had)| (*had as f64 / items).min(1.0))
            .collect(),
    )
}

/// Words are letters and digits, and marks have none but `#`, `^` and `-` besides: nothing needs an
/// escape.
fn spell(key: &Key, known: &Known) -> Option<String> {
    if known.len() > MOST_WORDS {
        return Some(format!("'{}':*", key.word));
    }
    let words: Vec<_> = known.iter().map(|(word, _)| format!("'{word}'")).collect();
    (!words.is_empty()).then(|| format!("({})", words.join(" | ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(word: &str, is_beginning: bool) -> Key {
        Key {
            word: word.into(),
            is_beginning,
        }
    }

    fn had(words: &[(&str, i64)]) -> Known {
        words
            .iter()
            .map(|(word, items)| ((*word).to_owned(), *items))
            .collect()
    }

    fn any(of: Vec<All>) -> Any {
        Any { of, marks: false }
    }

    #[test]
    fn a_word_stands_for_all_that_begin_with_it_and_counts_with_them() {
        let asked = ["even", "odd"].map(|word| any(vec![vec![key(word, true)]]));
        let known = vec![
            had(&[("even", 500), ("evening", 100)]),
            had(&[("odd", 500)]),
        ];
        let sought = Sought::of(&asked, known, 1_000.0).expect("all are there");
        assert_eq!(sought.named, "(('even' | 'evening')) & (('odd'))");
        assert_eq!(sought.vague, "");
        // The half that has "odd", and the root of what has either form of "even".
        assert!(
            (sought.share - 0.5 * 0.55_f64.sqrt()).abs() < 1e-9,
            "{sought:?}"
        );
    }

    #[test]
    fn one_of_the_forms_is_enough_and_one_of_the_words_is_not() {
        let forms = any(vec![vec![key("والبيت", true)], vec![key("بيت", true)]]);
        let known = vec![had(&[]), had(&[("بيت", 7)])];
        let one = Sought::of(std::slice::from_ref(&forms), known.clone(), 10.0);
        let spelled = one.map(|sought| sought.spelled());
        assert_eq!(spelled.as_deref(), Some("(('بيت'))"));
        let asked = [forms, any(vec![vec![key("rain", true)]])];
        let known = [known, vec![had(&[])]].concat();
        assert_eq!(Sought::of(&asked, known, 10.0), None);
    }

    #[test]
    fn a_beginning_of_too_many_words_is_told_from_what_can_be_named() {
        let many: Known = (0..=MOST_WORDS).map(|n| (format!("a{n}"), 1)).collect();
        let asked = ["a", "odd"].map(|word| any(vec![vec![key(word, true)]]));
        let known = vec![many, had(&[("odd", 500)])];
        let alone = Sought::of(&asked[..1], known.clone(), 1_000.0).expect("there are some");
        assert_eq!((&*alone.named, &*alone.vague), ("", "('a':*)"));
        assert_eq!(alone.spelled(), "('a':*)");
        let with_another = Sought::of(&asked, known, 1_000.0).expect("there are some");
        assert_eq!(with_another.spelled(), "(('odd')) & ('a':*)");
        let shares = (with_another.share_named, with_another.share);
        assert!((shares.0 - 0.5).abs() < 1e-9 && (shares.1 - 0.5_f64.powf(1.5)).abs() < 1e-9);
    }

    #[test]
    fn what_is_mine_in_one_project_and_all_of_another_is_one_question() {
        let own = vec![key("#1", false), key("^me", false)];
        let asked = [Any {
            of: vec![own, vec![key("#2", false)]],
            marks: true,
        }];
        let known = vec![had(&[("#1", 50)]), had(&[("^me", 10)]), had(&[("#2", 20)])];
        let sought = Sought::of(&asked, known.clone(), 1_000.0).expect("all are there");
        assert_eq!(sought.spelled(), "(('#1') & ('^me') | ('#2'))");
        assert!((sought.share - 0.03).abs() < 1e-9, "{sought:?}");
        let mut none_of_mine = known;
        none_of_mine[1].clear();
        let sought = Sought::of(&asked, none_of_mine, 1_000.0).expect("the other project");
        assert_eq!(sought.spelled(), "(('#2'))");
    }

    #[test]
    fn a_mark_that_most_items_have_counts_and_is_left_to_the_rows() {
        let spelled = |marked: i64| {
            let asked = [
                any(vec![vec![key("rain", true)]]),
                Any {
                    of: vec![vec![key("#1", false)]],
                    marks: true,
                },
            ];
            let known = vec![had(&[("rain", 10)]), had(&[("#1", marked)])];
            let sought = Sought::of(&asked, known, 100.0)?;
            assert!((sought.share - 0.1 * marked as f64 / 100.0).abs() < 1e-9);
            Some(sought.spelled())
        };
        assert_eq!(spelled(50).as_deref(), Some("(('rain'))"));
        assert_eq!(spelled(5).as_deref(), Some("(('rain')) & (('#1'))"));
    }
}
