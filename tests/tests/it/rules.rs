//! Ads, lists and fences of the oracle, and the tests of one against another.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::ring::Polygon;
use crate::sphere::{Place, distance_m, kept};
use crate::words::{Fields, accepts, words};

/// The circle or polygons of a list or fence.
#[derive(Clone, Debug)]
pub(crate) enum Region {
    Circle { center: Place, radius_m: f64 },
    Polygons(Vec<Polygon>),
}

#[derive(Clone, Debug)]
pub(crate) enum Area {
    Around { radius_m: f64 },
    Fixed(Region),
}

#[derive(Clone, Debug)]
pub(crate) struct Ad {
    pub(crate) place: Place,
    pub(crate) category: Option<String>,
    pub(crate) price: Option<f64>,
    pub(crate) fields: Fields,
}

#[derive(Clone, Debug)]
pub(crate) struct List {
    pub(crate) device: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) area: Area,
    pub(crate) categories: Vec<String>,
    pub(crate) price_min: Option<f64>,
    pub(crate) price_max: Option<f64>,
    pub(crate) query: String,
    pub(crate) members: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Fence {
    pub(crate) region: Region,
    pub(crate) detect: Vec<String>,
    pub(crate) members: BTreeSet<String>,
}

impl Region {
    pub(crate) fn of(object: &Map<String, Value>) -> Self {
        match (object.get("circle"), object.get("geometry")) {
            (Some(circle), None) => Self::Circle {
                center: place_of(&circle["center"]),
                radius_m: circle["radius_m"].as_f64().expect("metres"),
            },
            (None, Some(geometry)) => Self::Polygons(Polygon::all(geometry)),
            _ => panic!("the oracle knows circles and polygons only"),
        }
    }

    pub(crate) fn holds(&self, place: Place, narrowest_m: &mut f64) -> bool {
        match self {
            Self::Circle { center, radius_m } => is_within(*center, place, *radius_m, narrowest_m),
            Self::Polygons(polygons) => polygons.iter().any(|polygon| polygon.holds(place)),
        }
    }

    pub(crate) fn border_distance_m(&self, place: Place) -> f64 {
        match self {
            Self::Circle { center, radius_m } => (distance_m(*center, place) - radius_m).abs(),
            Self::Polygons(polygons) => {
                polygons.iter().map(|polygon| polygon.border_distance_m(place)).fold(f64::INFINITY, f64::min)
            }
        }
    }
}

fn is_within(center: Place, place: Place, radius_m: f64, narrowest_m: &mut f64) -> bool {
    let away_m = distance_m(center, place);
    *narrowest_m = narrowest_m.min((away_m - radius_m).abs());
    away_m <= radius_m
}

fn place_of(position: &Value) -> Place {
    kept((position[0].as_f64().expect("longitude"), position[1].as_f64().expect("latitude")))
}

fn text_of(object: &Map<String, Value>, name: &str) -> Option<String> {
    object.get(name).and_then(Value::as_str).map(str::to_owned)
}

impl Ad {
    pub(crate) fn of(object: &Map<String, Value>) -> Self {
        let place = match (object.get("location"), object.get("coords")) {
            (Some(location), _) => place_of(&location["coordinates"]),
            (None, Some(coords)) => {
                kept((coords[1].as_f64().expect("longitude"), coords[0].as_f64().expect("latitude")))
            }
            (None, None) => panic!("an ad without a place"),
        };
        let texts = ["title", "text", "category"].into_iter().filter_map(|name| text_of(object, name));
        let tags = object.get("tags").and_then(Value::as_array).into_iter().flatten();
        let tags = tags.map(|tag| tag.as_str().expect("a tag is text").to_owned());
        let fields = texts.chain(tags).map(|text| words(&text)).collect();
        Self {
            place,
            category: text_of(object, "category"),
            price: object.get("price").and_then(Value::as_f64),
            fields,
        }
    }
}

impl List {
    pub(crate) fn of(object: &Map<String, Value>) -> Self {
        let area = object["area"].as_object().expect("an area");
        let area = match area.get("around") {
            Some(around) => Area::Around { radius_m: around["radius_m"].as_f64().expect("metres") },
            None => Area::Fixed(Region::of(area)),
        };
        let categories = match object.get("category") {
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(one)) => vec![one.clone()],
            _ => Vec::new(),
        };
        let number = |name: &str| object.get(name).and_then(Value::as_f64);
        Self {
            device: text_of(object, "device"),
            user: text_of(object, "user"),
            area,
            categories,
            price_min: number("price_min"),
            price_max: number("price_max"),
            query: text_of(object, "q").unwrap_or_default(),
            members: BTreeSet::new(),
        }
    }

    pub(crate) fn accepts(&self, ad: &Ad, here: Option<Place>, narrowest_m: &mut f64) -> bool {
        let category_fits = self.categories.is_empty()
            || ad.category.as_ref().is_some_and(|own| self.categories.contains(own));
        let is_priced = self.price_min.is_none() && self.price_max.is_none()
            || ad.price.is_some_and(|price| {
                self.price_min.is_none_or(|min| price >= min) && self.price_max.is_none_or(|max| price <= max)
            });
        let is_near = |narrowest_m: &mut f64| match (&self.area, here) {
            (Area::Around { radius_m }, Some(here)) => is_within(here, ad.place, *radius_m, narrowest_m),
            (Area::Around { .. }, None) => false,
            (Area::Fixed(region), _) => region.holds(ad.place, narrowest_m),
        };
        category_fits && is_priced && is_near(narrowest_m) && accepts(&self.query, &ad.fields)
    }

    /// From the device for lists around it, from the centre for circles; open for polygons.
    pub(crate) fn distance_m(&self, ad: &Ad, here: Option<Place>) -> Option<f64> {
        match &self.area {
            Area::Around { .. } => here.map(|here| distance_m(here, ad.place)),
            Area::Fixed(Region::Circle { center, .. }) => Some(distance_m(*center, ad.place)),
            Area::Fixed(Region::Polygons(_)) => None,
        }
    }
}

impl Fence {
    pub(crate) fn of(object: &Map<String, Value>) -> Self {
        let detect = match object.get("detect").and_then(Value::as_array) {
            Some(names) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            None => vec!["enter".to_owned(), "exit".to_owned()],
        };
        Self { region: Region::of(object), detect, members: BTreeSet::new() }
    }
}
