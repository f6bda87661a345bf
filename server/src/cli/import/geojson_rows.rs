//! Rows of a GeoJSON file (RFC 7946): the features of a collection, or one feature.
//!
//! The file is never held whole: each feature is handed on as soon as it has been read. One cannot begin in the
//! middle of such a file, so reading goes on by passing over the features that are done.

use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::rc::Rc;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::row::{Mark, Row, Sink, Unreadable};
use crate::cli::outcome::Failure;
use crate::eve::json;

/// Reads features from `from` on.
///
/// # Errors
/// 1 when the file cannot be read, is not JSON, or is not a feature collection or feature.
pub(crate) fn read(mut file: File, from: Mark, sink: Sink<'_>) -> Result<(), Failure> {
    file.rewind()?;
    let bytes = Rc::new(Cell::new(0));
    let counted = Counted { file, bytes: Rc::clone(&bytes) };
    let mut reader = Features { from, bytes, sink, number: 0, stopped: false };
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(256 << 10, counted));
    let outcome = json.deserialize_map(Whole(&mut reader)).and_then(|()| json.end());
    match outcome {
        Err(error) if !reader.stopped => {
            Err(Failure::error(format!("after {} features: not GeoJSON: {error}", reader.number)))
        }
        _ => Ok(()),
    }
}

struct Counted {
    file: File,
    bytes: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(into)?;
        self.bytes.set(self.bytes.get() + read as u64);
        Ok(read)
    }
}

struct Features<'a> {
    from: Mark,
    bytes: Rc<Cell<u64>>,
    sink: Sink<'a>,
    number: u64,
    stopped: bool,
}

impl Features<'_> {
    /// Hands one feature on; an error stops the parser.
    fn hand_on<E: serde::de::Error>(&mut self, feature: Value) -> Result<(), E> {
        self.number += 1;
        if self.number <= self.from.rows {
            return Ok(());
        }
        let after = Mark { rows: self.number, bytes: self.bytes.get(), lines: 0 };
        let row = Row { number: self.number, line: self.number, after, content: members(feature) };
        if (self.sink)(row) {
            return Ok(());
        }
        self.stopped = true;
        Err(E::custom("stopped"))
    }
}

/// The outermost object.
struct Whole<'a, 'b>(&'a mut Features<'b>);

impl<'de> Visitor<'de> for Whole<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a FeatureCollection or a Feature")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut others, mut has_features) = (Map::new(), false);
        while let Some(name) = map.next_key::<String>()? {
            if name == "features" {
                has_features = true;
                map.next_value_seed(List(self.0))?;
            } else {
                others.insert(name, map.next_value()?);
            }
        }
        let kind = others.get("type").and_then(Value::as_str).unwrap_or("").to_owned();
        match (kind.as_str(), has_features) {
            ("FeatureCollection", true) => Ok(()),
            ("Feature", false) => self.0.hand_on(Value::Object(others)),
            _ => Err(A::Error::custom("expected a FeatureCollection or a Feature")),
        }
    }
}

/// The member `features`.
struct List<'a, 'b>(&'a mut Features<'b>);

impl<'de> DeserializeSeed<'de> for List<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of features")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(feature) = seq.next_element()? {
            self.0.hand_on(feature)?;
        }
        Ok(())
    }
}

/// Properties become members, the geometry `location`, the id `_id`.
fn members(feature: Value) -> Result<Map<String, Value>, Unreadable> {
    let text = || feature.to_string();
    let bad = |reason: &str| Err(Unreadable::new(reason, text().as_bytes()));
    let Some(object) = feature.as_object() else {
        return bad(&format!("expected a Feature, found {}", json::name(&feature)));
    };
    if object.get("type").and_then(Value::as_str) != Some("Feature") {
        return bad("type: expected 'Feature'");
    }
    let mut members = match object.get("properties") {
        Some(Value::Object(properties)) => properties.clone(),
        None | Some(Value::Null) => Map::new(),
        Some(_) => return bad("properties: expected an object or null"),
    };
    match object.get("geometry") {
        Some(geometry @ Value::Object(_)) => {
            members.insert("location".to_owned(), geometry.clone());
        }
        None | Some(Value::Null) => {}
        Some(_) => return bad("geometry: expected an object or null"),
    }
    match object.get("id") {
        Some(id @ (Value::String(_) | Value::Number(_))) => {
            members.insert("_id".to_owned(), id.clone());
        }
        None | Some(Value::Null) => {}
        Some(_) => return bad("id: expected a string or a number"),
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use serde_json::json;

    use super::*;

    fn rows(text: &str, from: Mark) -> Result<Vec<Row>, String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let mut found = Vec::new();
        let mut sink = |row| {
            found.push(row);
            true
        };
        read(file, from, &mut sink).map(|()| found).map_err(|failure| failure.message)
    }

    fn collection() -> String {
        json!({
            "name": "places",
            "features": [
                {"type": "Feature", "id": 7, "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": {"a": 1}},
                {"type": "Feature", "geometry": null, "properties": null},
                {"type": "Feature", "geometry": 5},
                [],
                {"type": "Feature", "properties": {"b": {"c": []}}},
            ],
            "type": "FeatureCollection",
        })
        .to_string()
    }

    #[test]
    fn features_become_rows() {
        let found = rows(&collection(), Mark::default()).unwrap();
        let told = |row: &Row| row.content.clone().map_or_else(|bad| Value::from(bad.reason), Value::Object);
        let expected = json!([
            {"a": 1, "location": {"type": "Point", "coordinates": [1, 2]}, "_id": 7},
            {},
            "geometry: expected an object or null",
            "expected a Feature, found an array",
            {"b": {"c": []}},
        ]);
        assert_eq!(found.iter().map(told).collect::<Value>(), expected);
        assert_eq!(found.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        let single = rows(r#"{"type":"Feature","properties":{"a":1}}"#, Mark::default()).unwrap();
        assert_eq!(single.len(), 1);
    }

    #[test]
    fn reading_goes_on_after_any_row() {
        let numbers =
            |from| rows(&collection(), from).unwrap().iter().map(|row| row.number).collect::<Vec<_>>();
        for row in rows(&collection(), Mark::default()).unwrap() {
            assert_eq!(numbers(row.after), (row.number + 1..=5).collect::<Vec<_>>());
        }
    }

    #[test]
    fn other_files_are_refused_and_a_stop_is_no_error() {
        let check = |text: &str, part: &str| {
            let message = rows(text, Mark::default()).unwrap_err();
            assert!(message.contains(part), "{message}");
        };
        check("", "not GeoJSON");
        check("[]", "not GeoJSON");
        check(r#"{"type":"Point","coordinates":[1,2]}"#, "FeatureCollection");
        check(r#"{"type":"FeatureCollection","features":[{"type":"Feature"},{"type""#, "after 1 features");
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(collection().as_bytes()).unwrap();
        let mut seen = 0;
        read(file, Mark::default(), &mut |_| {
            seen += 1;
            seen < 2
        })
        .unwrap();
        assert_eq!(seen, 2);
    }
}
