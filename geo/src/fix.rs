//! One position fix, as devices send it.

use std::sync::Arc;

use dateline_engine::{DocId, Millis};
use serde_json::{Map, Value, json};

use crate::point::Point;
use crate::region::member;
use crate::time::{parse_time, time_text};

/// A fix may be this far ahead of the server's clock; device clocks are not to be trusted further.
pub const FUTURE_MS_MAX: u64 = 5 * 60 * 1000;
/// The largest `fields` object, in bytes of JSON.
pub const FIELDS_BYTES_MAX: usize = 4096;
/// The longest life of a fix, in seconds: a year.
const TTL_S_MAX: u32 = 366 * 86_400;

/// Where a device was, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Fix {
    /// The device.
    pub device: DocId,
    /// Where it was.
    pub point: Point,
    /// When it was there.
    pub at: Millis,
    /// Metres per second.
    pub speed: Option<f64>,
    /// Degrees clockwise from north.
    pub heading: Option<f64>,
    /// Radius of the likely error in metres.
    pub accuracy: Option<f64>,
    /// Metres above sea level.
    pub altitude: Option<f64>,
    /// Seconds after which the device is forgotten if it sends nothing more.
    pub ttl_s: Option<u32>,
    /// A JSON object of the sender's own attributes. A fix without them keeps the earlier ones.
    pub fields: Option<Arc<str>>,
}

impl Fix {
    /// A place and a time, and nothing more.
    #[must_use]
    pub fn bare(device: DocId, point: Point, at: Millis) -> Self {
        Self {
            device,
            point,
            at,
            speed: None,
            heading: None,
            accuracy: None,
            altitude: None,
            ttl_s: None,
            fields: None,
        }
    }

    /// Reads `{"device","lon","lat","at"?,"speed"?,"heading"?,"accuracy"?,"altitude"?,"ttl_s"?,"fields"?}`; without `at` the fix is of `now`.
    ///
    /// # Errors
    /// A message for this item: a bad device name, coordinate, time (or one more than five minutes ahead of `now`)
    /// or attribute.
    pub fn parse(value: &Value, now: Millis) -> Result<Self, String> {
        let object = value.as_object().ok_or("a position must be a JSON object")?;
        let device = member(object, "device").and_then(Value::as_str).ok_or("device: must be a string")?;
        let device = DocId::new(device).map_err(|error| format!("device: {error}"))?;
        let degrees = |name: &str| {
            member(object, name).and_then(Value::as_f64).ok_or(format!("{name}: must be a number of degrees"))
        };
        let point = Point::new(degrees("lon")?, degrees("lat")?)?;
        let at = match member(object, "at") {
            None => now,
            Some(Value::String(text)) => parse_time(text).map_err(|message| format!("at: {message}"))?,
            Some(_) => return Err("at: must be an RFC 3339 time".to_owned()),
        };
        let fix = Self {
            device,
            point,
            at,
            speed: optional_number(object, "speed")?,
            heading: optional_number(object, "heading")?,
            accuracy: optional_number(object, "accuracy")?,
            altitude: optional_number(object, "altitude")?,
            ttl_s: parse_ttl(object)?,
            fields: parse_fields(object)?,
        };
        fix.check_time(now)?;
        Ok(fix)
    }

    /// As [`Fix::parse`], from members that are read already: longitude and latitude in degrees, the text of `at`, then
    /// speed, heading, accuracy and altitude, and whole seconds to live.
    ///
    /// # Errors
    /// As there.
    pub fn of_parts(
        device: &str,
        (lon_deg, lat_deg): (f64, f64),
        at: Option<&str>,
        [speed, heading, accuracy, altitude]: [Option<f64>; 4],
        ttl_s: Option<u32>,
        fields: Option<&Value>,
        now: Millis,
    ) -> Result<Self, String> {
        let device = DocId::new(device).map_err(|error| format!("device: {error}"))?;
        let point = Point::new(lon_deg, lat_deg)?;
        let at = at.map(parse_time).transpose().map_err(|message| format!("at: {message}"))?;
        let fix = Self {
            device,
            point,
            at: at.unwrap_or(now),
            speed: checked("speed", speed)?,
            heading: checked("heading", heading)?,
            accuracy: checked("accuracy", accuracy)?,
            altitude: checked("altitude", altitude)?,
            ttl_s: ttl_s.map(checked_ttl).transpose()?,
            fields: fields.map(fields_text).transpose()?,
        };
        fix.check_time(now)?;
        Ok(fix)
    }

    /// A number that is made of every part of the fix itself, but not of what its name and fields point to.
    pub(crate) fn mark(&self) -> u64 {
        let Self { device, point, at, speed, heading, accuracy, altitude, ttl_s, fields } = self;
        let numbers = [speed, heading, accuracy, altitude];
        let numbers = numbers.into_iter().fold(0, |all, number| all ^ number.unwrap_or(0.0).to_bits());
        let short = point.lat_units() ^ point.lon_units() ^ i32::from(fields.is_some());
        at.get()
            ^ numbers
            ^ u64::from(ttl_s.unwrap_or(0))
            ^ device.as_str().len() as u64
            ^ u64::from(short.cast_unsigned())
    }

    /// # Errors
    /// The fix is more than five minutes ahead of `now`.
    pub(crate) fn check_time(&self, now: Millis) -> Result<(), String> {
        if self.at.get() > now.get().saturating_add(FUTURE_MS_MAX) {
            return Err(format!("at: {} is in the future", time_text(self.at)));
        }
        Ok(())
    }

    /// The fix as clients read it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut body = json!({
            "device": self.device.as_str(), "lon": self.point.lon(), "lat": self.point.lat(), "at": time_text(self.at),
        });
        if let Some(object) = body.as_object_mut() {
            let numbers = [
                ("speed", self.speed),
                ("heading", self.heading),
                ("accuracy", self.accuracy),
                ("altitude", self.altitude),
            ];
            for (name, value) in numbers {
                object.extend(value.map(|value| (name.to_owned(), json!(value))));
            }
            object.extend(self.ttl_s.map(|ttl_s| ("ttl_s".to_owned(), json!(ttl_s))));
            let fields = self.fields.as_ref().and_then(|text| serde_json::from_str::<Value>(text).ok());
            object.extend(fields.map(|fields| ("fields".to_owned(), fields)));
        }
        body
    }
}

fn optional_number(object: &Map<String, Value>, name: &str) -> Result<Option<f64>, String> {
    match member(object, name) {
        None => Ok(None),
        Some(value) => checked(name, Some(value.as_f64().ok_or(format!("{name}: must be a number"))?)),
    }
}

fn checked(name: &str, number: Option<f64>) -> Result<Option<f64>, String> {
    let is_valid = |number: f64| match name {
        "heading" => (-360.0..=360.0).contains(&number),
        "altitude" => number.abs() <= 1e9,
        _ => number >= 0.0 && number.is_finite(),
    };
    match number {
        Some(number) if !is_valid(number) => Err(format!("{name}: {number} is out of range")),
        number => Ok(number),
    }
}

fn parse_ttl(object: &Map<String, Value>) -> Result<Option<u32>, String> {
    let Some(value) = member(object, "ttl_s") else { return Ok(None) };
    let seconds = value.as_u64().and_then(|seconds| u32::try_from(seconds).ok());
    checked_ttl(seconds.unwrap_or(0)).map(Some)
}

fn checked_ttl(seconds: u32) -> Result<u32, String> {
    let in_range = Some(seconds).filter(|seconds| (1..=TTL_S_MAX).contains(seconds));
    in_range.ok_or_else(|| format!("ttl_s: must be whole seconds, 1 to {TTL_S_MAX}"))
}

fn parse_fields(object: &Map<String, Value>) -> Result<Option<Arc<str>>, String> {
    member(object, "fields").map(fields_text).transpose()
}

fn fields_text(fields: &Value) -> Result<Arc<str>, String> {
    if !fields.is_object() {
        return Err("fields: must be an object".to_owned());
    }
    let text = fields.to_string();
    if text.len() > FIELDS_BYTES_MAX {
        return Err(format!("fields: larger than {FIELDS_BYTES_MAX} bytes"));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis::new(1_780_000_000_000);

    #[test]
    fn reads_what_devices_send() {
        let full = json!({"device":"d1","lon":13.405,"lat":52.52,"at":"2026-01-31T12:00:00Z","speed":3.5,"heading":270,"accuracy":8,"altitude":-3,"ttl_s":60,"fields":{"battery":80}});
        let fix = Fix::parse(&full, NOW).unwrap();
        assert_eq!(
            fix.to_json(),
            json!({"device":"d1","lon":13.405,"lat":52.52,"at":"2026-01-31T12:00:00Z","speed":3.5,"heading":270.0,"accuracy":8.0,"altitude":-3.0,"ttl_s":60,"fields":{"battery":80}})
        );
        let bare = Fix::parse(&json!({"device":"d1","lon":0,"lat":0,"speed":null}), NOW).unwrap();
        assert_eq!((bare.at, bare.speed), (NOW, None));
    }

    #[test]
    fn names_what_is_wrong() {
        let check = |value: Value, message: &str| {
            let error = Fix::parse(&value, NOW).unwrap_err();
            assert!(error.contains(message), "{value}: {error}");
        };
        check(json!([1]), "object");
        check(json!({"lon":1,"lat":1}), "device");
        check(json!({"device":"","lon":1,"lat":1}), "device");
        check(json!({"device":"d","lat":1}), "lon");
        check(json!({"device":"d","lon":"1","lat":1}), "lon");
        check(json!({"device":"d","lon":181,"lat":1}), "longitude");
        check(json!({"device":"d","lon":1,"lat":-90.5}), "latitude");
        check(json!({"device":"d","lon":1,"lat":1,"at":"soon"}), "at:");
        check(json!({"device":"d","lon":1,"lat":1,"at":17}), "at:");
        check(json!({"device":"d","lon":1,"lat":1,"at":"2030-01-01T00:00:00Z"}), "future");
        check(json!({"device":"d","lon":1,"lat":1,"speed":-1}), "speed");
        check(json!({"device":"d","lon":1,"lat":1,"fields":[]}), "fields");
        check(json!({"device":"d","lon":1,"lat":1,"altitude":"high"}), "altitude");
        check(json!({"device":"d","lon":1,"lat":1,"ttl_s":0}), "ttl_s");
        check(json!({"device":"d","lon":1,"lat":1,"ttl_s":1.5}), "ttl_s");
    }
}
