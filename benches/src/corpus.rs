//! English and Arabic texts with the frequencies of real ones: few words that are everywhere, many
//! that are rare. Made from a seed, so that two runs fill the same tables.

use std::collections::HashMap;

const ENGLISH: &str = "the of and to in a is that it was for on are as with his they at be this from \
    have or by one had not but what all were when we there can an your which their said if do will \
    each about how up out them then she many some so these would other into has more her two like \
    him see time could no make than first been its who now people my made over did down only way \
    find use may water long little very after words called just where most know";
const STEMS: &str = "read writ teach learn work build grow sing speak hear walk play paint cook farm \
    trad heal count sail weav carv plant harvest gather travel settl guard judg lend print publish \
    record translat collect preserv describ explain question answer order deliver repair measur \
    weigh store open close clean wash burn light shadow river mountain village market school garden \
    window letter story poem song road bridge harbour ship train field forest desert winter summer \
    autumn spring morning evening mother father brother sister child neighbour friend doctor farmer \
    merchant sailor soldier clerk";
const ENDINGS: [&str; 15] = [
    "", "s", "ed", "ing", "er", "ers", "able", "ment", "ful", "less", "ly", "ness", "ism", "ist",
    "ition",
];
const ARABIC: &str = "في من على إلى عن أن هذا هذه كان التي الذي ما لا هو هي كل بعد قبل بين حتى ثم أو مع \
    عند كما قد لم لن إذا غير منذ تحت فوق يوم سنة بيت ماء ناس وقت حياة قرية مدينة بحر جبل";
const ROOTS: &str = "كتب درس علم عمل لعب سمع فهم شرب طبخ زرع حصد سفر رجع دخل خرج فتح غلق جلس وقف ركب نزل \
    صعد حمل نقل حفظ نشر طبع قرأ سأل جمع قسم ضرب شكر ذكر نظر بحث وجد صنع رسم";
/// What stands before an Arabic word, each as often as it is here.
const BEFORE: [&str; 13] = [
    "", "", "", "", "", "ال", "ال", "ال", "وال", "بال", "و", "ب", "لل",
];

/// Of which names are made: each stands in about a dozen texts of 100,000.
const SYLLABLES: [&str; 20] = [
    "zan", "mor", "kel", "dru", "vas", "tor", "lin", "bek", "hal", "gor", "nim", "pel", "ruk",
    "sef", "tam", "vel", "wor", "yar", "zol", "dix",
];
const ARABIC_SYLLABLES: [&str; 20] = [
    "زن", "مور", "كل", "درو", "فاس", "تور", "لين", "بك", "هال", "غور", "نيم", "بل", "روك", "سيف",
    "تام", "فل", "ور", "يار", "زول", "دق",
];

/// Pseudo-random numbers.
pub struct Dice(u64);

impl Dice {
    /// Always the same from the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number (splitmix64).
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound as u64) as usize
    }

    /// From 0 to 1.
    pub fn share(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A language's words, the most frequent first.
struct Vocabulary {
    words: Vec<String>,
    sums: Vec<f64>,
}

impl Vocabulary {
    fn new(words: Vec<String>) -> Self {
        let mut sum = 0.0;
        let sums = (0..words.len())
            .map(|rank| {
                sum += 1.0 / (rank as f64 + 3.0).powf(0.95);
                sum
            })
            .collect();
        Self { words, sums }
    }

    fn draw(&self, dice: &mut Dice) -> &str {
        let mark = dice.share() * self.sums.last().copied().unwrap_or_default();
        let at = self.sums.partition_point(|sum| *sum < mark);
        &self.words[at.min(self.words.len() - 1)]
    }
}

/// Makes texts and remembers in how many each word stands.
pub struct Corpus {
    dice: Dice,
    english: Vocabulary,
    arabic: Vocabulary,
    seen: HashMap<String, u32>,
    made: u32,
}

/// A title and a text.
pub struct Written {
    /// Two to six words.
    pub title: String,
    /// About a hundred words, now and then thousands.
    pub body: String,
}

impl Corpus {
    /// Nothing written yet.
    pub fn new() -> Self {
        let mut dice = Dice::new(7);
        let derived = STEMS
            .split_whitespace()
            .flat_map(|stem| ENDINGS.map(|ending| format!("{stem}{ending}")));
        let english = ranked(ENGLISH, derived.collect(), &mut dice);
        let derived = ROOTS.split_whitespace().flat_map(of_root);
        let arabic = ranked(ARABIC, derived.collect(), &mut dice);
        Self {
            dice,
            english,
            arabic,
            seen: HashMap::new(),
            made: 0,
        }
    }

    /// One more, in either language.
    pub fn write(&mut self) -> Written {
        let arabic = self.dice.below(2) == 0;
        // About log-normal: half below a hundred words, one in a hundred above six hundred.
        let spread: f64 = (0..6).map(|_| self.dice.share()).sum::<f64>() - 3.0;
        let length = ((4.6 + 1.1 * spread).exp() as usize).clamp(5, 5_000);
        let count = 2 + self.dice.below(5);
        let title = self.words(count, arabic);
        let mut body = self.words(length, arabic);
        // Somebody's name, and one that nobody else has.
        let syllables = if arabic { ARABIC_SYLLABLES } else { SYLLABLES };
        body.push((0..3).map(|_| syllables[self.dice.below(20)]).collect());
        body.push(format!("ref{}", self.made));
        self.made += 1;
        let mut different: Vec<&String> = title.iter().chain(&body).collect();
        different.sort_unstable();
        different.dedup();
        for word in different {
            *self.seen.entry(word.clone()).or_default() += 1;
        }
        Written {
            title: title.join(" "),
            body: body.join(" "),
        }
    }

    fn words(&mut self, count: usize, arabic: bool) -> Vec<String> {
        (0..count)
            .map(|_| {
                if arabic {
                    let before = BEFORE[self.dice.below(BEFORE.len())];
                    format!("{before}{}", self.arabic.draw(&mut self.dice))
                } else {
                    self.english.draw(&mut self.dice).to_owned()
                }
            })
            .collect()
    }

    /// Words of a language that stand, written just so, in about this share of the texts.
    pub fn common(&self, arabic: bool, share: f64, count: usize) -> Vec<String> {
        let wanted = f64::from(self.made) * share;
        let mut words: Vec<(&String, f64)> = self
            .seen
            .iter()
            .filter(|(word, _)| word.is_ascii() != arabic && !word.starts_with("ref"))
            .map(|(word, seen)| (word, (f64::from(*seen).ln() - wanted.ln()).abs()))
            .collect();
        words.sort_by(|one, other| one.1.total_cmp(&other.1).then(one.0.cmp(other.0)));
        let nearest = words.into_iter().take(count);
        nearest.map(|(word, _)| word.clone()).collect()
    }
}

impl Default for Corpus {
    fn default() -> Self {
        Self::new()
    }
}

/// The words that every text has, then the others in any order.
fn ranked(first: &str, mut others: Vec<String>, dice: &mut Dice) -> Vocabulary {
    for at in (1..others.len()).rev() {
        let other = dice.below(at + 1);
        others.swap(at, other);
    }
    let first = first.split_whitespace().map(str::to_owned);
    Vocabulary::new(first.chain(others).collect())
}

/// The words that patterns make of a root of three letters.
fn of_root(root: &str) -> Vec<String> {
    let mut letters = root.chars();
    let (Some(a), Some(b), Some(c)) = (letters.next(), letters.next(), letters.next()) else {
        return vec![];
    };
    vec![
        format!("{a}{b}{c}"),
        format!("{a}ا{b}{c}"),
        format!("م{a}{b}و{c}"),
        format!("{a}{b}ا{c}"),
        format!("{a}{b}ي{c}"),
        format!("م{a}{b}{c}ة"),
        format!("ت{a}{b}ي{c}"),
        format!("ا{a}ت{b}ا{c}"),
        format!("م{a}ا{b}{c}ة"),
        format!("{a}{b}{c}ون"),
        format!("ي{a}{b}{c}"),
        format!("ت{a}{b}{c}"),
        format!("است{a}{b}{c}"),
    ]
}
