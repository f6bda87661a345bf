//! Keywords: `all words, -not, "phrase"` against a tokenised text.
//!
//! A token is a run of letters and digits in lower case. A query term of several tokens, quoted or not ("e-bike"),
//! is a phrase: its tokens must follow each other inside one field. Commas and other marks only separate.

use std::collections::HashMap;

/// The longest query, in bytes and in terms.
pub(crate) const QUERY_BYTES_MAX: usize = 1_000;
pub(crate) const QUERY_TERMS_MAX: usize = 64;

fn tokens(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// The words of one ad with their places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    places: HashMap<Box<str>, Vec<u32>>,
    next: u32,
}

impl Words {
    pub(crate) fn add_field(&mut self, text: &str) {
        for token in tokens(text) {
            self.places.entry(token.into_boxed_str()).or_default().push(self.next);
            self.next = self.next.saturating_add(1);
        }
        // The gap keeps a phrase from running over into the next field.
        self.next = self.next.saturating_add(1);
    }

    /// Each word once.
    pub(crate) fn distinct(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(|word| &**word)
    }

    fn has(&self, term: &[String]) -> bool {
        let Some((first, rest)) = term.split_first() else {
            return true;
        };
        let places = |token: &String| self.places.get(token.as_str()).map_or(&[][..], Vec::as_slice);
        places(first).iter().any(|start| {
            rest.iter().zip(start + 1..).all(|(token, place)| places(token).binary_search(&place).is_ok())
        })
    }
}

/// A parsed query.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Keywords {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Term {
    pub(crate) negated: bool,
    pub(crate) tokens: Vec<String>,
}

impl Keywords {
    pub(crate) fn parse(query: &str) -> Result<Self, String> {
        if query.len() > QUERY_BYTES_MAX {
            return Err(format!("query is longer than {QUERY_BYTES_MAX} bytes"));
        }
        let mut terms = Vec::new();
        let mut rest = query;
        while let Some(start) = rest.find(|c: char| c.is_alphanumeric() || c == '"' || c == '-') {
            // A dash negates only where a term begins.
            let (negated, body) = match rest.split_at(start).1.strip_prefix('-') {
                Some(body) => (true, body.trim_start_matches('-')),
                None => (false, rest.split_at(start).1),
            };
            let (text, after) = match body.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or("a quoted phrase is not closed")?,
                None => body.split_at(
                    body.find(|c: char| c.is_whitespace() || c == ',' || c == '"').unwrap_or(body.len()),
                ),
            };
            rest = after;
            let tokens: Vec<String> = tokens(text).collect();
            if !tokens.is_empty() {
                terms.push(Term { negated, tokens });
            }
        }
        if terms.len() > QUERY_TERMS_MAX {
            return Err(format!("query has more than {QUERY_TERMS_MAX} terms"));
        }
        Ok(Self { terms })
    }

    pub(crate) fn accept(&self, words: &Words) -> bool {
        self.terms.iter().all(|term| words.has(&term.tokens) != term.negated)
    }

    /// The words that a text must have.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = &str> {
        let terms = self.terms.iter().filter(|term| !term.negated);
        terms.flat_map(|term| &term.tokens).map(String::as_str)
    }

    /// Each term with whether the text has it.
    pub(crate) fn judge<'a>(&'a self, words: &'a Words) -> impl Iterator<Item = (&'a Term, bool)> {
        self.terms.iter().map(|term| (term, words.has(&term.tokens)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_all_wanted() {
        let mut words = Words::default();
        words.add_field("Red city-bike, 28 Zoll");
        words.add_field("Top Zustand. ÖKO frame");
        let check = |query: &str, accepted: bool| {
            assert_eq!(Keywords::parse(query).unwrap().accept(&words), accepted, "{query}");
        };
        check("", true);
        check("bike", true);
        check("BIKE red", true);
        check("bike, red", true);
        check("bike, blue", false);
        check("bike -blue", true);
        check("bike -red", false);
        check("\"city bike\"", true);
        check("\"bike city\"", false);
        check("city-bike", true);
        check("-\"city bike\"", false);
        check("red -\"bike city\"", true);
        check("\"zoll top\"", false);
        check("öko", true);
        check("bik", false);
        check("- , -- .", true);
        check("red\"28 zoll\"", true);
    }

    #[test]
    fn refuses_what_is_too_much_or_open() {
        assert!(Keywords::parse("\"open").is_err());
        assert!(Keywords::parse(&"x ".repeat(QUERY_TERMS_MAX + 1)).is_err());
        assert!(Keywords::parse(&"x".repeat(QUERY_BYTES_MAX + 1)).is_err());
    }
}
