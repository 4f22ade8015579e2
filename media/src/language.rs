//! Names of languages as people type them (`en`, `eng`, `en-GB`, `English`), brought to one form.
//! A hint from a user, not a finding: nothing here looks at a text.

/// The writing of a language, as far as engines care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// Latin letters, with whatever marks.
    Latin,
    /// Arabic letters.
    Arabic,
    /// Any other.
    Other,
}

/// A language that is known by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Language {
    /// Two letters (BCP 47); three where there are no two.
    pub code: &'static str,
    /// Three letters, as tesseract names its models.
    pub model: &'static str,
    /// In English.
    pub name: &'static str,
    /// How it is written.
    pub script: Script,
}

const fn language(
    code: &'static str,
    model: &'static str,
    name: &'static str,
    script: Script,
) -> Language {
    Language {
        code,
        model,
        name,
        script,
    }
}

use Script::{Arabic, Latin, Other};

const KNOWN: [Language; 46] = [
    language("en", "eng", "english", Latin),
    language("ar", "ara", "arabic", Arabic),
    language("fa", "fas", "persian", Arabic),
    language("ur", "urd", "urdu", Arabic),
    language("ps", "pus", "pashto", Arabic),
    language("ckb", "ckb", "sorani", Arabic),
    language("ug", "uig", "uyghur", Arabic),
    language("sd", "snd", "sindhi", Arabic),
    language("de", "deu", "german", Latin),
    language("fr", "fra", "french", Latin),
    language("es", "spa", "spanish", Latin),
    language("it", "ita", "italian", Latin),
    language("pt", "por", "portuguese", Latin),
    language("nl", "nld", "dutch", Latin),
    language("sv", "swe", "swedish", Latin),
    language("da", "dan", "danish", Latin),
    language("no", "nor", "norwegian", Latin),
    language("fi", "fin", "finnish", Latin),
    language("pl", "pol", "polish", Latin),
    language("cs", "ces", "czech", Latin),
    language("tr", "tur", "turkish", Latin),
    language("ro", "ron", "romanian", Latin),
    language("hu", "hun", "hungarian", Latin),
    language("id", "ind", "indonesian", Latin),
    language("ms", "msa", "malay", Latin),
    language("vi", "vie", "vietnamese", Latin),
    language("sw", "swa", "swahili", Latin),
    language("so", "som", "somali", Latin),
    language("ku", "kmr", "kurmanji", Latin),
    language("la", "lat", "latin", Latin),
    language("ru", "rus", "russian", Other),
    language("uk", "ukr", "ukrainian", Other),
    language("bg", "bul", "bulgarian", Other),
    language("el", "ell", "greek", Other),
    language("he", "heb", "hebrew", Other),
    language("hi", "hin", "hindi", Other),
    language("bn", "ben", "bengali", Other),
    language("ta", "tam", "tamil", Other),
    language("th", "tha", "thai", Other),
    language("zh", "chi_sim", "chinese", Other),
    language("ja", "jpn", "japanese", Other),
    language("ko", "kor", "korean", Other),
    language("am", "amh", "amharic", Other),
    language("ka", "kat", "georgian", Other),
    language("hy", "hye", "armenian", Other),
    language("km", "khm", "khmer", Other),
];

/// What a hint names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// Nothing, or a word for "any".
    None,
    /// A language of the table.
    Known(Language),
    /// A word that is in no table, as it was given, in lower case.
    Unknown(String),
}

/// Reads a hint; of several languages (`eng+deu`) the first counts.
pub fn read(hint: Option<&str>) -> Hint {
    let word = hint.unwrap_or_default().trim().to_lowercase();
    let first = word.split(['+', ',', ';', ' ']).next().unwrap_or_default();
    let primary = first.split(['-', '_']).next().unwrap_or_default();
    if matches!(
        primary,
        "" | "und" | "mul" | "auto" | "any" | "unknown" | "mis" | "zxx"
    ) {
        return Hint::None;
    }
    let found = KNOWN.into_iter().find(|known| {
        [known.code, known.name].contains(&primary)
            || known.model == primary
            || known.model == first
            || alias(primary) == Some(known.code)
    });
    found.map_or_else(|| Hint::Unknown(first.to_owned()), Hint::Known)
}

/// Other three-letter codes and names in common use.
fn alias(word: &str) -> Option<&'static str> {
    Some(match word {
        "ger" => "de",
        "fre" => "fr",
        "dut" => "nl",
        "per" | "farsi" => "fa",
        "cze" => "cs",
        "rum" => "ro",
        "may" => "ms",
        "gre" => "el",
        "chi" | "zho" | "cmn" | "mandarin" => "zh",
        "nb" | "nn" | "nob" | "nno" => "no",
        "arb" | "arz" | "apc" | "العربية" => "ar",
        "kur" => "ku",
        "geo" => "ka",
        "arm" => "hy",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_to_name_a_language_lead_to_one() {
        for word in [
            "en",
            "EN",
            "en-US",
            "en_GB",
            "eng",
            "English",
            " english ",
            "eng+deu",
        ] {
            let Hint::Known(found) = read(Some(word)) else {
                panic!("{word}")
            };
            assert_eq!(found.code, "en");
        }
        for word in ["ar", "ara", "ar-EG", "Arabic", "arb", "العربية"] {
            let Hint::Known(found) = read(Some(word)) else {
                panic!("{word}")
            };
            assert_eq!((found.code, found.script), ("ar", Script::Arabic));
        }
        let Hint::Known(found) = read(Some("chi_sim")) else {
            panic!("a model's name")
        };
        assert_eq!(found.code, "zh");
    }

    #[test]
    fn no_hint_is_not_an_unknown_language() {
        for word in [None, Some(""), Some("und"), Some("auto")] {
            assert_eq!(read(word), Hint::None);
        }
        assert_eq!(read(Some("Klingon")), Hint::Unknown("klingon".to_owned()));
    }
}
