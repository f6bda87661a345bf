//! A fence: a fixed zone, or the company of other devices, whose crossings by devices are told.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::ad::{bool_field, number_field, parse_expires, text_field};
use crate::condition::{Condition, ReadCondition};
use crate::detect::Detect;
use crate::event::Kind;
use crate::issue::{Collect, Issues, issue};
use crate::region::{Region, member, parse_radius};
use crate::schedule::Schedule;

/// The longest dwell, in seconds: 31 days.
const DWELL_S_MAX: f64 = 31.0 * 86_400.0;
/// The longest time between two tellings of a level, in seconds, and the usual one.
const INTERVAL_S_MAX: f64 = 86_400.0;
const INTERVAL_S_USUAL: f64 = 60.0;
/// The widest hysteresis and the widest company, in metres.
const HYSTERESIS_M_MAX: f64 = 1_000_000.0;
const ROAM_M_MAX: f64 = 100_000.0;
const GROUP_BYTES_MAX: usize = 200;

/// What to report, and of whom.
#[derive(Clone, Debug)]
pub struct Fence {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) group: Option<Arc<str>>,
    pub(crate) meta: Option<Value>,
    pub(crate) detect: Detect,
    /// What is the case already when the fence is made is told as entering.
    pub(crate) initial: bool,
    pub(crate) condition: Option<Condition>,
    pub(crate) hysteresis_m: f64,
    /// Less exact fixes change nothing.
    pub(crate) accuracy_m_max: Option<f64>,
    pub(crate) place: Place,
}

/// Where it is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Zone(Zone),
    /// Around every device.
    Roam {
        radius_m: f64,
    },
}

/// A fixed shape, and when a device counts as being in it.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    pub(crate) region: Region,
    /// Metres above sea level, both included.
    pub(crate) altitude_m: Option<(f64, f64)>,
    pub(crate) schedule: Option<Arc<Schedule>>,
    pub(crate) dwell_ms: u64,
    pub(crate) exit_dwell_ms: u64,
    pub(crate) interval_ms: u64,
}

impl Fence {
    /// Reads the body of a fence document; `read` reads its `where`.
    ///
    /// # Errors
    /// Every bad field as (path, message).
    pub fn parse(body: &Value, read: ReadCondition) -> Result<Self, Issues> {
        let object = body.as_object().ok_or_else(|| issue("", "must be an object"))?;
        let mut issues = Issues::new();
        let name = text_field(object, "name").collect_into(&mut issues).flatten();
        let place = parse_place(object).collect_into(&mut issues);
        let detect = Detect::parse(object, member(object, "roam").is_some()).collect_into(&mut issues);
        let initial = bool_field(object, "initial", false).collect_into(&mut issues);
        let condition = parse_condition(object, read).collect_into(&mut issues).flatten();
        let hysteresis_m = metres(object, "hysteresis_m", HYSTERESIS_M_MAX).collect_into(&mut issues);
        let accuracy_m_max =
            metres(object, "max_accuracy_m", f64::INFINITY).collect_into(&mut issues).flatten();
        let group = parse_group(object).collect_into(&mut issues).flatten();
        parse_expires(object).collect_into(&mut issues);
        let (Some(place), Some(detect), Some(initial), Some(hysteresis_m), true) =
            (place, detect, initial, hysteresis_m, issues.is_empty())
        else {
            return Err(issues);
        };
        Ok(Self {
            name: name.map(Arc::from),
            group: group.map(Arc::from),
            meta: member(object, "meta").cloned(),
            detect,
            initial,
            condition,
            hysteresis_m: hysteresis_m.unwrap_or_default(),
            accuracy_m_max,
            place,
        })
    }

    pub(crate) fn tells(&self, kind: Kind) -> bool {
        self.detect.has(kind)
    }

    pub(crate) fn zone(&self) -> Option<&Zone> {
        match &self.place {
            Place::Zone(zone) => Some(zone),
            Place::Roam { .. } => None,
        }
    }

    /// Whether being inside is nothing but lying inside: no history, no clock, no attributes.
    pub(crate) fn is_plain(&self) -> bool {
        self.zone().is_some_and(|zone| {
            zone.altitude_m.is_none()
                && zone.schedule.is_none()
                && zone.exit_dwell_ms == 0
                && (zone.dwell_ms == 0 || self.tells(Kind::Dwell))
        }) && self.hysteresis_m == 0.0
            && self.condition.is_none()
            && self.accuracy_m_max.is_none()
    }
}

impl Zone {
    /// How long a device is inside before it has entered. Where `dwell` is told for itself, it enters at once.
    pub(crate) fn enter_after_ms(&self, detect: Detect) -> u64 {
        if detect.has(Kind::Dwell) { 0 } else { self.dwell_ms }
    }
}

fn parse_place(object: &Map<String, Value>) -> Result<Place, Issues> {
    let Some(roam) = member(object, "roam") else { return parse_zone(object).map(Place::Zone) };
    let fixed = [
        "geometry",
        "circle",
        "sector",
        "buffer_m",
        "schedule",
        "dwell_s",
        "exit_dwell_s",
        "interval_s",
        "altitude_min_m",
        "altitude_max_m",
    ];
    let foreign = fixed.iter().filter(|name| member(object, name).is_some());
    let mut issues: Issues =
        foreign.flat_map(|name| issue(name, "does not go with roam, which has no fixed place")).collect();
    let radius = roam.as_object().and_then(|roam| roam.get("radius_m"));
    let radius_m = parse_radius("roam.radius_m", radius).and_then(|radius_m| match radius_m {
        radius_m if radius_m > ROAM_M_MAX => {
            Err(issue("roam.radius_m", &format!("must be at most {ROAM_M_MAX} metres")))
        }
        radius_m => Ok(radius_m),
    });
    match radius_m.collect_into(&mut issues) {
        Some(radius_m) if issues.is_empty() => Ok(Place::Roam { radius_m }),
        _ => Err(issues),
    }
}

fn parse_zone(object: &Map<String, Value>) -> Result<Zone, Issues> {
    let mut issues = Issues::new();
    let region = parse_region(object).collect_into(&mut issues);
    let schedule = member(object, "schedule")
        .map(|schedule| Schedule::parse("schedule", schedule).map(Arc::new))
        .transpose()
        .collect_into(&mut issues)
        .flatten();
    let altitude_m = parse_altitude(object).collect_into(&mut issues).flatten();
    let seconds = |name: &str, most: f64, usual: f64| match number_field(object, name)? {
        None => Ok(millis(usual)),
        Some(seconds) if (0.0..=most).contains(&seconds) => Ok(millis(seconds)),
        Some(_) => Err(issue(name, &format!("must be 0 to {most} seconds"))),
    };
    let dwell_ms = seconds("dwell_s", DWELL_S_MAX, 0.0).collect_into(&mut issues);
    let exit_dwell_ms = seconds("exit_dwell_s", DWELL_S_MAX, 0.0).collect_into(&mut issues);
    let interval_ms = seconds("interval_s", INTERVAL_S_MAX, INTERVAL_S_USUAL).collect_into(&mut issues);
    match (region, dwell_ms, exit_dwell_ms, interval_ms) {
        (Some(region), Some(dwell_ms), Some(exit_dwell_ms), Some(interval_ms)) if issues.is_empty() => {
            Ok(Zone { region, altitude_m, schedule, dwell_ms, exit_dwell_ms, interval_ms })
        }
        _ => Err(issues),
    }
}

fn millis(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}

fn parse_region(object: &Map<String, Value>) -> Result<Region, Issues> {
    let region = Region::parse("", object)?;
    match region.ok_or_else(|| issue("geometry", "geometry, circle, sector or roam is required"))? {
        Region::Shape { shape, buffer_m } if buffer_m == 0.0 && !shape.is_areal() => Err(issue(
            "geometry.type",
            "a fence needs a Polygon or MultiPolygon, or buffer_m around another shape",
        )),
        region => Ok(region),
    }
}

fn parse_altitude(object: &Map<String, Value>) -> Result<Option<(f64, f64)>, Issues> {
    let mut issues = Issues::new();
    let low = number_field(object, "altitude_min_m").collect_into(&mut issues).flatten();
    let high = number_field(object, "altitude_max_m").collect_into(&mut issues).flatten();
    if !issues.is_empty() {
        return Err(issues);
    }
    let range = (low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY));
    match (low, high) {
        (None, None) => Ok(None),
        _ if range.0 > range.1 => Err(issue("altitude_min_m", "is above altitude_max_m")),
        _ => Ok(Some(range)),
    }
}

fn parse_condition(object: &Map<String, Value>, read: ReadCondition) -> Result<Option<Condition>, Issues> {
    match member(object, "where") {
        None => Ok(None),
        Some(condition @ Value::Object(_)) => {
            read(condition).map(Some).map_err(|message| issue("where", &message))
        }
        Some(_) => Err(issue("where", "must be an object of conditions")),
    }
}

fn parse_group(object: &Map<String, Value>) -> Result<Option<&str>, Issues> {
    match text_field(object, "group")? {
        Some(name) if name.is_empty() || name.len() > GROUP_BYTES_MAX => {
            Err(issue("group", &format!("must be a name of 1 to {GROUP_BYTES_MAX} bytes")))
        }
        name => Ok(name),
    }
}

fn metres(object: &Map<String, Value>, name: &str, most: f64) -> Result<Option<f64>, Issues> {
    match number_field(object, name)? {
        Some(metres) if !(0.0..=most).contains(&metres) => {
            let bound = if most.is_finite() { format!("0 to {most}") } else { "0 or more".to_owned() };
            Err(issue(name, &format!("must be {bound} metres")))
        }
        metres => Ok(metres),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(body: &Value) -> Result<Fence, Issues> {
        Fence::parse(body, |_| Err("no language".to_owned()))
    }

    #[test]
    fn reads_circles_shapes_and_buffers() {
        let circle =
            json!({"name":"n","circle":{"center":[0,0],"radius_m":100},"detect":["exit"],"meta":{"a":1}});
        let circle = parse(&circle).unwrap();
        assert!(
            !circle.tells(Kind::Enter)
                && circle.tells(Kind::Exit)
                && !circle.initial
                && circle.meta.is_some()
        );
        let line = json!({"geometry":{"type":"LineString","coordinates":[[0,0],[1,1]]},"buffer_m":20});
        assert!(parse(&line).unwrap().tells(Kind::Enter));
        let roam = parse(&json!({"roam":{"radius_m":50}})).unwrap();
        assert!(roam.tells(Kind::Near) && roam.tells(Kind::Far) && roam.zone().is_none());
        let sector = json!({"sector":{"center":[0,0],"radius_m":50,"bearing":[350,10]},"dwell_s":1.5});
        assert_eq!(parse(&sector).unwrap().zone().unwrap().dwell_ms, 1500);
    }

    #[test]
    fn names_every_bad_field() {
        let check = |body: Value, fields: &[&str]| {
            let issues = parse(&body).unwrap_err();
            assert_eq!(issues.iter().map(|issue| issue.0.as_str()).collect::<Vec<_>>(), fields, "{issues:?}");
        };
        let circle = json!({"center":[0,0],"radius_m":1});
        check(json!({}), &["geometry"]);
        check(json!({"geometry":{"type":"Point","coordinates":[0,0]}}), &["geometry.type"]);
        check(json!({"circle":circle,"geometry":{}}), &["circle"]);
        check(json!({"sector":{},"geometry":{}}), &["sector"]);
        check(json!({"circle":circle,"detect":["enter","near"]}), &["detect[1]"]);
        check(json!({"roam":{"radius_m":5},"detect":["enter"]}), &["detect[0]"]);
        check(
            json!({"roam":{"radius_m":1e6},"circle":circle,"dwell_s":1}),
            &["circle", "dwell_s", "roam.radius_m"],
        );
        check(
            json!({"circle":circle,"detect":["entre"],"initial":1,"name":[]}),
            &["name", "detect[0]", "initial"],
        );
        check(
            json!({"circle":circle,"dwell_s":-1,"exit_dwell_s":"1","interval_s":1e6,"altitude_min_m":2,"altitude_max_m":1}),
            &["altitude_min_m", "dwell_s", "exit_dwell_s", "interval_s"],
        );
        check(
            json!({"circle":circle,"where":{"a":1},"hysteresis_m":-1,"max_accuracy_m":-1,"group":""}),
            &["where", "hysteresis_m", "max_accuracy_m", "group"],
        );
        check(
            json!({"circle":circle,"where":5,"schedule":{"time_zone":"UTC"}}),
            &["schedule.hours", "where"],
        );
        check(
            json!({"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[0,1],[0,0]]]}}),
            &["geometry.coordinates[0]"],
        );
    }
}
