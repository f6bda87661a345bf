//! FNV-1a over 128 bits: the same for every build and every run, because names of events and the
//! assignment of devices to shards are stored.

const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// Hashes parts; a part's end counts, so ("ab", "c") is not ("a", "bc").
pub(crate) fn hash(parts: &[&str]) -> u128 {
    let step = |state: u128, byte: u8| (state ^ u128::from(byte)).wrapping_mul(PRIME);
    parts.iter().fold(BASIS, |state, part| step(part.bytes().fold(state, step), 0))
}

/// The low half.
pub(crate) fn low(hash: u128) -> u64 {
    u64::try_from(hash & u128::from(u64::MAX)).unwrap_or(0)
}

/// A name in 64 well mixed bits.
pub(crate) fn mixed(name: &str) -> u64 {
    let hash = hash(&[name]);
    // FNV leaves short names close together; this is the finish of splitmix64.
    let mut mixed = low(hash) ^ low(hash >> 64);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Which of `count` shards owns a device or user.
pub(crate) fn shard_of(owner: &str, count: usize) -> usize {
    let count = u64::try_from(count.max(1)).unwrap_or(1);
    usize::try_from(mixed(owner) % count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_published_function() {
        // FNV-1a 128 of "a" followed by the end mark.
        let a = (BASIS ^ u128::from(b'a')).wrapping_mul(PRIME);
        assert_eq!(a, 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
        assert_eq!(hash(&["a"]), a.wrapping_mul(PRIME));
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
    }

    #[test]
    fn owners_spread_over_shards() {
        let mut counts = [0_u32; 7];
        (0..7_000).for_each(|n| counts[shard_of(&format!("device-{n}"), 7)] += 1);
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }
}
