//! Where the content is from, and places it is about: from GeoNames with codes and coordinates, or by the names of a
//! vocabulary.

use super::content_meta::concept;
use crate::item::Item;
use crate::xml::Element;
use serde_json::Value;

/// The place of the dateline.
pub(super) fn located(located: Item<'_>) -> Element {
    let levels = [("state", "loctyp:CountryArea"), ("country", "loctyp:Country")];
    let known = levels.into_iter().filter(|(field, _)| located.has(field));
    concept("located", "cpnat:abstract", "loctyp:City")
        .child(Element::leaf("name", located.text("city")))
        .extend(known.map(|(field, code)| broader(code, located.text(field))))
}

fn broader(code: &str, name: &str) -> Element {
    Element::new("broader").attr("qcode", code).child(Element::leaf("name", name))
}

/// None when nothing is known of the place but its code.
pub(super) fn subject(place: Item<'_>) -> Option<Element> {
    if place.text("scheme") == "geonames" {
        return Some(geonames(place));
    }
    let levels = [
        ("state", "loctyp:CountryArea"),
        ("country", "loctyp:Country"),
        ("world_region", "loctyp:WorldArea"),
    ];
    let mut known = levels.into_iter().filter(|(field, _)| place.has(field));
    let (field, code) = known.next()?;
    Some(
        concept("subject", "cpnat:abstract", code)
            .child(Element::leaf("name", place.text(field)))
            .extend(known.map(|(field, code)| broader(code, place.text(field)))),
    )
}

fn geonames(place: Item<'_>) -> Element {
    let country = place.text("country_code");
    let state = place.text("state_code");
    let class = place.text("feature_class");
    let is_country = class == "A" && state.is_empty() && !country.is_empty();
    let is_state = class == "A" && !state.is_empty() && !country.is_empty();
    let code = place.first_scalar(["code", "qcode"]);
    let own = if is_country {
        format!("iso3166-1a2:{country}")
    } else if is_state {
        format!("iso3166-2:{country}-{state}")
    } else {
        format!("geonames:{}", if code.is_empty() { "0" } else { &code })
    };
    let mut subject =
        concept("subject", "cpnat:geoArea", own).child(Element::leaf("name", place.text("name")));
    if !is_country && !is_state && !state.is_empty() && !country.is_empty() {
        let code = format!("iso3166-2:{country}-{state}");
        subject.push(
            concept("broader", "cptype:statprov", code).child(Element::leaf("name", place.text("state"))),
        );
    }
    if !is_country && !country.is_empty() {
        let code = format!("iso3166-1a2:{country}");
        subject.push(
            concept("broader", "cptype:country", code).child(Element::leaf("name", place.text("country"))),
        );
    }
    subject.extend(position(place))
}

fn position(place: Item<'_>) -> Option<Element> {
    let location = place.object("location")?;
    let degrees = |field: &str, most: f64| {
        let value = location.get(field).and_then(Value::as_f64)?;
        (value.abs() <= most).then(|| value.to_string())
    };
    let position = Element::new("position")
        .attr("latitude", degrees("lat", 90.0)?)
        .attr("longitude", degrees("lon", 180.0)?);
    Some(Element::new("geoAreaDetails").child(position))
}
