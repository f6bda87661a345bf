//! Decides whether one write may go through, and what the new version looks like.
//!
//! Pure: no clock, no I/O, no giving of sequence numbers. The writer owns those.
//! Invariant: a plan never touches a document other than the one it was decided for.

use bytes::Bytes;

use crate::catalog::Keep;
use crate::change::ChangeOp;
use crate::commit::op::{Change, Condition};
use crate::document::Document;
use crate::error::Conflict;
use crate::types::{Millis, Seq};

/// The parts of the next version that depend on the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) prev_seq: Seq,
    pub(crate) created: Millis,
    pub(crate) expires: Option<Millis>,
    pub(crate) op: ChangeOp,
    pub(crate) body: Bytes,
}

/// `head` is the stored version, tombstones included; `now` the time of the group. What the engine does by itself
/// is held against the head as it is; to everybody else an ended document is not there.
pub(crate) fn decide(
    head: Option<&Document>,
    condition: &Condition,
    change: &Change,
    keep: &Keep,
    now: Millis,
) -> Result<Plan, Conflict> {
    let live = head.filter(|head| head.is_live(now));
    check(if change.is_upkeep() { head } else { live }, condition)?;
    let prev_seq = head.map_or(Seq::ZERO, |head| head.seq);
    let after = |ms: Option<u64>| ms.map(|ms| Millis::new(now.get().saturating_add(ms)));
    let tombstone =
        |op, created| Plan { prev_seq, created, expires: after(keep.tombstone_ms), op, body: Bytes::new() };
    match change {
        Change::Put { body, expires, .. } => Ok(Plan {
            prev_seq,
            created: live.map_or(now, |live| live.created),
            expires: expires.or(after(keep.expire_after_ms)),
            op: ChangeOp::Put,
            body: body.clone(),
        }),
        Change::Delete => {
            let live = live.ok_or(Conflict::Absent)?;
            Ok(tombstone(ChangeOp::Delete, live.created))
        }
        Change::Expire => {
            let ended = head.filter(|head| !head.deleted && !head.is_live(now)).ok_or(Conflict::Absent)?;
            Ok(tombstone(ChangeOp::Expire, ended.created))
        }
        Change::Purge { .. } => {
            let gone = head.filter(|head| head.deleted).ok_or(Conflict::Absent)?;
            Ok(Plan { expires: None, ..tombstone(ChangeOp::Purge, gone.created) })
        }
    }
}

/// Whether a condition holds of what is live.
pub(crate) fn check(live: Option<&Document>, condition: &Condition) -> Result<(), Conflict> {
    match (condition, live) {
        (Condition::Always, _) | (Condition::Absent, None) | (Condition::Present, Some(_)) => Ok(()),
        (Condition::Absent, Some(live)) => Err(Conflict::Exists(live.revision())),
        (Condition::Present, None) => Err(Conflict::Absent),
        (Condition::Revision(expected), found) => {
            let found = found.map(Document::revision);
            if found == Some(*expected) {
                return Ok(());
            }
            Err(Conflict::Stale { expected: *expected, found })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{CollectionId, DocId, Epoch, Revision};

    const NOW: Millis = Millis::new(1_000);

    fn head(seq: u64, deleted: bool, expires: Option<u64>) -> Document {
        Document {
            collection: CollectionId::new(1),
            id: DocId::new("x").unwrap(),
            seq: Seq::new(seq),
            prev_seq: Seq::ZERO,
            epoch: Epoch::new(2),
            created: Millis::new(10),
            updated: Millis::new(20),
            expires: expires.map(Millis::new),
            schema: 0,
            upgraded: false,
            deleted,
            body: Bytes::from_static(b"{}"),
        }
    }

    /// Every combination of head state, condition and change.
    #[test]
    fn the_whole_table() {
        let revision = |epoch, seq| Revision { epoch: Epoch::new(epoch), seq: Seq::new(seq) };
        let heads = [
            ("none", None),
            ("live", Some(head(5, false, None))),
            ("live until later", Some(head(5, false, Some(1_001)))),
            ("expired", Some(head(5, false, Some(1_000)))),
            ("tombstone", Some(head(5, true, None))),
        ];
        let conditions = [
            Condition::Always,
            Condition::Absent,
            Condition::Present,
            Condition::Revision(revision(2, 5)),
            Condition::Revision(revision(2, 4)),
            Condition::Revision(revision(1, 5)),
        ];
        let put = Change::Put { body: Bytes::from_static(b"{\"n\":1}"), expires: None, schema: None };
        for (name, head) in &heads {
            let is_live = name.starts_with("live");
            for condition in &conditions {
                for change in [&put, &Change::Delete] {
                    let got = decide(head.as_ref(), condition, change, &Keep::default(), NOW);
                    let may = match condition {
                        Condition::Always => true,
                        Condition::Absent => !is_live,
                        Condition::Present => is_live,
                        Condition::Revision(wanted) => is_live && *wanted == revision(2, 5),
                    };
                    let deletes = *change == Change::Delete;
                    let place = format!("{name} {condition:?} delete={deletes}");
                    assert_eq!(got.is_ok(), may && (is_live || !deletes), "{place}");
                    let Ok(plan) = got else { continue };
                    assert_eq!(plan.op == ChangeOp::Delete, deletes, "{place}");
                    assert_eq!(plan.prev_seq.get(), if head.is_some() { 5 } else { 0 }, "{place}");
                    assert_eq!(plan.created.get(), if is_live { 10 } else { 1_000 }, "{place}");
                    assert_eq!(plan.body.is_empty(), deletes, "{place}");
                }
            }
        }
    }

    /// What the engine does by itself goes by the head as it is, and only where it is due.
    #[test]
    fn ends_and_purges() {
        let revision = |seq| Condition::Revision(Revision { epoch: Epoch::new(2), seq: Seq::new(seq) });
        let keep = Keep { tombstone_ms: Some(50), expire_after_ms: Some(7), ..Keep::default() };
        let purge = Change::Purge { versions: Vec::new() };
        let check = |head: Option<Document>, seq, change: &Change, op: Option<ChangeOp>| {
            let got = decide(head.as_ref(), &revision(seq), change, &keep, NOW);
            assert_eq!(got.as_ref().ok().map(|plan| plan.op), op, "{head:?} {change:?}");
            got.ok().and_then(|plan| plan.expires)
        };
        let ended = || Some(head(5, false, Some(1_000)));
        let end = check(ended(), 5, &Change::Expire, Some(ChangeOp::Expire));
        assert_eq!(end, Some(Millis::new(1_050)));
        check(ended(), 4, &Change::Expire, None);
        check(ended(), 5, &purge, None);
        check(Some(head(5, false, Some(1_001))), 5, &Change::Expire, None);
        check(Some(head(5, true, None)), 5, &Change::Expire, None);
        assert_eq!(check(Some(head(5, true, Some(9))), 5, &purge, Some(ChangeOp::Purge)), None);
        check(None, 5, &purge, None);
        let put = Change::Put { body: Bytes::new(), expires: None, schema: None };
        let plan = decide(None, &Condition::Absent, &put, &keep, NOW).unwrap();
        assert_eq!(plan.expires, Some(Millis::new(1_007)));
    }

    #[test]
    fn conflicts_say_what_is_stored() {
        let live = head(5, false, None);
        let wrong = Revision { epoch: Epoch::new(2), seq: Seq::new(4) };
        let found = live.revision();
        assert_eq!(
            decide(Some(&live), &Condition::Revision(wrong), &Change::Delete, &Keep::default(), NOW),
            Err(Conflict::Stale { expected: wrong, found: Some(found) })
        );
        let put = Change::Put { body: Bytes::new(), expires: None, schema: None };
        assert_eq!(
            decide(Some(&live), &Condition::Absent, &put, &Keep::default(), NOW),
            Err(Conflict::Exists(found))
        );
    }
}
