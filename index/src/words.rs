//! Splits text into words: runs of letters and digits, and single characters of scripts without spaces.
//!
//! Chinese, Japanese and Thai put no spaces between words. Each of their characters is a word of its own
//! here, so that a search for a part of a run finds it as a phrase.

use std::str::CharIndices;

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

/// The splitter; keeps one token as its buffer.
#[derive(Clone, Default)]
pub(crate) struct Words {
    token: Token,
}

pub(crate) struct WordStream<'a> {
    text: &'a str,
    chars: CharIndices<'a>,
    token: &'a mut Token,
}

impl Tokenizer for Words {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        self.token.reset();
        WordStream { text, chars: text.char_indices(), token: &mut self.token }
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        let Some((from, first)) = self.chars.find(|&(_, c)| c.is_alphanumeric()) else {
            return false;
        };
        let mut to = from + first.len_utf8();
        if !stands_alone(first) {
            let mut ahead = self.chars.clone();
            while let Some((_, c)) = ahead.next().filter(|&(_, c)| c.is_alphanumeric() && !stands_alone(c)) {
                to += c.len_utf8();
                self.chars = ahead.clone();
            }
        }
        self.token.position = self.token.position.wrapping_add(1);
        self.token.offset_from = from;
        self.token.offset_to = to;
        self.token.text.clear();
        self.token.text.push_str(self.text.get(from..to).unwrap_or_default());
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

/// Thai, kana, Chinese characters and their extensions.
fn stands_alone(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{e7f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, words: &[(usize, &str)]) {
        let mut found = Vec::new();
        Words::default().token_stream(text).process(&mut |token| {
            assert_eq!(&text[token.offset_from..token.offset_to], token.text);
            found.push((token.position, token.text.clone()));
        });
        let found: Vec<_> = found.iter().map(|(at, word)| (*at, word.as_str())).collect();
        assert_eq!(found, words, "{text:?}");
    }

    #[test]
    fn words_of_several_scripts() {
        check("", &[]);
        check(" -- ", &[]);
        check("Saab 900, rust-free", &[(0, "Saab"), (1, "900"), (2, "rust"), (3, "free")]);
        check("Ελλάδα", &[(0, "Ελλάδα")]);
        check("東京tower塔", &[(0, "東"), (1, "京"), (2, "tower"), (3, "塔")]);
    }
}
