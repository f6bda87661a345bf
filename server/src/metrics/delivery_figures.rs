//! Figures of deliveries: how many of each kind, how they ended, how long they took. Labels are the kinds of
//! transmitters that there are, never a name of a destination.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::duration_histogram;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    delivery_type: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TypeLabels {
    delivery_type: &'static str,
}

/// What is counted as it happens. Clones share it.
#[derive(Clone)]
pub(crate) struct DeliveryFigures {
    attempts: Family<OutcomeLabels, Counter>,
    times: Family<TypeLabels, Histogram, fn() -> Histogram>,
    bytes: Family<TypeLabels, Counter>,
    /// Destinations that are left alone for a while.
    pub(crate) left_alone: Gauge,
    rows: Counter,
}

impl DeliveryFigures {
    pub(super) fn new() -> Self {
        Self {
            attempts: Family::default(),
            times: Family::new_with_constructor(duration_histogram),
            bytes: Family::default(),
            left_alone: Gauge::default(),
            rows: Counter::default(),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Attempts to deliver a row: success, retrying, failed";
        registry.register("delivery_attempts", help, self.attempts.clone());
        let help = "Time from an attempt's begin to its end, whatever that was";
        registry.register_with_unit("delivery", help, Unit::Seconds, self.times.clone());
        let help = "Size of what arrived, without media";
        registry.register_with_unit("delivered", help, Unit::Bytes, self.bytes.clone());
        let help = "Destinations that failed several times and are left alone for a while";
        registry.register("delivery_destinations_left_alone", help, self.left_alone.clone());
        registry.register("publish_rows", "Rows that the exchange has made", self.rows.clone());
    }

    /// Counts an attempt; `bytes` if it arrived.
    pub(crate) fn attempt(
        &self,
        delivery_type: &'static str,
        outcome: &'static str,
        took: Duration,
        bytes: Option<u64>,
    ) {
        self.attempts.get_or_create(&OutcomeLabels { delivery_type, outcome }).inc();
        self.times.get_or_create(&TypeLabels { delivery_type }).observe(took.as_secs_f64());
        if let Some(bytes) = bytes {
            self.bytes.get_or_create(&TypeLabels { delivery_type }).inc_by(bytes);
        }
    }

    /// Counts rows that were committed.
    pub(crate) fn made(&self, rows: usize) {
        self.rows.inc_by(u64::try_from(rows).unwrap_or(u64::MAX));
    }
}
