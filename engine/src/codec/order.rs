//! Values whose bytes sort as they do.
//!
//! ```text
//! 01 null | 02 false | 03 true
//! 04 i64, sign bit flipped
//! 05 text, each 00 as 00 FF, closed by 00 01
//! 06 f64, negative: all bits inverted, else sign bit set; -0.0 as 0.0; NaN refused
//! 07 u64: a cell, or a number above what a signed integer holds
//! ```

/// Appends bytes so that a longer run never sorts into a shorter one's continuation.
pub(crate) fn escape(bytes: &[u8], into: &mut Vec<u8>) {
    for &byte in bytes {
        into.push(byte);
        if byte == 0 {
            into.push(0xff);
        }
    }
    into.extend_from_slice(&[0, 1]);
}

/// Reads back what `escape` wrote; returns the bytes and what follows.
pub(crate) fn unescape(mut bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut out = Vec::with_capacity(bytes.len());
    loop {
        match bytes {
            [0, 1, rest @ ..] => return Some((out, rest)),
            [0, 0xff, rest @ ..] => {
                out.push(0);
                bytes = rest;
            }
            [0, ..] | [] => return None,
            [byte, rest @ ..] => {
                out.push(*byte);
                bytes = rest;
            }
        }
    }
}

/// What follows the first value of a run of them; `None` when the bytes are no value.
pub(crate) fn skip(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [1..=3, rest @ ..] => Some(rest),
        [4 | 6 | 7, rest @ ..] => rest.get(8..),
        [5, rest @ ..] => unescape(rest).map(|(_, rest)| rest),
        _ => None,
    }
}

/// One typed value of an index key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Text(String),
    Float(f64),
    /// Above what a signed integer holds.
    Unsigned(u64),
}

const SIGN: u64 = 1 << 63;

impl Value {
    /// Appends the ordered form. `false` when the value has none (NaN).
    pub(crate) fn encode(&self, into: &mut Vec<u8>) -> bool {
        match self {
            Self::Null => into.push(1),
            Self::Bool(value) => into.push(2 + u8::from(*value)),
            Self::Integer(value) => {
                into.push(4);
                into.extend_from_slice(&(value.cast_unsigned() ^ SIGN).to_be_bytes());
            }
            Self::Text(value) => {
                into.push(5);
                escape(value.as_bytes(), into);
            }
            Self::Unsigned(value) => {
                into.push(7);
                into.extend_from_slice(&value.to_be_bytes());
            }
            Self::Float(value) if value.is_nan() => return false,
            Self::Float(value) => {
                let positive_zero = if *value == 0.0 { 0.0 } else { *value };
                let bits = positive_zero.to_bits();
                let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
                into.push(6);
                into.extend_from_slice(&ordered.to_be_bytes());
            }
        }
        true
    }

    /// The indexable form of a JSON value; `None` for objects, lists and over-long text.
    ///
    /// Every number is a float here, so that 1 and 1.0 are one key.
    pub(crate) fn from_json(value: &serde_json::Value) -> Option<Self> {
        match value {
            serde_json::Value::Null => Some(Self::Null),
            serde_json::Value::Bool(value) => Some(Self::Bool(*value)),
            serde_json::Value::Number(value) => exact_number(value),
            serde_json::Value::String(value) => {
                (value.len() <= crate::limits::INDEX_VALUE_BYTES_MAX).then(|| Self::Text(value.clone()))
            }
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => None,
        }
    }
}

/// Integers that a float cannot hold exactly stay integers, so that no two of them share a key.
fn exact_number(value: &serde_json::Number) -> Option<Value> {
    const EXACT_MAX: u64 = 1 << 53;
    match (value.as_i64(), value.as_u64()) {
        (Some(integer), _) if integer.unsigned_abs() > EXACT_MAX => Some(Value::Integer(integer)),
        (None, Some(integer)) => Some(Value::Unsigned(integer)),
        _ => value.as_f64().map(Value::Float),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        assert!(value.encode(&mut bytes));
        bytes
    }

    #[test]
    fn golden_bytes() {
        let check = |value: Value, hex: &str| {
            let text: String = encoded(&value).iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(text, hex, "{value:?}");
        };
        check(Value::Null, "01");
        check(Value::Bool(false), "02");
        check(Value::Bool(true), "03");
        check(Value::Integer(-1), "047fffffffffffffff");
        check(Value::Integer(0), "048000000000000000");
        check(Value::Integer(7), "048000000000000007");
        check(Value::Text("oslo".into()), "056f736c6f0001");
        check(Value::Text("a\0b".into()), "056100ff620001");
        check(Value::Float(-1.5), "064007ffffffffffff");
        check(Value::Float(0.0), "068000000000000000");
        check(Value::Float(-0.0), "068000000000000000");
        check(Value::Float(1.5), "06bff8000000000000");
        assert!(!Value::Float(f64::NAN).encode(&mut Vec::new()));
    }

    proptest! {
        #[test]
        fn text_keeps_order_and_round_trips(a in ".{0,12}", b in ".{0,12}") {
            let (x, y) = (encoded(&Value::Text(a.clone())), encoded(&Value::Text(b.clone())));
            prop_assert_eq!(a.as_bytes().cmp(b.as_bytes()), x.cmp(&y));
            let (back, rest) = unescape(&x[1..]).unwrap();
            prop_assert_eq!(back, a.into_bytes());
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn text_with_zeros_keeps_order(
            a in proptest::collection::vec(0u8..3, 0..6),
            b in proptest::collection::vec(0u8..3, 0..6),
            after_a: u64, after_b: u64,
        ) {
            let (mut x, mut y) = (Vec::new(), Vec::new());
            escape(&a, &mut x);
            escape(&b, &mut y);
            x.extend_from_slice(&(!after_a).to_be_bytes());
            y.extend_from_slice(&(!after_b).to_be_bytes());
            prop_assert_eq!((&a, !after_a).cmp(&(&b, !after_b)), x.cmp(&y));
        }

        #[test]
        fn a_value_ends_where_the_next_begins(text in ".{0,12}", number: i64, rest: [u8; 3]) {
            for value in [Value::Null, Value::Bool(true), Value::Integer(number), Value::Text(text)] {
                let bytes = [&encoded(&value)[..], &rest].concat();
                prop_assert_eq!(skip(&bytes), Some(&rest[..]));
            }
        }

        #[test]
        fn skipping_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
            let _ = skip(&bytes);
        }

        #[test]
        fn numbers_keep_order(a: i64, b: i64, f: f64, g: f64) {
            prop_assert_eq!(a.cmp(&b), encoded(&Value::Integer(a)).cmp(&encoded(&Value::Integer(b))));
            if let (Some(order), false) = (f.partial_cmp(&g), f.is_nan()) {
                prop_assert_eq!(order, encoded(&Value::Float(f)).cmp(&encoded(&Value::Float(g))));
            }
        }
    }
}
