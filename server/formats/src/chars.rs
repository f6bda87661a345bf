//! Characters: which may stand in XML, what one line is, and how a text is counted.

use std::borrow::Cow;

/// The text without what XML 1.0 cannot carry: control characters but tab and line ends, U+FFFE and U+FFFF.
/// No escape exists for them; a document with one of them is refused as a whole.
pub(crate) fn xml_legal(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_xml_legal) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|&c| is_xml_legal(c)).collect())
}

fn is_xml_legal(c: char) -> bool {
    // XML 1.0 section 2.2, production [2] Char. Rust's `char` has no surrogates.
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The text as one line that cannot become two headers or turn its neighbours around: line ends and tabs become spaces,
/// other control characters and the marks that change the direction of text beyond themselves are left out.
pub(crate) fn one_line(text: &str) -> String {
    let spaced = text.chars().filter_map(|c| match c {
        '\n' | '\r' | '\t' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some(' '),
        c if breaks_line(c) => None,
        c => Some(c),
    });
    let spaced: String = spaced.collect();
    spaced.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Whether a character would end a line, do something to it, or turn around what stands beside it.
pub(crate) fn breaks_line(c: char) -> bool {
    // Unicode Standard Annex 9: embeddings, overrides and isolates; the marks U+200E, U+200F and U+061C are none.
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Words of a plain text. Punctuation does not part words, a space between two digits does not either: `10 000` and
/// `it's` are one.
pub(crate) fn count_words(plain: &str) -> usize {
    let chars: Vec<char> = plain.chars().map(|c| if c == '\n' || c == '\r' { ' ' } else { c }).collect();
    let mut words = 0;
    let mut inside = false;
    for (at, &c) in chars.iter().enumerate() {
        let between_digits = c == ' '
            && at.checked_sub(1).and_then(|before| chars.get(before)).is_some_and(|c| c.is_numeric())
            && chars.get(at + 1).is_some_and(|c| c.is_numeric());
        if between_digits {
            continue;
        }
        if c.is_whitespace() {
            inside = false;
        } else if c.is_alphanumeric() && !inside {
            inside = true;
            words += 1;
        }
    }
    words
}

/// Minutes it takes to read a text: 250 words a minute, a started minute counts from its half.
/// Japanese is counted in characters.
pub(crate) fn reading_minutes(plain: &str, language: &str, japanese_characters_per_minute: u32) -> u64 {
    if language.starts_with("ja") {
        let characters = plain.chars().filter(|c| !c.is_whitespace()).count() as f64;
        return (characters / f64::from(japanese_characters_per_minute.max(1))).round() as u64;
    }
    let words = count_words(plain) as u64;
    let seconds = (words % 250) * 60 / 250;
    words / 250 + u64::from(seconds >= 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_keeps_what_it_can() {
        assert_eq!(
            xml_legal("a\u{0}b\u{b}c\u{1f}\u{fffe}\u{ffff}d\t\n\r\u{7f}\u{1F600}"),
            "abcd\t\n\r\u{7f}\u{1F600}"
        );
        assert!(matches!(xml_legal("]]> & \u{202e}"), Cow::Borrowed(_)));
    }

    #[test]
    fn one_line_cannot_become_a_header() {
        assert_eq!(
            one_line("Subject\r\nBcc: all@example.com\u{202e}\u{0}\t x "),
            "Subject Bcc: all@example.com x"
        );
        assert_eq!(one_line("שלום\u{200f} עולם"), "שלום\u{200f} עולם");
    }

    #[test]
    fn words_are_counted() {
        for (text, words) in [
            ("", 0),
            ("one", 1),
            ("it's 10 000 men\nand - more", 5),
            (" - ", 0),
            ("a\u{a0}b", 2),
            ("日本語", 1),
        ] {
            assert_eq!(count_words(text), words, "{text:?}");
        }
    }

    #[test]
    fn reading_takes_whole_minutes() {
        let words = |count: usize| "w ".repeat(count);
        for (count, minutes) in [(0, 0), (124, 0), (125, 1), (250, 1), (374, 1), (375, 2)] {
            assert_eq!(reading_minutes(&words(count), "en", 600), minutes, "{count}");
        }
        assert_eq!(reading_minutes(&"字".repeat(900), "ja-JP", 600), 2);
    }
}
