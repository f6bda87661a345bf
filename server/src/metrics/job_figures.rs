//! Figures of the queue: what stands where, how long jobs waited and ran, and how it ended.
//!
//! Labels are lanes, of which the engine bounds the number.

use dateline_engine::{JobEvent, JobStep, Store};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LaneLabels {
    lane: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    lane: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    lane: String,
    state: &'static str,
}

/// What is counted as it happens. Clones share it.
#[derive(Clone)]
pub(crate) struct JobFigures {
    waits: Family<LaneLabels, Histogram, fn() -> Histogram>,
    runs: Family<LaneLabels, Histogram, fn() -> Histogram>,
    outcomes: Family<OutcomeLabels, Counter>,
}

impl JobFigures {
    pub(super) fn new() -> Self {
        Self {
            waits: Family::new_with_constructor(histogram),
            runs: Family::new_with_constructor(histogram),
            outcomes: Family::default(),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Time from being ready to the lease";
        registry.register_with_unit("job_wait", help, Unit::Seconds, self.waits.clone());
        let help = "Time from the lease to the end of the attempt";
        registry.register_with_unit("job_run", help, Unit::Seconds, self.runs.clone());
        registry.register("job_outcome", "Ends of attempts, and cancelled jobs", self.outcomes.clone());
    }

    /// Counts what a write has done to jobs.
    pub(crate) fn count(&self, events: &[JobEvent]) {
        for event in events {
            let lane = || event.lane.to_string();
            let (ran_ms, outcome) = match event.step {
                JobStep::Leased { waited_ms } => {
                    self.waits.get_or_create(&LaneLabels { lane: lane() }).observe(seconds(waited_ms));
                    continue;
                }
                JobStep::Progressed => continue,
                JobStep::Done { ran_ms } => (Some(ran_ms), "done"),
                JobStep::Retrying { ran_ms } => (Some(ran_ms), "retrying"),
                JobStep::Dead { ran_ms } => (Some(ran_ms), "dead"),
                JobStep::Cancelled => (None, "cancelled"),
            };
            if let Some(ran_ms) = ran_ms {
                self.runs.get_or_create(&LaneLabels { lane: lane() }).observe(seconds(ran_ms));
            }
            self.outcomes.get_or_create(&OutcomeLabels { lane: lane(), outcome }).inc();
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure; 2^53 milliseconds are 285 000 years")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

fn histogram() -> Histogram {
    Histogram::new([0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 3_600.0])
}

/// What stands where, as of now. Nothing while the engine is stopped.
pub(super) fn lane_registry(store: &Store) -> Registry {
    let ready = Family::<LaneLabels, Gauge>::default();
    let oldest = Family::<LaneLabels, Gauge<f64, std::sync::atomic::AtomicU64>>::default();
    let jobs = Family::<StateLabels, Gauge>::default();
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let now = store.now().get();
    for view in store.queue().lanes().unwrap_or_default() {
        let lane = LaneLabels { lane: view.name.to_string() };
        ready.get_or_create(&lane).set(number(view.ready + view.waiting));
        let age_ms = view.oldest_ready.map_or(0, |since| now.saturating_sub(since.get()));
        oldest.get_or_create(&lane).set(seconds(age_ms));
        let counts = [
            ("leased", view.leased),
            ("scheduled", view.scheduled),
            ("retrying", view.retrying),
            ("dead", view.dead),
        ];
        for (state, count) in counts {
            let labels = StateLabels { lane: lane.lane.clone(), state };
            jobs.get_or_create(&labels).set(number(count));
        }
    }
    let mut registry = Registry::with_prefix("dateline");
    registry.register("queue_ready", "Jobs that may run now, or as soon as their group lets them", ready);
    let help = "Age of the job that has been ready longest";
    registry.register_with_unit("queue_oldest_ready", help, Unit::Seconds, oldest);
    registry.register("queue_jobs", "Other jobs by state", jobs);
    registry
}
