//! Merges the two lanes into the order of their commits.
//!
//! Pure. A positions batch says where the log stood when it was committed; it comes after that record
//! and before the next. Either input may have been cut by a read limit: nothing is emitted whose
//! predecessor might lie behind such a cut.

use crate::change::Change;
use crate::feed::Entry;
use crate::types::{PositionSeq, Seq, Tail};

/// `changes` and `batches` continue a reader's place; `upto` is the tail both were read towards.
pub(crate) fn merge(changes: Vec<Change>, batches: Vec<Entry>, upto: Tail) -> Vec<Entry> {
    let changes_end = changes.last().map(|change| change.seq);
    let changes_cut = changes_end.is_some_and(|end| end < upto.seq);
    let batches_end = batches.last().map(place);
    let batches_cut = batches_end.is_some_and(|(seq, _)| seq < upto.positions);

    let mut merged = Vec::with_capacity(changes.len() + batches.len());
    let mut changes = changes.into_iter().peekable();
    for batch in batches {
        let (_, after) = place(&batch);
        while let Some(change) = changes.next_if(|change| change.seq <= after) {
            merged.push(Entry::Change(change));
        }
        if changes_cut && changes_end.is_some_and(|end| after > end) {
            return merged;
        }
        merged.push(batch);
    }
    match batches_end {
        // An unread batch may come right after the last one's place in the log.
        Some((_, after)) if batches_cut => {
            merged.extend(changes.take_while(|change| change.seq <= after).map(Entry::Change));
        }
        _ => merged.extend(changes.map(Entry::Change)),
    }
    merged
}

fn place(entry: &Entry) -> (PositionSeq, Seq) {
    match entry {
        Entry::Positions { seq, after, .. } => (*seq, *after),
        Entry::Change(change) => (PositionSeq::ZERO, change.seq),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::change::ChangeOp;
    use crate::types::{CollectionId, DocId, Epoch, Millis};

    fn change(seq: u64) -> Change {
        Change {
            seq: Seq::new(seq),
            group_last: Seq::new(seq),
            prev_seq: Seq::ZERO,
            at: Millis::new(0),
            epoch: Epoch::new(1),
            collection: CollectionId::new(1),
            id: DocId::new("x").unwrap(),
            op: ChangeOp::Put,
        }
    }

    fn batch(seq: u64, after: u64) -> Entry {
        Entry::Positions {
            seq: PositionSeq::new(seq),
            after: Seq::new(after),
            at: Millis::new(0),
            batch: Bytes::new(),
        }
    }

    proptest! {
        /// Reading a random history in random steps gives the history.
        #[test]
        fn any_cuts_give_the_same_order(
            lanes in proptest::collection::vec(any::<bool>(), 0..60),
            steps in proptest::collection::vec((1usize..5, 1usize..5), 1..20),
        ) {
            let (mut history, mut tail) = (Vec::new(), Tail::default());
            for is_change in lanes {
                if is_change {
                    tail.seq = tail.seq.next();
                    history.push(Entry::Change(change(tail.seq.get())));
                } else {
                    tail.positions = tail.positions.next();
                    history.push(batch(tail.positions.get(), tail.seq.get()));
                }
            }
            let (mut seen, mut at) = (Vec::new(), Tail::default());
            for (changes_max, batches_max) in steps.iter().cycle().take(500) {
                let changes = history.iter().filter_map(|entry| match entry {
                    Entry::Change(change) if change.seq > at.seq => Some(change.clone()),
                    _ => None,
                }).take(*changes_max).collect();
                let batches = history.iter().filter(|entry| {
                    matches!(entry, Entry::Positions { seq, .. } if *seq > at.positions)
                }).take(*batches_max).cloned().collect();
                let entries = merge(changes, batches, tail);
                prop_assert!(!entries.is_empty() || at == tail, "stuck at {at:?} of {tail:?}");
                at = at.past(&entries);
                seen.extend(entries);
            }
            prop_assert_eq!(seen, history);
        }
    }
}
