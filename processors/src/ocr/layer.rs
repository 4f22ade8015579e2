//! Whether the text inside a PDF page can be trusted, and its tidying. A layer that is thin,
//! unmapped or written backwards is worse than reading the picture.

use media::text::{is_bidi_control, plain_letters};

/// Fewer characters than this are a page number or a stamp, not the page's text.
const ENOUGH: usize = 20;

/// The tidied layer, if it can stand for the page.
pub fn usable(layer: &str) -> Option<String> {
    let text = tidy(layer);
    let visible: Vec<char> = text
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .collect();
    let unmapped = visible
        .iter()
        .filter(|letter| is_unmapped(**letter))
        .count();
    (visible.len() >= ENOUGH && unmapped * 10 < visible.len() * 3 && !is_backwards(&text))
        .then_some(text)
}

/// Removes what steers and what cannot be seen; presentation forms become letters in Arabic.
pub fn tidy(text: &str) -> String {
    let keep = |letter: &char| {
        !is_bidi_control(*letter) && (!letter.is_control() || matches!(letter, '\n' | '\t'))
    };
    let kept: String = text.replace("\r\n", "\n").chars().filter(keep).collect();
    let tidied = if kept.chars().any(is_arabic) {
        plain_letters(&kept)
    } else {
        kept
    };
    let lines: Vec<&str> = tidied.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

fn is_arabic(letter: char) -> bool {
    matches!(letter, '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}')
}

fn is_unmapped(letter: char) -> bool {
    matches!(letter, '\u{fffd}' | '\u{e000}'..='\u{f8ff}')
}

/// The article `ال` begins words and `ة` ends them; a layer in visual order has them reversed.
fn is_backwards(text: &str) -> bool {
    let (mut forwards, mut backwards) = (0, 0);
    for word in text
        .split(|letter: char| !is_arabic(letter))
        .filter(|word| word.len() > 4)
    {
        forwards += usize::from(word.starts_with("ال")) + usize::from(word.ends_with('ة'));
        backwards += usize::from(word.ends_with("لا")) + usize::from(word.starts_with('ة'));
    }
    backwards > 2 && backwards > forwards
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thin_or_unmapped_layer_does_not_stand_for_the_page() {
        assert_eq!(usable("  7  \n"), None);
        assert_eq!(usable(&"\u{fffd}\u{e001}a ".repeat(20)), None);
        assert!(usable("The archive keeps every page.").is_some());
    }

    #[test]
    fn arabic_in_visual_order_is_read_from_the_picture_instead() {
        let forwards = "المكتبة الكبيرة في المدينة تحفظ الكتب القديمة والجديدة";
        assert!(usable(forwards).is_some());
        let backwards: Vec<String> = forwards
            .split(' ')
            .map(|word| word.chars().rev().collect())
            .collect();
        assert_eq!(usable(&backwards.join(" ")), None);
    }

    #[test]
    fn tidying_keeps_words_and_lines_alone() {
        let raw = "\u{202b}ﺍﻟﺴﻼﻡ\u{202c}\u{7}  \r\nline two\u{c}\n\n";
        assert_eq!(tidy(raw), "السلام\nline two");
    }
}
