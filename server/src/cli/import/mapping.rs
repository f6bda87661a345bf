//! How the columns of a file become the fields of a document.
//!
//! Cells of a CSV file are text. Here `12`, `-3.5` and `1e3` become numbers, `true` and `false` booleans; `007` and
//! numbers too large to be kept exactly stay text, and so do fields that are text by definition, such as a title.

use serde_json::{Map, Number, Value, json};
use sha2::{Digest, Sha256};

use crate::cli::outcome::Failure;
use crate::eve::date;
use crate::ids;

/// Fields of built-in collections that hold text whatever it looks like.
const TEXT_FIELDS: &[(&str, &[&str])] = &[
    ("ads", &["title", "text", "category", "currency", "user"]),
    ("adlists", &["name", "device", "user", "category", "q"]),
    ("devices", &["name", "user"]),
    ("fences", &["name", "group"]),
    ("positions", &["device", "at"]),
    ("users", &["username", "email", "first_name", "last_name", "display_name", "role"]),
];

/// What a fix has. Other columns of a positions file are left out.
const FIX_FIELDS: &[&str] = &["device", "lon", "lat", "at", "speed", "heading", "accuracy", "fields"];

/// What the command line says about columns.
pub(crate) struct Wishes<'a> {
    pub(crate) collection: &'a str,
    /// `FIELD=COLUMN`.
    pub(crate) map: &'a [String],
    /// Columns with longitude and latitude.
    pub(crate) place: Option<(&'a str, &'a str)>,
    pub(crate) text: &'a [String],
    pub(crate) time_format: Option<&'a str>,
    /// Whether cells are text that may mean a number.
    pub(crate) typed: bool,
}

/// The mapping of one import.
pub(crate) struct Mapping {
    fields: Vec<(Vec<String>, String)>,
    place: Option<(String, String)>,
    text: Vec<String>,
    time_format: Option<String>,
    typed: bool,
    fixes: bool,
}

impl Mapping {
    /// # Errors
    /// 2 when a `FIELD=COLUMN` is none.
    pub(crate) fn new(wishes: &Wishes<'_>) -> Result<Self, Failure> {
        let mut fields = Vec::new();
        for wish in wishes.map {
            let wrong = || Failure::usage(format!("--map {wish}: expected FIELD=COLUMN"));
            let (field, column) = wish.split_once('=').ok_or_else(wrong)?;
            let path: Vec<String> = field.split('.').map(str::to_owned).collect();
            if column.is_empty() || path.iter().any(String::is_empty) {
                return Err(wrong());
            }
            fields.push((path, column.to_owned()));
        }
        let known = TEXT_FIELDS.iter().find(|(name, _)| *name == wishes.collection);
        let known = known.map_or(&[][..], |(_, fields)| fields).iter().map(|&field| field.to_owned());
        Ok(Self {
            fields,
            place: wishes.place.map(|(lon, lat)| (lon.to_owned(), lat.to_owned())),
            text: ["_id".to_owned()].into_iter().chain(known).chain(wishes.text.iter().cloned()).collect(),
            time_format: wishes.time_format.map(str::to_owned),
            typed: wishes.typed,
            fixes: wishes.collection == "positions",
        })
    }

    /// The columns it names must be there.
    ///
    /// # Errors
    /// 2 with the columns the file has.
    pub(crate) fn check_columns(&self, columns: &[String]) -> Result<(), Failure> {
        let place = self.place.iter().flat_map(|(lon, lat)| [lon, lat]);
        for named in self.fields.iter().map(|(_, column)| column).chain(place) {
            if !columns.contains(named) {
                let found = columns.join(", ");
                return Err(Failure::usage(format!("the file has no column '{named}'; it has: {found}")));
            }
        }
        Ok(())
    }

    /// A word that changes whenever the mapping would make other documents.
    pub(crate) fn fingerprint(&self) -> String {
        let told = json!([self.fields, self.place, self.text, self.time_format, self.typed, self.fixes]);
        let digest = Sha256::digest(told.to_string().as_bytes());
        ids::hex(digest.get(..8).unwrap_or_default())
    }

    /// The document of a row.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn document(&self, row: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        let mut document = Map::new();
        for (column, value) in row {
            let mut targets = self.fields.iter().filter(|(_, from)| from == column).peekable();
            if targets.peek().is_none() && !self.is_place(column) {
                self.put(&mut document, std::slice::from_ref(column), value)?;
            }
            for (path, _) in targets {
                self.put(&mut document, path, value)?;
            }
        }
        if let Some((lon, lat)) = &self.place {
            let (lon, lat) = (degrees(row, lon)?, degrees(row, lat)?);
            if self.fixes {
                document.extend([("lon".to_owned(), lon), ("lat".to_owned(), lat)]);
            } else {
                document.insert("location".to_owned(), json!({"type": "Point", "coordinates": [lon, lat]}));
            }
        }
        if self.fixes {
            document.retain(|name, _| FIX_FIELDS.contains(&name.as_str()));
            self.read_time(&mut document)?;
        }
        Ok(document)
    }

    fn is_place(&self, column: &str) -> bool {
        self.place.as_ref().is_some_and(|(lon, lat)| lon == column || lat == column)
    }

    fn put(&self, document: &mut Map<String, Value>, path: &[String], value: &Value) -> Result<(), String> {
        let name = path.join(".");
        let value = match value {
            Value::String(text) if self.typed && !self.text.contains(&name) => typed(text),
            // An id and a device have names, not numbers, also in formats that know the difference.
            Value::Number(number) if matches!(name.as_str(), "_id" | "device") => {
                Value::from(number.to_string())
            }
            other => other.clone(),
        };
        let Some((last, parents)) = path.split_last() else { return Ok(()) };
        let mut place = document;
        for parent in parents {
            let inner = place.entry(parent.as_str()).or_insert_with(|| Value::Object(Map::new()));
            place = inner.as_object_mut().ok_or_else(|| format!("{name}: '{parent}' is not an object"))?;
        }
        place.insert(last.clone(), value);
        Ok(())
    }

    /// Times of position files come in many forms; the server takes one.
    fn read_time(&self, fix: &mut Map<String, Value>) -> Result<(), String> {
        let Some(Value::String(text)) = fix.get("at") else { return Ok(()) };
        let at = match &self.time_format {
            Some(format) => jiff::civil::DateTime::strptime(format, text)
                .ok()
                .and_then(|at| at.to_zoned(jiff::tz::TimeZone::UTC).ok())
                .map(|at| at.timestamp()),
            None => date::parse_time(text),
        };
        let at =
            at.ok_or_else(|| format!("at: '{text}' is not a time that is understood; see --time-format"))?;
        fix.insert("at".to_owned(), Value::from(at.to_string()));
        Ok(())
    }
}

/// What a text means.
fn typed(text: &str) -> Value {
    match text {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    let begins_like_one = text.bytes().next().is_some_and(|byte| byte == b'-' || byte.is_ascii_digit());
    let number = if begins_like_one { serde_json::from_str::<Number>(text).ok() } else { None };
    let is_whole = text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
    match number {
        // Parsed as a fraction, so it did not fit.
        Some(number) if is_whole && number.is_f64() => Value::from(text),
        Some(number) => Value::Number(number),
        None => Value::from(text),
    }
}

fn degrees(row: &Map<String, Value>, column: &str) -> Result<Value, String> {
    match row.get(column) {
        None => Err(format!("column '{column}' is empty")),
        Some(number @ Value::Number(_)) => Ok(number.clone()),
        Some(Value::String(text)) => match typed(text.trim()) {
            number @ Value::Number(_) => Ok(number),
            _ => Err(format!("column '{column}': '{text}' is not a number of degrees")),
        },
        Some(_) => Err(format!("column '{column}' is not a number of degrees")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(collection: &str, map: &[&str], place: Option<(&str, &str)>, typed: bool) -> Mapping {
        let map: Vec<String> = map.iter().map(|&wish| wish.to_owned()).collect();
        let wishes =
            Wishes { collection, map: &map, place, text: &["zip".to_owned()], time_format: None, typed };
        Mapping::new(&wishes).unwrap()
    }

    fn check(mapping: &Mapping, row: Value, expected: Value) {
        let Value::Object(row) = row else { panic!("not a row") };
        let found = mapping.document(&row).map_or_else(Value::from, Value::Object);
        assert_eq!(found, expected);
    }

    #[test]
    fn texts_become_what_they_mean() {
        let checks = [
            ("1", json!(1)),
            ("-3.50", json!(-3.5)),
            ("1e3", json!(1000.0)),
            ("18446744073709551615", json!(u64::MAX)),
            ("18446744073709551616", json!("18446744073709551616")),
            ("007", json!("007")),
            ("+1", json!("+1")),
            (" 1", json!(" 1")),
            ("1,5", json!("1,5")),
            ("NaN", json!("NaN")),
            ("-", json!("-")),
            ("true", json!(true)),
            ("False", json!("False")),
            ("null", json!("null")),
        ];
        for (text, expected) in checks {
            assert_eq!(typed(text), expected, "{text}");
        }
    }

    #[test]
    fn columns_become_fields() {
        let ads =
            mapping("ads", &["title=name", "price=population", "more.deep.zone=tz"], Some(("x", "y")), true);
        check(
            &ads,
            json!({"name": "1984", "population": "12", "tz": "UTC", "zip": "0123", "n": "5", "x": "13.4", "y": " 52"}),
            json!({
                "title": "1984", "price": 12, "more": {"deep": {"zone": "UTC"}}, "zip": "0123", "n": 5,
                "location": {"type": "Point", "coordinates": [13.4, 52]},
            }),
        );
        check(&ads, json!({"name": "a", "x": "1"}), json!("column 'y' is empty"));
        check(&ads, json!({"x": "east", "y": "1"}), json!("column 'x': 'east' is not a number of degrees"));
        let untyped = mapping("cars", &["_id=n", "both=n"], None, false);
        check(&untyped, json!({"n": 7, "a": "1"}), json!({"_id": "7", "both": 7, "a": "1"}));
        let clash = mapping("cars", &["a.b=x"], None, true);
        check(&clash, json!({"a": "1", "x": "2"}), json!("a.b: 'a' is not an object"));
    }

    #[test]
    fn fixes_keep_what_a_fix_has() {
        let fixes = mapping("positions", &["device=id", "at=t", "fields.route=r"], Some(("X", "Y")), true);
        check(
            &fixes,
            json!({"id": "12", "t": "2008-12-11 04:42:14+00", "X": "1", "Y": "2", "r": "14", "junk": "z"}),
            json!({"device": "12", "at": "2008-12-11T04:42:14Z", "lon": 1, "lat": 2, "fields": {"route": 14}}),
        );
        check(
            &fixes,
            json!({"t": "2026-01-26 15:57:02", "X": "1", "Y": "2"}),
            json!({"at": "2026-01-26T15:57:02Z", "lon": 1, "lat": 2}),
        );
        let text = "20/03/2021 00:22";
        check(
            &fixes,
            json!({"t": text, "X": "1", "Y": "2"}),
            json!(format!("at: '{text}' is not a time that is understood; see --time-format")),
        );
        let formatted = Mapping { time_format: Some("%d/%m/%Y %H:%M".to_owned()), ..fixes };
        check(
            &formatted,
            json!({"t": text, "X": "1", "Y": "2"}),
            json!({"at": "2021-03-20T00:22:00Z", "lon": 1, "lat": 2}),
        );
    }

    #[test]
    fn missing_columns_and_bad_wishes_are_told() {
        let ads = mapping("ads", &["title=name"], Some(("lon", "lat")), true);
        let columns = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert!(ads.check_columns(&columns(&["name", "lon", "lat"])).is_ok());
        let failure = ads.check_columns(&columns(&["name", "lon", "latitude"])).unwrap_err();
        assert!(failure.message.contains("no column 'lat'") && failure.message.contains("latitude"));
        for wish in ["title", "=name", "title=", "a..b=c"] {
            let map = [wish.to_owned()];
            let wishes = Wishes {
                collection: "ads",
                map: &map,
                place: None,
                text: &[],
                time_format: None,
                typed: true,
            };
            assert!(Mapping::new(&wishes).is_err(), "{wish}");
        }
        assert_ne!(ads.fingerprint(), mapping("ads", &["title=name"], None, true).fingerprint());
        assert_eq!(
            ads.fingerprint(),
            mapping("ads", &["title=name"], Some(("lon", "lat")), true).fingerprint()
        );
    }
}
