//! Digests of what is sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The SHA-256 of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sha([u8; 32]);

/// A SHA-256 in the making.
#[derive(Default)]
pub(crate) struct Hasher(Sha256);

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Sha {
        Sha(self.0.finalize().into())
    }
}

impl Sha {
    pub(crate) fn of(bytes: &[u8]) -> Sha {
        Sha(Sha256::digest(bytes).into())
    }

    /// 64 hexadecimal digits.
    pub(crate) fn hex(&self) -> String {
        hex(&self.0)
    }

    /// Value of a Content-Digest header (RFC 9530 section 2).
    pub(crate) fn content_digest(&self) -> String {
        format!("sha-256=:{}:", STANDARD.encode(self.0))
    }
}

/// Hexadecimal digits in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for nibble in [byte >> 4, byte & 0xf] {
            digits.push(char::from_digit(nibble.into(), 16).unwrap_or('0'));
        }
    }
    digits
}

/// A name for a list of texts: `dl_` and 32 hexadecimal digits. Lists that differ in any text or border differ in it.
pub(crate) fn identity(texts: &[&str]) -> String {
    let mut hasher = Hasher::default();
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    let Sha(bytes) = hasher.finish();
    format!("dl_{}", hex(bytes.get(..16).unwrap_or(&bytes)))
}
