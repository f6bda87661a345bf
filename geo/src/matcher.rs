//! Whether an ad belongs to a list right now. Pure: two documents and a place.
//!
//! This is the whole truth of a match; every index only proposes candidates to it.

use crate::ad::Ad;
use crate::adlist::{AdList, Scope};
use crate::point::Point;
use crate::region::Circle;

/// `here` is the position of the list's device, if it has one.
pub(crate) fn is_match(list: &AdList, ad: &Ad, here: Option<Point>) -> bool {
    category_fits(list, ad)
        && price_fits(list, ad)
        && place_fits(list, ad, here)
        && list.keywords.accept(&ad.words)
}

/// Whether everything but the place is as the list wants it.
pub(crate) fn attributes_fit(list: &AdList, ad: &Ad) -> bool {
    category_fits(list, ad) && price_fits(list, ad) && list.keywords.accept(&ad.words)
}

pub(crate) fn category_fits(list: &AdList, ad: &Ad) -> bool {
    list.categories.is_empty()
        || ad.category.as_ref().is_some_and(|category| list.categories.binary_search(category).is_ok())
}

/// A list that names a bound does not take an ad without a price.
pub(crate) fn price_fits(list: &AdList, ad: &Ad) -> bool {
    let bounds = (list.price_min, list.price_max);
    match (bounds, ad.price) {
        ((None, None), _) => true,
        ((min, max), Some(price)) => min.is_none_or(|min| min <= price) && max.is_none_or(|max| price <= max),
        (_, None) => false,
    }
}

pub(crate) fn place_fits(list: &AdList, ad: &Ad, here: Option<Point>) -> bool {
    match (&list.scope, here) {
        (Scope::Around { radius_m }, Some(here)) => Circle::new(here, *radius_m).meets(&ad.location),
        (Scope::Around { .. }, None) => false,
        (Scope::Fixed(region), _) => region.meets(&ad.location),
    }
}

/// Metres from where the list looks (the device, or the middle of its area) to the ad.
pub(crate) fn distance_m(list: &AdList, ad: &Ad, here: Option<Point>) -> Option<f64> {
    match &list.scope {
        Scope::Around { .. } => here.map(|here| ad.location.distance_m(here)),
        Scope::Fixed(region) => Some(region.distance_from_middle_m(&ad.location)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(list: Value, ad: Value, here: Option<(f64, f64)>, matches: bool) {
        let (parsed, offer) = (AdList::parse(&list).unwrap(), Ad::parse(&ad).unwrap());
        let here = here.map(|(lon, lat)| Point::new(lon, lat).unwrap());
        assert_eq!(is_match(&parsed, &offer, here), matches, "{list} {ad} {here:?}");
    }

    #[test]
    fn each_test_decides() {
        let list = |more: Value| {
            let mut body = json!({"device":"d","area":{"around":{"radius_m":1000}}});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        let ad = json!({"title":"Red bike","category":"bikes","price":100,"coords":[0,0]});
        let here = Some((0.0, 0.008));
        check(list(json!({})), ad.clone(), here, true);
        check(list(json!({})), ad.clone(), None, false);
        check(list(json!({})), ad.clone(), Some((0.0, 0.01)), false);
        check(list(json!({"category":"bikes"})), ad.clone(), here, true);
        check(list(json!({"category":["cars","boats"]})), ad.clone(), here, false);
        check(list(json!({"price_min":100,"price_max":100})), ad.clone(), here, true);
        check(list(json!({"price_max":99.99})), ad.clone(), here, false);
        check(list(json!({"price_min":0})), json!({"coords":[0,0]}), here, false);
        check(list(json!({"category":"x"})), json!({"coords":[0,0]}), here, false);
        check(list(json!({"q":"bikes red"})), ad.clone(), here, true);
        check(list(json!({"q":"bike -red"})), ad, here, false);
    }

    #[test]
    fn shaped_ads_match_by_their_nearest_place() {
        let street = json!({"location":{"type":"LineString","coordinates":[[0,0],[1,0]]}});
        check(
            json!({"device":"d","area":{"around":{"radius_m":1200}}}),
            street.clone(),
            Some((0.5, 0.01)),
            true,
        );
        check(
            json!({"device":"d","area":{"around":{"radius_m":1100}}}),
            street.clone(),
            Some((0.5, 0.01)),
            false,
        );
        let across = json!({"user":"u","area":{"geometry":{"type":"Polygon","coordinates":[[[0.4,-1],[0.6,-1],[0.6,1],[0.4,1],[0.4,-1]]]}}});
        check(across, street, None, true);
    }
}
