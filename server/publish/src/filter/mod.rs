//! Filters: which subscribers get an item.
//!
//! A *condition* compares one field with a value. A *content filter* is an "or" of statements, each an "and" of
//! conditions and other filters. A *product* has a filter that must match (permitting) or must not (blocking), and a
//! region. A *subscriber* holds products; an item reaches it when it fits the targets of the item, no global filter
//! blocks it, and one of its products accepts the item, or the item names it.
//!
//! Two evaluators give the same answers: [`Catalog::recipients`] asks everybody, as the rules are told, and can explain
//! each step; [`Percolator::recipients`] looks only at what may match.
//!
//! What cannot be judged, because an expression does not compile, a filter leads into a circle or a field is
//! unknown, is neither true nor false. A subscriber for which that makes the difference gets nothing and is told as
//! undecided. Such things are refused when they are saved; they remain possible when a vocabulary goes or data is
//! brought in from elsewhere.

mod answer;
mod catalog;
mod check;
mod condition;
mod content;
mod explain;
mod field;
mod fold;
pub(crate) mod html;
mod lender;
mod lookups;
mod nesting;
mod offered;
mod operator;
mod pattern;
mod percolator;
mod place;
mod plain;
mod product;
mod similar;
mod slots;
mod steps;
mod subscriber;
mod targets;
mod tested;
mod truth;
mod value;
mod view;
mod vocabulary;

pub use answer::{Answer, Question, Taken, Undecided};
pub use catalog::{Catalog, Part};
pub use check::Refusal;
pub use explain::{Explanation, Step};
pub use lender::{Asked, Bounds, Lender, Lent, NoLender, Test};
pub use offered::{Offered, Values};
pub use operator::Operator;
pub use percolator::{Change, Percolator};
pub use place::Place;
pub use similar::Similar;
pub use subscriber::TargetMedia;
pub use targets::ItemFault;
pub use tested::Tested;
pub use truth::Truth;
pub use vocabulary::{Kind, Vocabulary};

#[cfg(test)]
mod tests;
