//! Feeds: one item as a document of its own, or many in one.

mod atom;
mod entry;
mod rss;

pub use atom::Atom;
pub use rss::Rss;

use crate::context::Context;
use crate::error::Fault;
use crate::item::Item;
use entry::Entry;
use jiff::Timestamp;
use serde_json::Value;

/// What a feed says about itself.
#[derive(Debug, Clone)]
pub struct FeedHead {
    /// The name people see.
    pub title: String,
    /// The address of the feed; it is the feed's identity too.
    pub address: String,
    /// When it last changed.
    pub updated: Timestamp,
}

/// Many items as one Atom feed (RFC 4287), in their order.
///
/// # Errors
/// When an item has a date or markup that cannot be read.
pub fn atom_feed(head: &FeedHead, items: &[Value], context: &Context<'_>) -> Result<Vec<u8>, Fault> {
    atom::feed(head, entries(items, context)?)
}

/// Many items as one RSS 2.0 channel, in their order.
///
/// # Errors
/// When an item has a date or markup that cannot be read.
pub fn rss_feed(head: &FeedHead, items: &[Value], context: &Context<'_>) -> Result<Vec<u8>, Fault> {
    rss::feed(head, entries(items, context)?)
}

fn entries(items: &[Value], context: &Context<'_>) -> Result<Vec<Entry>, Fault> {
    items.iter().filter_map(Item::of).map(|item| Entry::of(item, context)).collect()
}
