//! Which superseded versions are kept.
//!
//! Pure. A version goes when neither rule of its collection keeps it. It is superseded by the version after it,
//! at the time that one was written; both rules keep newer versions longer, so what goes is always the oldest part.

use crate::catalog::Keep;
use crate::types::{Millis, Seq};

/// Rows are filed under whole seconds, so a document written often is looked at once a second.
const BUCKET_MS: u64 = 1_000;

/// When a document whose version was superseded at `now` is to be looked at; `None`: every version is kept.
pub(crate) fn due(keep: &Keep, now: Millis) -> Option<Millis> {
    let after = keep.versions_ms.unwrap_or(0);
    let at = now.get().saturating_add(after) / BUCKET_MS + 1;
    keep.limits_versions().then(|| Millis::new(at.saturating_mul(BUCKET_MS)))
}

/// One version: its sequence and when it was written.
pub(crate) type Written = (Seq, Millis);

/// How many of the versions, newest first and beginning with the head, are kept at `now`.
pub(crate) fn kept(keep: &Keep, versions: &[Written], now: Millis) -> usize {
    if !keep.limits_versions() {
        return versions.len();
    }
    let by_number = keep.versions_max.map_or(1, |max| usize::try_from(max).unwrap_or(usize::MAX));
    let by_time = keep.versions_ms.map_or(1, |ms| {
        // Each version but the head was superseded when its successor was written.
        1 + versions
            .iter()
            .take_while(|(_, superseded)| superseded.get().saturating_add(ms) > now.get())
            .count()
    });
    by_number.max(by_time).min(versions.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_rule_keeps() {
        let versions: Vec<Written> =
            [(9, 900), (7, 500), (4, 300), (1, 100)].map(|(s, m)| (Seq::new(s), Millis::new(m))).into();
        let check = |versions_max, versions_ms, now, expected| {
            let keep = Keep { versions_max, versions_ms, ..Keep::default() };
            assert_eq!(kept(&keep, &versions, Millis::new(now)), expected, "{keep:?} at {now}");
        };
        check(None, None, 10_000, 4);
        check(Some(1), None, 900, 1);
        check(Some(3), None, 900, 3);
        check(Some(9), None, 900, 4);
        // 7 was superseded at 900, 4 at 500, 1 at 300.
        check(None, Some(100), 999, 2);
        check(None, Some(100), 1_000, 1);
        check(None, Some(500), 999, 3);
        check(None, Some(700), 999, 4);
        check(Some(3), Some(100), 10_000, 3);
        check(Some(1), Some(500), 999, 3);
    }

    #[test]
    fn rows_lie_in_the_future_and_share_a_second() {
        let keep = Keep { versions_max: Some(2), ..Keep::default() };
        assert_eq!(due(&keep, Millis::new(1_000)), Some(Millis::new(2_000)));
        assert_eq!(due(&keep, Millis::new(1_999)), Some(Millis::new(2_000)));
        let keep = Keep { versions_ms: Some(500), ..Keep::default() };
        assert_eq!(due(&keep, Millis::new(1_600)), Some(Millis::new(3_000)));
        assert_eq!(due(&Keep::default(), Millis::new(1)), None);
    }
}
