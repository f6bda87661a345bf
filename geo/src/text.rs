//! Keywords: `all words, -not, "phrase"` against a tokenised text.
//!
//! A token is a run of letters and digits in lower case. A query term of several tokens, quoted or not ("e-bike"),
//! is a phrase: its tokens must follow each other inside one field. Commas and other marks only separate.

/// The longest query, in bytes and in terms.
pub(crate) const QUERY_BYTES_MAX: usize = 1_000;
pub(crate) const QUERY_TERMS_MAX: usize = 64;

fn tokens(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// The words of one ad with their places: one text, and where in it each word stands, in the order of the words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    text: Box<str>,
    tokens: Box<[Token]>,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    start: u32,
    end: u32,
    place: u32,
}

impl Words {
    pub(crate) fn of<'a>(fields: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut text, mut found, mut place) = (String::new(), Vec::new(), 0_u32);
        let at = |text: &String| u32::try_from(text.len()).unwrap_or(u32::MAX);
        for field in fields {
            for token in tokens(field) {
                let start = at(&text);
                text.push_str(&token);
                found.push(Token { start, end: at(&text), place });
                place = place.saturating_add(1);
            }
            // The gap keeps a phrase from running over into the next field.
            place = place.saturating_add(1);
        }
        let text = text.into_boxed_str();
        found.sort_by(|a, b| word(&text, a).cmp(word(&text, b)).then(a.place.cmp(&b.place)));
        Self { tokens: found.into(), text }
    }

    /// Each word once.
    pub(crate) fn distinct(&self) -> impl Iterator<Item = &str> {
        self.tokens
            .chunk_by(|a, b| word(&self.text, a) == word(&self.text, b))
            .filter_map(|same| Some(word(&self.text, same.first()?)))
    }

    fn has(&self, term: &[String]) -> bool {
        let Some((first, rest)) = term.split_first() else {
            return true;
        };
        let begin = self.tokens.partition_point(|token| word(&self.text, token) < first.as_str());
        let known = self.tokens.get(begin..).unwrap_or_default();
        let starts = known.iter().take_while(|token| word(&self.text, token) == first);
        let is_at = |(wanted, place): (&String, u32)| {
            let order = |token: &Token| word(&self.text, token).cmp(wanted).then(token.place.cmp(&place));
            self.tokens.binary_search_by(order).is_ok()
        };
        starts.map(|start| start.place.saturating_add(1)).any(|next| rest.iter().zip(next..).all(is_at))
    }
}

fn word<'a>(text: &'a str, token: &Token) -> &'a str {
    text.get(token.start as usize..token.end as usize).unwrap_or_default()
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
        let words = Words::of(["Red city-bike, 28 Zoll", "Top Zustand. ÖKO frame, red paint"]);
        assert_eq!(words.distinct().filter(|word| *word == "red").count(), 1);
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
        check("\"red paint\"", true);
        check("\"red city\" \"frame red\"", true);
        check("\"red red\"", false);
    }

    #[test]
    fn refuses_what_is_too_much_or_open() {
        assert!(Keywords::parse("\"open").is_err());
        assert!(Keywords::parse(&"x ".repeat(QUERY_TERMS_MAX + 1)).is_err());
        assert!(Keywords::parse(&"x".repeat(QUERY_BYTES_MAX + 1)).is_err());
    }
}
