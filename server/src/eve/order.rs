//! Equality and order of JSON values, as filters and validation rules mean them.
//!
//! Numbers compare by value whatever their spelling (`1` equals `1.0`), exactly even where an integer does not fit
//! a double. Values of different types never compare; the total order over all types belongs to sorting.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::date::{self, Stamp};

/// The right-hand side of a comparison, with its reading as a date done once.
#[derive(Debug, Clone)]
pub(crate) struct Operand {
    pub(crate) value: Value,
    stamp: Option<Stamp>,
}

impl Operand {
    pub(crate) fn new(value: Value) -> Self {
        let stamp = value.as_str().and_then(date::parse);
        Self { value, stamp }
    }

    pub(crate) fn is_date(&self) -> bool {
        self.stamp.is_some()
    }

    pub(crate) fn is_timed(&self) -> bool {
        self.stamp.is_some_and(|stamp| stamp.timed)
    }

    /// Of a date: the day it is written with, and the day of its instant in UTC.
    pub(crate) fn days(&self) -> Option<(&str, String)> {
        let written = self.value.as_str()?.get(..10)?;
        Some((written, self.stamp?.at.strftime("%Y-%m-%d").to_string()))
    }

    pub(crate) fn equals(&self, left: &Value) -> bool {
        match (left, &self.value) {
            (Value::String(left), Value::String(right)) => {
                left == right || self.at_instant(left) == Some(Ordering::Equal)
            }
            (left, right) => equal(left, right),
        }
    }

    /// Order of `left` relative to this operand; `None` if the two are not of one type.
    pub(crate) fn compare(&self, left: &Value) -> Option<Ordering> {
        match (left, &self.value) {
            (Value::Number(left), Value::Number(right)) => Some(numbers(left, right)),
            (Value::String(left), Value::String(right)) => {
                Some(self.at_instant(left).unwrap_or_else(|| left.as_str().cmp(right)))
            }
            (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
            (Value::Null, Value::Null) => Some(Ordering::Equal),
            _ => None,
        }
    }

    /// Compares as instants when both are dates and at least one says a time of day.
    fn at_instant(&self, left: &str) -> Option<Ordering> {
        let right = self.stamp?;
        let left = date::parse(left)?;
        (left.timed || right.timed).then(|| left.at.cmp(&right.at))
    }
}

/// Deep equality; the order of an object's members does not matter.
pub(crate) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => numbers(left, right) == Ordering::Equal,
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, left)| right.get(name).is_some_and(|right| equal(left, right)))
        }
        (left, right) => left == right,
    }
}

/// Exact order of two JSON numbers.
pub(crate) fn numbers(left: &Number, right: &Number) -> Ordering {
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(left), None) => against_float(left, float(right)),
        (None, Some(right)) => against_float(right, float(left)).reverse(),
        (None, None) => float(left).partial_cmp(&float(right)).unwrap_or(Ordering::Equal),
    }
}

fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or(0.0)
}

fn against_float(left: i128, right: f64) -> Ordering {
    // The cast saturates beyond every 64-bit integer, which keeps the order right there as well.
    left.cmp(&(right.trunc() as i128))
        .then_with(|| 0.0.partial_cmp(&right.fract()).unwrap_or(Ordering::Equal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_compare_exactly() {
        let ascending = json!([
            -1e300,
            i64::MIN,
            -1.5,
            -1,
            -0.5,
            0,
            0.5,
            1,
            1.5,
            9007199254740992u64,
            9007199254740993u64,
            i64::MAX,
            u64::MAX,
            1e300
        ]);
        let list = ascending.as_array().unwrap();
        for (i, left) in list.iter().enumerate() {
            for (j, right) in list.iter().enumerate() {
                assert_eq!(Operand::new(right.clone()).compare(left), Some(i.cmp(&j)), "{left} {right}");
            }
        }
        assert!(equal(&json!({"a": [1, 2.0], "b": null}), &json!({"b": null, "a": [1.0, 2]})));
        assert!(!equal(&json!([1]), &json!([1, 1])));
        assert!(equal(&json!(-0.0), &json!(0)));
    }

    #[test]
    fn texts_compare_as_instants_only_when_both_are_dates() {
        let check = |left: &str, right: &str, expected: Ordering| {
            assert_eq!(Operand::new(json!(right)).compare(&json!(left)), Some(expected), "{left} {right}");
        };
        check("2026-01-31T12:00:00+0000", "2026-01-31T12:00:00Z", Ordering::Equal);
        check("2026-01-31T12:00:00+0200", "2026-01-31T11:00:00Z", Ordering::Less);
        check("2026-01-31T00:00:00Z", "2026-01-31", Ordering::Equal);
        check("2026-01-31", "2026-02-01", Ordering::Less);
        check("2026-01-31T12:00:00Z", "3", Ordering::Less);
        assert_eq!(Operand::new(json!("1")).compare(&json!(1)), None);
    }
}
