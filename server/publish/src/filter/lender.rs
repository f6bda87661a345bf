//! What conditions need and this crate has not: shapes and full text.

use serde_json::Value;

use super::operator::Operator;
use super::place::Place;

/// An item before a lent test.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The item.
    pub item: &'a Value,
    /// Its places; a test of `within` or `near` asks whether it holds one of them.
    pub places: &'a [Place],
}

/// A test of one condition's value.
pub type Test = Box<dyn Fn(&Asked<'_>) -> bool + Send + Sync>;

/// A test, and where to look for it.
pub struct Lent {
    /// The test.
    pub test: Test,
    /// A box outside of which no place passes the test; `None` where that cannot be said.
    pub bounds: Option<Bounds>,
}

/// A box in degrees, its borders inside. It does not go over the antimeridian.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// The least longitude.
    pub west: f64,
    /// The least latitude.
    pub south: f64,
    /// The greatest longitude.
    pub east: f64,
    /// The greatest latitude.
    pub north: f64,
}

/// Lends the tests of `within`, `near` and `query`.
pub trait Lender: Send + Sync {
    /// Reads the value of a condition.
    ///
    /// # Errors
    /// What is wrong with the value, for the person who wrote it.
    fn lend(&self, operator: Operator, value: &str) -> Result<Lent, String>;
}

/// Lends nothing: conditions with lent operators are refused.
#[derive(Clone, Copy, Debug)]
pub struct NoLender;

impl Lender for NoLender {
    fn lend(&self, operator: Operator, _value: &str) -> Result<Lent, String> {
        Err(format!("operator {} is not available", operator.name()))
    }
}
