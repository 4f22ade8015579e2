//! Small facts about letters that several readers of text share.

use unicode_normalization::UnicodeNormalization;

/// Marks that steer the direction of writing and are not part of the text.
pub fn is_bidi_control(letter: char) -> bool {
    matches!(
        letter,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}

/// Presentation forms, ligatures and full-width signs as plain letters (NFKC).
pub fn plain_letters(text: &str) -> String {
    text.nfkc().collect()
}
