//! The matcher over a real store, as the server uses it: through its public API only.

#![expect(clippy::unwrap_used, reason = "in a test a failed assumption is a failed test")]

mod engine;
mod expect;
mod oracle;
mod questions;
mod scenes;
mod seed;
mod stories;
mod story;
mod tracks;
mod watch;
