//! What the index knows of a condition before it is judged.

use super::super::condition::{Rule, Test, Wanted};
use super::super::lender::Bounds;
use super::super::operator::Operator;
use super::super::pattern::{Anchor, Clue};
use super::areas;

/// How far a search through the index decides a condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Lead {
    /// It is not in the index and must be judged.
    #[default]
    None,
    /// It holds if it was found, or if it was not.
    Certain { negated: bool },
    /// If it was not found it does not hold, or if negated does; else it must be judged.
    Perhaps { negated: bool },
}

/// Under what a condition stands in the index.
pub(super) enum Entry<'r> {
    /// Elements of a list, or the one text, in lower case.
    Members(&'r [Box<str>]),
    /// The one text in lower case without blanks at the ends.
    Equal(&'r str),
    /// A text at its place in the one text, folded.
    Found(&'r str, Anchor),
    /// Some of these, anywhere.
    Hints(&'r [Box<str>]),
    /// A place in a box.
    Area(Bounds),
}

impl<'r> Entry<'r> {
    /// How the index says what the rule says; `None` for what only judging can tell.
    pub(super) fn of(rule: &'r Rule) -> Option<(Self, Lead)> {
        Some(match &rule.test {
            Test::Member { wanted, negated } => (Self::Members(wanted), Lead::Certain { negated: *negated }),
            Test::Compare { by: Operator::Eq, wanted: Wanted::Text(text) } if !rule.absent => {
                (Self::Equal(text), Lead::Certain { negated: false })
            }
            Test::Compare { by: Operator::Ne, wanted: Wanted::Text(text) } => {
                (Self::Equal(text), Lead::Certain { negated: true })
            }
            Test::Pattern { pattern, negated } => match pattern.clue() {
                Clue::Exact(text, anchor) => {
                    (Self::Found(text, *anchor), Lead::Certain { negated: *negated })
                }
                Clue::Needs(texts) => (Self::Hints(texts), Lead::Perhaps { negated: *negated }),
                Clue::Nothing => return None,
            },
            Test::Lent(lent) => match lent.bounds.filter(|bounds| areas::is_small(*bounds)) {
                Some(bounds) => (Self::Area(bounds), Lead::Perhaps { negated: false }),
                None => return None,
            },
            Test::Compare { .. } | Test::Exists { .. } => return None,
        })
    }
}

impl Lead {
    pub(super) fn of(rule: &Rule) -> Self {
        Entry::of(rule).map_or(Self::None, |(_, lead)| lead)
    }

    /// Whether the condition cannot hold unless it was found.
    pub(super) fn is_key(self) -> bool {
        matches!(self, Self::Certain { negated: false } | Self::Perhaps { negated: false })
    }
}
