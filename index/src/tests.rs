//! Tests of the whole index over a real store.

mod damage;
mod finding;
mod oracle;
mod rebuilding;
mod reopening;
mod waiting;
mod world;
