//! The content: a story inside, media by reference, a package as groups of references.

use crate::body;
use crate::context::Context;
use crate::duration;
use crate::error::Fault;
use crate::html::Markup;
use crate::item::{Item, ItemType};
use crate::xml::Element;
use crate::{nitf, package, renditions};

pub(super) fn content_set(item: Item<'_>, context: &Context<'_>) -> Result<Element, Fault> {
    let set = Element::new("contentSet");
    let Some(kind) = item.kind().filter(|kind| kind.is_captioned()) else {
        return Ok(set.child(story(item, context)?));
    };
    Ok(set.extend(item.entries("renditions").map(|(name, rendition)| remote(item, kind, name, rendition))))
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

fn remote(item: Item<'_>, kind: ItemType, name: &str, rendition: Item<'_>) -> Element {
    let metadata = item.object("filemeta");
    let number = |found: Option<u64>| found.map(|number| number.to_string()).unwrap_or_default();
    let size = renditions::positive(metadata, "length").filter(|_| name == "original");
    let shape = match kind {
        ItemType::Picture => Some(rendition),
        ItemType::Video => metadata,
        _ => None,
    };
    let seconds = metadata.filter(|_| kind != ItemType::Picture).and_then(duration::seconds);
    let mut remote = Element::new("remoteContent")
        .attr("href", rendition.text("href"))
        .attr_some("contenttype", rendition.text("mimetype"))
        .attr("rendition", format!("rendition:{name}"))
        .attr_some("size", number(size))
        .attr_some("width", number(renditions::positive(shape, "width")))
        .attr_some("height", number(renditions::positive(shape, "height")));
    if let Some(seconds) = seconds {
        remote = remote.attr("duration", seconds.to_string()).attr("durationunit", "timeunit:normalPlayTime");
    }
    remote
}

pub(super) fn group_set(item: Item<'_>, context: &Context<'_>) -> Element {
    let groups = package::groups(item).filter(|group| !group.id().is_empty()).map(|group| {
        let groups = group.group_ids().map(|id| Element::new("groupRef").attr("idref", id));
        let members = group.references().filter_map(|reference| member(reference, context));
        Element::new("group").attr("id", group.id()).attr("role", group.role()).extend(groups).extend(members)
    });
    Element::new("groupSet").attr("root", "root").extend(groups)
}

/// A reference to a member; none when the member is not there any more.
fn member(reference: package::Reference<'_>, context: &Context<'_>) -> Option<Element> {
    let found = context.related.items.get(reference.id).and_then(Item::of)?;
    let class = match found.kind() {
        Some(ItemType::Preformatted) | None => "text",
        Some(kind) => kind.as_str(),
    };
    let status = if found.has("pubstatus") { found.text("pubstatus") } else { "usable" };
    Some(
        Element::new("itemRef")
            .attr("residref", reference.id)
            .attr("contenttype", "application/vnd.iptc.g2.newsitem+xml")
            .child(Element::new("itemClass").attr("qcode", format!("ninat:{class}")))
            .child(Element::new("pubStatus").attr("qcode", format!("stat:{status}")))
            .child(Element::leaf("headline", found.text("headline")))
            .child(Element::leaf("slugline", found.scalar("slugline"))),
    )
}
