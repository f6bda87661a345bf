//! The query language, from text to a tree. Knows nothing of fields and their kinds.
//!
//! ```text
//! query    and {OR and}                      several words: all of them; OR binds weaker
//! and      operand {[AND] operand}
//! operand  (NOT | - | +) operand | primary
//! primary  ( query ) | [field:] test | field:( query )
//! test     word | prefix* | "a phrase" | *   * alone: everything, or any value of the field
//!          | [a TO b] | {a TO b} | >a | >=a | <a | <=a      with a field; * is an open end
//! ```
//! With OR as the default operator a blank between operands means OR. What begins with `+`, `-` or NOT then holds for
//! all that is found, and words beside a `+` only rank. `\` takes the meaning from the character after it. AND, OR,
//! NOT and TO are written in capitals. Every error names the position, in characters from 1.

use std::ops::Bound;

use dateline_engine::{Error, Result};

use crate::limits::{QUERY_BYTES_MAX, QUERY_CLAUSES_MAX, QUERY_DEPTH_MAX};

/// What a blank between two operands means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultOperator {
    /// Both must be found.
    And,
    /// One of them is enough.
    Or,
}

/// A query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    /// Every document.
    All,
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Leaf(Leaf),
}

/// One test of one field, or of the whole text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Leaf {
    pub(crate) field: Option<String>,
    /// Where it stands in the query, in characters from 1.
    pub(crate) at: usize,
    pub(crate) test: Test,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Word(String),
    Phrase(String),
    Prefix(String),
    Exists,
    Range(Bound<String>, Bound<String>),
}

/// Reads a query.
pub(crate) fn parse(text: &str, operator: DefaultOperator) -> Result<Node> {
    if text.len() > QUERY_BYTES_MAX {
        return Err(Error::invalid(format!("q: at most {QUERY_BYTES_MAX} bytes, this has {}", text.len())));
    }
    let mut parser = Parser { text, operator, at: 0, clauses: 0, depth: 0 };
    parser.blanks();
    if parser.peek().is_none() {
        return Ok(Node::All);
    }
    let node = parser.alternatives(None)?;
    match parser.peek() {
        None => Ok(node),
        Some(c) => Err(parser.fault(parser.at, format!("'{c}' has no beginning"))),
    }
}

/// An error that names a position.
pub(crate) fn fault(position: usize, message: impl std::fmt::Display) -> Error {
    Error::invalid(format!("q: position {position}: {message}"))
}

struct Parser<'a> {
    text: &'a str,
    operator: DefaultOperator,
    /// In bytes; always at the start of a character.
    at: usize,
    clauses: usize,
    depth: usize,
}

/// A run of characters without blanks, with its escapes undone.
struct Word {
    text: String,
    /// Ends with a `*` that was not escaped.
    star: bool,
    /// Something in it was escaped, so that it is no keyword.
    escaped: bool,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.at += expected.len_utf8();
        }
        found
    }

    fn blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn position(&self, at: usize) -> usize {
        self.text.get(..at).map_or(0, |before| before.chars().count()) + 1
    }

    fn fault(&self, at: usize, message: impl std::fmt::Display) -> Error {
        fault(self.position(at), message)
    }

    /// Skips a keyword if it is next, and the blanks after it.
    fn keyword(&mut self, keyword: &str) -> bool {
        let after = self.rest().strip_prefix(keyword).map(|after| after.chars().next());
        let found =
            after.is_some_and(|next| next.is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')' | '"')));
        if found {
            self.at += keyword.len();
            self.blanks();
        }
        found
    }

    fn deeper<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == QUERY_DEPTH_MAX {
            return Err(self.fault(self.at, format!("nested deeper than {QUERY_DEPTH_MAX}")));
        }
        self.depth += 1;
        let inner = inside(self);
        self.depth -= 1;
        inner
    }

    fn alternatives(&mut self, field: Option<&str>) -> Result<Node> {
        let (mut arms, mut demands) = (Vec::new(), Vec::new());
        loop {
            self.blanks();
            let is_demand = self.operator == DefaultOperator::Or && self.at_demand();
            let part = self.all_of(field)?;
            if is_demand {
                demands.push(part)
            } else {
                arms.push(part)
            }
            let blank = self.operator == DefaultOperator::Or && !matches!(self.peek(), None | Some(')'));
            if !self.keyword("OR") && !blank {
                return Ok(alternatives(arms, demands));
            }
        }
    }

    fn all_of(&mut self, field: Option<&str>) -> Result<Node> {
        let mut parts = Vec::new();
        loop {
            self.blanks();
            let start = self.at;
            if self.keyword("AND") {
                if parts.is_empty() {
                    return Err(self.fault(start, "AND needs something before it"));
                }
            } else if self.at_end(!parts.is_empty()) {
                break;
            }
            parts.push(self.operand(field)?);
        }
        if parts.is_empty() {
            return Err(self.fault(self.at, "a word, a phrase or '(' is expected"));
        }
        Ok(one_or(parts, Node::And))
    }

    /// Nothing more has to be found together with what was read; `after` tells whether there is such a thing.
    fn at_end(&mut self, after: bool) -> bool {
        let blank_ends = self.operator == DefaultOperator::Or && after;
        blank_ends || matches!(self.peek(), None | Some(')')) || self.at_keyword("OR")
    }

    fn at_keyword(&mut self, keyword: &str) -> bool {
        let at = self.at;
        let found = self.keyword(keyword);
        self.at = at;
        found
    }

    fn at_demand(&mut self) -> bool {
        self.at_sign('+') || self.at_sign('-') || self.at_keyword("NOT")
    }

    fn operand(&mut self, field: Option<&str>) -> Result<Node> {
        if self.keyword("NOT") || self.sign('-') {
            let inner = self.deeper(|parser| parser.operand(field))?;
            return Ok(Node::Not(Box::new(inner)));
        }
        if self.sign('+') {
            return self.deeper(|parser| parser.operand(field));
        }
        self.primary(field)
    }

    /// A sign stands directly before something.
    fn at_sign(&self, sign: char) -> bool {
        let next = self.rest().strip_prefix(sign).and_then(|after| after.chars().next());
        next.is_some_and(|c| !c.is_whitespace() && c != ')')
    }

    fn sign(&mut self, sign: char) -> bool {
        self.at_sign(sign) && self.skip(sign)
    }

    fn primary(&mut self, field: Option<&str>) -> Result<Node> {
        let start = self.at;
        if self.skip('(') {
            return self.deeper(|parser| {
                let node = parser.alternatives(field)?;
                if parser.skip(')') { Ok(node) } else { Err(parser.fault(start, "'(' has no end")) }
            });
        }
        if self.peek() == Some('"') {
            let phrase = self.quoted()?;
            return self.leaf(field, start, Test::Phrase(phrase));
        }
        if matches!(self.peek(), Some('[' | '{')) || field.is_some() && matches!(self.peek(), Some('<' | '>'))
        {
            if field.is_none() {
                return Err(self.fault(start, "a range needs a field, as in price:[1 TO 5]"));
            }
            let range =
                if matches!(self.peek(), Some('<' | '>')) { self.comparison()? } else { self.range()? };
            return self.leaf(field, start, range);
        }
        let word = self.word(field.is_some(), "")?;
        if field.is_none() && !word.star && !word.text.is_empty() && self.skip(':') {
            return self.field_value(&word.text, start);
        }
        self.word_leaf(field, start, word)
    }

    fn field_value(&mut self, field: &str, start: usize) -> Result<Node> {
        if self.peek().is_none_or(|c| c.is_whitespace() || c == ')') {
            return Err(self.fault(self.at, format!("a value for '{field}' is expected")));
        }
        match self.primary(Some(field))? {
            // The position of the field is the better one for faults of either.
            Node::Leaf(leaf) => Ok(Node::Leaf(Leaf { at: self.position(start), ..leaf })),
            node => Ok(node),
        }
    }

    fn word_leaf(&mut self, field: Option<&str>, start: usize, word: Word) -> Result<Node> {
        let keyword = !word.escaped && matches!(word.text.as_str(), "AND" | "OR" | "NOT");
        let test = match (word.star, word.text.is_empty(), field) {
            (true, true, None) => {
                self.count(start)?;
                return Ok(Node::All);
            }
            (true, true, Some(_)) => Test::Exists,
            (true, false, _) => Test::Prefix(word.text),
            (false, true, _) => return Err(self.fault(start, "a word, a phrase or '(' is expected")),
            (false, false, _) if keyword => {
                return Err(self.fault(start, format!("{} needs something after it", word.text)));
            }
            (false, false, _) => Test::Word(word.text),
        };
        self.leaf(field, start, test)
    }

    fn count(&mut self, start: usize) -> Result<()> {
        self.clauses += 1;
        if self.clauses > QUERY_CLAUSES_MAX {
            return Err(self.fault(start, format!("more than {QUERY_CLAUSES_MAX} words, phrases and ranges")));
        }
        Ok(())
    }

    fn leaf(&mut self, field: Option<&str>, start: usize, test: Test) -> Result<Node> {
        self.count(start)?;
        Ok(Node::Leaf(Leaf { field: field.map(str::to_owned), at: self.position(start), test }))
    }

    /// A word ends at a blank, a bracket, a quote or one of `ends`; outside of a field also at a colon.
    fn word(&mut self, colons: bool, ends: &str) -> Result<Word> {
        let start = self.at;
        let mut word = Word { text: String::new(), star: false, escaped: false };
        while let Some(c) = self.peek() {
            if c.is_whitespace() || "()\"[]{}".contains(c) || ends.contains(c) || c == ':' && !colons {
                break;
            }
            if word.star {
                return Err(self.fault(self.at, "'*' stands only at the end of a word"));
            }
            self.at += c.len_utf8();
            match c {
                '*' => word.star = true,
                '\\' => {
                    let Some(taken) = self.peek() else {
                        return Err(self.fault(start, "'\\' needs a character after it"));
                    };
                    self.at += taken.len_utf8();
                    word.text.push(taken);
                    word.escaped = true;
                }
                c => word.text.push(c),
            }
        }
        Ok(word)
    }

    fn quoted(&mut self) -> Result<String> {
        let start = self.at;
        self.skip('"');
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(text),
                '\\' => {
                    let Some(taken) = self.peek() else { break };
                    self.at += taken.len_utf8();
                    text.push(taken);
                }
                c => text.push(c),
            }
        }
        Err(self.fault(start, "'\"' has no end"))
    }

    fn comparison(&mut self) -> Result<Test> {
        let below = self.peek() == Some('<');
        self.at += 1;
        let inclusive = self.skip('=');
        let Some(literal) = self.literal("")? else {
            return Err(self.fault(self.at, "a value to compare with is expected"));
        };
        let bound = if inclusive { Bound::Included(literal) } else { Bound::Excluded(literal) };
        Ok(if below { Test::Range(Bound::Unbounded, bound) } else { Test::Range(bound, Bound::Unbounded) })
    }

    fn range(&mut self) -> Result<Test> {
        let start = self.at;
        let lower_inclusive = self.skip('[') || !self.skip('{');
        self.blanks();
        let lower = self.literal("]}")?;
        self.blanks();
        if !self.keyword("TO") {
            return Err(self.fault(self.at, "TO is expected, as in [1 TO 5]"));
        }
        let upper = self.literal("]}")?;
        self.blanks();
        let upper_inclusive = self.skip(']');
        if !upper_inclusive && !self.skip('}') {
            return Err(self.fault(start, "the range has no end"));
        }
        let bound = |literal: Option<String>, inclusive| match literal {
            None => Bound::Unbounded,
            Some(literal) if inclusive => Bound::Included(literal),
            Some(literal) => Bound::Excluded(literal),
        };
        Ok(Test::Range(bound(lower, lower_inclusive), bound(upper, upper_inclusive)))
    }

    /// One end of a range; `None` for `*`.
    fn literal(&mut self, ends: &str) -> Result<Option<String>> {
        let start = self.at;
        if self.peek() == Some('"') {
            return self.quoted().map(Some);
        }
        let word = self.word(true, ends)?;
        match (word.star, word.text.is_empty()) {
            (true, true) => Ok(None),
            (true, false) => Err(self.fault(start, "'*' stands alone in a range")),
            (false, true) => Err(self.fault(start, "a value is expected")),
            (false, false) => Ok(Some(word.text)),
        }
    }
}

/// Every demand, and one of the others; where a demand finds documents by itself, the others only rank them.
fn alternatives(mut arms: Vec<Node>, mut demands: Vec<Node>) -> Node {
    if demands.is_empty() {
        return one_or(arms, Node::Or);
    }
    if !arms.is_empty() {
        if demands.iter().any(|demand| !matches!(demand, Node::Not(_))) {
            arms.push(Node::All);
        }
        demands.push(one_or(arms, Node::Or));
    }
    one_or(demands, Node::And)
}

fn one_or(mut nodes: Vec<Node>, several: fn(Vec<Node>) -> Node) -> Node {
    match (nodes.pop(), nodes.is_empty()) {
        (Some(node), true) => node,
        (last, _) => {
            nodes.extend(last);
            several(nodes)
        }
    }
}

#[cfg(test)]
#[path = "query/tests.rs"]
mod tests;
