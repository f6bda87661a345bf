//! Parts that may be missing on a machine, and turns for tests that need all of it.

use tokio::sync::{Mutex, MutexGuard};

static HEAVY: Mutex<()> = Mutex::const_new(());

/// Says why a test does nothing here; fails it where every part is required.
pub(crate) fn skip(reason: &str) {
    assert!(
        std::env::var_os("REQUIRE_PARTS").is_none_or(|value| value != "1"),
        "a part is missing: {reason}"
    );
    eprintln!("skipped: {reason}");
}

/// Says why a test does nothing here. For data that is not part of the repository, which nobody must have.
pub(crate) fn without(reason: &str) {
    eprintln!("skipped: {reason}");
}

/// One heavy test at a time: two would make each other's waits too short.
pub(crate) async fn heavy() -> MutexGuard<'static, ()> {
    HEAVY.lock().await
}
