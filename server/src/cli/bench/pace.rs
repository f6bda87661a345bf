//! When operations begin.
//!
//! Closed: a client begins when its last operation has ended, so a slow answer also slows the questions, and the latency
//! that is told is only that of the questions that were asked. Open: operations arrive whether or not anybody is
//! ready, and are late from the moment they should have begun: nothing is omitted (Tene, "How NOT to Measure
//! Latency"; the `intended` latency of YCSB and wrk2).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;

/// So often whoever waits for an arrival looks whether it is over.
const LISTEN_EVERY: Duration = Duration::from_millis(100);

/// How operations begin.
#[derive(Debug)]
pub(crate) enum Pace {
    Closed,
    Open(Mutex<Arrivals>),
}

/// Arrivals of independent users: the gaps between them are exponentially distributed.
#[derive(Debug)]
pub(crate) struct Arrivals {
    random: Rng,
    mean_gap_s: f64,
    next: Instant,
    /// What came before and nobody was free for is forgotten from then on: the measured time begins without a queue.
    measured: Instant,
}

impl Arrivals {
    fn take(&mut self) -> Instant {
        let at = self.next;
        // 1 - f64() is above 0, so the logarithm is finite.
        let gap_s = -(1.0 - self.random.f64()).ln() * self.mean_gap_s;
        self.next += Duration::from_secs_f64(gap_s);
        at
    }
}

impl Pace {
    /// `rate` arrivals per second from `start` on, of which those from `measured` on count; closed without a rate.
    pub(crate) fn new(rate: Option<f64>, seed: u64, start: Instant, measured: Instant) -> Self {
        match rate {
            None => Self::Closed,
            Some(rate) => Self::Open(Mutex::new(Arrivals {
                random: Rng::with_seed(seed),
                mean_gap_s: 1.0 / rate,
                next: start,
                measured,
            })),
        }
    }

    /// Waits for the next operation that is to begin before `until`, and tells when it should: whichever client is free
    /// takes the next arrival. `None` also when it is `over` before.
    pub(crate) fn next(&self, until: Instant, over: &AtomicBool) -> Option<Instant> {
        let now = Instant::now();
        if now >= until {
            return None;
        }
        let Self::Open(arrivals) = self else { return Some(now) };
        let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        while now >= arrivals.measured && arrivals.next < arrivals.measured {
            arrivals.take();
        }
        if arrivals.next >= until {
            return None;
        }
        let at = arrivals.take();
        drop(arrivals);
        loop {
            if over.load(Ordering::Relaxed) {
                return None;
            }
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Some(at);
            }
            std::thread::sleep(left.min(LISTEN_EVERY));
        }
    }

    /// Tells of each arrival before `until` that nobody was free for.
    pub(crate) fn unserved(&self, until: Instant, mut tell: impl FnMut(Instant)) {
        let Self::Open(arrivals) = self else { return };
        let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        while arrivals.next < until {
            tell(arrivals.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_have_their_rate_and_come_at_random() {
        let start = Instant::now();
        let pace = Pace::new(Some(10_000.0), 42, start, start);
        let Pace::Open(arrivals) = &pace else { panic!("open") };
        let times: Vec<Instant> = (0..20_000).map(|_| arrivals.lock().unwrap().take()).collect();
        let took_s = times.last().unwrap().duration_since(start).as_secs_f64();
        assert!((took_s - 2.0).abs() < 0.06, "20000 arrivals of 10000/s in {took_s} s");
        // Of exponential gaps, 1 - 1/e are shorter than the mean.
        let mean = Duration::from_micros(100);
        let short = times.windows(2).filter(|pair| pair[1] - pair[0] < mean).count();
        assert!((12_300..13_000).contains(&short), "{short} of 20000 gaps are below the mean");
    }

    #[test]
    fn what_is_late_keeps_its_time() {
        let start = Instant::now();
        let pace = Pace::new(Some(1_000.0), 7, start, start);
        std::thread::sleep(Duration::from_millis(50));
        let (until, over) = (start + Duration::from_secs(60), AtomicBool::new(false));
        assert_eq!(pace.next(until, &over), Some(start), "the first one should have begun long ago");
        let (end, mut late) = (start + Duration::from_millis(50), Vec::new());
        pace.unserved(end, |at| late.push(at));
        assert!((20..100).contains(&late.len()), "{} more arrived in 50 ms", late.len());
        assert!(late.is_sorted() && late.iter().all(|at| (start..end).contains(at)));
        pace.unserved(start, |at| panic!("{at:?} is told twice"));
    }

    #[test]
    fn a_slow_answer_does_not_slow_the_questions() {
        let start = Instant::now();
        let (pace, over) = (Pace::new(Some(1_000.0), 11, start, start), AtomicBool::new(false));
        let end = start + Duration::from_millis(200);
        // One client, which is held up for half of the time by its first operation.
        let (mut intended, mut last) = (Vec::new(), Duration::ZERO);
        while let Some(at) = pace.next(end, &over) {
            if intended.is_empty() {
                std::thread::sleep(Duration::from_millis(100));
            }
            last = at.elapsed();
            intended.push(at);
        }
        let during =
            intended.iter().filter(|at| at.duration_since(start) < Duration::from_millis(100)).count();
        assert!((60..150).contains(&during), "{during} should have begun while the first one took its time");
        assert!(intended.is_sorted() && last < Duration::from_millis(100), "it has caught up: {last:?}");
    }

    #[test]
    fn the_queue_of_the_warm_up_is_forgotten() {
        let over = AtomicBool::new(false);
        let measured = Instant::now();
        let start = measured.checked_sub(Duration::from_millis(500)).unwrap();
        let pace = Pace::new(Some(1_000.0), 5, start, measured);
        let first = pace.next(measured + Duration::from_secs(60), &over).unwrap();
        assert!(first >= measured, "none of the five hundred before");
    }

    #[test]
    fn nothing_begins_after_the_end() {
        let (past, over) = (Instant::now(), AtomicBool::new(false));
        let later = past + Duration::from_secs(60);
        assert_eq!(Pace::new(None, 0, past, past).next(past, &over), None);
        assert_eq!(Pace::new(Some(10.0), 0, past, past).next(past, &over), None);
        assert!(Pace::new(None, 0, past, past).next(later, &over).is_some());
        over.store(true, Ordering::Relaxed);
        let far = Pace::new(Some(10.0), 0, past + Duration::from_secs(30), past);
        assert_eq!(far.next(later, &over), None, "nobody waits when it is over");
    }
}
