//! A file of rows in one of the forms that are understood.

use std::fs::File;
use std::path::Path;

use clap::ValueEnum;

use super::csv_rows::CsvRows;
use super::row::{Mark, Sink};
use super::{geojson_rows, ndjson_rows};
use crate::cli::outcome::{Exit, Failure};

/// Form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A header line and rows, delimited by comma, semicolon or tab
    Csv,
    /// One JSON object per line
    Ndjson,
    /// A FeatureCollection: properties become fields, the geometry the location
    Geojson,
}

impl Format {
    /// By the ending of the name.
    ///
    /// # Errors
    /// 2 when the ending says nothing.
    pub(crate) fn of(file: &Path) -> Result<Self, Failure> {
        let ending = file.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        match ending.as_deref() {
            Some("csv" | "tsv" | "tab") => Ok(Self::Csv),
            Some("ndjson" | "jsonl" | "jsonlines") => Ok(Self::Ndjson),
            Some("geojson") => Ok(Self::Geojson),
            _ => Err(Failure::usage(format!("{}: say with --format what it is", file.display()))),
        }
    }
}

/// An opened file.
pub(crate) struct Source {
    rows: Rows,
    bytes: u64,
}

enum Rows {
    Csv(Box<CsvRows>),
    Ndjson(File),
    Geojson(File),
}

impl Source {
    /// # Errors
    /// 3 when there is no such file, 1 when it cannot be read.
    pub(crate) fn open(path: &Path, format: Format) -> Result<Self, Failure> {
        let told = |error: std::io::Error| {
            let exit =
                if error.kind() == std::io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Error };
            Failure::new(exit, format!("{}: {error}", path.display()))
        };
        let file = File::open(path).map_err(told)?;
        let meta = file.metadata().map_err(told)?;
        if !meta.is_file() {
            // Reading goes on in the middle after an interruption, which a pipe cannot do.
            return Err(Failure::error(format!("{}: not a file", path.display())));
        }
        let rows = match format {
            Format::Csv => Rows::Csv(Box::new(CsvRows::open(file)?)),
            Format::Ndjson => Rows::Ndjson(file),
            Format::Geojson => Rows::Geojson(file),
        };
        Ok(Self { rows, bytes: meta.len() })
    }

    /// Size of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Names of the columns, where the file has such.
    pub(crate) fn columns(&self) -> Option<&[String]> {
        match &self.rows {
            Rows::Csv(rows) => Some(rows.columns()),
            Rows::Ndjson(_) | Rows::Geojson(_) => None,
        }
    }

    /// Reads rows from `from` on until there are no more or the sink has enough.
    ///
    /// # Errors
    /// 1 when the file cannot be read on; rows before that have been handed on.
    pub(crate) fn read(self, from: Mark, sink: Sink<'_>) -> Result<(), Failure> {
        match self.rows {
            Rows::Csv(rows) => rows.read(from, sink),
            Rows::Ndjson(file) => ndjson_rows::read(file, from, sink),
            Rows::Geojson(file) => geojson_rows::read(file, from, sink),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_name_formats() {
        let check = |name: &str, format: Option<Format>| {
            assert_eq!(Format::of(Path::new(name)).ok(), format, "{name}")
        };
        check("a/cities.CSV", Some(Format::Csv));
        check("a.tsv", Some(Format::Csv));
        check("a.csv.jsonl", Some(Format::Ndjson));
        check("a.geojson", Some(Format::Geojson));
        check("a.json", None);
        check("csv", None);
    }

    #[test]
    fn what_is_no_file_is_told() {
        let missing = Source::open(Path::new("/nonexistent/a.csv"), Format::Csv).err().unwrap();
        assert_eq!(missing.exit, Exit::NotFound);
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Source::open(dir.path(), Format::Ndjson).err().unwrap().exit, Exit::Error);
    }
}
