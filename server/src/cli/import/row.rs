//! One row of a file, whatever the file's format.

use serde_json::{Map, Value};

/// Where reading goes on: everything before has been taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Mark {
    /// Rows before it.
    pub(crate) rows: u64,
    /// Byte offset; 0 for formats in which one cannot begin in the middle.
    pub(crate) bytes: u64,
    /// Lines before it, or the line of the last row before it.
    pub(crate) lines: u64,
}

/// A row as the file has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// Its place among the rows, from 1.
    pub(crate) number: u64,
    /// The line it begins at, from 1; the number of the feature in GeoJSON.
    pub(crate) line: u64,
    /// Where reading goes on after it.
    pub(crate) after: Mark,
    /// Its members, or why it is none.
    pub(crate) content: Result<Map<String, Value>, Unreadable>,
}

/// A row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) reason: String,
    /// As much of it as is worth keeping.
    pub(crate) text: String,
}

impl Unreadable {
    pub(crate) fn new(reason: impl Into<String>, text: &[u8]) -> Self {
        const KEPT_BYTES_MAX: usize = 4096;
        let kept = text.get(..KEPT_BYTES_MAX).unwrap_or(text);
        Self { reason: reason.into(), text: String::from_utf8_lossy(kept).into_owned() }
    }
}

/// Takes rows one by one; `false` stops the reading.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(Row) -> bool;
