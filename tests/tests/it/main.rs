//! One integration binary: the program from outside, over HTTP, streams and the command line.
//!
//! `program` starts and kills it, `client`, `sse` and `ws` speak to it, `oracle` says what must come out; the others test.
//! Settings: `DATELINE_BIN`, `DATELINE_SHARED` (real input), `SEED`, `CRASH_ROUNDS`, `REQUIRE_PARTS=1` (a part that
//! is missing fails instead of being skipped).

mod backups;
mod bad_input;
mod bad_requests;
mod blobs;
mod browser;
mod bulk;
mod client;
mod command_line;
mod crash;
mod damage;
mod disk_full;
mod documents;
mod errors;
mod examples;
mod failing_sync;
mod fan_out;
mod feeds;
mod follow;
mod formats;
mod history;
mod indexes;
mod intake;
mod laboratory;
mod ledger;
mod lifetime;
mod lists;
mod media;
mod memory;
mod ogc;
mod oracle;
mod parts;
mod people;
mod places;
mod plan;
mod process_limits;
mod program;
mod publishing;
mod queue;
mod receiver;
mod replay;
mod ring;
mod rules;
mod schedules;
mod seams;
mod small_disk;
mod snapshot;
mod socket_clients;
mod sockets;
mod sphere;
mod sse;
mod stage;
mod stalled;
mod starting;
mod streams;
mod surface;
mod tracks;
mod transitions;
mod upgrades;
mod watch;
mod words;
mod ws;
