//! Places the item is about.

use crate::context::Site;
use crate::item::{Fields, Item};
use serde_json::{Value, json};

pub(super) fn of(item: Item<'_>, site: &Site) -> Vec<Value> {
    let places = item.objects("place").map(|place| match place.text("scheme") {
        "geonames" => geonames(place, site),
        _ => listed(place, site),
    });
    places.map(Value::Object).collect()
}

/// A place from GeoNames. Its point is `[latitude, longitude]`: so it has always been sent, unlike GeoJSON.
fn geonames(place: Item<'_>, site: &Site) -> Fields {
    let mut out = Fields::new();
    out.insert("scheme".to_owned(), "geonames".into());
    out.insert("code".to_owned(), place.first_scalar(["code", "qcode"]).into());
    out.insert("name".to_owned(), place.text("name").into());
    if !site.extends_places {
        return out;
    }
    for field in ["state", "state_code", "country", "country_code"] {
        if place.has(field) {
            out.insert(field.to_owned(), place.scalar(field).into());
        }
    }
    let degrees =
        |field: &str| place.object("location")?.get(field).filter(|value| value.is_number()).cloned();
    if let (Some(latitude), Some(longitude)) = (degrees("lat"), degrees("lon")) {
        out.insert(
            "geometry_point".to_owned(),
            json!({"type": "Point", "coordinates": [latitude, longitude]}),
        );
    }
    out
}

/// A place of the vocabulary `locators`, named by the smallest area its row has.
fn listed(place: Item<'_>, site: &Site) -> Fields {
    let code = place.first_scalar(["qcode", "code"]);
    let row = site.unique_row("locators", &code);
    let area = row
        .and_then(|row| ["state", "country", "world_region", "group"].into_iter().find(|area| row.has(area)));
    let name = match (row, area) {
        (Some(row), Some(area)) => row.scalar(area),
        _ => place.scalar("name"),
    };
    let mut out = Fields::new();
    if site.extends_places {
        for (field, value) in
            place.fields().iter().filter(|(field, value)| *field != "qcode" && !value.is_null())
        {
            out.insert(field.clone(), value.clone());
        }
    }
    out.insert("name".to_owned(), name.into());
    if !code.is_empty() {
        out.insert("code".to_owned(), code.into());
    }
    out
}
