//! Documents as text of one of the formats.

use std::io::Write;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::Format;
use super::table::Table;
use crate::cli::outcome::Failure;

/// A file being written, document by document.
pub(crate) struct Sheet<W: Write> {
    out: W,
    form: Form,
}

enum Form {
    Ndjson,
    Geojson { is_first: bool },
    Csv(Box<Table>),
}

impl<W: Write> Sheet<W> {
    /// `spool` is a directory for what cannot be written before the last document is known.
    ///
    /// # Errors
    /// 1 when it cannot be written.
    pub(crate) fn begin(format: Format, mut out: W, spool: &Path) -> Result<Self, Failure> {
        let form = match format {
            Format::Ndjson => Form::Ndjson,
            Format::Csv => Form::Csv(Box::new(Table::new(spool)?)),
            Format::Geojson => {
                out.write_all(b"{\"type\":\"FeatureCollection\",\"features\":[")?;
                Form::Geojson { is_first: true }
            }
        };
        Ok(Self { out, form })
    }

    /// # Errors
    /// 1 when it cannot be written.
    pub(crate) fn add(&mut self, mut document: Map<String, Value>) -> Result<(), Failure> {
        // Addresses of the server it came from; everything else is data.
        document.shift_remove("_links");
        match &mut self.form {
            Form::Ndjson => writeln!(self.out, "{}", Value::Object(document))?,
            Form::Csv(table) => table.add(document)?,
            Form::Geojson { is_first } => {
                let before = if std::mem::take(is_first) { "\n" } else { ",\n" };
                write!(self.out, "{before}{}", feature(document))?;
            }
        }
        Ok(())
    }

    /// # Errors
    /// 1 when it cannot be written.
    pub(crate) fn end(mut self) -> Result<(), Failure> {
        match self.form {
            Form::Ndjson => {}
            Form::Geojson { .. } => self.out.write_all(b"\n]}\n")?,
            Form::Csv(table) => table.write_to(&mut self.out)?,
        }
        Ok(self.out.flush()?)
    }
}

fn feature(mut document: Map<String, Value>) -> Value {
    let geometry = match document.get("location") {
        Some(Value::Object(_)) => document.shift_remove("location"),
        _ => document.get("coords").and_then(point),
    };
    let id = document.shift_remove("_id");
    json!({"type": "Feature", "id": id, "geometry": geometry, "properties": document})
}

/// Legacy coordinates of ads: latitude first.
fn point(coords: &Value) -> Option<Value> {
    match coords.as_array()?.as_slice() {
        [lat, lon] if lat.is_number() && lon.is_number() => {
            Some(json!({"type": "Point", "coordinates": [lon, lat]}))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format, documents: &[Value]) -> String {
        let mut out = Vec::new();
        let mut sheet = Sheet::begin(format, &mut out, &std::env::temp_dir()).unwrap();
        for document in documents {
            sheet.add(document.as_object().unwrap().clone()).unwrap();
        }
        sheet.end().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_format_has_its_form() {
        let place = json!({"type": "Point", "coordinates": [13.4, 52.5]});
        let documents = [
            json!({"_id": "a", "_links": {}, "location": place, "n": 1}),
            json!({"_id": "b", "coords": [1, 2], "text": "x\n\"y\", z", "tags": ["q"]}),
            json!({"_id": "c", "lon": 5, "location": place, "flag": true, "none": null}),
        ];
        let ndjson = written(Format::Ndjson, &documents);
        let lines: Vec<Value> = ndjson.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0], json!({"_id": "a", "location": place, "n": 1}));
        assert_eq!(lines[1..], documents[1..]);

        let geojson: Value = serde_json::from_str(&written(Format::Geojson, &documents)).unwrap();
        assert_eq!(geojson["type"], "FeatureCollection");
        let features = geojson["features"].as_array().unwrap();
        assert_eq!(
            features[0],
            json!({"type": "Feature", "id": "a", "geometry": place, "properties": {"n": 1}})
        );
        assert_eq!(features[1]["geometry"], json!({"type": "Point", "coordinates": [2, 1]}));
        assert_eq!(features.len(), 3);
        let empty: Value = serde_json::from_str(&written(Format::Geojson, &[])).unwrap();
        assert_eq!(empty, json!({"type": "FeatureCollection", "features": []}));

        let csv = written(Format::Csv, &documents);
        let expected = "_id,lon,lat,n,coords,text,tags,location,flag,none\n\
            a,13.4,52.5,1,,,,,,\n\
            b,,,,\"[1,2]\",\"x\n\"\"y\"\", z\",\"[\"\"q\"\"]\",,,\n\
            c,5,,,,,,\"{\"\"type\"\":\"\"Point\"\",\"\"coordinates\"\":[13.4,52.5]}\",true,\n";
        assert_eq!(csv, expected);
        assert_eq!(written(Format::Csv, &[]), "");
    }
}
