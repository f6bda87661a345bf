//! Atom (RFC 4287): an entry document for one item, a feed for many.

use super::FeedHead;
use super::entry::{Category, Enclosure, Entry};
use crate::context::Context;
use crate::error::Fault;
use crate::formatter::{Document, Formatter, Varies};
use crate::item::{Item, ItemType};
use crate::time;
use crate::xml::{Element, Layout, Prolog, document};

const NAMESPACE: &str = "http://www.w3.org/2005/Atom";

/// The format `atom`.
#[derive(Debug, Clone, Copy)]
pub struct Atom;

impl Formatter for Atom {
    fn id(&self) -> &'static str {
        "atom"
    }

    fn name(&self) -> &'static str {
        "Atom"
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
        let root = entry(Entry::of(item, context)?).attr("xmlns", NAMESPACE);
        let bytes = document(&root, Prolog::UTF8, Layout::Indented)?;
        let content_type = "application/atom+xml;type=entry";
        Ok(vec![Document { bytes, content_type, extension: "xml", sequence: None }])
    }
}

pub(super) fn feed(head: &FeedHead, entries: Vec<Entry>) -> Result<Vec<u8>, Fault> {
    let root = Element::new("feed")
        .attr("xmlns", NAMESPACE)
        .child(Element::leaf("id", &head.address))
        .child(Element::leaf("title", &head.title))
        .child(Element::leaf("updated", time::zulu(head.updated)))
        .child(Element::new("link").attr("rel", "self").attr("href", &head.address))
        .extend(entries.into_iter().map(entry));
    document(&root, Prolog::UTF8, Layout::Indented)
}

fn entry(from: Entry) -> Element {
    let mut entry = Element::new("entry")
        .attr_some("xml:lang", from.language)
        .child(Element::leaf("id", from.id))
        .child(Element::leaf("title", from.title))
        .child(Element::leaf("updated", time::zulu(from.updated)))
        .extend(from.published.map(|published| Element::leaf("published", time::zulu(published))))
        .child(Element::new("author").child(Element::leaf("name", from.author)));
    if !from.link.is_empty() {
        entry.push(Element::new("link").attr("rel", "alternate").attr("href", from.link));
    }
    entry = entry.extend(from.enclosure.map(enclosure)).extend(from.categories.into_iter().map(category));
    if !from.rights.is_empty() {
        entry.push(Element::leaf("rights", from.rights));
    }
    if !from.summary.is_empty() {
        entry.push(Element::leaf("summary", from.summary));
    }
    // RFC 4287 4.1.1: an entry without a link to a page has content, be it empty.
    entry.child(Element::leaf("content", from.content).attr("type", "html"))
}

fn enclosure(from: Enclosure) -> Element {
    let link =
        Element::new("link").attr("rel", "enclosure").attr("href", from.href).attr("type", from.media_type);
    if from.length > 0 { link.attr("length", from.length.to_string()) } else { link }
}

fn category(from: Category) -> Element {
    Element::new("category")
        .attr("term", from.term)
        .attr_some("scheme", from.scheme)
        .attr_some("label", from.label)
}
