//! The value of a unique index entry: `seq u64 LE | id`, the version that took the key and the document that holds it.

use crate::error::{Error, Result};
use crate::types::{DocId, Seq};

pub(crate) fn encode(seq: Seq, id: &DocId) -> Vec<u8> {
    [&seq.get().to_le_bytes()[..], id.as_str().as_bytes()].concat()
}

/// The holder.
pub(crate) fn decode(value: &[u8]) -> Result<DocId> {
    value
        .get(8..)
        .and_then(|id| std::str::from_utf8(id).ok())
        .and_then(|id| DocId::new(id).ok())
        .ok_or_else(|| Error::corrupt("unique index: the value names no document"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let value = encode(Seq::new(42), &DocId::new("ab").unwrap());
        assert_eq!(value, [0x2a, 0, 0, 0, 0, 0, 0, 0, b'a', b'b']);
        assert_eq!(decode(&value).unwrap(), DocId::new("ab").unwrap());
        for len in 0..=8 {
            assert!(decode(&value[..len]).is_err());
        }
    }
}
