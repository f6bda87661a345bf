//! New ids and secrets: the only place of the server that draws random bytes.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use dateline_engine::{DocId, Error, Millis, Result};

/// A new document id: 24 hex digits, the second of its birth followed by 64 random bits.
///
/// # Errors
/// `Internal` when the system gives no random bytes.
pub fn new_id(now: Millis) -> Result<DocId> {
    let seconds = u32::try_from(now.get() / 1000).unwrap_or(u32::MAX);
    let random: [u8; 8] = random()?;
    DocId::new(format!("{seconds:08x}{}", hex(&random)))
}

/// A name for one request: random for this process, counted within it.
pub(crate) fn request_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    static PROCESS: LazyLock<u64> = LazyLock::new(|| random_u64().unwrap_or_default());
    format!("{:016x}{:08x}", *PROCESS, COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A random number, for jitter.
///
/// # Errors
/// As `random`.
pub(crate) fn random_u64() -> Result<u64> {
    random().map(u64::from_le_bytes)
}

/// Random bytes from the system.
///
/// # Errors
/// `Internal` when the system gives none.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::internal(format!("no random bytes: {error}")))?;
    Ok(bytes)
}

/// Lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_24_hex_digits_and_differ() {
        let make = || new_id(Millis::new(1_769_860_800_000)).unwrap();
        let (a, b) = (make(), make());
        assert_ne!(a, b);
        assert!(a.as_str().starts_with("697deec0"), "{a}");
        assert!(a.as_str().len() == 24 && a.as_str().bytes().all(|b| b.is_ascii_hexdigit()));
    }
}
