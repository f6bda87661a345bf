//! Rows of a file with one JSON object per line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

use serde_json::{Map, Value};

use super::row::{Mark, Row, Sink, Unreadable};
use crate::cli::outcome::Failure;
use crate::eve::json;

const LINE_BYTES_MAX: u64 = 16 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads rows from `from` on. Empty lines are no rows.
///
/// # Errors
/// 1 when the file cannot be read or has a line of more than 16 MiB.
pub(crate) fn read(mut file: File, from: Mark, sink: Sink<'_>) -> Result<(), Failure> {
    file.seek(SeekFrom::Start(from.bytes))?;
    let mut reader = BufReader::with_capacity(256 << 10, file);
    let (mut at, mut line) = (from, Vec::new());
    loop {
        line.clear();
        let read = reader.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line)? as u64;
        if read == 0 {
            return Ok(());
        }
        at.lines += 1;
        at.bytes += read;
        if read > LINE_BYTES_MAX {
            return Err(Failure::error(format!(
                "line {} is longer than {} MiB",
                at.lines,
                LINE_BYTES_MAX >> 20
            )));
        }
        let text = if at.lines == 1 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line) } else { &line };
        let text = text.trim_ascii();
        if text.is_empty() {
            continue;
        }
        at.rows += 1;
        if !sink(Row { number: at.rows, line: at.lines, after: at, content: members(text) }) {
            return Ok(());
        }
    }
}

fn members(text: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    match serde_json::from_slice(text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(other) => {
            Err(Unreadable::new(format!("expected a JSON object, found {}", json::name(&other)), text))
        }
        Err(error) => Err(Unreadable::new(format!("not JSON: {error}"), text)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use serde_json::json;

    use super::*;

    fn rows(text: &[u8], from: Mark) -> Vec<Row> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        let mut found = Vec::new();
        read(file, from, &mut |row| {
            found.push(row);
            true
        })
        .unwrap();
        found
    }

    #[test]
    fn each_line_is_a_row_of_its_own() {
        let text = b"\xef\xbb\xbf{\"a\":1}\r\n\n  {\"a\":[2]}  \n[1]\nnonsense\n{\"_id\":\"x\"}";
        let found = rows(text, Mark::default());
        let numbers: Vec<_> = found.iter().map(|row| (row.number, row.line)).collect();
        assert_eq!(numbers, [(1, 1), (2, 3), (3, 4), (4, 5), (5, 6)]);
        assert_eq!(Value::Object(found[0].content.clone().unwrap()), json!({"a": 1}));
        assert_eq!(found[2].content.as_ref().unwrap_err().reason, "expected a JSON object, found an array");
        let bad = found[3].content.as_ref().unwrap_err();
        assert!(bad.reason.starts_with("not JSON") && bad.text == "nonsense", "{bad:?}");
        assert_eq!(Value::Object(found[4].content.clone().unwrap()), json!({"_id": "x"}));
    }

    #[test]
    fn reading_goes_on_after_any_row() {
        let text = b"\xef\xbb\xbf{\"a\":1}\n\n{\"a\":2}\nx\n{\"a\":3}";
        let all = rows(text, Mark::default());
        for (place, row) in all.iter().enumerate() {
            assert_eq!(rows(text, row.after), all[place + 1..], "after row {}", row.number);
        }
    }
}
