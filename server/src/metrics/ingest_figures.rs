//! Figures of ingest: runs of providers, and what came of items. Labels are outcomes; providers have their own states.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// What is counted as it happens. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct IngestFigures {
    runs: Family<OutcomeLabels, Counter>,
    items: Family<OutcomeLabels, Counter>,
}

impl IngestFigures {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("ingest_runs", "Runs of providers", self.runs.clone());
        let help = "Items of providers: new, updated, known, left because they are old or not wanted, failed";
        registry.register("ingest_items", help, self.items.clone());
    }

    /// Counts one run.
    pub(crate) fn count(&self, items: &[(&'static str, u64)], is_well: bool) {
        let outcome = if is_well { "ok" } else { "error" };
        self.runs.get_or_create(&OutcomeLabels { outcome }).inc();
        for (outcome, count) in items.iter().filter(|(_, count)| *count > 0) {
            self.items.get_or_create(&OutcomeLabels { outcome }).inc_by(*count);
        }
    }
}
