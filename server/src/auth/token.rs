//! Secrets that clients carry, and what is kept of them.
//!
//! ```text
//! session token   64 hex digits: 256 random bits
//! API key         dl_<id: 24 hex>_<secret: 64 hex><crc32c of all before: 8 hex>
//! ```
//!
//! Of both only the SHA-256 is stored; 256 random bits need no slow hash. The id of a session is the beginning of
//! its token's hash, so a token leads to its document by one point read and the id tells nothing about the token.
//! Hex, because a token is also an argument of commands, where a leading `-` would be taken for a flag.

use dateline_engine::{DocId, Result};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::ids;

const KEY_PREFIX: &str = "dl_";
const ID_DIGITS: usize = 24;
const SECRET_DIGITS: usize = 64;
const CRC_DIGITS: usize = 8;
const KEY_BYTES: usize = KEY_PREFIX.len() + ID_DIGITS + 1 + SECRET_DIGITS + CRC_DIGITS;

/// A new secret: its text for the client, what is stored, and the document it is stored under.
pub(crate) struct Fresh {
    pub(crate) id: DocId,
    pub(crate) text: String,
    pub(crate) digest: String,
}

/// A new session token.
pub(crate) fn new_session() -> Result<Fresh> {
    let text = ids::hex(&ids::random::<32>()?);
    let digest = digest(&text);
    Ok(Fresh { id: session_id(&digest)?, text, digest })
}

/// A new API key.
pub(crate) fn new_key() -> Result<Fresh> {
    let id = ids::hex(&ids::random::<12>()?);
    let body = format!("{KEY_PREFIX}{id}_{}", ids::hex(&ids::random::<32>()?));
    let text = format!("{body}{:08x}", crc32c::crc32c(body.as_bytes()));
    Ok(Fresh { id: DocId::new(id)?, digest: digest(&text), text })
}

/// Whether a token has the outer form of an API key.
pub(crate) fn is_key(text: &str) -> bool {
    text.starts_with(KEY_PREFIX)
}

/// The document of a session token, and the hash that must be found there.
pub(crate) fn session_of(text: &str) -> Result<(DocId, String)> {
    let digest = digest(text);
    Ok((session_id(&digest)?, digest))
}

/// The document of an API key and the hash that must be found there; `None` when the text is mistyped.
pub(crate) fn key_of(text: &str) -> Option<(DocId, String)> {
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
    if text.len() != KEY_BYTES || !text.is_ascii() {
        return None;
    }
    let (body, crc) = text.split_at(KEY_BYTES - CRC_DIGITS);
    let (id, secret) = body.strip_prefix(KEY_PREFIX)?.split_once('_')?;
    let whole = id.len() == ID_DIGITS && hex(id) && hex(secret) && hex(crc);
    let intact = u32::from_str_radix(crc, 16).ok()? == crc32c::crc32c(body.as_bytes());
    (whole && intact).then(|| DocId::new(id).ok().map(|id| (id, digest(text))))?
}

/// Compares two hashes without telling by the time it takes where they differ.
pub(crate) fn same_digest(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// SHA-256 in hex.
pub(crate) fn digest(text: &str) -> String {
    ids::hex(&Sha256::digest(text.as_bytes()))
}

fn session_id(digest: &str) -> Result<DocId> {
    DocId::new(digest.get(..ID_DIGITS).unwrap_or(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_token_leads_to_its_document() {
        let fresh = new_session().unwrap();
        assert_eq!(fresh.text.len(), 64);
        let (id, digest) = session_of(&fresh.text).unwrap();
        assert_eq!(id, fresh.id);
        assert!(same_digest(&digest, &fresh.digest));
        assert!(!same_digest(&digest, &new_session().unwrap().digest));
        assert!(!fresh.text.contains(fresh.id.as_str()));
    }

    #[test]
    fn a_mistyped_key_is_seen_without_a_look_up() {
        let fresh = new_key().unwrap();
        assert!(is_key(&fresh.text));
        assert_eq!(key_of(&fresh.text), Some((fresh.id, fresh.digest)));
        for at in [0, 5, 30, 60, 99] {
            let mut text = fresh.text.clone().into_bytes();
            text[at] = if text[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(key_of(&String::from_utf8(text).unwrap()), None, "changed at {at}");
        }
        for bad in ["", "dl_", "dl_x_y", &fresh.text[..50], &format!("{}0", fresh.text), &"é".repeat(50)] {
            assert_eq!(key_of(bad), None, "{bad}");
        }
    }
}
