//! Lines for reading, rights, subjects, places and companies.

use super::{formal, property};
use crate::body::legal_slugline;
use crate::context::{Context, Rights};
use crate::error::Fault;
use crate::html::plain;
use crate::item::Item;
use crate::time;
use crate::xml::Element;

pub(super) fn lines(item: Item<'_>) -> Result<Element, Fault> {
    let mut lines =
        Element::new("NewsLines").child(Element::leaf("HeadLine", plain("headline", item.text("headline"))?));
    if item.has("byline") {
        lines.push(Element::leaf("ByLine", plain("byline", item.text("byline"))?));
    }
    if !item.dateline().is_empty() {
        lines.push(Element::leaf("DateLine", item.dateline()));
    }
    lines.push(Element::leaf("CreditLine", item.credit()));
    if item.has("slugline") {
        lines.push(Element::leaf("KeywordLine", legal_slugline(item)));
    }
    if item.has("ednote") {
        lines.push(
            Element::new("NewsLine")
                .child(formal("NewsLineType", "EditorialNote"))
                .child(Element::leaf("NewsLineText", plain("ednote", item.text("ednote"))?)),
        );
    }
    Ok(lines)
}

pub(super) fn rights(item: Item<'_>, context: &Context<'_>) -> Result<Element, Fault> {
    let rights = Rights::of(item, context.site);
    let year = time::year(item.date_needed("firstcreated")?);
    let now = time::compact(context.now);
    Ok(Element::new("RightsMetadata")
        .child(
            Element::new("Copyright")
                .child(Element::leaf("CopyrightHolder", &rights.holder))
                .child(Element::leaf("CopyrightDate", year)),
        )
        .child(
            Element::new("UsageRights")
                .child(Element::leaf("UsageType", plain("copyrightnotice", &rights.notice)?))
                .child(Element::leaf("RightsHolder", item.credit()))
                .child(Element::leaf("Limitations", plain("usageterms", &rights.terms)?))
                .child(Element::leaf("StartDate", &now))
                .child(Element::leaf("EndDate", &now)),
        ))
}

pub(super) fn descriptive(item: Item<'_>) -> Element {
    let codes =
        item.objects("subject").map(|subject| subject.scalar("qcode")).filter(|code| !code.is_empty());
    let subjects = codes.map(|code| Element::new("SubjectCode").child(formal("Subject", code)));
    let categories =
        item.objects("anpa_category").map(|category| property("Category", category.scalar("qcode")));
    Element::new("DescriptiveMetadata")
        .extend(subjects)
        .extend(item.located().and_then(origin))
        .extend(item.objects("place").filter_map(relation))
        .extend(categories)
}

fn origin(located: Item<'_>) -> Option<Element> {
    location(
        "Origin",
        [
            ("City", located.text("city")),
            ("CountryArea", located.text("state")),
            ("Country", located.text("country")),
        ],
    )
}

fn relation(place: Item<'_>) -> Option<Element> {
    location(
        "RelatesTo",
        [
            ("CountryArea", place.text("state")),
            ("Country", place.text("country")),
            ("WorldRegion", place.text("world_region")),
        ],
    )
}

/// None when nothing is known of the place.
fn location(how: &str, names: [(&str, &str); 3]) -> Option<Element> {
    let known: Vec<Element> = names
        .into_iter()
        .filter(|(_, name)| !name.is_empty())
        .map(|(kind, name)| property(kind, name))
        .collect();
    (!known.is_empty()).then(|| Element::new("Location").attr("HowPresent", how).extend(known))
}

pub(super) fn companies(item: Item<'_>) -> impl Iterator<Item = Element> + use<'_> {
    item.objects("company_codes").map(|company| {
        Element::new("Metadata")
            .child(formal("MetadataType", "Securities Identifier"))
            .child(property("Name", company.text("name")))
            .child(property("Ticker Symbol", company.scalar("qcode")))
            .child(property("Exchange", company.text("security_exchange")))
    })
}
