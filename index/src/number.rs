//! Numbers in the one form in which they are written and looked up.
//!
//! `1`, `1.0` and `"1"` are one number. Integers keep all their digits within 64 bits signed; those beyond are
//! rounded as floats are. In a field that holds fractions too, and in a range with one fractional end,
//! integers past 2^53 are rounded as well.

use std::ops::Bound;

use serde_json::Number as JsonNumber;
use tantivy::Term;
use tantivy::schema::OwnedValue;

/// A finite number; a whole one is never `Float` when it fits an integer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Integer(i64),
    Float(f64),
}

/// The first float past `i64`, and past `u64`; both are exact.
const SIGNED_END: f64 = 9_223_372_036_854_775_808.0;
const UNSIGNED_END: f64 = 18_446_744_073_709_551_616.0;

impl Number {
    pub(crate) fn from_json(number: &JsonNumber) -> Option<Self> {
        number.as_i64().map(Self::Integer).or_else(|| Self::from_float(number.as_f64()?))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        // `inf`, `nan` and the like are words.
        let looks = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
        let integer = text.parse().ok().map(Self::Integer);
        integer.or_else(|| Self::from_float(text.parse().ok().filter(|_| looks)?))
    }

    #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
    fn from_float(float: f64) -> Option<Self> {
        let fits = float.fract() == 0.0 && (-SIGNED_END..SIGNED_END).contains(&float);
        match float {
            _ if !float.is_finite() => None,
            _ if fits => Some(Self::Integer(float as i64)),
            _ => Some(Self::Float(float)),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "what a float column does to it")]
    fn float(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    pub(crate) fn value(self) -> OwnedValue {
        match self {
            Self::Integer(value) => OwnedValue::I64(value),
            Self::Float(value) => OwnedValue::F64(value),
        }
    }

    /// The term of a path under which tantivy has put this value: it turns whole floats into integers.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and in range")]
    pub(crate) fn term(self, mut path: Term) -> Term {
        match self {
            Self::Integer(value) => path.append_type_and_fast_value(value),
            // Tantivy takes this one float for the greatest integer.
            Self::Float(SIGNED_END) => path.append_type_and_fast_value(i64::MAX),
            // And 2^64, by saturation, for the greatest of 64 bits.
            Self::Float(value) if (SIGNED_END..=UNSIGNED_END).contains(&value) => {
                path.append_type_and_fast_value(value as u64);
            }
            Self::Float(value) => path.append_type_and_fast_value(value),
        }
        path
    }

    /// The bounds of a range over a path: tantivy wants both ends of one type.
    pub(crate) fn bounds(path: &Term, lower: Bound<Self>, upper: Bound<Self>) -> (Bound<Term>, Bound<Term>) {
        let is_float = |bound: &Bound<Self>| {
            matches!(bound, Bound::Included(Self::Float(_)) | Bound::Excluded(Self::Float(_)))
        };
        let floats = is_float(&lower) || is_float(&upper);
        let term = |number: Self| {
            let mut term = path.clone();
            match number {
                Self::Integer(value) if !floats => term.append_type_and_fast_value(value),
                number => term.append_type_and_fast_value(number.float()),
            }
            term
        };
        (lower.map(term), upper.map(term))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_one_form() {
        let check = |text: &str, number: Option<Number>| assert_eq!(Number::parse(text), number, "{text}");
        check("1", Some(Number::Integer(1)));
        check("+1", Some(Number::Integer(1)));
        check("1.0", Some(Number::Integer(1)));
        check("-0.0", Some(Number::Integer(0)));
        check("1e3", Some(Number::Integer(1000)));
        check("1.5", Some(Number::Float(1.5)));
        check("9223372036854775807", Some(Number::Integer(i64::MAX)));
        check("9223372036854775808", Some(Number::Float(SIGNED_END)));
        check("-9223372036854775808", Some(Number::Integer(i64::MIN)));
        check("1e300", Some(Number::Float(1e300)));
        for not in ["", "-", "e", ".", "inf", "NaN", "infinity", "1e999", "0x1", "1,5", "one"] {
            check(not, None);
        }
        let json = |text: &str| Number::from_json(&serde_json::from_str(text).unwrap());
        assert_eq!(json("2.0"), Some(Number::Integer(2)));
        assert_eq!(json("18446744073709551615"), Some(Number::Float(UNSIGNED_END)));
    }
}
