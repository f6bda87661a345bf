//! Internal destinations: desks that get copies of what other desks publish.
//!
//! A [`Destination`] says which items it takes, and when. What is sent there is a [`copy`], or, where the macro of the
//! destination is [`AUTO_PUBLISH`](crate::macros::AUTO_PUBLISH), the one copy that goes out by itself and follows its
//! source: [`follow`] decides what is done with that.

mod copy;
mod destination;
mod event;
mod following;

pub use copy::{Copying, copy, kept_back};
pub use destination::Destination;
pub use event::{Event, Phase};
pub use following::{Follow, follow};
