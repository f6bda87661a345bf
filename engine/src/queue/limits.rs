//! Every bound of the queue, with the relations between them checked at compile time.

/// Most jobs a store keeps in memory unless told otherwise, dead ones included; about 240 bytes each.
pub(crate) const JOBS_MAX: usize = 1_000_000;
/// Most lanes of one store. A lane is never removed.
pub(crate) const LANES_MAX: usize = 1_024;
/// Longest lane name in bytes.
pub(crate) const LANE_NAME_BYTES_MAX: usize = 64;
/// Longest group name or unique key in bytes.
pub(crate) const JOB_NAME_BYTES_MAX: usize = 200;
/// Largest payload of one job in bytes.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// Largest result a worker may leave behind, in bytes.
pub(crate) const RESULT_BYTES_MAX: usize = 64 << 10;
/// Longest error text that is kept, in bytes; a longer one is cut.
pub(crate) const ERROR_BYTES_MAX: usize = 512;
/// Highest priority; 0 is the lowest.
pub(crate) const PRIORITY_MAX: u8 = 15;
/// Most attempts a job may be given.
pub(crate) const ATTEMPTS_MAX: u32 = 10_000;
/// Longest delay before a first or next attempt, in milliseconds: ten years.
pub(crate) const DELAY_MS_MAX: u64 = 10 * 366 * 86_400_000;
/// Longest lease in milliseconds: one day. Longer work sends heartbeats.
pub(crate) const LEASE_MS_MAX: u64 = 86_400_000;
/// Most jobs in one lease call.
pub(crate) const LEASE_JOBS_MAX: usize = 1_000;
/// Most waits in a list of them.
pub(crate) const WAITS_MAX: usize = 8;
/// Most tokens of a rate, in its time and in its bucket.
pub(crate) const RATE_JOBS_MAX: u32 = 1_000_000;
/// Longest time of a rate in milliseconds: one day.
pub(crate) const RATE_MS_MAX: u64 = 86_400_000;
/// Longest progress message that is kept, in bytes; a longer one is cut.
pub(crate) const MESSAGE_BYTES_MAX: usize = 512;
/// Most cancelled leases whose holders are told so; the holder of another finds its lease lost.
pub(crate) const CANCELLED_MAX: usize = 4_096;
/// Most timers one tick fires, so that a tick never makes an oversized write.
pub(crate) const TICK_TIMERS_MAX: usize = 1_024;

const _: () = assert!(PAYLOAD_BYTES_MAX <= crate::limits::TRANSACTION_BYTES_MAX);
const _: () = assert!(ERROR_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(MESSAGE_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(WAITS_MAX <= u8::MAX as usize);
const _: () = assert!(RATE_MS_MAX <= u64::MAX / 1_000 / RATE_JOBS_MAX as u64 / 2);
const _: () = assert!(JOB_NAME_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(RESULT_BYTES_MAX <= u32::MAX as usize);
const _: () = assert!(LEASE_MS_MAX <= DELAY_MS_MAX);
const _: () = assert!((PRIORITY_MAX as usize) + 1 == crate::queue::lane::PRIORITIES);
