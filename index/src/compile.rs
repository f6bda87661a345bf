//! A query tree becomes a tantivy query, by the mapping of one collection.
//!
//! Invariant: every query that is made matches documents of its collection only. Terms carry their
//! collection, and a negation is taken from all documents of it.
//!
//! Words are ranked by BM25. Values, prefixes and ranges filter: each adds the same to every score. Words that
//! hold no letter or digit ask for nothing and are passed over; a query of nothing else finds nothing.

use std::ops::Bound;

use dateline_engine::{CollectionId, Result};
use tantivy::query::{
    BooleanQuery, ConstScoreQuery, EmptyQuery, InvertedIndexRangeQuery, Occur, PhraseQuery, Query,
    RangeQuery, TermQuery,
};
use tantivy::schema::IndexRecordOption;
use tantivy::{DateTime, Searcher, Term};

use crate::language::Language;
use crate::limits::PREFIX_TERMS_MAX;
use crate::mapping::{CREATED, ID, Kind, Mapping, UPDATED};
use crate::number::Number;
use crate::query::{Leaf, Node, Test, fault};
use crate::schema::Fields;
use crate::{address, cell, date, fault as faults};

type Built = Box<dyn Query>;

/// Comes after every character that can follow a prefix.
const LAST: char = '\u{10ffff}';

/// Fields named in a message about an unknown one.
const NAMED_MAX: usize = 12;

/// What a query is compiled for.
pub(crate) struct Compiler<'a> {
    pub(crate) fields: Fields,
    pub(crate) collection: CollectionId,
    pub(crate) mapping: &'a Mapping,
    pub(crate) searcher: &'a Searcher,
}

impl Compiler<'_> {
    pub(crate) fn compile(&self, node: &Node) -> Result<Built> {
        Ok(self.node(node)?.unwrap_or_else(|| Box::new(EmptyQuery)))
    }

    /// `None` for what asks for nothing.
    fn node(&self, node: &Node) -> Result<Option<Built>> {
        match node {
            Node::All => Ok(Some(self.everything())),
            Node::And(parts) => self.all_of(parts),
            Node::Not(_) => self.all_of(std::slice::from_ref(node)),
            Node::Or(arms) => {
                let mut clauses = Vec::with_capacity(arms.len());
                for arm in arms {
                    clauses.extend(self.node(arm)?.map(|query| (Occur::Should, query)));
                }
                Ok(joined(clauses))
            }
            Node::Leaf(leaf) => self.leaf(leaf),
        }
    }

    fn all_of(&self, parts: &[Node]) -> Result<Option<Built>> {
        let mut clauses = Vec::with_capacity(parts.len() + 1);
        for part in parts {
            let (occur, inner) = match part {
                Node::Not(inner) => (Occur::MustNot, &**inner),
                part => (Occur::Must, part),
            };
            clauses.extend(self.node(inner)?.map(|query| (occur, query)));
        }
        if !clauses.is_empty() && clauses.iter().all(|(occur, _)| *occur == Occur::MustNot) {
            clauses.push((Occur::Must, self.everything()));
        }
        Ok(joined(clauses))
    }

    fn everything(&self) -> Built {
        filter(TermQuery::new(self.fields.collection_term(self.collection), IndexRecordOption::Basic))
    }

    fn leaf(&self, leaf: &Leaf) -> Result<Option<Built>> {
        let Some(path) = leaf.field.as_deref() else {
            return self.words(address::WHOLE, &self.mapping.languages(), leaf);
        };
        match path {
            ID => return self.id(leaf).map(Some),
            CREATED | UPDATED if leaf.test == Test::Exists => return Ok(Some(self.everything())),
            CREATED | UPDATED => return self.by_kind(path, Kind::Date, leaf),
            _ => {}
        }
        match self.mapping.kind(path) {
            Some(_) if leaf.test == Test::Exists => Ok(Some(self.exists(path))),
            Some(kind) => self.by_kind(path, kind, leaf),
            None if !self.mapping.is_derived() => Err(self.unknown(path, leaf)),
            None if leaf.test == Test::Exists => Ok(Some(self.exists(path))),
            None => self.by_look(path, leaf),
        }
    }

    fn unknown(&self, path: &str, leaf: &Leaf) -> dateline_engine::Error {
        let mut names: Vec<_> = self.mapping.paths().take(NAMED_MAX + 1).collect();
        if names.len() > NAMED_MAX {
            names.truncate(NAMED_MAX);
            names.push("...");
        }
        fault(leaf.at, format!("field '{path}' is not searched, these are: {}", names.join(", ")))
    }

    fn id(&self, leaf: &Leaf) -> Result<Built> {
        match &leaf.test {
            Test::Word(id) | Test::Phrase(id) => {
                let term = self.fields.key_term(self.collection, id);
                Ok(filter(TermQuery::new(term, IndexRecordOption::Basic)))
            }
            Test::Prefix(start) => self.term_range(
                self.fields.key_term(self.collection, start),
                self.fields.key_term(self.collection, &format!("{start}{LAST}")),
                leaf,
            ),
            Test::Exists => Ok(self.everything()),
            Test::Range(..) => Err(fault(leaf.at, "_id has no ranges here")),
        }
    }

    fn exists(&self, path: &str) -> Built {
        let term = Term::from_field_text(self.fields.fields, &address::prefix(self.collection, path));
        filter(TermQuery::new(term, IndexRecordOption::Basic))
    }

    /// A test of a declared field.
    fn by_kind(&self, path: &str, kind: Kind, leaf: &Leaf) -> Result<Option<Built>> {
        let refuse = |expected: &str| Err(fault(leaf.at, format!("'{path}' is {kind}: {expected}")));
        let test = &leaf.test;
        match (kind, test) {
            (Kind::Text(_), Test::Range(..)) => refuse("text has no order; a keyword field has"),
            (Kind::Text(language), _) => self.words(path, &[language], leaf),
            (Kind::Keyword, Test::Word(text) | Test::Phrase(text)) => Ok(Some(self.equals(path, text))),
            (Kind::Keyword, Test::Prefix(start)) => self.keyword_prefix(path, start, leaf).map(Some),
            (Kind::Keyword, Test::Range(lower, upper)) => Ok(Some(self.keyword_range(path, lower, upper))),
            (Kind::Number, Test::Word(text) | Test::Phrase(text)) => match Number::parse(text) {
                Some(number) => Ok(Some(self.number(path, number))),
                None => refuse("a number is expected"),
            },
            (Kind::Number, Test::Range(lower, upper)) => match self.number_range(path, lower, upper) {
                Some(query) => Ok(Some(query)),
                None => refuse("numbers are expected"),
            },
            (Kind::Date, Test::Word(text) | Test::Phrase(text)) => match self.date(path, text) {
                Some(query) => Ok(Some(query)),
                None => refuse("a date is expected, as 2026, 2026-05, 2026-05-01 or 2026-05-01T12:00:00Z"),
            },
            (Kind::Date, Test::Range(lower, upper)) => match self.date_range(path, lower, upper) {
                Some(query) => Ok(Some(query)),
                None => refuse("dates are expected, as 2026, 2026-05, 2026-05-01 or 2026-05-01T12:00:00Z"),
            },
            (Kind::Bool, Test::Word(text) | Test::Phrase(text)) => match text.parse() {
                Ok(value) => Ok(Some(self.boolean(path, value))),
                Err(_) => refuse("true or false is expected"),
            },
            (Kind::Geo, Test::Word(text) | Test::Phrase(text) | Test::Prefix(text)) => {
                match cell::parse(text) {
                    Some(cell) => Ok(Some(self.equals(path, &cell))),
                    None => refuse("a geohash of 1 to 8 characters is expected"),
                }
            }
            (Kind::Number | Kind::Date | Kind::Bool, Test::Prefix(_)) => refuse("it has no prefixes"),
            (Kind::Bool | Kind::Geo, Test::Range(..)) => refuse("it has no ranges"),
            (_, Test::Exists) => Ok(Some(self.exists(path))),
        }
    }

    /// A test of a field without a declared kind: by everything the literal may be.
    fn by_look(&self, path: &str, leaf: &Leaf) -> Result<Option<Built>> {
        let mut arms: Vec<Built> = Vec::new();
        match &leaf.test {
            Test::Word(text) | Test::Phrase(text) => {
                arms.extend(self.words(path, &[self.mapping.language()], leaf)?);
                arms.extend(self.date(path, text));
                if matches!(leaf.test, Test::Word(_)) {
                    arms.extend(Number::parse(text).map(|number| self.number(path, number)));
                    arms.extend(text.parse().ok().map(|value| self.boolean(path, value)));
                }
            }
            Test::Prefix(_) => arms.extend(self.words(path, &[self.mapping.language()], leaf)?),
            Test::Range(Bound::Unbounded, Bound::Unbounded) | Test::Exists => arms.push(self.exists(path)),
            Test::Range(lower, upper) => {
                arms.extend(self.number_range(path, lower, upper));
                arms.extend(self.date_range(path, lower, upper));
                if arms.is_empty() {
                    arms.push(self.keyword_range(path, lower, upper));
                }
            }
        }
        Ok(joined(arms.into_iter().map(|query| (Occur::Should, query)).collect()))
    }

    /// Words of a text, split as each of these languages splits it.
    fn words(&self, path: &str, languages: &[Language], leaf: &Leaf) -> Result<Option<Built>> {
        let prefix = address::prefix(self.collection, path);
        let term = |word: &str| Term::from_field_text(self.fields.text, &format!("{prefix}{word}"));
        let (Test::Word(text) | Test::Phrase(text) | Test::Prefix(text)) = &leaf.test else {
            return Ok(None);
        };
        let mut splits: Vec<_> = languages.iter().map(|language| language.words(text)).collect();
        splits.sort_unstable();
        splits.dedup();
        let mut arms: Vec<Built> = Vec::new();
        for words in splits {
            let mut terms: Vec<_> = words.into_iter().map(|(at, word)| (at, term(&word))).collect();
            match terms.len() {
                0 => {}
                1 => arms.extend(terms.pop().map(|(_, term)| -> Built {
                    Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs))
                })),
                _ => arms.push(Box::new(PhraseQuery::new_with_offset(terms))),
            }
        }
        if let Test::Prefix(start) = &leaf.test {
            // The beginning of a word is not stemmed: it may end anywhere.
            let words = Language::NONE.words(start);
            let Some((_, last)) = words.last() else { return Ok(joined(should(arms))) };
            if words.len() > 1 {
                return Err(fault(leaf.at, "a prefix is the beginning of one word"));
            }
            arms.push(self.term_range(term(last), term(&format!("{last}{LAST}")), leaf)?);
        }
        Ok(joined(should(arms)))
    }

    fn exact(&self, path: &str) -> Term {
        self.fields.exact_path(self.collection, path)
    }

    fn keyword(&self, path: &str, text: &str) -> Term {
        let mut term = self.exact(path);
        term.append_type_and_str(text);
        term
    }

    fn equals(&self, path: &str, text: &str) -> Built {
        filter(TermQuery::new(self.keyword(path, text), IndexRecordOption::Basic))
    }

    fn keyword_prefix(&self, path: &str, start: &str, leaf: &Leaf) -> Result<Built> {
        self.term_range(self.keyword(path, start), self.keyword(path, &format!("{start}{LAST}")), leaf)
    }

    fn keyword_range(&self, path: &str, lower: &Bound<String>, upper: &Bound<String>) -> Built {
        let term = |bound: &Bound<String>| bound.as_ref().map(|text| self.keyword(path, text));
        self.value_range(path, term(lower), term(upper))
    }

    fn number(&self, path: &str, number: Number) -> Built {
        filter(TermQuery::new(number.term(self.exact(path)), IndexRecordOption::Basic))
    }

    fn boolean(&self, path: &str, value: bool) -> Built {
        let mut term = self.exact(path);
        term.append_type_and_fast_value(value);
        filter(TermQuery::new(term, IndexRecordOption::Basic))
    }

    /// `None` when an end is not a number.
    fn number_range(&self, path: &str, lower: &Bound<String>, upper: &Bound<String>) -> Option<Built> {
        let (lower, upper) = (turned(lower, Number::parse)?, turned(upper, Number::parse)?);
        let (lower, upper) = Number::bounds(&self.exact(path), lower, upper);
        Some(self.value_range(path, lower, upper))
    }

    /// `None` when the text is not a date.
    fn date(&self, path: &str, text: &str) -> Option<Built> {
        let interval = date::interval(text)?;
        let lower = Bound::Included(self.moment(path, interval.start));
        Some(self.value_range(path, lower, Bound::Excluded(self.moment(path, interval.end))))
    }

    /// A range of dates includes or excludes the whole interval a literal names. `None` when an end is not a
    /// date.
    fn date_range(&self, path: &str, lower: &Bound<String>, upper: &Bound<String>) -> Option<Built> {
        let lower = match turned(lower, date::interval)? {
            Bound::Included(interval) => Bound::Included(interval.start),
            Bound::Excluded(interval) => Bound::Included(interval.end),
            Bound::Unbounded => Bound::Unbounded,
        };
        let upper = match turned(upper, date::interval)? {
            Bound::Included(interval) => Bound::Excluded(interval.end),
            Bound::Excluded(interval) => Bound::Excluded(interval.start),
            Bound::Unbounded => Bound::Unbounded,
        };
        let term = |bound: Bound<DateTime>| bound.map(|moment| self.moment(path, moment));
        Some(self.value_range(path, term(lower), term(upper)))
    }

    fn moment(&self, path: &str, moment: DateTime) -> Term {
        let mut term = self.exact(path);
        term.append_type_and_fast_value(moment);
        term
    }

    fn value_range(&self, path: &str, lower: Bound<Term>, upper: Bound<Term>) -> Built {
        if matches!((&lower, &upper), (Bound::Unbounded, Bound::Unbounded)) {
            return self.exists(path);
        }
        filter(RangeQuery::new(lower, upper))
    }

    /// Documents with a term from `lower` up to but without `upper`; too many different terms are refused.
    fn term_range(&self, lower: Term, upper: Term, leaf: &Leaf) -> Result<Built> {
        let mut terms = 0_usize;
        for segment in self.searcher.segment_readers() {
            let index = segment.inverted_index(lower.field()).map_err(faults::tantivy("read terms"))?;
            let range = index.terms().range();
            let range = range.ge(lower.serialized_value_bytes()).lt(upper.serialized_value_bytes());
            let mut found =
                range.into_stream().map_err(|error| faults::tantivy("read terms")(error.into()))?;
            while found.advance() {
                terms += 1;
                if terms > PREFIX_TERMS_MAX {
                    return Err(fault(
                        leaf.at,
                        format!("more than {PREFIX_TERMS_MAX} words begin like this; write more of it"),
                    ));
                }
            }
        }
        Ok(filter(InvertedIndexRangeQuery::new(Bound::Included(lower), Bound::Excluded(upper))))
    }
}

/// A query that does not rank.
fn filter(query: impl Query) -> Built {
    Box::new(ConstScoreQuery::new(Box::new(query), 1.0))
}

fn should(arms: Vec<Built>) -> Vec<(Occur, Built)> {
    arms.into_iter().map(|query| (Occur::Should, query)).collect()
}

fn joined(mut clauses: Vec<(Occur, Built)>) -> Option<Built> {
    match clauses.len() {
        0 => None,
        // A lone clause is never a negation: `all_of` adds what it is taken from.
        1 => clauses.pop().map(|(_, query)| query),
        _ => Some(Box::new(BooleanQuery::new(clauses))),
    }
}

/// A bound of values; `None` when its literal is no such value.
fn turned<T>(bound: &Bound<String>, value: impl Fn(&str) -> Option<T>) -> Option<Bound<T>> {
    Some(match bound {
        Bound::Included(text) => Bound::Included(value(text)?),
        Bound::Excluded(text) => Bound::Excluded(value(text)?),
        Bound::Unbounded => Bound::Unbounded,
    })
}
