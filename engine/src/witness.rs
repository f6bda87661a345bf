//! What others have seen of a store, held against the store that opens.
//!
//! RocksDB takes a log that ends early for one that was always short: after a damaged log is cut, synced records may
//! be missing and nothing inside says so (facebook/rocksdb#6963). What was derived from durable records elsewhere
//! does: a search index, a snapshot of devices. If one of them has seen more than there is, acknowledged data is
//! gone, and nobody may build on what is left without saying so.

use std::ops::ControlFlow;

use crate::codec::{FORMAT, key, meta};
use crate::error::{Error, Result};
use crate::format;
use crate::kv::batch::Batch;
use crate::kv::families::Family;
use crate::kv::{Direction, KeyRange, Kv};
use crate::types::{PositionSeq, StoreId, Tail};

/// Something outside the store that was derived from its durable records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// What it is, such as `the search index`.
    pub what: String,
    /// The store it was derived from, as a `StoreId` is written.
    pub store: String,
    /// Everything up to here was durable.
    pub at: Tail,
}

impl Witness {
    /// Whether it has seen more of this store than there is.
    fn contradicts(&self, id: StoreId, tail: Tail) -> bool {
        self.store == id.to_string() && is_beyond(self.at, tail)
    }
}

fn is_beyond(at: Tail, tail: Tail) -> bool {
    at.seq > tail.seq || (at.positions > tail.positions && at.positions != PositionSeq::END)
}

/// Refuses a store that has lost its end, unless `accept_loss` is given; answers whether something is lost.
///
/// A loss that is accepted sets consumers inside the store back to what is left, and skips an epoch: the last one may
/// have gone with the records it wrote, and a revision must never name two documents. It cannot be more than one,
/// because each opening turns the log of the one before into tables.
pub(crate) fn check(
    kv: &dyn Kv,
    id: StoreId,
    tail: Tail,
    witnesses: &[Witness],
    accept_loss: bool,
) -> Result<bool> {
    let mut batch = Batch::default();
    let mut first = witnesses.iter().find(|witness| witness.contradicts(id, tail)).cloned();
    let range = KeyRange::prefix(key::META_CURSORS);
    kv.scan(Family::Meta, &range, Direction::Forward, &mut |place, value| {
        let name = String::from_utf8_lossy(place.get(key::META_CURSORS.len()..).unwrap_or_default());
        let mut cursor = meta::decode_cursor(&name, value)?;
        // The first format of cursors also kept numbers that are no positions; so do notes, which hold nothing.
        if value.first() == Some(&FORMAT) || !cursor.holds || !is_beyond(cursor.at, tail) {
            return Ok(ControlFlow::Continue(()));
        }
        let what = format!("the consumer '{name}'");
        first.get_or_insert(Witness { what, store: id.to_string(), at: cursor.at });
        cursor.at.seq = cursor.at.seq.min(tail.seq);
        if cursor.at.positions != PositionSeq::END {
            cursor.at.positions = cursor.at.positions.min(tail.positions);
        }
        batch.put(Family::Meta, place, &meta::encode_cursor(&cursor)?);
        Ok(ControlFlow::Continue(()))
    })?;
    let Some(Witness { what, at, .. }) = first else { return Ok(false) };
    if !accept_loss {
        return Err(Error::corrupt(format!(
            "acknowledged data is gone: {what} has seen record {} and positions batch {}, the store ends at record {} \
             and batch {}. Restore a backup, or start once with --accept-loss to go on with what is left",
            at.seq, at.positions, tail.seq, tail.positions
        )));
    }
    tracing::warn!(what, seen = ?at, left = ?tail, "acknowledged data is gone and given up");
    format::next_epoch(kv, tail.seq)?;
    if !batch.is_empty() {
        kv.write(&batch, true)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::memory::MemoryKv;
    use crate::types::{Epoch, Millis, Seq};
    use crate::{Cursor, ErrorKind};

    const ID: StoreId = StoreId([7; 16]);

    fn tail(seq: u64, positions: u64) -> Tail {
        Tail { seq: Seq::new(seq), positions: PositionSeq::new(positions) }
    }

    fn judge(witness: Option<Tail>, cursor: Option<Tail>, accept_loss: bool) -> (Result<bool>, MemoryKv) {
        let kv = MemoryKv::default();
        let mut batch = Batch::default();
        for (name, at, holds) in [("reader", cursor, true), ("note", Some(tail(900, 900)), false)] {
            let Some(at) = at else { continue };
            let cursor = Cursor { at, epoch: Epoch::new(1), seen: Millis::ZERO, holds };
            batch.put(Family::Meta, &key::meta_cursor(name), &meta::encode_cursor(&cursor).unwrap());
        }
        kv.write(&batch, true).unwrap();
        let witness =
            witness.map(|at| Witness { what: "the search index".into(), store: ID.to_string(), at });
        let foreign = Witness { what: "a foreign one".into(), store: "x".into(), at: tail(999, 999) };
        let witnesses: Vec<Witness> = witness.into_iter().chain([foreign]).collect();
        (check(&kv, ID, tail(100, 50), &witnesses, accept_loss), kv)
    }

    #[test]
    fn whoever_has_seen_more_is_heard() {
        // Who does not read positions has not seen any.
        let log_only = Tail { seq: Seq::new(90), positions: PositionSeq::END };
        let whole = Some(tail(100, 50));
        for (witness, cursor) in [(None, None), (whole, whole), (None, Some(log_only))] {
            assert!(!judge(witness, cursor, false).0.unwrap());
        }
        let cases = [
            (Some(tail(101, 0)), None, "the search index has seen record 101"),
            (Some(tail(1, 51)), None, "batch 51"),
            (None, Some(tail(101, 0)), "'reader'"),
        ];
        for (witness, cursor, word) in cases {
            let refused = judge(witness, cursor, false).0.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Corrupt);
            for word in [word, "ends at record 100 and batch 50", "--accept-loss"] {
                assert!(refused.to_string().contains(word), "{refused}");
            }
        }
    }

    #[test]
    fn consumers_are_set_back_when_the_loss_is_accepted() {
        use crate::kv::KvRead;
        let (outcome, kv) = judge(Some(tail(500, 500)), Some(tail(120, 20)), true);
        assert!(outcome.unwrap(), "something is lost");
        assert_eq!(crate::read::number(&kv, key::META_EPOCH).unwrap(), 1, "an epoch is skipped");
        let reader = |kv: &MemoryKv| {
            let value = kv.get(Family::Meta, &key::meta_cursor("reader")).unwrap().unwrap();
            meta::decode_cursor("reader", &value).unwrap().at
        };
        assert_eq!(reader(&kv), tail(100, 20));
        let log_only = |seq| Tail { seq: Seq::new(seq), positions: PositionSeq::END };
        let (outcome, kv) = judge(None, Some(log_only(120)), true);
        assert!(outcome.unwrap());
        assert_eq!(reader(&kv), log_only(100), "it holds no positions afterwards either");
    }
}
