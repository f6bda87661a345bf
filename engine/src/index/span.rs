//! Sets of values of one field, as runs in the order of index keys.
//!
//! What a condition asks of a field becomes such a set; sets are joined and cut as the condition says, and the index
//! turns them into ranges of keys. A set may hold more than was asked for, never less: texts that are cut in keys
//! stand together, and ends of runs belong to them.

use serde_json::Value as Json;

use crate::codec::order::{self, Value};
use crate::kv::KeyRange;

/// A set of values, as runs that rise and do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    /// Where each begins, and the first place after it.
    runs: Vec<(Vec<u8>, Vec<u8>)>,
}

fn encoded(value: Option<&Json>) -> Vec<u8> {
    let mut bytes = Vec::new();
    Value::of(value).encode(&mut bytes);
    bytes
}

/// All values of the type of one.
fn like(place: &[u8]) -> KeyRange {
    match place {
        [order::FALSE | order::TRUE, ..] => {
            KeyRange::new([order::FALSE], KeyRange::prefix(&[order::TRUE]).upper)
        }
        other => KeyRange::prefix(other.get(..1).unwrap_or_default()),
    }
}

impl Spans {
    /// No value.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// One value; `None` is that of a missing field.
    #[must_use]
    pub fn value(value: Option<&Json>) -> Self {
        let KeyRange { lower, upper } = KeyRange::prefix(&encoded(value));
        Self { runs: vec![(lower, upper)] }
    }

    /// A value and what is above it among values of its type.
    #[must_use]
    pub fn from(value: &Json) -> Self {
        let lower = encoded(Some(value));
        let KeyRange { upper, .. } = like(&lower);
        Self { runs: vec![(lower, upper)] }
    }

    /// A value and what is below it among values of its type.
    #[must_use]
    pub fn up_to(value: &Json) -> Self {
        let place = encoded(Some(value));
        let KeyRange { upper, .. } = KeyRange::prefix(&place);
        Self { runs: vec![(like(&place).lower, upper)] }
    }

    /// Every date with a time of day.
    #[must_use]
    pub fn instants() -> Self {
        let KeyRange { lower, upper } = KeyRange::prefix(&[order::INSTANT]);
        Self { runs: vec![(lower, upper)] }
    }

    /// The set in keys without regard to case, if it is one of single values whose case can be told.
    #[must_use]
    pub fn folded(&self) -> Option<Self> {
        let fold = |place: &[u8]| match (place.first()?, order::skip(place)?) {
            (&order::TEXT, (false, _)) => {
                let (text, _) = order::show(place)?;
                let mut folded = Vec::new();
                Value::folded(Some(&text)).encode(&mut folded);
                Some(folded)
            }
            (&order::TEXT | &order::INSTANT, _) => None,
            _ => Some(place.to_vec()),
        };
        let places = self.values()?.into_iter().map(fold).collect::<Option<Vec<_>>>()?;
        let run = |place: Vec<u8>| {
            let KeyRange { upper, .. } = KeyRange::prefix(&place);
            Self { runs: vec![(place, upper)] }
        };
        Some(Self::any(places.into_iter().map(run)))
    }

    /// What is in either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::any([self, other])
    }

    /// What is in any of them.
    pub fn any(sets: impl IntoIterator<Item = Self>) -> Self {
        let mut all: Vec<_> = sets.into_iter().flat_map(|set| set.runs).collect();
        all.sort_unstable();
        let mut runs: Vec<(Vec<u8>, Vec<u8>)> = Vec::with_capacity(all.len());
        for (lower, upper) in all {
            match runs.last_mut() {
                // Values next to each other stay apart: each is one to begin a key with.
                Some(last) if last.1 > lower => last.1 = std::mem::take(&mut last.1).max(upper),
                _ => runs.push((lower, upper)),
            }
        }
        Self { runs }
    }

    /// What is in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut runs = Vec::new();
        let (mut left, mut right) = (self.runs.iter().peekable(), other.runs.iter().peekable());
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            let (lower, upper) = ((&a.0).max(&b.0), (&a.1).min(&b.1));
            if lower < upper {
                runs.push((lower.clone(), upper.clone()));
            }
            if a.1 < b.1 {
                left.next();
            } else {
                right.next();
            }
        }
        Self { runs }
    }

    /// Whether a value is in it; `None` is that of a missing field.
    #[must_use]
    pub fn holds(&self, value: Option<&Json>) -> bool {
        let place = encoded(value);
        self.runs().any(|(lower, upper)| lower <= &place[..] && &place[..] < upper)
    }

    /// The single values it is made of, in the form they have in keys, if it is made of such.
    pub(crate) fn values(&self) -> Option<Vec<&[u8]>> {
        let single = |(lower, upper): &(Vec<u8>, Vec<u8>)| {
            order::skip(lower).is_some_and(|(_, rest)| rest.is_empty())
                && KeyRange::prefix(lower).upper == *upper
        };
        self.runs.iter().all(single).then(|| self.runs.iter().map(|(lower, _)| &lower[..]).collect())
    }

    /// How many values it has, if it is made of single ones.
    #[must_use]
    pub fn count(&self) -> Option<usize> {
        self.values().map(|values| values.len())
    }

    pub(crate) fn runs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.runs.iter().map(|(lower, upper)| (&lower[..], &upper[..]))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_sets_hold() {
        let check = |spans: &Spans, inside: Json, outside: Json| {
            for value in inside.as_array().unwrap() {
                assert!(spans.holds(Some(value)), "{value} is in {spans:?}");
            }
            for value in outside.as_array().unwrap() {
                assert!(!spans.holds(Some(value)), "{value} is not in {spans:?}");
            }
        };
        let five_up = Spans::from(&json!(5));
        check(&five_up, json!([5, 5.5, 1e300]), json!([4, "a", null, "2026-01-31T12:00:00Z"]));
        let to_b = Spans::up_to(&json!("b"));
        check(&to_b, json!(["", "a", "b"]), json!(["ba", 1, {}]));
        check(&five_up.clone().or(to_b.clone()), json!([5, "a"]), json!([4, "c"]));
        check(&five_up.and(&Spans::up_to(&json!(7))), json!([5, 6, 7]), json!([8, 4]));
        assert_eq!(five_up.and(&to_b), Spans::none());
        check(&Spans::instants(), json!(["2026-01-31T12:00:00Z"]), json!(["2026-01-31", "x"]));
        check(&Spans::from(&json!(false)), json!([false, true]), json!([1]));
        check(&Spans::up_to(&json!(true)), json!([false, true]), json!([[1], null]));
        let nothing = Spans::value(None).or(Spans::value(Some(&Json::Null)));
        assert!(nothing.holds(None) && nothing.holds(Some(&Json::Null)));
        // A text that is cut stands with all that share its beginning.
        let long = json!("x".repeat(1_030));
        check(&Spans::value(Some(&long)), json!([long, "x".repeat(1_029)]), json!(["x".repeat(1_024)]));
    }

    #[test]
    fn single_values_are_told() {
        let of = |value: Json| Spans::value(Some(&value));
        assert_eq!(of(json!(1)).or(of(json!(2))).or(of(json!(1))).count(), Some(2));
        assert_eq!(of(json!("a")).or(Spans::value(None)).count(), Some(2));
        assert_eq!(Spans::from(&json!(1)).count(), None);
        assert_eq!(of(json!(1)).or(Spans::from(&json!(1))).count(), None);
        assert_eq!(Spans::none().count(), Some(0));
        // From 1 up and 1 down is 1.
        assert_eq!(Spans::from(&json!(1)).and(&Spans::up_to(&json!(1))), of(json!(1)));
    }

    #[test]
    fn values_without_regard_to_case() {
        let of = |value: Json| Spans::value(Some(&value));
        let both = of(json!("Straße")).or(of(json!(7)));
        assert_eq!(both.folded(), Some(of(json!("strasse")).or(of(json!(7)))));
        assert_eq!(of(json!("2026-01-31T12:00:00Z")).folded(), None);
        assert_eq!(of(json!("x".repeat(1_025))).folded(), None);
        assert_eq!(Spans::from(&json!("a")).folded(), None);
    }

    /// Joined and cut sets hold what both, or either, hold.
    #[test]
    fn sets_of_random_values() {
        let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
        let seed: u64 = seed.unwrap_or_else(|| fastrand::u64(..));
        println!("SEED={seed}");
        let mut dice = fastrand::Rng::with_seed(seed);
        let values: Vec<Json> = (0..8).map(|n| json!(n)).chain(["a", "b", "c"].map(Json::from)).collect();
        let one = |dice: &mut fastrand::Rng| {
            let mut spans = Spans::none();
            for _ in 0..dice.u8(..4) {
                let value = &values[dice.usize(..values.len())];
                spans = spans.or(match dice.u8(..3) {
                    0 => Spans::value(Some(value)),
                    1 => Spans::from(value),
                    _ => Spans::up_to(value),
                });
            }
            spans
        };
        for _ in 0..2_000 {
            let (left, right) = (one(&mut dice), one(&mut dice));
            let (both, either) = (left.and(&right), left.clone().or(right.clone()));
            for value in &values {
                let (l, r) = (left.holds(Some(value)), right.holds(Some(value)));
                assert_eq!(both.holds(Some(value)), l && r, "{left:?} {right:?} {value}");
                assert_eq!(either.holds(Some(value)), l || r, "{left:?} {right:?} {value}");
            }
            for spans in [&both, &either] {
                assert!(spans.runs.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{spans:?}");
            }
        }
    }
}
