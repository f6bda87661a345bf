//! Tests of the whole engine: against a model, over both stores, with crashes in between.

mod bare_records;
mod behaviour;
mod broken_files;
mod dropping;
mod faults;
mod formats;
mod indexes;
mod invariants;
mod keep;
mod model;
mod schema;
mod scrub;
mod statistics;
mod trimming;
mod without_waiting;
