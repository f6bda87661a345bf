//! RSS 2.0: a channel with one item.

use super::entry::{Category, Enclosure, Entry};
use crate::context::Site;
use crate::html::escape;
use crate::time;
use crate::xml::Element;

pub(super) fn document(entry: Entry, site: &Site) -> Element {
    let channel = Element::new("channel")
        .child(Element::leaf("title", &site.provider))
        .child(Element::leaf("link", &site.public_url))
        .child(Element::leaf("description", &site.provider))
        .child(Element::leaf("lastBuildDate", time::mail(entry.updated)))
        .child(item(entry));
    Element::new("rss")
        .attr("version", "2.0")
        .attr("xmlns:content", "http://purl.org/rss/1.0/modules/content/")
        .attr("xmlns:dc", "http://purl.org/dc/elements/1.1/")
        .child(channel)
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
