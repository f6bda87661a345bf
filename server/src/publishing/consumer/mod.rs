//! Consumers: lane `transmit` sends what the exchange has queued, many destinations at a time.
//!
//! A job is a row's turn in its line; the row says how far it has come. The states of a row:
//!
//! ```text
//! pending -> in-progress -> success
//!                        -> retrying -> in-progress ..    (another attempt may help: wait, doubling)
//!                        -> failed                        (none does, or there were enough)
//! pending, retrying -> canceled                           (somebody said so)
//! failed, canceled, error, success -> pending             (somebody said so)
//! ```
//!
//! While the first row of a line waits for its next attempt, the rows behind it wait too: order is kept over failures. A
//! worker that dies leaves its row `in-progress`; the job comes again and the row is sent again, under the same identity.

mod breaker;
mod cancelling;
mod lane;
mod media;
mod reach;
mod rows;
mod sender;
mod settling;
mod statistics;
mod trial;

pub(crate) use cancelling::{cancel as cancel_job, cancel_jobs};
pub(crate) use lane::Transmit;
pub(crate) use reach::site as site_of;
pub(crate) use reach::transmitters;
pub(crate) use rows::{check, formatted, routes};
pub(crate) use trial::Trials;
