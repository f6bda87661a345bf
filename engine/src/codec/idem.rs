//! What was answered under an idempotency key.
//!
//! ```text
//! key    hash of (principal, key) 16 B
//! value  [format u8 = 01][seq u64][status u16][created_ms u64][body hash 8 B]
//! ```
//! Integers little-endian. `seq` is the first record of the transaction that was committed under the key.

use crate::codec::FORMAT;
use crate::error::{Error, Result};
use crate::types::{Millis, Seq};

/// How long a key is remembered.
pub(crate) const KEEP_MS: u64 = 24 * 3_600_000;

/// A request that must not take effect twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Hash of who asks and under which key.
    pub key: [u8; 16],
    /// Hash of what is asked: another request under the same key is refused.
    pub fingerprint: [u8; 8],
}

/// What is remembered of the first request under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The first log record of its transaction.
    pub seq: Seq,
    /// When it was committed.
    pub created: Millis,
    pub(crate) fingerprint: [u8; 8],
}

impl Remembered {
    /// Whether it still counts.
    pub(crate) fn is_fresh(&self, now: Millis) -> bool {
        now.get() < self.created.get().saturating_add(KEEP_MS)
    }
}

/// Only successes are remembered; the number is part of the format for layers that remember more.
const STATUS_OK: u16 = 200;

pub(crate) fn encode(remembered: &Remembered) -> [u8; 27] {
    let mut value = [0; 27];
    let parts: [&[u8]; 5] = [
        &[FORMAT],
        &remembered.seq.get().to_le_bytes(),
        &STATUS_OK.to_le_bytes(),
        &remembered.created.get().to_le_bytes(),
        &remembered.fingerprint,
    ];
    let bytes = parts.into_iter().flatten();
    value.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    value
}

pub(crate) fn decode(key: &[u8; 16], value: &[u8]) -> Result<Remembered> {
    let fail = |why: &str| Error::corrupt(format!("idem/{key:02x?}: {why}"));
    let Some((&FORMAT, rest)) = value.split_first() else { return Err(fail("unknown format")) };
    let (seq, rest) = rest.split_first_chunk().ok_or_else(|| fail("too short"))?;
    let (_status, rest) = rest.split_first_chunk::<2>().ok_or_else(|| fail("too short"))?;
    let (created, rest) = rest.split_first_chunk().ok_or_else(|| fail("too short"))?;
    let fingerprint = rest.try_into().map_err(|_| fail("wrong length"))?;
    Ok(Remembered {
        seq: Seq::new(u64::from_le_bytes(*seq)),
        created: Millis::new(u64::from_le_bytes(*created)),
        fingerprint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let remembered =
            Remembered { seq: Seq::new(42), created: Millis::new(256), fingerprint: *b"abcdefgh" };
        let value = encode(&remembered);
        let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "012a00000000000000c80000010000000000006162636465666768");
        assert_eq!(decode(&[0; 16], &value).unwrap(), remembered);
        for len in 0..value.len() {
            assert!(decode(&[0; 16], &value[..len]).is_err(), "truncated to {len}");
        }
    }
}
