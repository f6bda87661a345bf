//! Whether a value is of a type, and whether a text has a form.
//!
//! Stricter than Eve in one point: a text is never turned into a number or boolean, and `true` is no number.
//! A reference (`data_relation`) of type `objectid` takes any text, because ids are the client's choice; whether
//! the document exists is what decides.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::date;
use super::schema::{Form, Rule, Type};

static TWITTER: LazyLock<Regex> = LazyLock::new(|| fixed(r"^@[A-Za-z0-9_]{1,15}$"));
static USERNAME: LazyLock<Regex> = LazyLock::new(|| fixed(r"^[A-Za-z0-9._@+'-]+$"));
static PHONE: LazyLock<Regex> = LazyLock::new(|| fixed(r"^[(]?[+]?[0-9(][0-9 ()./-]{1,28}[0-9)]$"));
static TIME: LazyLock<Regex> = LazyLock::new(|| fixed(r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$"));

fn fixed(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant of this file and compiled by its tests")
}

impl Rule {
    /// Whether the value has one of the rule's types; a rule without a type takes any.
    pub(crate) fn takes(&self, value: &Value) -> bool {
        self.types.is_empty() || self.types.iter().any(|kind| is(*kind, value, self.relation.is_some()))
    }
}

impl Form {
    pub(crate) fn fits(self, text: &str) -> bool {
        match self {
            Self::Twitter => TWITTER.is_match(text),
            Self::Username => USERNAME.is_match(text),
            Self::Phone => PHONE.is_match(text),
            Self::Emails => text.split(',').all(|part| is_email(part.trim())),
        }
    }
}

fn is(kind: Type, value: &Value, reference: bool) -> bool {
    match kind {
        Type::Any => true,
        Type::String => value.is_string(),
        Type::Integer => value.is_i64() || value.is_u64(),
        Type::Float | Type::Number => value.is_number(),
        Type::Boolean => value.is_boolean(),
        Type::Datetime => has_form(value, |text| date::parse_time(text).is_some()),
        Type::Date => has_form(value, |text| date::parse(text).is_some()),
        Type::Time => has_form(value, |text| TIME.is_match(text)),
        Type::ObjectId => has_form(value, |text| {
            (reference && !text.is_empty())
                || (text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        }),
        Type::Dict => value.is_object(),
        Type::List | Type::Set => value.is_array(),
        Type::Media | Type::File => value.is_string() || value.is_object(),
        Type::Email => has_form(value, is_email),
        Type::Phone => has_form(value, |text| PHONE.is_match(text)),
        Type::JsonList => value.is_array() || has_form(value, is_list_text),
        Type::Geometry => GEOMETRIES.iter().any(|kind| is(*kind, value, false)),
        geo => is_geojson(geo, value),
    }
}

fn has_form(value: &Value, form: impl Fn(&str) -> bool) -> bool {
    value.as_str().is_some_and(form)
}

fn is_email(text: &str) -> bool {
    text.char_indices().any(|(at, letter)| letter == '@' && at > 0 && at + 1 < text.len())
}

fn is_list_text(text: &str) -> bool {
    super::json::parse(text.as_bytes(), &super::json::Limits::PARAMETER).is_ok_and(|value| value.is_array())
}

const GEOMETRIES: &[Type] = &[
    Type::Point,
    Type::MultiPoint,
    Type::LineString,
    Type::MultiLineString,
    Type::Polygon,
    Type::MultiPolygon,
    Type::GeometryCollection,
];

/// The shape of RFC 7946; what the coordinates mean as a geometry is checked where geometries are understood.
fn is_geojson(kind: Type, value: &Value) -> bool {
    let named = |name: &str| value.get("type").and_then(Value::as_str) == Some(name);
    let coordinates = |test: &dyn Fn(&Value) -> bool| value.get("coordinates").is_some_and(test);
    match kind {
        Type::Point => named("Point") && coordinates(&is_position),
        Type::MultiPoint => named("MultiPoint") && coordinates(&|list| all(list, 0, is_position)),
        Type::LineString => named("LineString") && coordinates(&is_line),
        Type::MultiLineString => named("MultiLineString") && coordinates(&|list| all(list, 0, is_line)),
        Type::Polygon => named("Polygon") && coordinates(&is_polygon),
        Type::MultiPolygon => named("MultiPolygon") && coordinates(&|list| all(list, 0, is_polygon)),
        Type::GeometryCollection => {
            let geometries = value.get("geometries");
            named("GeometryCollection")
                && geometries.is_some_and(|list| all(list, 0, |one| is(Type::Geometry, one, false)))
        }
        Type::Feature => {
            let geometry = value.get("geometry");
            named("Feature") && geometry.is_some_and(|one| one.is_null() || is(Type::Geometry, one, false))
        }
        Type::FeatureCollection => {
            let features = value.get("features");
            named("FeatureCollection")
                && features.is_some_and(|list| all(list, 0, |one| is(Type::Feature, one, false)))
        }
        _ => false,
    }
}

fn all(list: &Value, len_min: usize, test: impl Fn(&Value) -> bool) -> bool {
    list.as_array().is_some_and(|list| list.len() >= len_min && list.iter().all(test))
}

/// Longitude, latitude in degrees, and at most a height.
fn is_position(value: &Value) -> bool {
    let Some(numbers) = value.as_array() else { return false };
    let within = |index: usize, bound: f64| {
        numbers.get(index).and_then(Value::as_f64).is_some_and(|number| number.abs() <= bound)
    };
    matches!(numbers.len(), 2 | 3)
        && within(0, 180.0)
        && within(1, 90.0)
        && numbers.iter().all(Value::is_number)
}

fn is_line(value: &Value) -> bool {
    all(value, 2, is_position)
}

fn is_polygon(value: &Value) -> bool {
    all(value, 1, |ring| {
        let ends = ring.as_array().map(|ring| (ring.first(), ring.last()));
        all(ring, 4, is_position) && ends.is_some_and(|(first, last)| first == last)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(kind: &str, good: &[Value], bad: &[Value]) {
        let schema = super::super::schema::Schema::parse(&json!({"a": {"type": kind}})).unwrap();
        let rule = &schema.fields["a"];
        for value in good {
            assert!(rule.takes(value), "{kind} takes {value}");
        }
        for value in bad {
            assert!(!rule.takes(value), "{kind} refuses {value}");
        }
    }

    #[test]
    fn types() {
        check("integer", &[json!(1), json!(-1), json!(u64::MAX)], &[json!(1.5), json!("1"), json!(true)]);
        check("float", &[json!(1), json!(1.5)], &[json!("1"), json!(true)]);
        check(
            "datetime",
            &[json!("2026-01-31T12:00:00+0000")],
            &[json!("2026-01-31"), json!("noon"), json!(1)],
        );
        check("date", &[json!("2026-01-31")], &[json!("2026-02-31")]);
        check("time", &[json!("23:59:59")], &[json!("24:00:00"), json!("1:00:00")]);
        check("objectid", &[json!("0123456789abcdef01234567")], &[json!("x"), json!(1)]);
        check("email", &[json!("a@b")], &[json!("@b"), json!("a@"), json!("ab")]);
        check("phone_number", &[json!("+49 30 123-456")], &[json!("call me")]);
        check("json_list", &[json!([]), json!("[1]")], &[json!("{}"), json!("[")]);
        check("set", &[json!([])], &[json!({})]);
        check("media", &[json!("id")], &[json!(1)]);
        check(
            "point",
            &[json!({"type": "Point", "coordinates": [180, -90]})],
            &[
                json!({"type": "Point", "coordinates": [181, 0]}),
                json!({"type": "Point", "coordinates": [0]}),
                json!({"type": "Point", "coordinates": [0, 0, "x"]}),
                json!({"type": "Polygon", "coordinates": [0, 0]}),
                json!([0, 0]),
            ],
        );
        let ring = json!([[0, 0], [1, 0], [1, 1], [0, 0]]);
        check(
            "polygon",
            &[json!({"type": "Polygon", "coordinates": [ring]})],
            &[
                json!({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}),
                json!({"type": "Polygon", "coordinates": []}),
            ],
        );
        check(
            "geometry",
            &[
                json!({"type": "GeometryCollection", "geometries": [{"type": "MultiPolygon", "coordinates": [[ring]]}]}),
            ],
            &[json!({"type": "Circle"})],
        );
        check(
            "featurecollection",
            &[json!({"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": null}]})],
            &[json!({"type": "FeatureCollection"})],
        );
    }

    #[test]
    fn forms() {
        assert!(Form::Twitter.fits("@dateline_1") && !Form::Twitter.fits("dateline"));
        assert!(Form::Username.fits("o'neil@x.org") && !Form::Username.fits("two words"));
        assert!(Form::Emails.fits("a@b, c@d") && !Form::Emails.fits("a@b,,c@d"));
    }
}
