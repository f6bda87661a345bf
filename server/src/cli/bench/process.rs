//! What the whole process uses.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Processor time of all threads since the process began, in user and system together.
pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    Duration::from_secs(part(time.tv_sec)) + Duration::from_nanos(part(time.tv_nsec))
}

/// Resident memory now and at its highest, in bytes; zero where the system does not tell.
pub(crate) fn rss() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    let bytes = |name: &str| field(name).unwrap_or(0) * 1_024;
    (bytes("VmRSS:"), bytes("VmHWM:"))
}

/// The highest from now on; where the system does not allow it, the highest since the process began.
pub(crate) fn forget_peak() {
    // proc_pid_clear_refs(5): the resident set size itself becomes the peak.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_process_uses_something() {
        let before = super::cpu();
        let busy: u64 = (0..20_000_000_u64).fold(1, |sum, n| std::hint::black_box(sum ^ n.rotate_left(7)));
        assert!(std::hint::black_box(busy) != 0);
        assert!(super::cpu() > before);
        let (rss, peak) = super::rss();
        assert!(rss > 100_000 && peak >= rss / 2, "{rss} {peak}");
    }
}
