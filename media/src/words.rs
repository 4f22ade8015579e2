//! Words as they are searched: one folding for what is indexed and for what is asked, so that forms
//! of the same word meet. It knows no SQL beyond the spelling of a `tsquery`.
//!
//! The folding is done here and not by a text search configuration of PostgreSQL: those on offer stem
//! English words or none, keep Arabic vowel marks and hamzas apart, and would tie the index to what
//! is installed beside the server.

use std::{collections::BTreeSet, fmt};

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::score;
use crate::text::is_bidi_control;

/// Letters of a word that count; what is longer is no word but must not break the index.
const LONGEST: usize = 60;
/// Bytes of all words of one text; a `tsvector` holds 1 MiB.
const MOST_BYTES: usize = 768 << 10;
/// The most words that one may ask for at once.
pub const MOST_ASKED: usize = 32;

/// Somebody asks for more than [`MOST_ASKED`] words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have at most {MOST_ASKED} words")]
pub struct TooManyWords;

/// The different words of a text, in order, each with the shorter ones that it may be a form of.
/// A text with more than 768 KiB of different words is cut there.
pub fn index(text: &str) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut left = MOST_BYTES;
    for word in Words::of(text) {
        if found.contains(&word) {
            continue;
        }
        for form in forms(&word) {
            if found.contains(form.word) {
                continue;
            }
            let Some(rest) = left.checked_sub(form.word.len()) else {
                return found.into_iter().collect();
            };
            left = rest;
            found.insert(form.word.to_owned());
        }
    }
    found.into_iter().collect()
}

/// What finds the texts in which every word of `text` begins a word; `None` for a text without any
/// word, which finds nothing.
///
/// # Errors
/// [`TooManyWords`].
pub fn query(text: &str) -> Result<Option<Query>, TooManyWords> {
    let words: BTreeSet<String> = Words::of(text).take(MOST_ASKED * 8).collect();
    if words.len() > MOST_ASKED {
        return Err(TooManyWords);
    }
    let each: Vec<_> = words.iter().map(|word| owned(forms(word))).collect();
    Ok((!each.is_empty()).then_some(Query(each)))
}

/// Words that a text must have, all of them, each in any of its forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query(Vec<Vec<Form>>);

impl Query {
    /// The forms of each word.
    pub fn words(&self) -> &[Vec<Form>] {
        &self.0
    }
}

/// As a `tsquery`. Words are letters and digits, so nothing needs an escape.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, forms) in self.0.iter().enumerate() {
            f.write_str(if n == 0 { "(" } else { " & (" })?;
            for (n, Form { word, is_beginning }) in forms.iter().enumerate() {
                let (or, star) = (
                    ["", " | "][n.min(1)],
                    ["", ":*"][usize::from(*is_beginning)],
                );
                write!(f, "{or}'{word}'{star}")?;
            }
            f.write_str(")")?;
        }
        Ok(())
    }
}

/// A word, or what is left of it without what may have been put before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form<W = String> {
    /// Folded.
    pub word: W,
    /// It is certain enough to stand for everything that begins with it.
    pub is_beginning: bool,
}

fn owned(forms: Vec<Form<&str>>) -> Vec<Form> {
    let owned = forms.into_iter().map(|form| Form {
        word: form.word.to_owned(),
        is_beginning: form.is_beginning,
    });
    owned.collect()
}

/// The word itself, and an Arabic one without the article and the one-letter words that are written
/// together with the next: which first letters are such words only a reader knows, so both count.
fn forms(word: &str) -> Vec<Form<&str>> {
    let mut found = vec![Form {
        word,
        is_beginning: true,
    }];
    if !word.starts_with(['و', 'ف', 'ب', 'ك', 'ل', 'ا']) {
        return found;
    }
    for before in [&['و', 'ف'][..], &['ب', 'ك', 'ل'][..]] {
        for at in 0..found.len() {
            let rest = found[at].word.strip_prefix(before);
            if let Some(word) = rest.filter(|rest| rest.chars().count() >= 3) {
                found.push(Form {
                    word,
                    is_beginning: false,
                });
            }
        }
    }
    for at in 0..found.len() {
        let rest = found[at].word.strip_prefix("ال");
        let rest = rest.or_else(|| found[at].word.strip_prefix("لل"));
        let letters = rest.map_or(0, |rest| rest.chars().count());
        // The name of God has no article.
        if let Some(word) = rest.filter(|rest| letters >= 2 && *rest != "له") {
            found.push(Form {
                word,
                is_beginning: letters >= 3,
            });
        }
    }
    found
}

/// The folded words of a text, one after the other.
struct Words<I> {
    letters: I,
}

impl Words<()> {
    fn of(text: &str) -> Words<impl Iterator<Item = char> + '_> {
        let letters = text.nfkd().filter(|letter| !is_dropped(*letter));
        Words {
            letters: letters.flat_map(|letter| folded(letter).to_lowercase()),
        }
    }
}

impl<I: Iterator<Item = char>> Iterator for Words<I> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let part = |letter: &char| letter.is_alphanumeric() || is_combining_mark(*letter);
        let mut word = String::from(self.letters.find(|letter| letter.is_alphanumeric())?);
        let mut length = 1;
        while let Some(letter) = self.letters.next().filter(part) {
            if length < LONGEST {
                word.push(letter);
            }
            length += 1;
        }
        Some(word)
    }
}

/// Marks that are written or left out as one likes: accents, Arabic and Hebrew vowel signs, tatweel,
/// hamzas (which NFKD has parted from their carriers), joiners. Marks that make letters, as in Indic
/// scripts, stay.
fn is_dropped(letter: char) -> bool {
    score::is_arabic_mark(letter)
        || is_bidi_control(letter)
        || matches!(
            letter,
            '\u{300}'..='\u{36f}'
                | '\u{591}'..='\u{5bd}'
                | '\u{5bf}'
                | '\u{5c1}'..='\u{5c2}'
                | '\u{5c4}'..='\u{5c5}'
                | '\u{5c7}'
                | '\u{8d3}'..='\u{8ff}'
                | '\u{ad}'
                | '\u{200b}'..='\u{200d}'
        )
}

/// One form of letters that are typed for one another; Persian keyboards have their own kaf and yeh.
fn folded(letter: char) -> char {
    match letter {
        '\u{6a9}' => 'ك',
        '\u{6cc}' => 'ي',
        '\u{6c1}' | '\u{6d5}' => 'ه',
        other => score::folded(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a text is found, as PostgreSQL would see it.
    fn finds(asked: &str, text: &str) -> bool {
        let words = index(text);
        let query = query(asked).expect("few words");
        query.is_some_and(|query| {
            query.to_string().split(" & ").all(|any| {
                let any = any.trim_matches(['(', ')']);
                any.split(" | ").any(|one| match one.strip_suffix(":*") {
                    Some(start) => {
                        let start = start.trim_matches('\'');
                        words.iter().any(|word| word.starts_with(start))
                    }
                    None => words.iter().any(|word| word == one.trim_matches('\'')),
                })
            })
        })
    }

    #[test]
    fn arabic_words_are_found_with_and_without_vowel_marks() {
        for (asked, text) in [
            ("المدرسة", "ذَهَبْتُ إِلَى الْمَدْرَسَةِ صَبَاحًا"),
            ("الْمَدْرَسَة", "ذهبت الى المدرسه صباحا"),
            ("كتاب", "هذا كِتَابٌ جديد"),
            ("كِتَابٌ", "كتاب"),
            ("محمد", "مُحَمَّدٌ"),
            ("سلام", "ســـلام عليكم"),
            ("هذا", "هٰذا"),
        ] {
            assert!(finds(asked, text), "{asked} in {text}");
        }
    }

    #[test]
    fn arabic_words_are_found_in_other_letter_forms() {
        for (asked, text) in [
            ("احمد", "أحمد"),
            ("أحمد", "احمد"),
            ("اسلام", "الإسلام"),
            ("القرآن", "القران الكريم"),
            ("ابن", "ٱبن"),
            ("مستشفي", "مستشفى"),
            ("مستشفى", "مستشفي"),
            ("رسالة", "رساله"),
            ("مسوول", "مسؤول"),
            ("قاري", "قارئ"),
            ("2024", "عام ٢٠٢٤"),
            ("١٤٤٥", "1445"),
            ("لا", "\u{fefb}"),
            (
                "محمد",
                "\u{feb3}\u{fee3}\u{fea4}\u{fee4}\u{feaa} \u{fee3}\u{fea4}\u{fee4}\u{feaa}",
            ),
            ("کتاب", "كتاب"),
            ("فارسي", "فارسی"),
        ] {
            assert!(finds(asked, text), "{asked} in {text}");
        }
    }

    #[test]
    fn arabic_words_are_found_with_and_without_what_is_written_together_with_them() {
        for written in [
            "مدرسة",
            "المدرسة",
            "والمدرسة",
            "بالمدرسة",
            "للمدرسة",
            "كالمدرسة",
            "فالمدرسة",
            "وبالمدرسة",
            "وللمدرسة",
            "بمدرسة",
            "لمدرسة",
            "ومدرسة",
        ] {
            for asked in ["مدرسة", "المدرسة", "مدرس", "والمدرسة", "للمدرسة"]
            {
                assert!(finds(asked, written), "{asked} in {written}");
            }
        }
        assert!(finds("يد", "في اليد"));
    }

    #[test]
    fn other_arabic_words_are_not_found() {
        for (asked, text) in [
            ("كتاب", "تابع العمل"),
            ("الله", "له ولهم"),
            ("اليد", "يدرس"),
            ("بيت", "يتيم"),
            ("مدرسة", "مدينة"),
        ] {
            assert!(!finds(asked, text), "{asked} in {text}");
        }
    }

    #[test]
    fn latin_words_are_found_in_any_case_with_or_without_accents_and_as_they_are_typed() {
        for (asked, text) in [
            ("CAFE", "Le café"),
            ("café", "CAFE"),
            ("naïve", "nai\u{308}ve"),
            ("istanbul", "İstanbul"),
            ("o", "one"),
            ("let pd", "Letter_of-May.PDF"),
            ("office", "o\u{fb03}ce"),
            ("ａｂｃ", "abc"),
        ] {
            assert!(finds(asked, text), "{asked} in {text}");
        }
        assert!(!finds("let rain", "letter"));
        assert!(!finds("etter", "letter"));
    }

    #[test]
    fn what_has_no_words_finds_nothing() {
        for asked in [
            "",
            " ",
            "!?",
            "_",
            "\u{640}",
            "\u{64e}\u{650}",
            "'\\&|:*()<->",
            "\u{301}",
        ] {
            assert_eq!(query(asked), Ok(None), "{asked:?}");
        }
        assert_eq!(index("-- !"), Vec::<String>::new());
    }

    #[test]
    fn a_query_is_only_words_and_no_more_than_so_many() {
        let spelled = |asked| query(asked).map(|query| query.map(|query| query.to_string()));
        assert_eq!(spelled("a'b\\"), Ok(Some("('a':*) & ('b':*)".into())));
        assert_eq!(spelled("والد"), Ok(Some("('والد':* | 'الد')".into())));
        let words = |count: usize| {
            (0..count)
                .map(|n| format!("w{n}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert!(query(&words(MOST_ASKED)).is_ok());
        assert_eq!(query(&words(MOST_ASKED + 1)), Err(TooManyWords));
    }

    #[test]
    fn words_stay_within_what_a_tsvector_holds() {
        let long = "ab".repeat(200_000);
        let words = index(&long);
        assert_eq!(
            words
                .iter()
                .map(|word| word.chars().count())
                .collect::<Vec<_>>(),
            [LONGEST]
        );
        assert!(finds(&long, &long));
        let many = (0..200_000).map(|n| format!("\u{fdfa}{n} "));
        let many = many.collect::<Vec<_>>().concat();
        let bytes: usize = index(&many).iter().map(String::len).sum();
        assert!((700_000..=MOST_BYTES).contains(&bytes), "{bytes}");
    }

    #[test]
    fn scripts_whose_marks_make_letters_keep_them() {
        assert!(finds("हिन्दी", "हिन्दी भाषा"));
        assert_ne!(index("हिन्दी"), index("हन्द"));
    }
}
