//! Names as fixed-width keys. Stable on disk: SHA-256 (FIPS 180-4) of the name, cut short.
//!
//! Two group names with one hash would share an order, which is harmless. Two unique keys with one
//! hash would lose a job, so those keep 128 bits of a hash for which nobody can make a collision.

use sha2::{Digest, Sha256};

/// An ordered group inside a lane; zero means none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct GroupHash(u64);

impl GroupHash {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn of(name: &str) -> Self {
        let digest = Sha256::digest(name.as_bytes());
        let first = digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        Self(first.max(1))
    }

    pub(crate) const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    pub(crate) const fn raw(self) -> u64 {
        self.0
    }

    pub(crate) fn is_some(self) -> bool {
        self != Self::NONE
    }
}

/// A unique key inside a lane; all zeros mean none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct UniqueHash([u8; 16]);

impl UniqueHash {
    pub(crate) const NONE: Self = Self([0; 16]);

    pub(crate) fn of(key: &str) -> Self {
        let digest = Sha256::digest(key.as_bytes());
        let mut hash = [0; 16];
        hash.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
        Self(hash)
    }

    pub(crate) const fn from_raw(raw: [u8; 16]) -> Self {
        Self(raw)
    }

    pub(crate) const fn raw(self) -> [u8; 16] {
        self.0
    }

    pub(crate) fn is_some(self) -> bool {
        self != Self::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_the_published_test_vector() {
        // FIPS 180-4 example: SHA-256("abc") = ba7816bf 8f01cfea 414140de 5dae2223 ..
        assert_eq!(GroupHash::of("abc").raw(), 0xba78_16bf_8f01_cfea);
        let unique = UniqueHash::of("abc").raw();
        assert_eq!(u128::from_be_bytes(unique), 0xba78_16bf_8f01_cfea_4141_40de_5dae_2223);
    }
}
