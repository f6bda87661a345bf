//! How many messages a client may send: a bucket that fills with time.

use std::time::Instant;

/// Messages a second over time.
const PER_S: f64 = 100.0;
/// Messages at once.
const BURST: f64 = 500.0;
/// So many more refused than taken, and the client does not listen.
const REFUSED_MAX: u32 = 1_000;

/// See the module.
pub(super) struct Rate {
    left: f64,
    at: Instant,
    refused: u32,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Taken,
    Refused,
    /// And so is the client.
    Hopeless,
}

impl Rate {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: BURST, at: now, refused: 0 }
    }

    /// One message more.
    pub(super) fn take(&mut self, now: Instant) -> Verdict {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + since * PER_S).min(BURST);
        self.at = now;
        if self.left >= 1.0 {
            self.left -= 1.0;
            self.refused = self.refused.saturating_sub(1);
            return Verdict::Taken;
        }
        self.refused += 1;
        if self.refused > REFUSED_MAX { Verdict::Hopeless } else { Verdict::Refused }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let began = Instant::now();
        let mut rate = Rate::new(began);
        let mut take = |after_ms: u64, messages: usize| {
            let now = began + Duration::from_millis(after_ms);
            (0..messages).filter(|_| rate.take(now) == Verdict::Taken).count()
        };
        assert_eq!(take(0, 600), 500);
        assert_eq!(take(10, 5), 1);
        assert_eq!(take(1_010, 200), 100);
        assert_eq!(take(100_000, 600), 500, "no more than a burst is saved up");
    }

    #[test]
    fn one_who_never_stops_is_hopeless_although_some_are_taken() {
        let began = Instant::now();
        let mut rate = Rate::new(began);
        // 1,000 a second, of which 100 are taken.
        let mut verdicts = (0..5_000).map(|ms| rate.take(began + Duration::from_millis(ms)));
        let refused = verdicts.position(|verdict| verdict == Verdict::Hopeless);
        assert!(refused.is_some_and(|refused| (1_000..3_000).contains(&refused)), "{refused:?}");
        // One who keeps to the rate never is.
        let mut rate = Rate::new(began);
        assert!((0..5_000).all(|n| rate.take(began + Duration::from_millis(n * 11)) == Verdict::Taken));
    }
}
