//! The opaque `cursor` of a list: where the next page begins.
//!
//! ```text
//! token   := base64url( version u8 = 1 | query 8 bytes | seq u64 big-endian | key JSON | mac 16 bytes )
//! query   := first 8 bytes of SHA-256 over the resource and every parameter that shapes the list
//! key     := [part, ..., id]     part := [] for a missing field, [value] otherwise
//! mac     := first 16 bytes of HMAC-SHA-256 over all that is before it
//! ```
//!
//! A cursor is a position, not a right: whoever presents it is authorised as for any other request. The mac keeps
//! out damaged and invented ones, so a server changes its key only to void all cursors. A cursor of one query is
//! refused for another, because the position would mean something else there.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::json;
use super::problem::{Problem, Slug};
use super::sort::SortKey;

const VERSION: u8 = 1;
const MAC_BYTES: usize = 16;
const TOKEN_BYTES_MAX: usize = 8 << 10;

/// What a list depends on, as a hash: a cursor belongs to one such query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 8]);

impl Fingerprint {
    /// The hash of the resource's name and of each name and value that shapes the list, in order.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut bytes = [0; 8];
        bytes.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
        Self(bytes)
    }
}

/// A position in a list.
#[derive(Debug, Clone)]
pub struct Cursor {
    /// The log position of the first page, for lists that are read as of it.
    pub seq: u64,
    /// The last document before the position.
    pub after: SortKey,
}

/// Why a cursor was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CursorError {
    /// Not a cursor of this server, or damaged.
    Unknown,
    /// Of another query than the one it came with.
    OtherQuery,
}

impl std::fmt::Display for CursorError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unknown => "cursor: not a cursor of this server, or damaged",
            Self::OtherQuery => {
                "cursor: belongs to another query; only page, max_results and projection may differ"
            }
        })
    }
}

impl std::error::Error for CursorError {}

impl From<CursorError> for Problem {
    fn from(error: CursorError) -> Self {
        Self::new(Slug::InvalidCursor, error.to_string())
            .with("parameter", "cursor")
            .issue("cursor", error.to_string())
    }
}

impl Cursor {
    /// The token for clients. `key` is the server's secret, of any length.
    pub fn encode(&self, query: Fingerprint, key: &[u8]) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&query.0);
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(self.after.to_json().to_string().as_bytes());
        let mac = mac(&bytes, key);
        bytes.extend_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token that came with `query`.
    pub fn decode(token: &str, query: Fingerprint, key: &[u8]) -> Result<Self, CursorError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(CursorError::Unknown);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| CursorError::Unknown)?;
        let (signed, found) = bytes.split_last_chunk::<MAC_BYTES>().ok_or(CursorError::Unknown)?;
        if !bool::from(subtle::ConstantTimeEq::ct_eq(mac(signed, key).as_slice(), found.as_slice())) {
            return Err(CursorError::Unknown);
        }
        let (version, rest) = signed.split_first().ok_or(CursorError::Unknown)?;
        let (bound, rest) = rest.split_first_chunk::<8>().ok_or(CursorError::Unknown)?;
        let (seq, rest) = rest.split_first_chunk::<8>().ok_or(CursorError::Unknown)?;
        if *version != VERSION {
            return Err(CursorError::Unknown);
        }
        if *bound != query.0 {
            return Err(CursorError::OtherQuery);
        }
        let after = json::parse(rest, &json::Limits::PARAMETER).ok().and_then(SortKey::from_json);
        Ok(Self { seq: u64::from_be_bytes(*seq), after: after.ok_or(CursorError::Unknown)? })
    }

    /// Whether a token of this position would be short enough to be taken back.
    pub fn fits(token: &str) -> bool {
        token.len() <= TOKEN_BYTES_MAX
    }
}

/// HMAC (RFC 2104) with SHA-256, cut to [`MAC_BYTES`].
fn mac(message: &[u8], key: &[u8]) -> [u8; MAC_BYTES] {
    let short = if key.len() > 64 { Sha256::digest(key).to_vec() } else { key.to_vec() };
    let padded = |pad: u8| {
        let mut block = [pad; 64];
        block.iter_mut().zip(&short).for_each(|(to, from)| *to ^= from);
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    let outer = Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize();
    let mut cut = [0; MAC_BYTES];
    cut.iter_mut().zip(outer).for_each(|(to, from)| *to = from);
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eve::sort::Sort;
    use serde_json::json;
    use std::cmp::Ordering;

    #[test]
    fn the_mac_is_hmac() {
        // RFC 4231, test case 2.
        let expected =
            [0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7];
        assert_eq!(mac(b"what do ya want for nothing?", b"Jefe"), expected);
        // Test case 6: a key longer than a block.
        let expected =
            [0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f, 0x0d, 0x8a, 0x26, 0xaa, 0xcb, 0xf5, 0xb7, 0x7f];
        assert_eq!(mac(b"Test Using Larger Than Block-Size Key - Hash Key First", &[0xaa; 131]), expected);
    }

    #[test]
    fn tokens_come_back_and_others_do_not() {
        let sort = Sort::parse("-a,b").unwrap();
        let cursor = Cursor { seq: 77, after: sort.key(&json!({"a": "2026-01-31T12:00:00Z"}), "i\u{e9}") };
        let query = Fingerprint::of(["ads", "where", "{}"]);
        let token = cursor.encode(query, b"secret");
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        let again = Cursor::decode(&token, query, b"secret").unwrap();
        assert_eq!((again.seq, sort.compare(&again.after, &cursor.after)), (77, Ordering::Equal));
        let refused = |token: &str, query, key: &[u8]| Cursor::decode(token, query, key).unwrap_err();
        assert_eq!(refused(&token, query, b"other"), CursorError::Unknown);
        assert_eq!(
            refused(&token, Fingerprint::of(["adsw", "here", "{}"]), b"secret"),
            CursorError::OtherQuery
        );
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(refused(&changed, query, b"secret"), CursorError::Unknown, "letter {at}");
            assert_eq!(refused(&token[..at], query, b"secret"), CursorError::Unknown, "cut at {at}");
        }
        assert!(Problem::from(CursorError::Unknown).detail().contains("cursor"));
    }
}
