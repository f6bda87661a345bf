//! Texts where case does not matter: without blanks around them, and in Unicode's full case folding, which is the
//! same in every language (`ß` is `ss`, a final sigma is a sigma, the dotless `ı` is not `i`).

use unicase::UniCase;

/// The form in which two texts that differ only in case, or in blanks around them, are one.
#[must_use]
pub fn fold(text: &str) -> String {
    UniCase::new(text.trim()).to_folded_case()
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn one_form_for_each_spelling() {
        for (left, right) in [(" Oslo", "oSLO "), ("STRASSE", "straße"), ("ΟΔΟΣ", "οδος"), ("Ǆ", "ǆ")]
        {
            assert_eq!(fold(left), fold(right), "{left}");
        }
        for (left, right) in [("i", "ı"), ("a b", "ab"), ("é", "e")] {
            assert_ne!(fold(left), fold(right), "{left}");
        }
        assert_eq!(fold(&fold("ΣİßK")), fold("ΣİßK"), "a folded text stays");
    }
}
