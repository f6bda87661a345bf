//! Bytes on disk.
//!
//! Keys are hand-made, big-endian and compared bytewise. Values open with a format byte and carry
//! integers little-endian, in bincode 1's wire format. Every decoder refuses what its encoder would
//! not write: unknown formats and flags, short input, trailing bytes, wrong checksums.

pub(crate) mod blob;
pub(crate) mod change;
pub(crate) mod envelope;
pub(crate) mod fold;
pub(crate) mod idem;
pub(crate) mod key;
pub(crate) mod meta;
pub(crate) mod order;
pub(crate) mod positions;
pub(crate) mod unique;

use crate::error::{Error, Result};

/// Splits `[format u8][second u8][header_len u16 LE][header][rest]`, the frame all values share.
///
/// A newer writer may append header fields, so a header longer than `header_len_min` is accepted.
fn split_frame<'a>(what: &str, bytes: &'a [u8], header_len_min: usize) -> Result<(u8, &'a [u8], &'a [u8])> {
    let short = || Error::corrupt(format!("{what}: {} bytes are too short", bytes.len()));
    let [format, second, len_low, len_high, rest @ ..] = bytes else { return Err(short()) };
    if *format != FORMAT {
        return Err(Error::corrupt(format!("{what}: unknown format {format}")));
    }
    let header_len = usize::from(u16::from_le_bytes([*len_low, *len_high]));
    if header_len < header_len_min {
        return Err(Error::corrupt(format!("{what}: header of {header_len} bytes is too short")));
    }
    let (header, rest) = rest.split_at_checked(header_len).ok_or_else(short)?;
    Ok((*second, header, rest))
}

/// Format byte of every value this version writes.
pub(crate) const FORMAT: u8 = 1;
