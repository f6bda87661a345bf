//! The numbers and names that travel through the engine, each with its own type.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::limits::DOC_ID_BYTES_MAX;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($raw:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name($raw);

        impl $name {
            /// The number before the first one.
            pub const ZERO: Self = Self(0);

            /// Wraps a raw number.
            #[must_use]
            pub const fn new(raw: $raw) -> Self {
                Self(raw)
            }

            /// The raw number.
            #[must_use]
            pub const fn get(self) -> $raw {
                self.0
            }

            /// The number after this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// Position in the log: dense, counted from 1, given by the writer alone.
    Seq(u64)
);
number!(
    /// Position in the positions lane: dense, counted from 1.
    PositionSeq(u64)
);

impl PositionSeq {
    /// Past every batch there will ever be: where they stand who do not read the lane.
    pub const END: Self = Self(u64::MAX);
}

number!(
    /// Counts the openings of a store, so that a token of a forked history never matches.
    Epoch(u32)
);
number!(
    /// Names a collection inside keys. Never reused.
    CollectionId(u32)
);
number!(
    /// Names a declared index inside keys. Never reused.
    IndexId(u32)
);
number!(
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Millis(u64)
);
number!(
    /// Names a job of the queue: the log sequence of the record that enqueued it.
    JobId(u64)
);

/// A consistent pair of lane positions: everything up to and including both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Tail {
    /// Last entry of the log.
    pub seq: Seq,
    /// Last batch of the positions lane.
    pub positions: PositionSeq,
}

/// Identity of a store, given at its creation: 16 random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreId(pub [u8; 16]);

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The name of one document inside its collection: 1 to 200 bytes of UTF-8 without NUL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocId(Arc<str>);

impl DocId {
    /// Checks and wraps a name.
    ///
    /// # Errors
    /// `Invalid` when it is empty, longer than 200 bytes or contains NUL.
    pub fn new(raw: impl AsRef<str>) -> Result<Self> {
        let raw = raw.as_ref();
        if raw.is_empty() {
            return Err(Error::invalid("_id is empty"));
        }
        if raw.len() > DOC_ID_BYTES_MAX {
            return Err(Error::invalid(format!(
                "_id is {} bytes long, at most {DOC_ID_BYTES_MAX} are allowed",
                raw.len()
            )));
        }
        if raw.contains('\0') {
            return Err(Error::invalid("_id contains a NUL character"));
        }
        Ok(Self(raw.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DocId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for DocId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One version of one document, comparable across restores: the ETag without its quotes.
///
/// Text form: `<epoch base 36>.<seq base 36>`, lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Revision {
    /// The opening of the store in which it was written.
    pub epoch: Epoch,
    /// The log sequence that wrote it.
    pub seq: Seq,
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_base36(f, u64::from(self.epoch.get()))?;
        f.write_str(".")?;
        write_base36(f, self.seq.get())
    }
}

impl FromStr for Revision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = text.split_once('.').and_then(|(epoch, seq)| {
            Some(Self {
                epoch: Epoch::new(u32::try_from(parse_base36(epoch)?).ok()?),
                seq: Seq::new(parse_base36(seq)?),
            })
        });
        parsed.ok_or_else(|| Error::invalid("not an etag of this store"))
    }
}

fn write_base36(f: &mut fmt::Formatter<'_>, mut value: u64) -> fmt::Result {
    let mut digits = Vec::with_capacity(13);
    loop {
        let digit = u32::try_from(value % 36).unwrap_or(0);
        digits.push(char::from_digit(digit, 36).unwrap_or('0'));
        value /= 36;
        if value == 0 {
            break;
        }
    }
    digits.iter().rev().try_for_each(|digit| f.write_str(digit.encode_utf8(&mut [0; 4])))
}

/// Accepts only what `write_base36` writes, so that two texts never name one revision.
fn parse_base36(text: &str) -> Option<u64> {
    let canonical = !text.is_empty()
        && (text.len() == 1 || !text.starts_with('0'))
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
    if canonical { u64::from_str_radix(text, 36).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revision_text_is_canonical() {
        let check = |epoch, seq, text: &str| {
            let revision = Revision { epoch: Epoch::new(epoch), seq: Seq::new(seq) };
            assert_eq!(revision.to_string(), text);
            assert_eq!(text.parse::<Revision>().unwrap(), revision);
        };
        check(3, 42, "3.16");
        check(0, 0, "0.0");
        check(u32::MAX, u64::MAX, "1z141z3.3w5e11264sgsf");
        for bad in ["", ".", "1", "1.", ".1", "01.1", "1.01", "A.1", "1.1.1", "1. 1", "zzzzzzzz.1", "+1.1"] {
            assert!(bad.parse::<Revision>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn doc_id_bounds() {
        assert!(DocId::new("a").is_ok());
        assert!(DocId::new("x".repeat(200)).is_ok());
        for bad in ["".to_owned(), "x".repeat(201), "a\0b".to_owned()] {
            assert!(DocId::new(bad).is_err());
        }
    }
}
