//! Rows of a CSV file with a header line. The delimiter is found, not told; every cell is still text.

use std::fs::File;
use std::io::{Read, Seek};

use csv::{ByteRecord, Position, ReaderBuilder};
use serde_json::{Map, Value};

use super::lines::Lines;
use super::row::{Mark, Row, Sink, Unreadable};
use crate::cli::outcome::Failure;

const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
const SAMPLE_BYTES: u64 = 64 << 10;
const SAMPLE_RECORDS: usize = 50;

/// A CSV file, opened and its header read.
pub(crate) struct CsvRows {
    reader: csv::Reader<File>,
    columns: Vec<String>,
    lines: Lines,
}

impl CsvRows {
    /// # Errors
    /// 1 when the file cannot be read, or its header has an empty or repeated name.
    pub(crate) fn open(mut file: File) -> Result<Self, Failure> {
        let mut sample = Vec::new();
        Read::by_ref(&mut file).take(SAMPLE_BYTES).read_to_end(&mut sample)?;
        file.rewind()?;
        let lines = Lines::new(file.try_clone()?);
        // Rows of another length are told one by one; the reader itself also drops a byte order mark.
        let mut reader = ReaderBuilder::new().delimiter(delimiter(&sample)).flexible(true).from_reader(file);
        let header = reader.byte_headers().map_err(Failure::error)?.clone();
        let columns = names(&header)?;
        Ok(Self { reader, columns, lines })
    }

    /// Names of the columns, in their order.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// # Errors
    /// 1 when the file cannot be read.
    pub(crate) fn read(mut self, from: Mark, sink: Sink<'_>) -> Result<(), Failure> {
        if from.rows > 0 {
            let mut position = Position::new();
            position.set_byte(from.bytes);
            self.reader.seek(position).map_err(Failure::error)?;
        }
        let (mut record, mut number) = (ByteRecord::new(), from.rows);
        while self.reader.read_byte_record(&mut record).map_err(Failure::error)? {
            number += 1;
            let line = self.lines.of(record.position().map_or(0, Position::byte))?;
            let after = Mark { rows: number, bytes: self.reader.position().byte(), lines: line };
            let row = Row { number, line, after, content: self.members(&record) };
            if !sink(row) {
                break;
            }
        }
        Ok(())
    }

    /// Empty cells are left out.
    fn members(&self, record: &ByteRecord) -> Result<Map<String, Value>, Unreadable> {
        let (found, expected) = (record.len(), self.columns.len());
        if found != expected {
            return Err(Unreadable::new(
                format!("{found} fields, the header has {expected}"),
                &joined(record),
            ));
        }
        let mut members = Map::new();
        for (name, cell) in self.columns.iter().zip(record) {
            let Ok(text) = std::str::from_utf8(cell) else {
                return Err(Unreadable::new(format!("column '{name}' is not UTF-8"), &joined(record)));
            };
            if !text.is_empty() {
                members.insert(name.clone(), Value::from(text));
            }
        }
        Ok(members)
    }
}

fn names(header: &ByteRecord) -> Result<Vec<String>, Failure> {
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    for (place, cell) in header.iter().enumerate() {
        let name = String::from_utf8_lossy(cell).trim().to_owned();
        if name.is_empty() {
            return Err(Failure::error(format!("column {} of the header has no name", place + 1)));
        }
        if names.contains(&name) {
            return Err(Failure::error(format!("the header has two columns '{name}'")));
        }
        names.push(name);
    }
    if names.is_empty() {
        return Err(Failure::error("the file has no header line"));
    }
    Ok(names)
}

fn joined(record: &ByteRecord) -> Vec<u8> {
    record.iter().collect::<Vec<_>>().join(&b","[..])
}

/// The delimiter under which most records have as many fields as the header, and the header most.
fn delimiter(sample: &[u8]) -> u8 {
    let score = |delimiter: u8| {
        let mut reader =
            ReaderBuilder::new().delimiter(delimiter).flexible(true).has_headers(false).from_reader(sample);
        let mut records = reader.byte_records().take(SAMPLE_RECORDS).filter_map(Result::ok);
        let fields = records.next().map_or(0, |header| header.len());
        let (mut same, mut all) = (0_u64, 0_u64);
        for record in records {
            all += 1;
            same += u64::from(record.len() == fields);
        }
        let share = (same * 1000).checked_div(all).unwrap_or(1000);
        // One column is what every wrong delimiter finds.
        if fields < 2 { (0, 0) } else { (share.max(1), fields) }
    };
    let mut best = (b',', score(b','));
    for candidate in DELIMITERS {
        let scored = score(candidate);
        if scored > best.1 {
            best = (candidate, scored);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use serde_json::json;

    use super::*;

    fn open(text: &[u8]) -> Result<CsvRows, Failure> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        file.rewind().unwrap();
        CsvRows::open(file)
    }

    fn rows(text: &[u8], from: Mark) -> Vec<Row> {
        let mut found = Vec::new();
        open(text)
            .unwrap()
            .read(from, &mut |row| {
                found.push(row);
                true
            })
            .unwrap();
        found
    }

    fn contents(text: &[u8]) -> Value {
        let told = |row: Row| row.content.map_or_else(|bad| Value::from(bad.reason), Value::Object);
        rows(text, Mark::default()).into_iter().map(told).collect()
    }

    #[test]
    fn delimiters_are_found_and_a_byte_order_mark_is_no_part_of_a_name() {
        let expected = json!([{"a": "1", "b": "x"}, {"b": "y"}]);
        assert_eq!(contents(b"a,b\n1,x\n,y\n"), expected);
        assert_eq!(contents(b"\xef\xbb\xbfa;b\r\n1;x\r\n;y\r\n"), expected);
        assert_eq!(contents(b"a\tb\n1\tx\n\ty"), expected);
        assert_eq!(
            contents(b"a;b\n\"1,5,7\";x\n1;\"y,z\"\n"),
            json!([{"a": "1,5,7", "b": "x"}, {"a": "1", "b": "y,z"}])
        );
        assert_eq!(contents(b"name\nBonn\n"), json!([{"name": "Bonn"}]));
    }

    #[test]
    fn quotes_hold_delimiters_line_ends_and_quotes() {
        let text = b"a,b\n\"x, y\",\"1\n2\"\n\"say \"\"hi\"\"\",z\n";
        assert_eq!(contents(text), json!([{"a": "x, y", "b": "1\n2"}, {"a": "say \"hi\"", "b": "z"}]));
    }

    #[test]
    fn lines_are_those_an_editor_shows() {
        let check = |text: &[u8], expected: &[u64]| {
            let lines: Vec<u64> = rows(text, Mark::default()).iter().map(|row| row.line).collect();
            assert_eq!(lines, expected, "{}", text.escape_ascii());
        };
        check(b"a,b\n1,\"x\ny\"\n2,3\n\n\n4,5", &[2, 4, 7]);
        check(b"a,b\r\n1,\"x\r\ny\"\r\n2,3\r\n\r\n4,5\r\n", &[2, 4, 6]);
        check(b"\xef\xbb\xbfa,b\r\n1,2", &[2]);
        let long = format!("a,b\r\n{}", "1,2\r\n".repeat(50_000));
        check(long.as_bytes(), &(2..=50_001).collect::<Vec<_>>());
    }

    #[test]
    fn bad_rows_are_told_and_good_ones_go_on() {
        let text = b"a,b\n1\n1,2,3\n\xff,2\n5,6\n";
        let expected = json!([
            "1 fields, the header has 2", "3 fields, the header has 2", "column 'a' is not UTF-8", {"a": "5", "b": "6"},
        ]);
        assert_eq!(contents(text), expected);
    }

    #[test]
    fn bad_headers_are_refused() {
        let check = |text: &[u8], part: &str| {
            let message = open(text).err().unwrap().message;
            assert!(message.contains(part), "{message}");
        };
        check(b"", "no header");
        check(b"a,,b\n", "column 2");
        check(b"a,b,a\n", "two columns 'a'");
    }

    #[test]
    fn reading_goes_on_after_any_row() {
        let text = b"\xef\xbb\xbfa,b\n1,\"x\ny\"\n2,\n\n3,z\n4,\"w\"\n";
        let all = rows(text, Mark::default());
        assert_eq!(all.len(), 4);
        for (place, row) in all.iter().enumerate() {
            assert_eq!(rows(text, row.after), all[place + 1..], "after row {}", row.number);
        }
    }
}
