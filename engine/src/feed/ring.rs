//! The newest records of the log in memory, decoded once for every reader.
//!
//! The writer appends, after the records are stored; readers take no lock and never hold the writer up. The ring
//! is a list of segments whose slots are filled once and in order. Readers keep what they look at alive, so a
//! segment leaves the list while somebody still copies from it.
//!
//! Invariant: the ring holds exactly the records from `first` of its oldest segment to the last one applied. A reader
//! is bounded by the durable mark, which is moved after the records are here; what is older it finds on disk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;

use crate::change::Change;
use crate::limits::{FEED_RING_BYTES_MAX, FEED_RING_RECORDS_MAX, FEED_RING_SEGMENT_RECORDS};
use crate::types::Seq;

/// Segments in the order of their records.
type Segments = Vec<Arc<Segment>>;

struct Segment {
    first: Seq,
    slots: Box<[OnceLock<Change>]>,
    bytes: AtomicU64,
}

impl Segment {
    fn new(first: Seq) -> Self {
        let slots = (0..FEED_RING_SEGMENT_RECORDS).map(|_| OnceLock::new()).collect();
        Self { first, slots, bytes: AtomicU64::new(0) }
    }

    fn slot(&self, seq: Seq) -> Option<&OnceLock<Change>> {
        let place = seq.get().checked_sub(self.first.get())?;
        self.slots.get(usize::try_from(place).ok()?)
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct Ring {
    segments: ArcSwap<Segments>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Ring {
    /// Appends records that continue the last ones. Called by the writer alone.
    pub(crate) fn append(&self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            let segments = self.segments.load();
            let place = segments.last().and_then(|segment| Some((segment, segment.slot(change.seq)?)));
            if let Some((segment, slot)) = place {
                segment.bytes.fetch_add(size(&change), Ordering::Relaxed);
                debug_assert!(slot.get().is_none(), "a record enters the ring once");
                // A slot that is taken already holds this very record.
                let _ = slot.set(change);
            } else {
                self.open(change);
            }
        }
    }

    /// Begins a segment with this record and lets go of the oldest ones that are too many.
    fn open(&self, change: Change) {
        let mut segments = Segments::clone(&self.segments.load());
        let segment = Segment::new(change.seq);
        segment.bytes.fetch_add(size(&change), Ordering::Relaxed);
        if let Some(slot) = segment.slots.first() {
            let _ = slot.set(change);
        }
        segments.push(Arc::new(segment));
        let bytes = |segments: &[Arc<Segment>]| {
            segments.iter().map(|segment| segment.bytes.load(Ordering::Relaxed)).sum::<u64>()
        };
        while segments.len() > 1
            && (segments.len() * FEED_RING_SEGMENT_RECORDS > FEED_RING_RECORDS_MAX
                || bytes(&segments) > FEED_RING_BYTES_MAX)
        {
            segments.remove(0);
        }
        self.segments.store(Arc::new(segments));
    }

    /// About `max` records in `(after, upto]`, ending at a group's end; `None` when some of them are older than the
    /// ring. `upto` must be durable.
    pub(crate) fn read(&self, after: Seq, upto: Seq, max: usize) -> Option<Vec<Change>> {
        let found = self.copy(after, upto, max);
        let count = if found.is_some() { &self.hits } else { &self.misses };
        count.fetch_add(1, Ordering::Relaxed);
        found
    }

    fn copy(&self, after: Seq, upto: Seq, max: usize) -> Option<Vec<Change>> {
        let segments = self.segments.load();
        let mut next = after.next();
        let oldest = segments.first().filter(|segment| segment.first <= next)?;
        let full = u64::try_from(FEED_RING_SEGMENT_RECORDS).ok()?;
        // Every segment but the last is full, so a record's segment is found by counting.
        let from = usize::try_from((next.get() - oldest.first.get()) / full).ok()?;
        let waiting = usize::try_from(upto.get().saturating_sub(after.get())).unwrap_or(usize::MAX);
        let mut found = Vec::with_capacity(waiting.min(max));
        for segment in segments.get(from..)? {
            let place = usize::try_from(next.get() - segment.first.get()).ok()?;
            for slot in segment.slots.get(place..)? {
                if next > upto {
                    return Some(found);
                }
                let change = slot.get()?;
                found.push(change.clone());
                if found.len() >= max && change.seq == change.group_last {
                    return Some(found);
                }
                next = next.next();
            }
        }
        (next > upto).then_some(found)
    }

    /// Reads answered from memory, and those that went to disk.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    #[cfg(test)]
    pub(crate) fn first(&self) -> Option<Seq> {
        self.segments.load().first().map(|segment| segment.first)
    }
}

/// What a record takes up in memory, in bytes.
fn size(change: &Change) -> u64 {
    const SHARED_TEXT_BYTES: usize = 16;
    let bytes = size_of::<OnceLock<Change>>() + SHARED_TEXT_BYTES + change.id.as_str().len();
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::ChangeOp;
    use crate::types::{CollectionId, DocId, Epoch, Millis};

    /// Groups of `group` records, the last one of them at `seq`.
    fn change(seq: u64, group: u64, id: &str) -> Change {
        Change {
            seq: Seq::new(seq),
            group_last: Seq::new(seq.div_ceil(group) * group),
            prev_seq: Seq::ZERO,
            at: Millis::ZERO,
            epoch: Epoch::new(1),
            collection: CollectionId::new(1),
            id: DocId::new(id).unwrap(),
            op: ChangeOp::Put,
        }
    }

    fn seqs(found: Option<Vec<Change>>) -> Option<(u64, u64)> {
        let found = found?;
        assert!(found.windows(2).all(|pair| pair[0].seq.next() == pair[1].seq), "no gap");
        Some((found.first().map_or(0, |c| c.seq.get()), found.last().map_or(0, |c| c.seq.get())))
    }

    #[test]
    fn reads_are_whole_groups_up_to_the_durable_mark() {
        let ring = Ring::default();
        assert_eq!(ring.read(Seq::ZERO, Seq::ZERO, 10), None);
        ring.append((11..=5_000).map(|seq| change(seq, 5, "a")));
        let read = |after, upto, max| seqs(ring.read(Seq::new(after), Seq::new(upto), max));
        assert_eq!(read(9, 5_000, 10), None, "10 was written before the ring began");
        assert_eq!(read(10, 5_000, 10), Some((11, 20)));
        assert_eq!(read(10, 5_000, 11), Some((11, 25)), "up to the end of the group");
        assert_eq!(read(1_000, 3_000, 100_000), Some((1_001, 3_000)), "across segments");
        assert_eq!(read(10, 15, 100), Some((11, 15)), "not past the durable mark");
        assert_eq!(read(5_000, 5_000, 10), Some((0, 0)), "at the head there is nothing");
        assert_eq!(read(5_000, 5_005, 10), None, "what is not here yet is for the disk to say");
        assert_eq!(ring.totals(), (5, 3));
    }

    #[test]
    fn records_and_bytes_are_bounded() {
        let ring = Ring::default();
        let records = u64::try_from(FEED_RING_RECORDS_MAX).unwrap();
        ring.append((1..=3 * records).map(|seq| change(seq, 1, "a")));
        let first = ring.first().unwrap().get();
        assert!(3 * records + 1 - first <= records, "{first}");
        let heavy = "x".repeat(200);
        ring.append((3 * records + 1..=6 * records).map(|seq| change(seq, 1, &heavy)));
        let held = 6 * records + 1 - ring.first().unwrap().get();
        let segment = u64::try_from(FEED_RING_SEGMENT_RECORDS).unwrap();
        let bytes = size(&change(1, 1, &heavy));
        assert!(held * bytes <= FEED_RING_BYTES_MAX + segment * bytes, "{held} records");
        assert!(held > segment, "{held} records");
    }
}
