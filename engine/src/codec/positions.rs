//! One record of the positions lane.
//!
//! ```text
//! [format u8 = 01][flags u8 = 00][header_len u16][header][batch]
//! header  after u64 (log seq at its commit), at_ms u64, epoch u32, crc u32
//! crc     CRC32C of every byte of the value except the crc itself
//! ```
//! Integers little-endian; the record's own sequence is its key. The batch is opaque to the engine.

use bytes::Bytes;
use wincode::{SchemaRead, SchemaWrite};

use crate::codec::{FORMAT, split_frame};
use crate::error::{Error, Result};
use crate::types::{Epoch, Millis, PositionSeq, Seq};

const HEADER_LEN: usize = 24;
const FRAME_LEN: usize = 4;
const CRC_OFFSET: usize = FRAME_LEN + HEADER_LEN - 4;

#[derive(Clone, Copy, Debug, SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
struct Header {
    after: u64,
    at_ms: u64,
    epoch: u32,
    crc: u32,
}

/// The facts of a record besides its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The log stood here when the batch was committed.
    pub(crate) after: Seq,
    pub(crate) at: Millis,
    pub(crate) epoch: Epoch,
}

pub(crate) fn encode_head(stamp: Stamp, batch: &[u8]) -> Result<[u8; FRAME_LEN + HEADER_LEN]> {
    let header = Header {
        after: stamp.after.get(),
        at_ms: stamp.at.get(),
        epoch: stamp.epoch.get(),
        crc: 0,
    };
    let mut bytes = [0; FRAME_LEN + HEADER_LEN];
    let (frame, rest) = bytes.split_at_mut(FRAME_LEN);
    let header_len = u16::try_from(HEADER_LEN).unwrap_or(u16::MAX).to_le_bytes();
    frame.copy_from_slice(&[FORMAT, 0, header_len[0], header_len[1]]);
    wincode::serialize_into(rest, &header).map_err(|e| Error::internal(e.to_string()))?;
    let (covered, crc) = bytes.split_at_mut(CRC_OFFSET);
    let sum = crc32c::crc32c_append(crc32c::crc32c(covered), batch);
    crc.copy_from_slice(&sum.to_le_bytes());
    Ok(bytes)
}

pub(crate) fn decode(seq: PositionSeq, value: &[u8]) -> Result<(Stamp, Bytes)> {
    let fail = |error: Error| error.at(format_args!("positions record {seq}"));
    let (flags, header, batch) = split_frame("positions", value, HEADER_LEN).map_err(fail)?;
    if flags != 0 {
        return Err(fail(Error::corrupt(format!("unknown flags {flags:#04x}"))));
    }
    let known = header.get(..HEADER_LEN).unwrap_or_default();
    let fields: Header = wincode::deserialize_exact(known)
        .map_err(|e| fail(Error::corrupt(format!("header: {e}"))))?;
    let (before, after) = value.split_at_checked(CRC_OFFSET).unwrap_or((value, &[]));
    let sum = crc32c::crc32c_append(crc32c::crc32c(before), after.get(4..).unwrap_or_default());
    if sum != fields.crc {
        return Err(fail(Error::corrupt(format!("checksum {sum:08x}, {:08x} stored", fields.crc))));
    }
    let stamp = Stamp {
        after: Seq::new(fields.after),
        at: Millis::new(fields.at_ms),
        epoch: Epoch::new(fields.epoch),
    };
    Ok((stamp, Bytes::copy_from_slice(batch)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes_and_damage() {
        let stamp = Stamp { after: Seq::new(42), at: Millis::new(1_700_000_000_500), epoch: Epoch::new(3) };
        let value = [&encode_head(stamp, b"xyz").unwrap()[..], b"xyz"].concat();
        let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        let crc = crc32c::crc32c_append(crc32c::crc32c(&value[..24]), b"xyz");
        let crc: String = crc.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let golden = format!("010018002a00000000000000f469e5cf8b01000003000000{crc}78797a");
        assert_eq!(hex, golden);
        let header: Header = bincode::deserialize(&value[4..28]).unwrap();
        assert_eq!(bincode::serialize(&header).unwrap(), &value[4..28]);

        let read = |value: &[u8]| decode(PositionSeq::new(1), value);
        assert_eq!(read(&value).unwrap(), (stamp, Bytes::from_static(b"xyz")));
        for len in 0..value.len() {
            assert!(read(&value[..len]).is_err(), "truncated to {len}");
        }
        for bit in 0..value.len() * 8 {
            let mut bad = value.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bad).is_err(), "bit {bit} flipped");
        }
    }
}
