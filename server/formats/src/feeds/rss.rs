//! RSS 2.0: a channel with one item or many.

use super::FeedHead;
use super::entry::{Category, Enclosure, Entry};
use crate::context::Context;
use crate::error::Fault;
use crate::formatter::{Document, Formatter, Varies};
use crate::html::escape;
use crate::item::{Item, ItemType};
use crate::time;
use crate::xml::{Element, Layout, Prolog, document};

/// The format `rss`.
#[derive(Debug, Clone, Copy)]
pub struct Rss;

impl Formatter for Rss {
    fn id(&self) -> &'static str {
        "rss"
    }

    fn name(&self) -> &'static str {
        "RSS"
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
        let head = FeedHead {
            title: context.site.provider.clone(),
            address: context.site.public_url.clone(),
            updated: entry.updated,
        };
        let bytes = feed(&head, vec![entry])?;
        Ok(vec![Document { bytes, content_type: "application/rss+xml", extension: "xml", sequence: None }])
    }
}

pub(super) fn feed(head: &FeedHead, entries: Vec<Entry>) -> Result<Vec<u8>, Fault> {
    let channel = Element::new("channel")
        .child(Element::leaf("title", &head.title))
        .child(Element::leaf("link", &head.address))
        .child(Element::leaf("description", &head.title))
        .child(Element::leaf("lastBuildDate", time::mail(head.updated)))
        .extend(entries.into_iter().map(item));
    let root = Element::new("rss")
        .attr("version", "2.0")
        .attr("xmlns:content", "http://purl.org/rss/1.0/modules/content/")
        .attr("xmlns:dc", "http://purl.org/dc/elements/1.1/")
        .child(channel);
    document(&root, Prolog::UTF8, Layout::Indented)
}

fn item(from: Entry) -> Element {
    let mut item = Element::new("item").child(Element::leaf("title", from.title));
    if !from.link.is_empty() {
        item.push(Element::leaf("link", from.link));
    }
    let mut leaf = |name: &'static str, text: String| {
        if !text.is_empty() {
            item.push(Element::leaf(name, text));
        }
    };
    // Readers take it for HTML.
    leaf("description", escape(&from.summary));
    leaf("dc:creator", from.author);
    leaf("dc:source", from.source);
    leaf("dc:rights", from.rights);
    leaf("dc:language", from.language);
    leaf("content:encoded", from.content);
    item.child(Element::leaf("guid", from.id).attr("isPermaLink", "false"))
        .child(Element::leaf("pubDate", time::mail(from.published.unwrap_or(from.updated))))
        .extend(from.categories.into_iter().map(category))
        .extend(from.enclosure.map(enclosure))
}

fn category(from: Category) -> Element {
    let name = if from.label.is_empty() { &from.term } else { &from.label };
    Element::leaf("category", name).attr_some("domain", &from.scheme)
}

/// All three attributes are required; a length that is not known is 0.
fn enclosure(from: Enclosure) -> Element {
    Element::new("enclosure")
        .attr("url", from.href)
        .attr("length", from.length.to_string())
        .attr("type", from.media_type)
}
