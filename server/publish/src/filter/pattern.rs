//! The texts of `like`, `notlike`, `startswith` and `endswith`.
//!
//! The value is put unescaped into an expression, `.*V.*`, `^V` or `.*V$`, which is looked for ignoring case: `a|b`
//! finds either, and `^a|b` only the first of them at the beginning. The syntax is that of the regex crate, which
//! has no look-around and no back references, and so needs no more than linear time. Most values are plain
//! words; those are known here, so that many can be looked for at once.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

use super::fold::fold;
use super::operator::Operator;

/// Memory that one expression may take once it is compiled.
const COMPILED_BYTES_MAX: usize = 1 << 20;
/// Plain words up to here always compile; of longer ones it must be tried.
const PLAIN_BYTES_MAX: usize = 1_024;

/// A compiled text.
#[derive(Debug)]
pub(crate) struct Pattern {
    expression: String,
    /// Compiled at once unless the value is plain words, which rarely need it.
    regex: OnceLock<Option<Regex>>,
    clue: Clue,
}

/// What a text must hold for the pattern to be found in it, folded.
#[derive(Debug, PartialEq)]
pub(crate) enum Clue {
    /// The pattern is found exactly where this text stands.
    Exact(Box<str>, Anchor),
    /// One of these is in every text in which the pattern is found.
    Needs(Vec<Box<str>>),
    /// Nothing can be said.
    Nothing,
}

/// Where an exact text must stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Anywhere,
    Start,
    End,
}

impl Anchor {
    pub(crate) fn holds(self, start: usize, end: usize, length: usize) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Start => start == 0,
            Self::End => end == length,
        }
    }
}

impl Pattern {
    /// Compiles a value.
    ///
    /// # Errors
    /// What is wrong with the expression.
    pub(crate) fn new(operator: Operator, value: &str) -> Result<Self, String> {
        let (expression, anchor) = match operator {
            Operator::Startswith => (format!("^{value}"), Anchor::Start),
            Operator::Endswith => (format!(".*{value}$"), Anchor::End),
            _ => (format!(".*{value}.*"), Anchor::Anywhere),
        };
        let is_plain = !value.is_empty() && !value.contains(is_special);
        if is_plain && value.len() <= PLAIN_BYTES_MAX {
            return Ok(Self { expression, regex: OnceLock::new(), clue: Clue::Exact(fold(value), anchor) });
        }
        let regex = compile(&expression).map_err(|error| error.to_string())?;
        let needed = regex_syntax::parse(&expression).ok().and_then(|parsed| needed(&parsed));
        let clue = needed.map_or(Clue::Nothing, Clue::Needs);
        Ok(Self { expression, regex: OnceLock::from(Some(regex)), clue })
    }

    pub(crate) fn clue(&self) -> &Clue {
        &self.clue
    }

    pub(crate) fn is_found(&self, text: &str) -> bool {
        let regex = self.regex.get_or_init(|| compile(&self.expression).ok());
        regex.as_ref().is_some_and(|regex| regex.is_match(text))
    }
}

/// Whether the character may stand for something else. Of those that are escaped to be safe, `-`, `&` and `~` are special
/// within brackets alone and `#` after `(?x)` alone; words have them often (`Covid-19`).
fn is_special(c: char) -> bool {
    regex_syntax::is_meta_character(c) && !matches!(c, '-' | '&' | '~' | '#')
}

/// Compiles an expression that ignores case, within bounds.
pub(crate) fn compile(expression: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(expression).case_insensitive(true).size_limit(COMPILED_BYTES_MAX).build()
}

/// Texts of which every match holds one. The parts of a sequence all stand in a match, so the one whose shortest text is
/// longest serves best; of alternatives each must give its own.
fn needed(part: &Hir) -> Option<Vec<Box<str>>> {
    match part.kind() {
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok().filter(|text| !text.is_empty())?;
            Some(vec![fold(text)])
        }
        HirKind::Capture(capture) => needed(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => needed(&repetition.sub),
        HirKind::Concat(parts) => {
            let shortest = |texts: &Vec<Box<str>>| texts.iter().map(|text| text.len()).min().unwrap_or(0);
            parts.iter().filter_map(needed).max_by_key(shortest)
        }
        HirKind::Alternation(parts) => {
            let each: Option<Vec<Vec<Box<str>>>> = parts.iter().map(needed).collect();
            Some(each?.into_iter().flatten().collect())
        }
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_expressions() {
        let check = |operator, value: &str, text: &str, found: bool| {
            let pattern = Pattern::new(operator, value).unwrap();
            assert_eq!(pattern.is_found(text), found, "{operator:?} {value:?} in {text:?}");
        };
        let (like, start, end) = (Operator::Like, Operator::Startswith, Operator::Endswith);
        check(like, "storm", "Big STORM ahead", true);
        check(like, "storm", "Big\nstorm", true);
        check(like, "s.orm", "Big storm", true);
        check(like, "a|b", "xbx", true);
        check(like, "", "", true);
        check(like, "c++", "c", true);
        check(like, "covid-19 & ~#1", "COVID-19 & ~#1", true);
        check(start, "big", "Big storm", true);
        check(start, "storm", "Big storm", false);
        check(start, "x|storm", "Big storm", true);
        check(start, "storm", "Big\nstorm", false);
        check(end, "storm", "Big storm", true);
        check(end, "storm", "storm\nx", false);
        check(end, "big|x", "big storm", true);
        check(like, "k", "\u{212a}", true);
        check(like, "straße", "STRASSE", false);
        assert!(Pattern::new(like, "(").unwrap_err().contains("unclosed group"));
        assert!(Pattern::new(like, "(?=x)").is_err());
        assert!(Pattern::new(like, "\\w{1000}{1000}").is_err());
    }

    #[test]
    fn plain_words_are_found_or_refused_however_long() {
        // Letters with two to four forms, of one to four bytes.
        for word in ["a", "k", "\u{3b8}", "\u{3b9}", "\u{1e9e}", "\u{10400}"] {
            let value = word.repeat(PLAIN_BYTES_MAX / word.len());
            let pattern = Pattern::new(Operator::Like, &value).unwrap();
            assert!(matches!(pattern.clue, Clue::Exact(..)) && pattern.is_found(&value), "{word}");
            let longer = value.repeat(2);
            assert!(Pattern::new(Operator::Endswith, &longer).unwrap().is_found(&longer), "{word}");
        }
        assert!(Pattern::new(Operator::Startswith, &"a".repeat(100_000)).is_err());
    }

    #[test]
    fn clues_are_what_a_match_must_hold() {
        let check = |value: &str, clue: Clue| {
            assert_eq!(Pattern::new(Operator::Like, value).unwrap().clue, clue, "{value:?}");
        };
        let needs = |texts: &[&str]| Clue::Needs(texts.iter().map(|text| (*text).into()).collect());
        check("Storm", Clue::Exact("storm".into(), Anchor::Anywhere));
        check("Covid-19 & ~#1", Clue::Exact("covid-19 & ~#1".into(), Anchor::Anywhere));
        check("U.S. Navy", needs(&[" navy"]));
        check("[a-b]", Clue::Nothing);
        check("Fire|Flood", needs(&["fire", "flood"]));
        check("(?:fire|flood) alert", needs(&[" alert"]));
        check("(longer|words) x", needs(&["longer", "words"]));
        check("fire|.", Clue::Nothing);
        check("(fire)?", Clue::Nothing);
        check("(fire)+", needs(&["fire"]));
        check("", Clue::Nothing);
    }
}
