//! Actions on items: a request becomes a production, a production one commit.
//!
//! **The way of an action.** Privilege, `If-Match` and lock are looked at; the producer (`dateline-publish`) decides, with
//! what it looks up through [`shelf`]; [`enacting`] turns the production into one transaction: new versions, published
//! rows, history, and the jobs of lane `publish`. A document that somebody else changes in between makes the engine refuse
//! the transaction, and the decision is made again.

mod act;
mod automatic;
mod deschedule;
mod enacting;
mod following;
mod locks;
mod moves;
mod notices;
mod packages;
mod routes;
mod saving;
mod shelf;
mod stored;
mod told;
mod validating;

pub(crate) use act::fall_due;
pub(crate) use automatic::publish_automatically;
pub(crate) use following::{Followed, follow};
pub(crate) use notices::{of as notices_of, record as record_notice};
pub(crate) use routes::routes;
pub(crate) use saving::{check, new_id};
pub(crate) use stored::Counters;
pub(crate) use validating::rules;
