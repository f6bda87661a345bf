//! The knee: how latency grows with the rate of arrivals.
//!
//! A closed run finds what can be done at most. The same work then arrives at shares of that rate, and the knee is the
//! last rate that is served well.

use super::super::outcome::Failure;
use super::super::progress::Progress;
use super::report::{Point, Run, Sweep};
use super::stage::Stage;

/// Shares of the closed throughput at which the work arrives.
const SHARES: [f64; 8] = [0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1];
/// A rate is served well while the median is at most so many times that of the lowest rate: the tail tells of single
/// flushes and compactions, the median of a queue,
const SLOWER_MAX: f64 = 5.0;
/// and so much of what arrived was done.
const DONE_MIN: f64 = 0.95;

/// # Errors
/// As the runs.
pub(crate) fn sweep(stage: &Stage, closed: &Run, progress: &Progress) -> Result<Sweep, Failure> {
    let mut points = Vec::new();
    for share in SHARES {
        let rate = (closed.throughput_per_s * share).max(1.0).round();
        progress.say(format!("{rate}/s"));
        let run = match stage.run(Some(rate), String::new(), progress) {
            Ok(run) if !run.stopped => run,
            Err(failure) if !stage.is_stopped() => return Err(failure),
            // What was found until then is still true.
            _ => break,
        };
        points.push(Point {
            rate,
            throughput_per_s: run.throughput_per_s,
            unserved: run.unserved,
            latency: run.latency,
        });
    }
    progress.say(String::new());
    Ok(Sweep { knee: knee(&points), points })
}

/// The place of the last of the well-served points that follow each other from the first on.
fn knee(points: &[Point]) -> Option<usize> {
    let bound_us = points.first()?.latency.p50_us * SLOWER_MAX;
    let well =
        |point: &&Point| point.latency.p50_us <= bound_us && point.throughput_per_s >= point.rate * DONE_MIN;
    points.iter().take_while(well).count().checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::super::report::Quantiles;
    use super::*;

    #[test]
    fn the_knee_is_where_it_bends() {
        let point = |rate: f64, throughput_per_s: f64, p50_us: f64| Point {
            rate,
            throughput_per_s,
            unserved: 0,
            latency: Quantiles { p50_us, ..Quantiles::default() },
        };
        let slow = [point(10.0, 10.0, 100.0), point(50.0, 50.0, 300.0), point(90.0, 90.0, 900.0)];
        assert_eq!(knee(&slow), Some(1));
        let behind = [point(10.0, 10.0, 100.0), point(50.0, 40.0, 100.0), point(90.0, 90.0, 100.0)];
        assert_eq!(knee(&behind), Some(0));
        assert_eq!(knee(&[point(10.0, 5.0, 100.0)]), None);
        assert_eq!(knee(&[]), None);
    }
}
