//! Rights, and the state of the item.

use crate::context::{Context, Rights};
use crate::error::Fault;
use crate::html::plain;
use crate::item::{Item, ItemType};
use crate::time;
use crate::xml::Element;

pub(super) fn rights(item: Item<'_>, context: &Context<'_>) -> Result<Element, Fault> {
    let rights = Rights::of(item, context.site);
    Ok(Element::new("rightsInfo")
        .child(Element::new("copyrightHolder").child(Element::leaf("name", &rights.holder)))
        .child(Element::leaf("copyrightNotice", plain("copyrightnotice", &rights.notice)?))
        .child(Element::leaf("usageTerms", plain("usageterms", &rights.terms)?)))
}

pub(super) fn item_meta(item: Item<'_>) -> Result<Element, Fault> {
    let mut meta = Element::new("itemMeta")
        .child(class(item))
        .child(Element::new("provider").child(Element::leaf("name", item.credit())))
        .child(Element::leaf("versionCreated", time::seconds(item.date_needed("versioncreated")?)))
        .child(Element::leaf("firstCreated", time::seconds(item.date_needed("firstcreated")?)))
        .extend(item.embargo()?.map(|embargo| Element::leaf("embargoed", time::iso(embargo))))
        .child(status(item));
    if item.has("ednote") {
        meta.push(Element::leaf("edNote", plain("ednote", item.text("ednote"))?));
    }
    let signal = if item.text("state") == "corrected" { "sig:correction" } else { "sig:update" };
    Ok(meta.child(Element::new("signal").attr("qcode", signal)))
}

/// What kind of item it is. Preformatted stories are text to others.
pub(super) fn class(item: Item<'_>) -> Element {
    let class = match item.kind() {
        Some(ItemType::Preformatted) | None => "text",
        Some(kind) => kind.as_str(),
    };
    Element::new("itemClass").attr("qcode", format!("ninat:{class}"))
}

/// Whether it may be used.
pub(super) fn status(item: Item<'_>) -> Element {
    let status = if item.has("pubstatus") { item.text("pubstatus") } else { "usable" };
    Element::new("pubStatus").attr("qcode", format!("stat:{status}"))
}
