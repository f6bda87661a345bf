//! Atom (RFC 4287): an entry document.

use super::entry::{Category, Enclosure, Entry};
use crate::time;
use crate::xml::Element;

pub(super) fn document(from: Entry) -> Element {
    entry(from).attr("xmlns", "http://www.w3.org/2005/Atom")
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
