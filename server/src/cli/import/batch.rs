//! Rows on their way to the server, some hundred at a time.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::mapping::Mapping;
use super::rejects::Reject;
use super::row::{Mark, Row};
use crate::ids;

/// Rows in one request at the most.
pub(crate) const ROWS_MAX: usize = 500;
/// Bytes of JSON in one request at the most, unless one row alone is larger; a server takes 1 MiB as it comes.
pub(crate) const BYTES_MAX: usize = 768 << 10;

/// One row as it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) line: u64,
    /// As it was read, for whoever has to mend it.
    pub(crate) row: Map<String, Value>,
    pub(crate) document: Map<String, Value>,
    pub(crate) id: Option<String>,
    /// The id is a digest of the row, so whatever has it is this row.
    pub(crate) id_is_digest: bool,
    /// The document as JSON.
    pub(crate) text: String,
}

/// Rows that are acknowledged together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    /// Its place among the batches, from 0.
    pub(crate) number: u64,
    pub(crate) items: Vec<Item>,
    /// Rows that have no document.
    pub(crate) rejects: Vec<Reject>,
    /// Where reading goes on after it.
    pub(crate) after: Mark,
    pub(crate) bytes: usize,
}

/// Makes batches of rows.
pub(crate) struct Packer<'a> {
    pub(crate) mapping: &'a Mapping,
    pub(crate) file_name: &'a str,
    /// Fixes have no id.
    pub(crate) with_ids: bool,
    batch: Batch,
}

impl<'a> Packer<'a> {
    pub(crate) fn new(mapping: &'a Mapping, file_name: &'a str, with_ids: bool) -> Self {
        Self { mapping, file_name, with_ids, batch: Batch::default() }
    }

    /// Adds a row; the batch before it when that is full.
    pub(crate) fn add(&mut self, row: Row) -> Option<Batch> {
        let (line, number, after) = (row.line, row.number, row.after);
        let made = match row.content {
            Ok(content) => self.item(line, number, content),
            Err(bad) => {
                let (reason, issues) = (bad.reason, Map::new());
                Err(Box::new(Reject { line, reason, issues, row: Value::from(bad.text) }))
            }
        };
        let bytes = made.as_ref().map_or(0, |item| item.text.len() + 1);
        let is_full = self.batch.items.len() + self.batch.rejects.len() >= ROWS_MAX
            || (self.batch.bytes + bytes > BYTES_MAX && !self.batch.items.is_empty());
        let full = if is_full { self.take() } else { None };
        match made {
            Ok(item) => self.batch.items.push(item),
            Err(reject) => self.batch.rejects.push(*reject),
        }
        self.batch.bytes += bytes;
        self.batch.after = after;
        full
    }

    /// What has been added since the last full batch.
    pub(crate) fn take(&mut self) -> Option<Batch> {
        if self.batch.items.is_empty() && self.batch.rejects.is_empty() {
            return None;
        }
        let next = Batch { number: self.batch.number + 1, ..Batch::default() };
        Some(std::mem::replace(&mut self.batch, next))
    }

    fn item(&self, line: u64, number: u64, row: Map<String, Value>) -> Result<Item, Box<Reject>> {
        let mut document = match self.mapping.document(&row) {
            Ok(document) => document,
            Err(reason) => {
                return Err(Box::new(Reject { line, reason, issues: Map::new(), row: Value::Object(row) }));
            }
        };
        let given = document.get("_id").and_then(Value::as_str).map(str::to_owned);
        let id_is_digest = self.with_ids && !document.contains_key("_id");
        let id = if id_is_digest {
            let id = self.digest(number, &document);
            document.insert("_id".to_owned(), Value::from(id.as_str()));
            Some(id)
        } else {
            given
        };
        let text = Value::Object(document.clone()).to_string();
        Ok(Item { line, row, document, id, id_is_digest, text })
    }

    /// The same row of the same file has the same id whenever it is sent; another row has another.
    fn digest(&self, number: u64, document: &Map<String, Value>) -> String {
        let content = Value::Object(document.clone()).to_string();
        let digest = Sha256::digest(format!("{}\0{number}\0{content}", self.file_name).as_bytes());
        ids::hex(digest.get(..12).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::mapping::Wishes;
    use super::super::row::Unreadable;
    use super::*;

    fn mapping() -> Mapping {
        let (map, text) = (&[][..], &[][..]);
        Mapping::new(&Wishes { collection: "cars", map, place: None, text, time_format: None, typed: true })
            .unwrap()
    }

    fn row(number: u64, content: Value) -> Row {
        let Value::Object(content) = content else { panic!("not a row") };
        Row {
            number,
            line: number + 1,
            after: Mark { rows: number, bytes: 0, lines: 0 },
            content: Ok(content),
        }
    }

    #[test]
    fn ids_are_those_of_the_row() {
        let mapping = mapping();
        let id = |file: &str, number, content: Value| {
            let mut packer = Packer::new(&mapping, file, true);
            assert!(packer.add(row(number, content)).is_none());
            packer.take().unwrap().items.remove(0).id.unwrap()
        };
        let first = id("f.csv", 1, json!({"a": "1"}));
        assert!(first.len() == 24 && first.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(first, id("f.csv", 1, json!({"a": "1"})));
        assert_ne!(first, id("f.csv", 2, json!({"a": "1"})));
        assert_ne!(first, id("f.csv", 1, json!({"a": "2"})));
        assert_ne!(first, id("g.csv", 1, json!({"a": "1"})));
        assert_eq!(id("f.csv", 1, json!({"_id": "own"})), "own");
    }

    #[test]
    fn batches_are_bounded_in_rows_and_bytes() {
        let mapping = mapping();
        let mut packer = Packer::new(&mapping, "f", true);
        let batches = |packer: &mut Packer<'_>, rows: Vec<Row>| {
            let mut found: Vec<Batch> = rows.into_iter().filter_map(|row| packer.add(row)).collect();
            found.extend(packer.take());
            found
        };
        let small: Vec<Row> = (1..=1001).map(|number| row(number, json!({"a": "1"}))).collect();
        let found = batches(&mut packer, small);
        let shape: Vec<_> = found.iter().map(|b| (b.number, b.items.len(), b.after.rows)).collect();
        assert_eq!(shape, [(0, 500, 500), (1, 500, 1000), (2, 1, 1001)]);

        let large = "x".repeat(300 << 10);
        let mut packer = Packer::new(&mapping, "f", true);
        let large = (1..=3).map(|number| row(number, json!({"a": large}))).collect();
        let sizes: Vec<_> = batches(&mut packer, large).iter().map(|batch| batch.items.len()).collect();
        assert_eq!(sizes, [2, 1]);
    }

    #[test]
    fn rows_without_a_document_are_rejected_in_their_batch() {
        let mapping = mapping();
        let mut packer = Packer::new(&mapping, "f", true);
        let bad = Row { content: Err(Unreadable::new("broken", b"1,2")), ..row(3, json!({})) };
        assert!(packer.add(bad).is_none());
        let batch = packer.take().unwrap();
        assert_eq!((batch.items.len(), batch.after.rows), (0, 3));
        let reject = Reject { line: 4, reason: "broken".into(), issues: Map::new(), row: json!("1,2") };
        assert_eq!(batch.rejects, [reject]);
        assert!(packer.take().is_none());
    }
}
