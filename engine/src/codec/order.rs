//! Values of index keys, whose bytes sort as lists of documents do.
//!
//! ```text
//! value   10                                   missing
//!         11                                   null
//!         12 f64 8 bytes, rest 2 bytes         number: the nearest double, and what is left to the number itself
//!         13 text                              text
//!         14 seconds i64, nanoseconds u32      a text that is a date with a time of day, as the instant
//!         15 text | 16 text                    object, list: their JSON
//!         17 | 18                              false, true
//! text    each 00 as 00 FF, closed by 00 01    at most 1,024 bytes
//!         the first 1,024 bytes in that form, closed by 00 02: cut
//! ```
//! f64: all bits inverted where negative, else the sign bit set; -0.0 is 0.0. Signed integers: sign bit flipped.
//! Two numbers have one form exactly when they are equal, whatever their spelling. Cut texts of one beginning share
//! a form, and stand where they all belong: only their order among themselves is not told.

use std::borrow::Cow;

use serde_json::{Number, Value as Json};

use crate::date;
use crate::limits::INDEX_VALUE_BYTES_MAX;

/// Appends bytes so that a longer run never sorts into a shorter one's continuation.
pub(crate) fn escape(bytes: &[u8], into: &mut Vec<u8>) {
    escape_open(bytes, into);
    into.extend_from_slice(&[0, 1]);
}

fn escape_open(bytes: &[u8], into: &mut Vec<u8>) {
    for &byte in bytes {
        into.push(byte);
        if byte == 0 {
            into.push(0xff);
        }
    }
}

/// Reads back what `escape` wrote; returns the bytes and what follows.
pub(crate) fn unescape(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    unescape_text(bytes).filter(|(_, cut, _)| !cut).map(|(text, _, rest)| (text, rest))
}

/// A text, whether it was cut, and what follows.
fn unescape_text(mut bytes: &[u8]) -> Option<(Vec<u8>, bool, &[u8])> {
    let mut out = Vec::with_capacity(bytes.len());
    loop {
        match bytes {
            [0, end @ (1 | 2), rest @ ..] => return Some((out, *end == 2, rest)),
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

const MISSING: u8 = 0x10;
const NULL: u8 = 0x11;
const NUMBER: u8 = 0x12;
pub(crate) const TEXT: u8 = 0x13;
pub(crate) const INSTANT: u8 = 0x14;
const OBJECT: u8 = 0x15;
const LIST: u8 = 0x16;
pub(crate) const FALSE: u8 = 0x17;
pub(crate) const TRUE: u8 = 0x18;
const SIGN: u64 = 1 << 63;

/// What a document has for one field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'j> {
    Missing,
    Null,
    Number(&'j Number),
    Text(Cow<'j, str>),
    Instant(jiff::Timestamp),
    Object(String),
    List(String),
    Bool(bool),
}

impl<'j> Value<'j> {
    /// The indexed form of what a path reaches.
    pub(crate) fn of(value: Option<&'j Json>) -> Self {
        match value {
            None => Self::Missing,
            Some(Json::Null) => Self::Null,
            Some(Json::Bool(value)) => Self::Bool(*value),
            Some(Json::Number(number)) => Self::Number(number),
            Some(Json::String(text)) => match date::parse_time(text) {
                Some(at) => Self::Instant(at),
                None => Self::Text(Cow::Borrowed(text)),
            },
            Some(list @ Json::Array(_)) => Self::List(list.to_string()),
            Some(object @ Json::Object(_)) => Self::Object(object.to_string()),
        }
    }

    /// As `of`, texts without regard to case.
    pub(crate) fn folded(value: Option<&'j Json>) -> Self {
        match value {
            Some(Json::String(text)) => Self::Text(Cow::Owned(super::fold::fold(text))),
            other => Self::of(other),
        }
    }

    /// Appends the ordered form; answers whether it was cut.
    pub(crate) fn encode(&self, into: &mut Vec<u8>) -> bool {
        match self {
            Self::Missing => into.push(MISSING),
            Self::Null => into.push(NULL),
            Self::Number(number) => {
                into.push(NUMBER);
                encode_number(number, into);
            }
            Self::Text(text) => return encode_text(TEXT, text, into),
            Self::Instant(at) => {
                // Towards the past, so that the nanoseconds are never negative.
                let nanoseconds = at.as_nanosecond().rem_euclid(1_000_000_000);
                let seconds = at.as_nanosecond().div_euclid(1_000_000_000);
                into.push(INSTANT);
                into.extend_from_slice(&((seconds as i64).cast_unsigned() ^ SIGN).to_be_bytes());
                into.extend_from_slice(&(nanoseconds as u32).to_be_bytes());
            }
            Self::Object(json) => return encode_text(OBJECT, json, into),
            Self::List(json) => return encode_text(LIST, json, into),
            Self::Bool(false) => into.push(FALSE),
            Self::Bool(true) => into.push(TRUE),
        }
        false
    }
}

fn encode_text(tag: u8, text: &str, into: &mut Vec<u8>) -> bool {
    into.push(tag);
    match text.as_bytes().get(..INDEX_VALUE_BYTES_MAX).filter(|_| text.len() > INDEX_VALUE_BYTES_MAX) {
        Some(beginning) => {
            escape_open(beginning, into);
            into.extend_from_slice(&[0, 2]);
            true
        }
        None => {
            escape(text.as_bytes(), into);
            false
        }
    }
}

fn encode_number(number: &Number, into: &mut Vec<u8>) {
    let integer = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    let double = match integer {
        Some(integer) => integer as f64,
        None => number.as_f64().unwrap_or_default(),
    };
    // At most half of what lies between two doubles of that size: 1,024.
    let rest = integer.map_or(0, |integer| integer - double as i128);
    let positive_zero = if double == 0.0 { 0.0 } else { double };
    let bits = positive_zero.to_bits();
    let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    into.extend_from_slice(&ordered.to_be_bytes());
    into.extend_from_slice(&((rest as i16).cast_unsigned() ^ (1 << 15)).to_be_bytes());
}

/// One value at the beginning of some bytes: whether it was cut, and what follows. `None`: the bytes are no value.
pub(crate) fn skip(bytes: &[u8]) -> Option<(bool, &[u8])> {
    match bytes {
        [MISSING | NULL | FALSE | TRUE, rest @ ..] => Some((false, rest)),
        [NUMBER, rest @ ..] => Some((false, rest.get(10..)?)),
        [INSTANT, rest @ ..] => Some((false, rest.get(12..)?)),
        [TEXT | OBJECT | LIST, rest @ ..] => unescape_text(rest).map(|(_, cut, rest)| (cut, rest)),
        _ => None,
    }
}

/// Whether a value that begins here is of a missing field.
pub(crate) fn is_missing(bytes: &[u8]) -> bool {
    bytes.first() == Some(&MISSING)
}

/// The value at the beginning of some bytes as people read it: objects and lists as text, missing as null.
pub(crate) fn show(bytes: &[u8]) -> Option<(Json, &[u8])> {
    let (_, rest) = skip(bytes)?;
    let shown = match bytes {
        [NUMBER, body @ ..] => show_number(body.first_chunk::<10>()?),
        [INSTANT, body @ ..] => {
            let seconds = u64::from_be_bytes(*body.first_chunk::<8>()?) ^ SIGN;
            let nanoseconds = u32::from_be_bytes(body.get(8..12)?.try_into().ok()?);
            let at = jiff::Timestamp::new(seconds.cast_signed(), nanoseconds.cast_signed()).ok()?;
            Json::from(at.to_string())
        }
        [TEXT | OBJECT | LIST, body @ ..] => {
            let (text, cut, _) = unescape_text(body)?;
            let text = String::from_utf8_lossy(&text).into_owned();
            Json::from(if cut { text + "..." } else { text })
        }
        [FALSE, ..] => Json::Bool(false),
        [TRUE, ..] => Json::Bool(true),
        _ => Json::Null,
    };
    Some((shown, rest))
}

fn show_number(bytes: &[u8; 10]) -> Json {
    let (double, rest) = bytes.split_at(8);
    let ordered = u64::from_be_bytes(double.try_into().unwrap_or_default());
    let double = f64::from_bits(if ordered & SIGN == 0 { !ordered } else { ordered ^ SIGN });
    let rest = (u16::from_be_bytes(rest.try_into().unwrap_or_default()) ^ (1 << 15)).cast_signed();
    if double.fract() != 0.0 || double.abs() > 2e19 {
        return Json::from(double);
    }
    let whole = double as i128 + i128::from(rest);
    match (i64::try_from(whole), u64::try_from(whole)) {
        (Ok(whole), _) => Json::from(whole),
        (_, Ok(whole)) => Json::from(whole),
        _ => Json::from(double),
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn encoded(value: &Json) -> Vec<u8> {
        let mut bytes = Vec::new();
        Value::of(Some(value)).encode(&mut bytes);
        bytes
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn golden_bytes() {
        let check = |value: Json, expected: &str| assert_eq!(hex(&encoded(&value)), expected, "{value}");
        let mut missing = Vec::new();
        Value::of(None).encode(&mut missing);
        assert_eq!(hex(&missing), "10");
        check(json!(null), "11");
        check(json!(0), "1280000000000000008000");
        check(json!(-0.0), "1280000000000000008000");
        check(json!(7), "12c01c0000000000008000");
        check(json!(-1.5), "124007ffffffffffff8000");
        check(json!(9_007_199_254_740_993_i64), "12c3400000000000008001");
        check(json!(u64::MAX), "12c3f00000000000007fff");
        check(json!("oslo"), "136f736c6f0001");
        check(json!("a\0b"), "136100ff620001");
        check(json!("1970-01-01T00:00:01.5Z"), "1480000000000000011dcd6500");
        check(json!("1969-12-31T23:59:59.5Z"), "147fffffffffffffff1dcd6500");
        check(json!({"a": 1}), "157b2261223a317d0001");
        check(json!([1]), "165b315d0001");
        check(json!(false), "17");
        check(json!(true), "18");
        let long = encoded(&json!("x".repeat(1_025)));
        assert_eq!((long.len(), &long[1_025..]), (1_027, &[0, 2][..]));
    }

    /// Every kind, in the order of lists; what follows a value must not matter.
    #[test]
    fn unlike_values_keep_their_order() {
        let long = "y".repeat(1_024);
        let ascending = json!([
            null, -1e300, i64::MIN, -1.5, -1, 0, 0.5, 1, 9007199254740992u64, 9007199254740993u64,
            9007199254740994u64, i64::MAX, u64::MAX - 1, u64::MAX, 1e300,
            "", "\0", "a", "a\0", "ab", "b", long, format!("{long}z"), "z",
            "2026-01-31T12:00:00+0200", "2026-01-31T11:00:00Z", {"k": 1}, [1], false, true
        ]);
        let ascending = ascending.as_array().unwrap();
        for (i, left) in ascending.iter().enumerate() {
            for (j, right) in ascending.iter().enumerate() {
                let (x, y) = ([&encoded(left)[..], &[0xff]].concat(), [&encoded(right)[..], &[0]].concat());
                if i != j {
                    assert_eq!(x.cmp(&y), i.cmp(&j), "{left} {right}");
                }
            }
            let bytes = [&encoded(left)[..], b"rest"].concat();
            let (cut, rest) = skip(&bytes).unwrap();
            assert_eq!((cut, rest), (left.as_str().is_some_and(|text| text.len() > 1_024), &b"rest"[..]));
            let (shown, rest) = show(&bytes).unwrap();
            assert_eq!(rest, b"rest");
            if left.is_number() || left.is_boolean() {
                assert_eq!(encoded(&shown), encoded(left));
            }
        }
        assert_eq!(encoded(&json!(1)), encoded(&json!(1.0)));
        assert_eq!(encoded(&json!("2026-01-31T12:00:00Z")), encoded(&json!("2026-01-31T13:00:00+0100")));
    }

    proptest! {
        #[test]
        fn text_keeps_order_and_round_trips(a in ".{0,12}", b in ".{0,12}") {
            let of = |text: &str| {
                let mut bytes = Vec::new();
                escape(text.as_bytes(), &mut bytes);
                bytes
            };
            let (x, y) = (of(&a), of(&b));
            prop_assert_eq!(a.as_bytes().cmp(b.as_bytes()), x.cmp(&y));
            let (back, rest) = unescape(&x).unwrap();
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
        fn skipping_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
            let _ = (skip(&bytes), show(&bytes));
        }

        #[test]
        fn numbers_keep_order(a: i64, b: u64, f: f64, g: f64) {
            let exact = |left: i128, right: i128| left.cmp(&right);
            prop_assert_eq!(exact(a.into(), b.into()), encoded(&json!(a)).cmp(&encoded(&json!(b))));
            if let Some(order) = f.partial_cmp(&g).filter(|_| f.is_finite() && g.is_finite()) {
                prop_assert_eq!(order, encoded(&json!(f)).cmp(&encoded(&json!(g))));
                let order = (a as f64).partial_cmp(&f).filter(|order| *order != Ordering::Equal);
                if let Some(order) = order {
                    prop_assert_eq!(order, encoded(&json!(a)).cmp(&encoded(&json!(f))));
                }
            }
        }
    }
}
