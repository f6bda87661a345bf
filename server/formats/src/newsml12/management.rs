//! Who sends which revision of what, and in which state it is.

use super::formal;
use crate::context::Context;
use crate::error::Fault;
use crate::item::Item;
use crate::time;
use crate::xml::Element;

pub(super) fn envelope(item: Item<'_>, context: &Context<'_>) -> Element {
    Element::new("NewsEnvelope")
        .child(Element::leaf("TransmissionId", context.sequence.to_string()))
        .child(Element::leaf("DateAndTime", time::compact(context.now)))
        .child(formal("Priority", item.scalar_or("priority", "5")))
}

pub(super) fn identification(item: Item<'_>, context: &Context<'_>) -> Result<Element, Fault> {
    let version = item.version();
    let is_revised = matches!(item.text("state"), "corrected" | "killed" | "recalled");
    let previous = match version.parse::<u64>() {
        Ok(number) if is_revised => number.saturating_sub(1),
        _ => 0,
    };
    let id = item.first_scalar(["_id", "guid"]);
    let identifier = Element::new("NewsIdentifier")
        .child(Element::leaf("ProviderId", &context.site.provider))
        .child(Element::leaf("DateId", time::date_compact(item.date_needed("firstcreated")?)))
        .child(Element::leaf("NewsItemId", item.text("guid")))
        .child(
            Element::new("RevisionId")
                .attr("PreviousRevision", previous.to_string())
                .attr("Update", "N")
                .text(&version),
        )
        .child(Element::leaf("PublicIdentifier", format!("{id}:{version}N")));
    Ok(Element::new("Identification")
        .child(identifier)
        .child(Element::leaf("DateLabel", time::date_long(context.now))))
}

pub(super) fn management(item: Item<'_>) -> Result<Element, Fault> {
    let mut management = Element::new("NewsManagement")
        .child(formal("NewsItemType", "News"))
        .child(Element::leaf("FirstCreated", time::compact(item.date_needed("firstcreated")?)))
        .child(Element::leaf("ThisRevisionCreated", time::compact(item.date_needed("versioncreated")?)));
    let status = item.text("pubstatus");
    match item.embargo()? {
        None => management.push(formal("Status", status)),
        Some(embargo) => {
            management.push(formal("Status", "Embargoed"));
            management.push(
                Element::new("StatusWillChange")
                    .child(formal("FutureStatus", status))
                    .child(Element::leaf("DateAndTime", time::iso(embargo))),
            );
        }
    }
    if item.has("urgency") {
        management.push(formal("Urgency", item.scalar("urgency")));
    }
    let is_correction = item.text("state") == "corrected";
    management.push(formal("Instruction", if is_correction { "Correction" } else { "Update" }));
    Ok(management)
}
