//! Feeds: one item as an Atom entry (RFC 4287), or as an RSS 2.0 channel of its own.

mod atom;
mod entry;
mod rss;

use crate::context::Context;
use crate::error::Fault;
use crate::formatter::{Document, Formatter, Varies};
use crate::item::{Item, ItemType};
use crate::xml::{Layout, Prolog, document};
use entry::Entry;

/// The two formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// The format `atom`.
    Atom,
    /// The format `rss`.
    Rss,
}

impl Formatter for Feed {
    fn id(&self) -> &'static str {
        match self {
            Feed::Atom => "atom",
            Feed::Rss => "rss",
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Feed::Atom => "Atom",
            Feed::Rss => "RSS",
        }
    }

    fn code(&self) -> u16 {
        7013
    }

    fn accepts(&self, _: ItemType) -> bool {
        true
    }

    fn varies(&self) -> Varies {
        Varies::default()
    }

    fn write(&self, item: Item<'_>, context: &Context<'_>) -> Result<Vec<Document>, Fault> {
        let entry = Entry::of(item, context)?;
        let (root, content_type) = match self {
            Feed::Atom => (atom::document(entry), "application/atom+xml;type=entry"),
            Feed::Rss => (rss::document(entry, context.site), "application/rss+xml"),
        };
        let bytes = document(&root, Prolog::UTF8, Layout::Indented)?;
        Ok(vec![Document { bytes, content_type, extension: "xml", sequence: None }])
    }
}
