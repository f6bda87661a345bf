//! Simple case folding (Unicode, one character to one), as `(?i)` of the regex crate compares.
//!
//! Two texts are equal under `(?i)` exactly when their folded forms are equal, so a search for many texts at once
//! can take the place of many expressions.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

/// One character of each class stands for all: the lower-case ASCII letter if there is one, else the first.
static FOLDED: LazyLock<HashMap<char, char>> = LazyLock::new(|| {
    let is_cased = |c: &char| !c.to_lowercase().eq([*c]) || !c.to_uppercase().eq([*c]);
    let cased = ('\u{80}'..=char::MAX).filter(is_cased);
    cased.filter_map(|c| Some((c, representative(c)?))).collect()
});

fn representative(c: char) -> Option<char> {
    let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
    class.try_case_fold_simple().ok()?;
    let members = || class.ranges().iter().flat_map(|range| range.start()..=range.end());
    let chosen = members().find(char::is_ascii_lowercase).or_else(|| members().next())?;
    (chosen != c).then_some(chosen)
}

pub(crate) fn fold(text: &str) -> Box<str> {
    if text.is_ascii() {
        return text.to_ascii_lowercase().into_boxed_str();
    }
    let folded = |c: char| {
        if c.is_ascii() { c.to_ascii_lowercase() } else { FOLDED.get(&c).copied().unwrap_or(c) }
    };
    text.chars().map(folded).collect::<String>().into_boxed_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_as_the_regex_crate_does() {
        for c in '\0'..=char::MAX {
            let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
            class.try_case_fold_simple().unwrap();
            let own = fold(&c.to_string());
            for other in class.ranges().iter().flat_map(|range| range.start()..=range.end()) {
                assert_eq!(own, fold(&other.to_string()), "{c:?} and {other:?} are one");
            }
            let mut of_own = ClassUnicode::new(own.chars().map(|c| ClassUnicodeRange::new(c, c)));
            of_own.try_case_fold_simple().unwrap();
            assert_eq!(of_own, class, "{own:?} stands for {c:?} only with its kin");
        }
    }
}
