//! Bytes of the queue on disk. Keys big-endian, integers inside values little-endian.
//!
//! ```text
//! job    lane u32 | id u64                          sealed: payload, names, limits; written once
//! jst    lane u32 | id u64                          sealed: state, rewritten with every change of it
//! ready  lane u32 | !priority u8 | turn u64         id u64, group u64 (0 none), since_ms u64
//! timer  fire_ms u64 | kind u8 | lane u32 | id u64  empty       kind 01 schedule | 02 retry
//! grp    lane u32 | group u64 | turn u64            id u64
//! uniq   lane u32 | hash 16                         id u64, until_ms u64 (0: while unfinished)
//! dead   lane u32 | died_ms u64 | id u64            sealed: attempt, enqueued, reason
//! done   lane u32 | finished_ms u64 | id u64        sealed: outcome, attempt, times, result
//! meta   "queue/lane/" | lane u32                   sealed: pause flag, settings, name
//!        "queue/rate/" | lane u32 | key u64 (0 the lane itself)  full_us u64: when its bucket is full again
//!
//! sealed    [format u8 = 01][fixed header][tail][crc u32]           crc: CRC32C of everything before it
//!           [format u8 = 02][fixed header][more][tail][crc u32]     where there is more to say
//! header    bincode 1's wire format, fixed integers only; lengths of the tail's parts at its end
//! more      the same, of what few have: `job` its key | `jst` key, deadline, progress, retry |
//!           lane its rates, limits per key and policies. Never written with nothing in it.
//! retry     kind u8 | 01 exponential, 02 linear: ms_base u64, ms_max u64 | 03 list: 1 to 8 waits, ms u64
//! ```
//! A turn is given once per becoming ready or joining a line and rises over restarts, so a `ready` or
//! `grp` key is put once and deleted once. `dead` and `done` are ordered by time so that retention
//! drops a range.
//!
//! Which keys a job has beside `job` and `jst`:
//! scheduled, retrying: `timer` (also where the group goes on) | ready: `ready` or, behind the head of its group, `grp` | leased: none
//! | dead: `dead` | done, cancelled: only `done`. While unfinished also `uniq`, if it has a unique key.

pub(crate) mod key;
pub(crate) mod lane;
pub(crate) mod record;
mod retry;
mod seal;
#[cfg(test)]
mod tests;
