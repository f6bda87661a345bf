//! What the content is about, where it is from and who made it.

use super::{name, place};
use crate::context::Context;
use crate::error::Fault;
use crate::html::plain;
use crate::item::Item;
use crate::time;
use crate::xml::Element;

pub(super) fn content_meta(item: Item<'_>, context: &Context<'_>) -> Result<Element, Fault> {
    let mut meta = Element::new("contentMeta")
        .child(Element::leaf("urgency", item.scalar_or("urgency", "5")))
        .child(Element::leaf("contentCreated", time::seconds(item.date_needed("firstcreated")?)))
        .child(Element::leaf("contentModified", time::seconds(item.date_needed("versioncreated")?)));
    if item.get("byline").is_some() {
        meta.push(
            Element::new("creator").child(Element::leaf("name", plain("byline", item.text("byline"))?)),
        );
    }
    meta = meta.extend(item.located().map(place::located));
    if !item.dateline().is_empty() {
        meta.push(Element::leaf("dateline", item.dateline()));
    }
    meta = meta
        .extend(item.objects("subject").filter(|subject| subject.has("qcode")).map(|subject| {
            let code = format!("subj:{}", subject.scalar("qcode"));
            concept("subject", "cpnat:abstract", code).child(name(subject, item, context))
        }))
        .extend(item.objects("genre").map(|genre| genre_of(genre, item, context)));
    if item.has("slugline") {
        meta.push(Element::leaf("slugline", item.scalar("slugline")));
    }
    if item.has("headline") {
        meta.push(Element::leaf("headline", plain("headline", item.text("headline"))?));
    }
    meta = meta
        .extend(item.objects("place").filter_map(place::subject))
        .extend(item.objects("anpa_category").filter(|category| category.has("qcode")).map(|category| {
            let code = format!("cat:{}", category.scalar("qcode"));
            Element::new("subject").attr("qcode", code).child(name(category, item, context))
        }))
        .extend(item.objects("company_codes").map(|company| {
            Element::new("subject")
                .attr("type", "cpnat:organisation")
                .attr("literal", company.scalar("qcode"))
                .child(Element::leaf("name", company.text("name")))
        }));
    if item.kind().is_some_and(|kind| kind.is_captioned()) {
        let caption = plain("description", item.text("description"))?;
        let caption = if caption.is_empty() { item.text("description_text").to_owned() } else { caption };
        meta.push(Element::leaf("description", caption).attr("role", "drol:caption"));
        meta.push(Element::leaf("creditline", item.credit()));
    }
    Ok(meta)
}

pub(super) fn concept(element: &'static str, nature: &str, code: impl AsRef<str>) -> Element {
    Element::new(element).attr("type", nature).attr("qcode", code)
}

/// The genre's code, else its scheme and code, else its name.
fn genre_of(genre: Item<'_>, item: Item<'_>, context: &Context<'_>) -> Element {
    let code = if genre.has("qcode") {
        genre.scalar("qcode")
    } else if genre.has("code") {
        format!("{}:{}", genre.text("scheme"), genre.scalar("code"))
    } else {
        genre.text("name").to_owned()
    };
    Element::new("genre").attr("qcode", code).child(name(genre, item, context))
}

/// Where the companies of the item are traded.
pub(super) fn assertions(item: Item<'_>) -> impl Iterator<Item = Element> + use<'_> {
    item.objects("company_codes").map(|company| {
        let instrument = Element::new("hasInstrument")
            .attr("symbol", company.scalar("qcode"))
            .attr_some("marketlabel", company.text("security_exchange"));
        Element::new("assert")
            .attr("literal", company.scalar("qcode"))
            .child(Element::new("organisationDetails").child(instrument))
    })
}
