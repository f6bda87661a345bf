//! A CSV file whose columns are known only after the last document: documents wait in a spool file.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek, Write};
use std::path::Path;

use serde_json::{Map, Value};

use crate::cli::outcome::Failure;

/// The rows so far.
pub(crate) struct Table {
    columns: Vec<String>,
    spool: BufWriter<File>,
}

impl Table {
    /// # Errors
    /// 1 when there is no place for the spool file.
    pub(crate) fn new(dir: &Path) -> Result<Self, Failure> {
        let spool = tempfile::tempfile_in(dir)
            .map_err(|error| Failure::error(format!("{}: {error}", dir.display())))?;
        Ok(Self { columns: Vec::new(), spool: BufWriter::new(spool) })
    }

    /// # Errors
    /// 1 when it cannot be written.
    pub(crate) fn add(&mut self, document: Map<String, Value>) -> Result<(), Failure> {
        let document = with_place(document);
        for name in document.keys() {
            if !self.columns.contains(name) {
                self.columns.push(name.clone());
            }
        }
        Ok(writeln!(self.spool, "{}", Value::Object(document))?)
    }

    /// # Errors
    /// 1 when it cannot be written.
    pub(crate) fn write_to(self, out: &mut impl Write) -> Result<(), Failure> {
        if self.columns.is_empty() {
            return Ok(());
        }
        let mut spool = self.spool.into_inner().map_err(|error| Failure::error(error.error()))?;
        spool.rewind()?;
        let mut rows = csv::Writer::from_writer(out);
        rows.write_record(&self.columns).map_err(Failure::error)?;
        for line in BufReader::new(spool).lines() {
            let document: Map<String, Value> = serde_json::from_str(&line?).map_err(Failure::error)?;
            let cells = self.columns.iter().map(|name| document.get(name).map(cell).unwrap_or_default());
            rows.write_record(cells).map_err(Failure::error)?;
        }
        Ok(rows.flush()?)
    }
}

/// A point becomes two columns, the ones `import --lon lon --lat lat` reads.
fn with_place(document: Map<String, Value>) -> Map<String, Value> {
    let Some((lon, lat)) = document.get("location").and_then(point) else { return document };
    if document.contains_key("lon") || document.contains_key("lat") {
        return document;
    }
    let mut placed = Map::new();
    for (name, value) in document {
        if name == "location" {
            placed.extend([("lon".to_owned(), lon.clone()), ("lat".to_owned(), lat.clone())]);
        } else {
            placed.insert(name, value);
        }
    }
    placed
}

fn point(location: &Value) -> Option<(Value, Value)> {
    let is_point = location.get("type").and_then(Value::as_str) == Some("Point");
    match location.get("coordinates").and_then(Value::as_array).map(Vec::as_slice) {
        Some([lon, lat]) if is_point && location.as_object().is_some_and(|members| members.len() == 2) => {
            Some((lon.clone(), lat.clone()))
        }
        _ => None,
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
