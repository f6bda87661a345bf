//! Counting and timing, one recorder for each thread, merged at the end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dateline_engine::ErrorKind;
use hdrhistogram::Histogram;

use super::report::{KindResult, Quantiles, Slice, Timeline};

/// Two digits: a latency is told to within one percent.
const DIGITS: u8 = 2;
/// Width of a bucket of the throughput.
const BUCKET_MS: u64 = 100;
/// Slices of latencies at the most, for any length of run.
const SLICES_MAX: u64 = 300;

/// Something that is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// It is an operation of the throughput, not a part or a consequence of one.
    pub(crate) counted: bool,
}

impl Kind {
    pub(crate) const fn counted(name: &'static str) -> Self {
        Self { name, counted: true }
    }

    pub(crate) const fn beside(name: &'static str) -> Self {
        Self { name, counted: false }
    }
}

/// The measured time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) start: Instant,
    pub(crate) end: Instant,
}

impl Window {
    pub(crate) fn holds(&self, at: Instant) -> bool {
        (self.start..self.end).contains(&at)
    }

    /// Width of a slice of latencies.
    fn slice_ms(&self) -> u64 {
        let length_ms = millis(self.end.duration_since(self.start));
        length_ms.div_ceil(SLICES_MAX).div_ceil(BUCKET_MS).max(1) * BUCKET_MS
    }
}

fn histogram() -> Histogram<u64> {
    // Two digits are among the possible ones.
    Histogram::new(DIGITS).unwrap_or_else(|_| unreachable!("{DIGITS} digits"))
}

fn add(histogram: &mut Histogram<u64>, value: u64) {
    // It grows as far as it must, which 64 bits of nanoseconds cannot exhaust.
    let _ = histogram.record(value.max(1));
}

struct KindRecord {
    response: Histogram<u64>,
    service: Histogram<u64>,
    errors: BTreeMap<&'static str, u64>,
}

/// What one thread has seen.
pub(crate) struct Recorder {
    window: Window,
    kinds: &'static [Kind],
    records: Vec<KindRecord>,
    counts: Vec<u64>,
    slices: Slices,
    /// The slice in hand, and its place.
    slice: Histogram<u64>,
    place: usize,
    user_bytes: u64,
}

/// Latencies by slice, of all threads.
#[derive(Clone, Default)]
pub(crate) struct Slices(Arc<Mutex<Vec<Option<Histogram<u64>>>>>);

impl Slices {
    fn merge(&self, place: usize, slice: &mut Histogram<u64>) {
        if slice.is_empty() {
            return;
        }
        let mut slices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slices.len() <= place {
            slices.resize(place + 1, None);
        }
        if let Some(known) = slices.get_mut(place) {
            // Both grow by themselves.
            let _ = known.get_or_insert_with(histogram).add(&*slice);
        }
        slice.reset();
    }
}

impl Recorder {
    pub(crate) fn new(kinds: &'static [Kind], window: Window, slices: Slices) -> Self {
        let record = || KindRecord { response: histogram(), service: histogram(), errors: BTreeMap::new() };
        Self {
            window,
            kinds,
            records: kinds.iter().map(|_| record()).collect(),
            counts: Vec::new(),
            slices,
            slice: histogram(),
            place: 0,
            user_bytes: 0,
        }
    }

    /// An operation that should have begun at `intended`, did at `began`, and ended now.
    pub(crate) fn done(&mut self, kind: usize, intended: Instant, began: Instant) {
        let ended = Instant::now();
        // What arrived in the window counts, also when it ends after it: otherwise the slowest would be left out.
        if !self.window.holds(intended) {
            return;
        }
        let response = nanos(ended.duration_since(intended));
        let (Some(record), Some(kind)) = (self.records.get_mut(kind), self.kinds.get(kind)) else { return };
        add(&mut record.response, response);
        add(&mut record.service, nanos(ended.duration_since(began)));
        if kind.counted {
            self.count(ended, response);
        }
    }

    fn count(&mut self, ended: Instant, response: u64) {
        let at_ms = millis(ended.duration_since(self.window.start));
        let bucket = usize::try_from(at_ms / BUCKET_MS).unwrap_or(usize::MAX);
        // Stragglers of a long queue may end far behind the window; they are timed, and have no bucket.
        if ended < self.window.end {
            if self.counts.len() <= bucket {
                self.counts.resize(bucket + 1, 0);
            }
            if let Some(count) = self.counts.get_mut(bucket) {
                *count += 1;
            }
        }
        let place = usize::try_from(at_ms / self.window.slice_ms()).unwrap_or(usize::MAX);
        if ended < self.window.end {
            if place != self.place {
                self.slices.merge(self.place, &mut self.slice);
                self.place = place;
            }
            add(&mut self.slice, response);
        }
    }

    /// An operation that was refused.
    pub(crate) fn failed(&mut self, kind: usize, intended: Instant, error: ErrorKind) {
        let name = match error {
            ErrorKind::Conflict => "conflict",
            ErrorKind::Busy => "busy",
            _ => "other",
        };
        if self.window.holds(intended)
            && let Some(record) = self.records.get_mut(kind)
        {
            *record.errors.entry(name).or_default() += 1;
        }
    }

    /// Bytes that a user has written.
    pub(crate) fn wrote(&mut self, bytes: usize) {
        if self.window.holds(Instant::now()) {
            self.user_bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        }
    }
}

/// What all threads have seen.
pub(crate) struct Seen {
    pub(crate) operations: u64,
    pub(crate) user_bytes: u64,
    pub(crate) latency: Quantiles,
    pub(crate) kinds: Vec<KindResult>,
    pub(crate) timeline: Timeline,
}

/// Arrivals that were never begun. How long each has waited is the least that it would have taken: without them, an
/// overload would look as if only the lucky ones had come.
pub(crate) struct Unserved(Histogram<u64>);

impl Unserved {
    pub(crate) fn new() -> Self {
        Self(histogram())
    }

    pub(crate) fn waited(&mut self, time: Duration) {
        add(&mut self.0, nanos(time));
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }
}

/// Puts the records of all threads together.
pub(crate) fn merge(
    kinds: &'static [Kind],
    window: Window,
    recorders: Vec<Recorder>,
    slices: &Slices,
    unserved: &Unserved,
) -> Seen {
    let (mut counts, mut user_bytes) = (Vec::new(), 0);
    let mut merged = Recorder::new(kinds, window, slices.clone());
    for mut recorder in recorders {
        recorder.slices.merge(recorder.place, &mut recorder.slice);
        user_bytes += recorder.user_bytes;
        if counts.len() < recorder.counts.len() {
            counts.resize(recorder.counts.len(), 0);
        }
        counts.iter_mut().zip(&recorder.counts).for_each(|(all, count)| *all += count);
        for (into, from) in merged.records.iter_mut().zip(recorder.records) {
            // Histograms that grow by themselves take each other.
            let _ = into.response.add(&from.response);
            let _ = into.service.add(&from.service);
            from.errors.into_iter().for_each(|(name, count)| *into.errors.entry(name).or_default() += count);
        }
    }
    let mut all = unserved.0.clone();
    for (record, _) in merged.records.iter().zip(kinds).filter(|(_, kind)| kind.counted) {
        let _ = all.add(&record.response);
    }
    let slice_ms = window.slice_ms();
    Seen {
        operations: counts.iter().sum(),
        user_bytes,
        latency: quantiles(&all),
        kinds: kinds.iter().zip(&merged.records).map(|(kind, record)| result(kind, record)).collect(),
        timeline: Timeline { bucket_ms: BUCKET_MS, counts, slice_ms, slices: told(slices, slice_ms) },
    }
}

fn told(slices: &Slices, slice_ms: u64) -> Vec<Slice> {
    let slices = slices.0.lock().unwrap_or_else(PoisonError::into_inner);
    let told = (0_u64..).zip(slices.iter()).filter_map(|(place, slice)| {
        let slice = slice.as_ref()?;
        let quantile = |q| micros(slice.value_at_quantile(q));
        Some(Slice {
            at_ms: place * slice_ms,
            p50_us: quantile(0.5),
            p99_us: quantile(0.99),
            p999_us: quantile(0.999),
            max_us: micros(slice.max()),
            heat: heat(slice),
        })
    });
    told.collect()
}

/// Counts by quarters of a doubling.
fn heat(histogram: &Histogram<u64>) -> Vec<(u32, u64)> {
    let mut rows: BTreeMap<u32, u64> = BTreeMap::new();
    for step in histogram.iter_recorded() {
        let quarter = (micros(step.value_iterated_to()).max(1.0).log2() * 4.0).floor();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to four times 64"
        )]
        let row = quarter as u32;
        *rows.entry(row).or_default() += step.count_at_value();
    }
    rows.into_iter().collect()
}

fn result(kind: &Kind, record: &KindRecord) -> KindResult {
    KindResult {
        name: kind.name.to_owned(),
        counted: kind.counted,
        response: quantiles(&record.response),
        service: quantiles(&record.service),
        errors: record.errors.iter().map(|(&name, &count)| (name.to_owned(), count)).collect(),
        curve: curve(&record.response),
    }
}

/// Five percentiles for each tenth of what is left, as far as there is more than one value beyond.
fn curve(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let mut curve = Vec::new();
    let mut left = 1.0;
    #[expect(clippy::cast_precision_loss, reason = "operations of a run are far below 2^53")]
    let count = histogram.len() as f64;
    while count > 0.0 && left * count >= 1.0 {
        for part in [1.0, 0.8, 0.6, 0.4, 0.2] {
            let quantile = 1.0 - left * part;
            curve.push((quantile * 100.0, micros(histogram.value_at_quantile(quantile))));
        }
        left /= 10.0;
    }
    if count > 0.0 {
        curve.push((100.0, micros(histogram.max())));
    }
    curve
}

fn quantiles(histogram: &Histogram<u64>) -> Quantiles {
    let quantile = |q| micros(histogram.value_at_quantile(q));
    Quantiles {
        count: histogram.len(),
        mean_us: round(histogram.mean() / 1_000.0),
        p50_us: quantile(0.5),
        p90_us: quantile(0.9),
        p99_us: quantile(0.99),
        p999_us: quantile(0.999),
        max_us: micros(histogram.max()),
    }
}

fn micros(nanos: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "2^53 nanoseconds are 104 days")]
    round(nanos as f64 / 1_000.0)
}

/// To a hundredth: the histogram knows no more.
fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: &[Kind] = &[Kind::counted("read"), Kind::beside("seen")];

    #[test]
    fn lateness_is_part_of_the_latency() {
        let ended = Instant::now();
        let start = ended.checked_sub(Duration::from_secs(2)).unwrap();
        let window = Window { start, end: start + Duration::from_secs(60) };
        let slices = Slices::default();
        let mut recorder = Recorder::new(KINDS, window, slices.clone());
        let intended = start + Duration::from_secs(1);
        recorder.done(0, intended, ended);
        recorder.done(1, intended, ended);
        // Of the warm-up.
        recorder.done(0, start.checked_sub(Duration::from_secs(1)).unwrap(), start);
        recorder.failed(0, intended, ErrorKind::Busy);
        recorder.failed(0, start.checked_sub(Duration::from_secs(1)).unwrap(), ErrorKind::Busy);
        recorder.wrote(1_000);
        let seen = merge(KINDS, window, vec![recorder], &slices, &Unserved::new());
        assert_eq!((seen.operations, seen.user_bytes), (1, 1_000));
        let read = &seen.kinds[0];
        assert!((990_000.0..1_300_000.0).contains(&read.response.p50_us), "{:?}", read.response);
        assert!(read.service.p50_us < 300_000.0, "{:?}", read.service);
        assert_eq!(read.errors.get("busy"), Some(&1));
        assert_eq!(seen.timeline.counts.iter().sum::<u64>(), 1);
        assert_eq!((seen.timeline.slices.len(), seen.timeline.slice_ms), (1, 200));
        let heat = &seen.timeline.slices[0].heat;
        // A second lies between 2^(79/4) and 2^(80/4) microseconds; on a slow machine it was a little more.
        assert!(matches!(heat[..], [(79..=81, 1)]), "{heat:?}");
        assert_eq!(seen.latency.count, 1, "what is beside is not an operation");
        assert_eq!(read.curve.last().map(|point| point.0), Some(100.0));
    }

    #[test]
    fn threads_are_merged() {
        let start = Instant::now();
        let window = Window { start, end: start + Duration::from_secs(60) };
        let slices = Slices::default();
        let recorder = || {
            let mut recorder = Recorder::new(KINDS, window, slices.clone());
            (0..100).for_each(|_| recorder.done(0, Instant::now(), Instant::now()));
            recorder
        };
        let mut unserved = Unserved::new();
        (0..400).for_each(|_| unserved.waited(Duration::from_secs(1)));
        let seen = merge(KINDS, window, vec![recorder(), recorder()], &slices, &unserved);
        assert_eq!((unserved.count(), seen.latency.count), (400, 600));
        assert!(
            seen.latency.p50_us > 900_000.0,
            "who was never served is among the slow: {:?}",
            seen.latency
        );
        assert_eq!(
            (seen.operations, seen.kinds[0].response.count, seen.kinds[1].response.count),
            (200, 200, 0)
        );
        assert!(seen.kinds[1].curve.is_empty());
        assert!(seen.kinds[0].curve.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1));
    }
}
