//! The part of the earth that a feed or a subscription is about, as its client writes it.
//!
//! ```text
//! "bbox": [west, south, east, north] | "circle": {"center": [lon, lat], "radius_m": metres}     degrees
//! ```

use dateline_geo::{Point, Within};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::eve::problem::Problem;
use crate::streams::feeds::bad;
use crate::streams::topics::Topics;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    /// West, south, east, north.
    Box([f64; 4]),
    /// Around a point.
    Circle { lon: f64, lat: f64, radius_m: f64 },
}

impl Part {
    /// Reads `bbox` or `circle`.
    ///
    /// # Errors
    /// 400 naming the member; also for both.
    pub(crate) fn of(body: &Map<String, Value>) -> Result<Option<Self>, Problem> {
        let member = |name: &str| body.get(name).filter(|value| !value.is_null());
        match (member("bbox"), member("circle")) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(bad("circle", "cannot be combined with bbox")),
            (Some(bbox), None) => {
                let bbox = numbers(bbox).ok_or_else(|| bad("bbox", "expected [west, south, east, north]"))?;
                Ok(Some(Self::Box(bbox)))
            }
            (None, Some(circle)) => {
                let expected = "expected {\"center\": [lon, lat], \"radius_m\": metres}";
                circle_of(circle).map(Some).ok_or_else(|| bad("circle", expected))
            }
        }
    }

    /// Whether it is a part of the earth, and all that is asked for lies on it.
    ///
    /// # Errors
    /// 400 naming the member; 404 for a collection that does not exist.
    pub(crate) fn check(self, app: &App, topics: &Topics) -> Result<(), Problem> {
        let member = self.member();
        self.within()?.check().map_err(|reason| bad(member, &reason.to_string()))?;
        match topics.without_place(app)? {
            Some(name) => Err(bad(member, &format!("'{name}' declares no 'geo' member"))),
            None => Ok(()),
        }
    }

    /// # Errors
    /// 400 for a centre that is not on the earth.
    pub(crate) fn within(self) -> Result<Within, Problem> {
        match self {
            Self::Box([west, south, east, north]) => Ok(Within::Box { west, south, east, north }),
            Self::Circle { lon, lat, radius_m } => {
                let center = Point::new(lon, lat).map_err(|reason| bad("circle", &reason.to_string()))?;
                Ok(Within::Near { center, radius_m })
            }
        }
    }

    /// As it is written.
    pub(crate) fn shown(self) -> (&'static str, Value) {
        let value = match self {
            Self::Box(bbox) => json!(bbox),
            Self::Circle { lon, lat, radius_m } => json!({"center": [lon, lat], "radius_m": radius_m}),
        };
        (self.member(), value)
    }

    const fn member(self) -> &'static str {
        match self {
            Self::Box(_) => "bbox",
            Self::Circle { .. } => "circle",
        }
    }
}

fn numbers<const N: usize>(value: &Value) -> Option<[f64; N]> {
    let numbers: Option<Vec<f64>> = value.as_array()?.iter().map(Value::as_f64).collect();
    numbers?.try_into().ok()
}

fn circle_of(value: &Value) -> Option<Part> {
    let [lon, lat] = numbers(value.get("center")?)?;
    Some(Part::Circle { lon, lat, radius_m: value.get("radius_m")?.as_f64()? })
}
