//! How far a text is from the right one: character and word error rates, raw and normalised.
//!
//! An error rate is edits divided by the length of the reference; it can exceed 1. Every figure
//! names its level, because Arabic print and its readers disagree about marks, hamzas and tatweel.

use std::collections::HashMap;
use std::hash::Hash;

use unicode_normalization::UnicodeNormalization;

use crate::text::is_bidi_control;

/// How much is forgiven before texts are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// NFC, no bidirectional controls, white space as single spaces.
    Raw,
    /// And NFKC, without tatweel and Arabic vowel marks.
    Marks,
    /// And one form of alef, yeh, heh and the hamza carriers, ASCII digits.
    Letters,
    /// And lower case, without punctuation.
    Words,
}

/// The text as it is compared at this level.
pub fn normalise(text: &str, level: Level) -> String {
    let composed: String = if level >= Level::Marks {
        text.nfkc().collect()
    } else {
        text.nfc().collect()
    };
    let mut kept = String::with_capacity(composed.len());
    for letter in composed.chars().filter(|letter| !is_bidi_control(*letter)) {
        if level >= Level::Marks && is_arabic_mark(letter) {
            continue;
        }
        let letter = if level >= Level::Letters {
            folded(letter)
        } else {
            letter
        };
        if level < Level::Words {
            kept.push(letter);
        } else if letter.is_alphanumeric() || letter.is_whitespace() {
            kept.extend(letter.to_lowercase());
        } else if !matches!(letter, '\'' | '\u{2019}') {
            // An apostrophe joins, any other sign separates.
            kept.push(' ');
        }
    }
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Character error rate of `heard` against `reference` at a level.
pub fn character_error_rate(reference: &str, heard: &str, level: Level) -> f64 {
    let reference: Vec<char> = normalise(reference, level).chars().collect();
    let heard: Vec<char> = normalise(heard, level).chars().collect();
    rate(&reference, &heard)
}

/// Word error rate of `heard` against `reference` at a level.
pub fn word_error_rate(reference: &str, heard: &str, level: Level) -> f64 {
    let (reference, heard) = (normalise(reference, level), normalise(heard, level));
    let reference: Vec<&str> = reference
        .split(' ')
        .filter(|word| !word.is_empty())
        .collect();
    let heard: Vec<&str> = heard.split(' ').filter(|word| !word.is_empty()).collect();
    rate(&reference, &heard)
}

/// Insertions, deletions and substitutions that lead from one to the other.
pub fn distance<T: Eq + Hash + Copy>(one: &[T], other: &[T]) -> usize {
    let mut ids = HashMap::new();
    let one = numbered(one, &mut ids);
    let other = numbered(other, &mut ids);
    let mut row: Vec<u32> = (0..=other.len() as u32).collect();
    for (index, left) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = index as u32 + 1;
        let mut before = row[0];
        for (cell, right) in row[1..].iter_mut().zip(&other) {
            let replaced = diagonal + u32::from(left != right);
            diagonal = *cell;
            before = replaced.min(diagonal + 1).min(before + 1);
            *cell = before;
        }
    }
    row.last().map_or(0, |edits| *edits as usize)
}

/// Numbers compare faster than words.
fn numbered<T: Eq + Hash + Copy>(items: &[T], ids: &mut HashMap<T, u32>) -> Vec<u32> {
    items
        .iter()
        .map(|item| {
            let next = ids.len() as u32;
            *ids.entry(*item).or_insert(next)
        })
        .collect()
}

fn rate<T: Eq + Hash + Copy>(reference: &[T], heard: &[T]) -> f64 {
    if reference.is_empty() {
        return if heard.is_empty() { 0.0 } else { 1.0 };
    }
    distance(reference, heard) as f64 / reference.len() as f64
}

pub(crate) fn is_arabic_mark(letter: char) -> bool {
    matches!(letter, '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{610}'..='\u{61a}' | '\u{6d6}'..='\u{6ed}')
}

pub(crate) fn folded(letter: char) -> char {
    match letter {
        'أ' | 'إ' | 'آ' | 'ٱ' => 'ا',
        'ى' | 'ئ' => 'ي',
        'ة' => 'ه',
        'ؤ' => 'و',
        '\u{660}'..='\u{669}' => digit(letter, 0x660),
        '\u{6f0}'..='\u{6f9}' => digit(letter, 0x6f0),
        other => other,
    }
}

fn digit(letter: char, zero: u32) -> char {
    char::from_digit(letter as u32 - zero, 10).unwrap_or(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_each_kind_of_edit() {
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        for (one, other, edits) in [
            ("kitten", "sitting", 3),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abc", 0),
            ("ab", "ba", 2),
        ] {
            assert_eq!(
                distance(&letters(one), &letters(other)),
                edits,
                "{one} {other}"
            );
        }
    }

    #[test]
    fn rates_are_edits_over_the_length_of_the_reference() {
        let rate = word_error_rate("ask not what you can", "ask what you can do", Level::Raw);
        assert!((rate - 0.4).abs() < 1e-9);
        assert!(character_error_rate("", "", Level::Raw).abs() < 1e-9);
        assert!((character_error_rate("", "x", Level::Raw) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn each_level_forgives_more() {
        let (printed, typed) = ("\u{202b}الإِســلام، ١٢\u{202c}", "الاسلام 12");
        let rates = [Level::Raw, Level::Marks, Level::Letters, Level::Words]
            .map(|level| character_error_rate(typed, printed, level));
        assert!(rates.is_sorted_by(|more, less| more >= less), "{rates:?}");
        assert!(rates[3].abs() < 1e-9 && rates[0] > 0.3, "{rates:?}");
        assert_eq!(
            normalise("Don\u{2019}t,\u{a0}STOP!", Level::Words),
            "dont stop"
        );
    }
}
