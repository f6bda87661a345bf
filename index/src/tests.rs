//! Tests of the whole index over a real store.

mod damage;
mod finding;
mod oracle;
mod rebuilding;
mod reopening;
mod upgrading;
mod waiting;
mod world;
