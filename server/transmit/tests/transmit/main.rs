//! The transmitters from outside: against receivers of our own that misbehave, and against real ones.
//!
//! Settings: `PARTS_PYTHON`, a Python that has what stands in `tests/parts/requirements.txt` (otherwise `PYTHON`, then
//! `python3`); `REQUIRE_PARTS=1`, by which a part that is missing is a failure and not a skipped test; `SEED`.

#![expect(clippy::unwrap_used, reason = "in a test a failed assumption is a failed test")]

mod certificates;
mod collect;
mod egress;
mod email;
mod file;
mod ftp;
mod http_push;
mod odbc;
mod parts;
mod receiver;
mod shelf;
mod sqs;
mod world;
