//! The content: a story inside, media by reference, a package as groups of references.

use super::item_meta;
use crate::body;
use crate::context::Context;
use crate::error::Fault;
use crate::html::{Markup, plain};
use crate::item::{Item, ItemType};
use crate::renditions::Measures;
use crate::xml::Element;
use crate::{nitf, package};

pub(super) fn content_set(item: Item<'_>, context: &Context<'_>) -> Result<Element, Fault> {
    let set = Element::new("contentSet");
    if item.kind().is_some_and(ItemType::is_captioned) {
        let renditions = item.entries("renditions");
        return Ok(set.extend(renditions.map(|(name, rendition)| remote(item, name, rendition))));
    }
    Ok(set.child(story(item, context)?))
}

fn story(item: Item<'_>, context: &Context<'_>) -> Result<Element, Fault> {
    if body::is_preserved(item) {
        let html = body::with_footer(item)?;
        let text = Markup::parse("body_html", &html)?.text();
        return Ok(Element::leaf("inlineData", text).attr("contenttype", "text/plain"));
    }
    let nitf = nitf::nitf_in_namespace(item, nitf::style(context))?;
    Ok(Element::new("inlineXML").attr("contenttype", "application/nitf+xml").child(nitf))
}

fn remote(item: Item<'_>, name: &str, rendition: Item<'_>) -> Element {
    let measures = Measures::of(item, name, rendition);
    let number = |found: Option<u64>| found.map(|number| number.to_string()).unwrap_or_default();
    let remote = Element::new("remoteContent")
        .attr("href", rendition.text("href"))
        .attr_some("contenttype", rendition.text("mimetype"))
        .attr("rendition", format!("rendition:{name}"))
        .attr_some("size", number(measures.bytes))
        .attr_some("width", number(measures.width))
        .attr_some("height", number(measures.height));
    match measures.seconds {
        Some(seconds) => {
            remote.attr("duration", seconds.to_string()).attr("durationunit", "timeunit:normalPlayTime")
        }
        None => remote,
    }
}

pub(super) fn group_set(item: Item<'_>, context: &Context<'_>) -> Result<Element, Fault> {
    let mut set = Element::new("groupSet").attr("root", "root");
    for group in package::groups(item).filter(|group| !group.id().is_empty()) {
        let mut element = Element::new("group")
            .attr("id", group.id())
            .attr("role", group.role())
            .extend(group.group_ids().map(|id| Element::new("groupRef").attr("idref", id)));
        for reference in group.references() {
            // A member that is not there any more is left out.
            if let Some(found) = context.related.items.get(reference.id).and_then(Item::of) {
                element.push(member(reference.id, found)?);
            }
        }
        set.push(element);
    }
    Ok(set)
}

fn member(id: &str, found: Item<'_>) -> Result<Element, Fault> {
    Ok(Element::new("itemRef")
        .attr("residref", id)
        .attr("contenttype", "application/vnd.iptc.g2.newsitem+xml")
        .child(item_meta::class(found))
        .child(item_meta::status(found))
        .child(Element::leaf("headline", plain("headline", found.text("headline"))?))
        .child(Element::leaf("slugline", found.scalar("slugline"))))
}
