//! Where a word was found: every word of the index carries its collection and field.
//!
//! ```text
//! word   <collection> 01 <path> 01 <word>
//! value  <language's code> 02 <collection> 01 <path> 01 02 <text>
//! ```
//! The collection is in decimal. The path of a document's whole text is empty. Paths contain no control
//! characters, so two addresses never give one word. A value is what a document hands to tantivy; the
//! tokenizer registered for the text field takes the address off and puts it before each word.

use dateline_engine::CollectionId;
use tantivy::tokenizer::{BoxTokenStream, TextAnalyzer, Token, TokenStream, Tokenizer};

use crate::language::Language;

const JOIN: char = '\u{1}';
const SPLIT: char = '\u{2}';

/// The path of a document's whole text.
pub(crate) const WHOLE: &str = "";

/// What words of this field begin with.
pub(crate) fn prefix(collection: CollectionId, path: &str) -> String {
    format!("{collection}{JOIN}{path}{JOIN}")
}

/// A text on its way into the index.
pub(crate) fn value(collection: CollectionId, path: &str, language: Language, text: &str) -> String {
    format!("{}{SPLIT}{}{SPLIT}{text}", language.code(), prefix(collection, path))
}

/// Splits addressed values into addressed words.
#[derive(Clone)]
pub(crate) struct AddressTokenizer {
    /// By `Language::place`.
    analyzers: Vec<TextAnalyzer>,
    token: Token,
}

impl AddressTokenizer {
    pub(crate) fn new() -> Self {
        Self { analyzers: Language::all().map(Language::analyzer).collect(), token: Token::default() }
    }
}

impl Tokenizer for AddressTokenizer {
    type TokenStream<'a> = AddressedWords<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> AddressedWords<'a> {
        self.token.reset();
        let (code, rest) = text.split_once(SPLIT).unwrap_or(("none", ""));
        let (prefix, text) = rest.split_once(SPLIT).unwrap_or_default();
        let place = Language::from_code(code).unwrap_or(Language::NONE).place();
        let words = self.analyzers.get_mut(place).map(|analyzer| analyzer.token_stream(text));
        AddressedWords { words, prefix, token: &mut self.token }
    }
}

pub(crate) struct AddressedWords<'a> {
    words: Option<BoxTokenStream<'a>>,
    prefix: &'a str,
    token: &'a mut Token,
}

impl TokenStream for AddressedWords<'_> {
    fn advance(&mut self) -> bool {
        let Some(words) = &mut self.words else { return false };
        if !words.advance() {
            return false;
        }
        let word = words.token();
        self.token.text.clear();
        self.token.text.push_str(self.prefix);
        self.token.text.push_str(&word.text);
        self.token.position = word.position;
        self.token.position_length = word.position_length;
        self.token.offset_from = word.offset_from;
        self.token.offset_to = word.offset_to;
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_carry_their_address() {
        let mut tokenizer = AddressTokenizer::new();
        let check = |tokenizer: &mut AddressTokenizer, value: &str, expected: &[(usize, &str)]| {
            let mut found = Vec::new();
            tokenizer.token_stream(value).process(&mut |t| found.push((t.position, t.text.clone())));
            let found: Vec<_> = found.iter().map(|(at, text)| (*at, text.as_str())).collect();
            assert_eq!(found, expected);
        };
        let english = Language::from_code("en").unwrap();
        let id = CollectionId::new(7);
        let text = value(id, "a.title", english, "Red \u{2}bikes");
        check(&mut tokenizer, &text, &[(0, "7\u{1}a.title\u{1}red"), (1, "7\u{1}a.title\u{1}bike")]);
        check(&mut tokenizer, &value(id, WHOLE, Language::NONE, "bikes"), &[(0, "7\u{1}\u{1}bikes")]);
        check(&mut tokenizer, "no address", &[]);
    }
}
