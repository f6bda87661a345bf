//! The exchange: a publish request becomes deliveries.
//!
//! **The way of a request.** A job of lane `publish` names a row of `published`. [`channel`] picks a channel by what is
//! published and how; the channel says which filter finds the recipients ([`filters`]), how the item is formatted
//! ([`formatting`]) and which consumers get the deliveries ([`routing`]). [`plan`] makes all of that without writing,
//! [`enact`] commits it: every row of the queue with its job, the numbers of the subscribers, and the state of the
//! published row, in one transaction.
//!
//! **Once.** A row's id follows from the snapshot, the subscriber and the destination, so whatever dies in between, there
//! is one row for each of them. A publishing with more rows than one transaction takes is several, in order; a worker
//! that goes on after the first finds the rows that are there.

mod channel;
mod deliveries;
mod enact;
mod filters;
mod formatting;
mod numbers;
mod package;
mod plan;
mod request;
mod routing;
mod rows;
mod worker;

pub(crate) use channel::Channels;
pub(crate) use enact::end;
pub(crate) use formatting::stored as stored_output;
pub(crate) use numbers::Numbers;
pub(crate) use plan::{Plan, plan};
pub(crate) use request::{Request, job, named as named_action};
pub(crate) use routing::{TRANSMIT_LANE, transmit_job};
pub(crate) use rows::{delivery_of, hashed};
pub(crate) use worker::{Publish, item_of};

use std::fmt;

/// Why a request cannot be done.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The item itself is at fault: the published row says so, and no other attempt helps.
    Item(String),
    /// The store; another attempt may help.
    Store(dateline_engine::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item(message) => f.write_str(message),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl From<dateline_engine::Error> for Fault {
    fn from(error: dateline_engine::Error) -> Self {
        Self::Store(error)
    }
}

impl From<dateline_publish::filter::ItemFault> for Fault {
    fn from(fault: dateline_publish::filter::ItemFault) -> Self {
        Self::Item(format!("400: {}", fault.message))
    }
}
