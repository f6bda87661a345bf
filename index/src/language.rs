//! Languages of text fields: how a text becomes the words it is found by.
//!
//! Invariant: documents and queries of one language pass through the same analyzer. A change of what it
//! gives needs a new `schema::FORMAT`, because terms already written would no longer be found.

use tantivy::tokenizer::{
    AsciiFoldingFilter, Language as Stemming, LowerCaser, RemoveLongFilter, Stemmer, TextAnalyzer,
};

use crate::limits::WORD_BYTES_MAX;
use crate::words::Words;

/// The language whose word endings a text field ignores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Language(usize);

/// ISO 639-1 code and stemmer; the place in this table is the language's number.
const LANGUAGES: [(&str, Option<Stemming>); 19] = [
    ("none", None),
    ("ar", Some(Stemming::Arabic)),
    ("da", Some(Stemming::Danish)),
    ("de", Some(Stemming::German)),
    ("el", Some(Stemming::Greek)),
    ("en", Some(Stemming::English)),
    ("es", Some(Stemming::Spanish)),
    ("fi", Some(Stemming::Finnish)),
    ("fr", Some(Stemming::French)),
    ("hu", Some(Stemming::Hungarian)),
    ("it", Some(Stemming::Italian)),
    ("nl", Some(Stemming::Dutch)),
    ("no", Some(Stemming::Norwegian)),
    ("pt", Some(Stemming::Portuguese)),
    ("ro", Some(Stemming::Romanian)),
    ("ru", Some(Stemming::Russian)),
    ("sv", Some(Stemming::Swedish)),
    ("ta", Some(Stemming::Tamil)),
    ("tr", Some(Stemming::Turkish)),
];

impl Language {
    /// No stemming: words are folded to lower case without accents, and nothing more.
    pub const NONE: Self = Self(0);

    /// The language of an ISO 639-1 code such as `en`; a region as in `en-GB` is ignored.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        let base = code.split(['-', '_']).next().unwrap_or(code);
        LANGUAGES.iter().position(|(known, _)| known.eq_ignore_ascii_case(base)).map(Self)
    }

    /// Its ISO 639-1 code, or `none`.
    #[must_use]
    pub fn code(self) -> &'static str {
        LANGUAGES.get(self.0).map_or("none", |(code, _)| code)
    }

    /// All codes, for messages.
    pub(crate) fn codes() -> String {
        LANGUAGES.map(|(code, _)| code).join(", ")
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..LANGUAGES.len()).map(Self)
    }

    pub(crate) const fn place(self) -> usize {
        self.0
    }

    /// Accents go after the stemmer, because the stemmers know the accents of their language.
    pub(crate) fn analyzer(self) -> TextAnalyzer {
        let words = TextAnalyzer::builder(Words::default())
            .filter(RemoveLongFilter::limit(WORD_BYTES_MAX + 1))
            .filter(LowerCaser)
            .dynamic();
        let stemmed = match LANGUAGES.get(self.0).and_then(|(_, stemming)| *stemming) {
            Some(stemming) => words.filter_dynamic(Stemmer::new(stemming)),
            None => words,
        };
        stemmed.filter_dynamic(AsciiFoldingFilter).build()
    }

    /// Positions and words of a text.
    pub(crate) fn words(self, text: &str) -> Vec<(usize, String)> {
        let mut words = Vec::new();
        self.analyzer().token_stream(text).process(&mut |token| {
            words.push((token.position, token.text.clone()));
        });
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(language: &str, text: &str, words: &[&str]) {
        let found = Language::from_code(language).unwrap().words(text);
        let found: Vec<_> = found.iter().map(|(_, word)| word.as_str()).collect();
        assert_eq!(found, words, "{language}: {text}");
    }

    #[test]
    fn endings_and_accents() {
        check("none", "Running Bikes, CAFÉ!", &["running", "bikes", "cafe"]);
        check("en", "Running bikes", &["run", "bike"]);
        check("en-GB", "organised", &["organis"]);
        check("de", "Häuser", &["haus"]);
        check("fr", "continuellement", &["continuel"]);
        check("sv", "bilarna", &["bil"]);
    }

    #[test]
    fn codes_are_sorted_and_known() {
        let codes: Vec<_> = Language::all().map(Language::code).collect();
        assert!(codes[1..].is_sorted());
        assert!(codes.iter().all(|code| Language::from_code(code).is_some()));
        assert_eq!(Language::from_code("none"), Some(Language::NONE));
        assert_eq!(Language::from_code("xx"), None);
    }

    #[test]
    fn a_word_too_long_is_left_out() {
        let fits = "x".repeat(WORD_BYTES_MAX);
        check("none", &format!("a {fits} b"), &["a", &fits, "b"]);
        let words = Language::NONE.words(&format!("a {fits}x b"));
        assert_eq!(words, [(0, "a".to_owned()), (2, "b".to_owned())]);
    }
}
