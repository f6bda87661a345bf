//! Consumers that share the work of one feed: its partitions, and who has which of them.
//!
//! A document belongs to one partition, by its name. A partition has one position and at most one lease, which is for
//! all records from the position up to some later one; what is not acknowledged before the lease ends goes to
//! the next consumer that asks. So each record is delivered at least once, and the records of a document in order:
//! the next ones only after the earlier ones were acknowledged. One partition gives the order of the log.
//!
//! Pure: the caller brings the time, reads the log and stores the positions. Leases live in memory only; after a
//! restart the stored positions count, and leases of before are lost.

use crate::change::Change;
use crate::error::{Conflict, Error, Result};
use crate::types::{Millis, Seq};

/// Which of `partitions` the record belongs to. Stored positions depend on it: it never changes.
#[must_use]
pub fn partition_of(change: &Change, partitions: usize) -> usize {
    let collection = crc32c::crc32c(&change.collection.get().to_le_bytes());
    let hash = crc32c::crc32c_append(collection, change.id.as_str().as_bytes());
    usize::try_from(hash).unwrap_or(0) % partitions.max(1)
}

/// The right to look for work in one partition, and then to the work that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which partition.
    pub partition: usize,
    /// Everything up to here is acknowledged.
    pub after: Seq,
    /// Names the lease; never used again within this opening of the feed.
    pub number: u64,
    /// How often work from this position has been given out, this time included.
    pub attempt: u32,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    number: u64,
    until: Millis,
    /// `None` while its holder is still looking.
    through: Option<Seq>,
}

#[derive(Clone, Debug)]
struct Partition {
    at: Seq,
    lease: Option<Lease>,
    attempts: u32,
    /// The last lease that was acknowledged whole.
    settled: u64,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Group {
    partitions: Vec<Partition>,
    leases: u64,
    turn: usize,
}

impl Group {
    /// A group whose partitions stand at these positions.
    #[must_use]
    pub fn new(positions: impl IntoIterator<Item = Seq>) -> Self {
        let partition = |at| Partition { at, lease: None, attempts: 0, settled: 0 };
        Self { partitions: positions.into_iter().map(partition).collect(), leases: 0, turn: 0 }
    }

    /// Where each partition stands.
    #[must_use]
    pub fn positions(&self) -> Vec<Seq> {
        self.partitions.iter().map(|partition| partition.at).collect()
    }

    /// Leases that stand.
    #[must_use]
    pub fn leased(&self, now: Millis) -> usize {
        let stands = |partition: &&Partition| partition.lease.is_some_and(|lease| lease.until > now);
        self.partitions.iter().filter(stands).count()
    }

    /// When the next lease ends.
    #[must_use]
    pub fn next_end(&self) -> Option<Millis> {
        self.partitions.iter().filter_map(|partition| Some(partition.lease?.until)).min()
    }

    /// A partition that nobody has and that is behind `head`, until `until`; each in its turn.
    pub fn claim(&mut self, head: Seq, now: Millis, until: Millis) -> Option<Claim> {
        let count = self.partitions.len();
        for place in (self.turn..self.turn + count).map(|turn| turn % count) {
            let Some(partition) = self.partitions.get_mut(place) else { continue };
            if partition.at >= head || partition.lease.is_some_and(|lease| lease.until > now) {
                continue;
            }
            self.turn = (place + 1) % count;
            self.leases += 1;
            partition.attempts = partition.attempts.saturating_add(1);
            partition.lease = Some(Lease { number: self.leases, until, through: None });
            let (after, number, attempt) = (partition.at, self.leases, partition.attempts);
            return Some(Claim { partition: place, after, number, attempt });
        }
        None
    }

    fn held(&mut self, partition: usize, number: u64) -> Option<(&mut Partition, Lease)> {
        let partition = self.partitions.get_mut(partition)?;
        let lease = partition.lease.filter(|lease| lease.number == number)?;
        Some((partition, lease))
    }

    /// Work was found up to `through`: the lease is for it, until `until`. False when it was lost meanwhile.
    pub fn found(&mut self, claim: &Claim, through: Seq, until: Millis) -> bool {
        let Some((partition, lease)) = self.held(claim.partition, claim.number) else { return false };
        partition.lease = Some(Lease { through: Some(through), until, ..lease });
        true
    }

    /// Nothing up to `through` is work of this partition: it moves there and is free again. False when the lease was
    /// lost meanwhile.
    pub fn passed(&mut self, claim: &Claim, through: Seq) -> bool {
        let Some((partition, _)) = self.held(claim.partition, claim.number) else { return false };
        partition.at = partition.at.max(through);
        partition.lease = None;
        partition.attempts = 0;
        true
    }

    /// Gives a claim back before work was found.
    pub fn release(&mut self, claim: &Claim) {
        if let Some((partition, Lease { through: None, .. })) = self.held(claim.partition, claim.number) {
            partition.lease = None;
            partition.attempts = partition.attempts.saturating_sub(1);
        }
    }

    /// Acknowledges what a lease is for, or its beginning up to `upto`; the rest is given back. Answers where the
    /// partition stands now, to be stored. A whole acknowledgement may be repeated; one that comes late counts as
    /// long as nobody else has the partition.
    ///
    /// # Errors
    /// `Conflict` (`LeaseLost`) when the lease has passed to somebody else or is not known.
    pub fn ack(&mut self, partition: usize, number: u64, upto: Option<Seq>) -> Result<Seq> {
        if let Some(settled) = self.partitions.get(partition).filter(|p| p.settled == number && number > 0) {
            return Ok(settled.at);
        }
        let lost = || Error::from(Conflict::LeaseLost);
        let (partition, lease) = self.held(partition, number).ok_or_else(lost)?;
        let through = lease.through.ok_or_else(lost)?;
        let upto = upto.map_or(through, |upto| upto.min(through));
        if upto >= through {
            partition.settled = number;
        }
        if upto > partition.at {
            partition.at = upto;
            partition.attempts = 0;
        }
        partition.lease = None;
        Ok(partition.at)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::change::ChangeOp;
    use crate::types::{CollectionId, DocId, Epoch};

    fn change(seq: u64, id: &str) -> Change {
        Change {
            seq: Seq::new(seq),
            group_last: Seq::new(seq),
            prev_seq: Seq::ZERO,
            at: Millis::ZERO,
            epoch: Epoch::new(1),
            collection: CollectionId::new(1),
            id: DocId::new(id).unwrap(),
            op: ChangeOp::Put,
        }
    }

    #[test]
    fn partitions_never_change() {
        let of = |id| partition_of(&change(1, id), 8);
        assert_eq!(["a", "b", "car-7", "lamp", "æ"].map(of), [0, 4, 3, 7, 1]);
    }

    #[test]
    fn leases_end_pass_on_and_are_told_apart() {
        let mut group = Group::new([Seq::ZERO]);
        let (now, soon, later) = (Millis::new(10), Millis::new(20), Millis::new(30));
        assert_eq!(group.claim(Seq::ZERO, now, soon), None, "nothing to do");
        let first = group.claim(Seq::new(9), now, soon).unwrap();
        assert_eq!(group.claim(Seq::new(9), now, soon), None, "somebody is looking");
        assert!(group.ack(0, first.number, None).is_err(), "nothing was given out yet");
        assert!(group.found(&first, Seq::new(5), soon));
        assert_eq!((group.leased(now), group.next_end()), (1, Some(soon)));
        let second = group.claim(Seq::new(9), soon, later).unwrap();
        assert_eq!((second.after, second.attempt), (Seq::ZERO, 2), "the lease had ended");
        assert!(group.ack(0, first.number, None).is_err(), "it is somebody else's");
        assert!(group.found(&second, Seq::new(5), later));
        assert_eq!(group.ack(0, second.number, Some(Seq::new(3))).unwrap(), Seq::new(3));
        let third = group.claim(Seq::new(9), soon, later).unwrap();
        assert_eq!((third.after, third.attempt), (Seq::new(3), 1));
        group.release(&third);
        let fourth = group.claim(Seq::new(9), soon, later).unwrap();
        assert!(group.found(&fourth, Seq::new(9), later));
        assert_eq!(group.ack(0, fourth.number, None).unwrap(), Seq::new(9), "late, but nobody else has it");
        assert_eq!(group.ack(0, fourth.number, None).unwrap(), Seq::new(9), "said twice");
        assert!(group.ack(0, 77, None).is_err() && group.ack(5, 1, None).is_err());
    }

    proptest! {
        /// Whatever consumers do, every record is delivered, and those of a document in order.
        #[test]
        fn every_record_is_delivered_in_the_order_of_its_document(
            ids in proptest::collection::vec(0u8..12, 1..80),
            partitions in 1usize..6,
            deeds in proptest::collection::vec((0u8..4, 1usize..6), 0..200),
        ) {
            let log: Vec<Change> =
                (1..).zip(&ids).map(|(seq, id)| change(seq, &format!("d{id}"))).collect();
            let head = Seq::new(log.len() as u64);
            let mut group = Group::new(vec![Seq::ZERO; partitions]);
            let mut acknowledged: BTreeMap<String, Vec<u64>> = BTreeMap::new();
            let mut now = Millis::new(1);
            // In the end everybody works as they should.
            let orderly = std::iter::repeat_n((3u8, 4usize), 2_000);
            for (deed, max) in deeds.into_iter().chain(orderly) {
                now = now.next();
                let until = Millis::new(now.get() + 3);
                let Some(claim) = group.claim(head, now, until) else { continue };
                let own = |c: &&Change| {
                    c.seq > claim.after && partition_of(c, partitions) == claim.partition
                };
                let work: Vec<&Change> = log.iter().filter(own).take(max).collect();
                let Some(last) = work.last() else {
                    prop_assert!(group.passed(&claim, head));
                    continue;
                };
                match deed {
                    0 => group.release(&claim),
                    1 => prop_assert!(group.found(&claim, last.seq, until)),
                    deed => {
                        prop_assert!(group.found(&claim, last.seq, until));
                        let upto = if deed == 2 { work.first().unwrap().seq } else { last.seq };
                        prop_assert_eq!(group.ack(claim.partition, claim.number, Some(upto)).unwrap(), upto);
                        for done in work.iter().filter(|c| c.seq <= upto) {
                            acknowledged.entry(done.id.to_string()).or_default().push(done.seq.get());
                        }
                    }
                }
            }
            let mut expected: BTreeMap<String, Vec<u64>> = BTreeMap::new();
            for change in &log {
                expected.entry(change.id.to_string()).or_default().push(change.seq.get());
            }
            prop_assert_eq!(acknowledged, expected);
        }
    }
}
