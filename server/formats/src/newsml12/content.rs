//! The content: a story as NITF, media by reference, a package as references to other items.

use super::{formal, property};
use crate::context::Context;
use crate::error::Fault;
use crate::html::plain;
use crate::item::{Item, ItemType};
use crate::renditions::Measures;
use crate::xml::Element;
use crate::{nitf, package};

pub(super) fn summary(item: Item<'_>) -> Result<Element, Fault> {
    let content = Element::new("ContentItem")
        .child(formal("MediaType", "Text"))
        .child(formal("Format", "Text"))
        .child(Element::leaf("DataContent", plain("abstract", item.text("abstract"))?));
    Ok(Element::new("NewsComponent").child(formal("Role", "Abstract")).child(content))
}

pub(super) fn story(item: Item<'_>, context: &Context<'_>) -> Result<Element, Fault> {
    let body = Element::new("body").child(nitf::body_content(item, nitf::style(context))?);
    let content = Element::new("ContentItem")
        .child(formal("MediaType", "Text"))
        .child(formal("Format", "NITF"))
        .child(Element::new("DataContent").child(Element::new("nitf").child(body)));
    Ok(Element::new("NewsComponent").child(formal("Role", "BodyText")).child(content))
}

pub(super) fn media(item: Item<'_>, kind: ItemType) -> Element {
    let media_type = match kind {
        ItemType::Audio => "Audio",
        ItemType::Video => "Video",
        _ => "Photo",
    };
    let parts = item.entries("renditions").map(|(name, rendition)| {
        let content = Element::new("ContentItem")
            .attr("Href", rendition.text("href"))
            .child(formal("MediaType", media_type))
            .child(formal("Format", rendition.text("mimetype")))
            .child(characteristics(Measures::of(item, name, rendition)));
        Element::new("NewsComponent").child(formal("Role", name)).child(content)
    });
    Element::new("NewsComponent").child(formal("Role", media_type)).extend(parts)
}

fn characteristics(measures: Measures) -> Element {
    let number = |name: &str, number: Option<u64>| number.map(|number| property(name, number.to_string()));
    Element::new("Characteristics")
        .extend(measures.bytes.map(|bytes| Element::leaf("SizeInBytes", bytes.to_string())))
        .extend(number("Width", measures.width))
        .extend(number("Height", measures.height))
        .extend(number("TotalDuration", measures.seconds))
}

pub(super) fn package(item: Item<'_>) -> Element {
    let groups = package::groups(item).filter(|group| !group.is_root()).map(|group| {
        let references = group.references().map(|reference| {
            let version = reference.fields.version();
            Element::new("NewsItemRef").attr("NewsItem", format!("{}:{version}N", reference.id))
        });
        Element::new("NewsComponent").child(formal("Role", group.role())).extend(references)
    });
    Element::new("NewsComponent").child(formal("Role", "root")).extend(groups)
}
