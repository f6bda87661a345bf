//! The formats from outside: golden files, the public schemas, every format with every type, hostile and random items.
//!
//! Settings: `RENEW_GOLDEN=1` writes the golden files anew, `SEED` and `ITEMS` for the random items, `DATELINE_SHARED`
//! where the public schemas lie (in `schemas`), `REQUIRE_PARTS=1` (xmllint that is missing is a failure).

#![expect(clippy::unwrap_used, reason = "in a test a failed assumption is a failed test")]

mod check;
mod golden;
mod hostile;
mod matrix;
mod random;
mod schemas;
mod world;
