//! Reads everything that is stored, a little at a time, so that damage is found while a backup still has what was there.
//!
//! Every block read is held against its checksum by the storage below, and every value that carries a checksum of its
//! own is decoded. What lies in the block cache is taken from there and nothing new is put there, so the documents in
//! use stay in it. A block that cannot be read costs the keys in it: the walk goes on after them.

use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;

use bytes::Bytes;

use crate::codec::{change, envelope, idem, key, positions};
use crate::error::{Error, ErrorKind, Result};
use crate::kv::families::Family;
use crate::kv::{KeyRange, Kv};
use crate::queue::record;
use crate::types::{PositionSeq, Seq};
use crate::verify;

/// Above every key.
const END: [u8; 2_048] = [u8::MAX; 2_048];

/// How many bytes of a key are looked for after a block that cannot be read.
const PAST_BYTES_MAX: usize = 64;

/// How far a walk through everything has come. Text form: the family, then `/` and the key to go on with in
/// hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrubPlace {
    /// Place in `Family::ALL`.
    family: usize,
    /// Everything below this key is done.
    from: Vec<u8>,
}

/// What one step has read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Keys.
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// What could not be read, or is not what was written.
    pub damage: Vec<Damage>,
    /// Where the next step begins; `None` at the end of everything.
    pub next: Option<ScrubPlace>,
}

/// One damaged place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Column family.
    pub family: &'static str,
    /// The damaged key, or the last good one before a block that cannot be read; not printable bytes as `\xNN`.
    pub key: String,
    /// What is wrong; for a block also the file and offset.
    pub error: String,
}

impl fmt::Display for ScrubPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Family::ALL.get(self.family).map_or("", |family| family.name()))?;
        f.write_str("/")?;
        self.from.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for ScrubPlace {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::invalid(format!("'{text}' is not a place of a scrub"));
        let (name, digits) = text.split_once('/').ok_or_else(wrong)?;
        let family = Family::ALL.iter().position(|family| family.name() == name).ok_or_else(wrong)?;
        if digits.len() % 2 != 0 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let byte = |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let from = (0..digits.len()).step_by(2).map(byte).collect::<Option<_>>().ok_or_else(wrong)?;
        Ok(Self { family, from })
    }
}

/// Reads on from a place until about `bytes_max` bytes have been read.
pub(crate) fn step(kv: &dyn Kv, from: &ScrubPlace, bytes_max: u64) -> Result<Scrubbed> {
    let mut done = Scrubbed::default();
    let mut place = from.clone();
    while done.bytes < bytes_max {
        let Some(&family) = Family::ALL.get(place.family) else { return Ok(done) };
        let mut last = Vec::new();
        let range = KeyRange::new(std::mem::take(&mut place.from), END);
        let outcome = kv.walk(family, &range, &mut |key, value| {
            last.clear();
            last.extend_from_slice(key);
            done.keys += 1;
            done.bytes += u64::try_from(key.len() + value.len()).unwrap_or(u64::MAX);
            match check(family, key, value) {
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    done.damage.push(damage(family, key, &error))
                }
                outcome => outcome?,
            }
            Ok(if done.bytes < bytes_max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        });
        let resumes = match outcome {
            Ok(()) if done.bytes >= bytes_max => Some(next(&last)),
            Ok(()) => None,
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                let before = if last.is_empty() { range.lower } else { last };
                // For a block the storage below says where it is.
                let is_block = error.to_string().contains(".sst");
                let behind = KeyRange::new(&*before, END);
                let bad = if is_block { None } else { kv.bad_value(family, &behind)? };
                match bad {
                    Some(bad) => {
                        done.damage.push(damage(family, &bad.key, &error.at(bad.place)));
                        Some(next(&bad.key))
                    }
                    None => {
                        done.damage.push(damage(family, &before, &error));
                        past(kv, family, &before)?
                    }
                }
            }
            Err(error) => return Err(error),
        };
        place = match resumes {
            Some(from) => ScrubPlace { from, ..place },
            None => ScrubPlace { family: place.family + 1, from: Vec::new() },
        };
    }
    done.next = Some(place);
    Ok(done)
}

/// The smallest key above `key`.
fn next(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

fn damage(family: Family, key: &[u8], error: &Error) -> Damage {
    Damage { family: family.name(), key: key.escape_ascii().to_string(), error: error.to_string() }
}

/// The smallest key above `last`, as far as so many bytes tell, from which on reading works again. `None`: nothing more
/// of the family can be read.
///
/// From `last` on every key fails up to the end of the block and none after it, so each byte is found by halving.
fn past(kv: &dyn Kv, family: Family, last: &[u8]) -> Result<Option<Vec<u8>>> {
    let (mut found, mut prefix) = (None, Vec::new());
    for _ in 0..PAST_BYTES_MAX {
        let with = |byte: u8| [&prefix[..], &[byte]].concat();
        let (mut fails, mut low, mut high) = (None, 0_u8, u8::MAX);
        while low < high {
            let middle = low + (high - low) / 2;
            if reads(kv, family, last, &with(middle))? {
                high = middle;
            } else {
                (fails, low) = (Some(middle), middle + 1);
            }
        }
        let good = reads(kv, family, last, &with(high))?;
        if good {
            found = Some(with(high));
        } else {
            fails = Some(high);
        }
        match fails {
            // Everything with this beginning can be read.
            None => break,
            Some(byte) => prefix.push(byte),
        }
        if found.is_none() && prefix.len() > last.len() {
            break;
        }
    }
    Ok(found)
}

/// Whether the first key from `from` on can be read; keys up to `last` do not count.
fn reads(kv: &dyn Kv, family: Family, last: &[u8], from: &[u8]) -> Result<bool> {
    if from <= last {
        return Ok(false);
    }
    match kv.walk(family, &KeyRange::new(from, END), &mut |_, _| Ok(ControlFlow::Break(()))) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(false),
        Err(error) => Err(error),
    }
}

/// Holds a value against the checksum it carries. Families without one rely on that of their block.
fn check(family: Family, place: &[u8], value: &[u8]) -> Result<()> {
    let unreadable = || Error::corrupt("unreadable key");
    match family {
        Family::Heads => {
            let (collection, id) = key::parse_head(place).ok_or_else(unreadable)?;
            envelope::decode(collection, id, Bytes::copy_from_slice(value)).map(drop)
        }
        Family::History => {
            let (collection, id, _) = key::parse_history(place).ok_or_else(unreadable)?;
            envelope::decode(collection, id, Bytes::copy_from_slice(value)).map(drop)
        }
        Family::Log => {
            let seq = key::parse_u64(place).map(Seq::new).ok_or_else(unreadable)?;
            change::decode(seq, value).map(drop)
        }
        Family::Positions => {
            let seq = key::parse_u64(place).map(PositionSeq::new).ok_or_else(unreadable)?;
            positions::decode(seq, value).map(drop)
        }
        Family::Blobs => verify::chunk_twin(place, value).map(drop),
        Family::Idem => {
            let known = place.try_into().map_err(|_| unreadable())?;
            idem::decode(known, value).map(drop)
        }
        Family::Job => record::decode_envelope(value.to_vec()).map(drop),
        Family::Jst => record::decode_state(value).map(drop),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_round_trip() {
        for (family, from, text) in [(0, &b""[..], "meta/"), (1, b"\x00\x00\x00\x07ab", "heads/000000076162")]
        {
            let place = ScrubPlace { family, from: from.to_vec() };
            assert_eq!(place.to_string(), text);
            assert_eq!(text.parse::<ScrubPlace>().unwrap(), place);
        }
        assert_eq!(ScrubPlace::default().to_string(), "meta/");
        for bad in ["", "heads", "heds/00", "heads/0", "heads/0g", "heads/ü", "heads/+1"] {
            assert!(bad.parse::<ScrubPlace>().is_err(), "{bad:?}");
        }
    }
}
