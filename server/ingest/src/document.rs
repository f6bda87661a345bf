//! A document before anybody knows its format: JSON, XML, or a message.

use crate::error::{Code, IngestError};
use crate::limits::{DEPTH_MAX, DOCUMENT_BYTES_MAX};
use crate::xml::{self, Element};
use serde_json::Value;

/// What was received.
#[derive(Debug)]
pub struct Document(pub(crate) Kind);

#[derive(Debug)]
pub(crate) enum Kind {
    Xml(Element),
    Json(Value),
    /// Neither: what an e-mail looks like.
    Message(Vec<u8>),
}

impl Document {
    /// Decodes and takes apart.
    ///
    /// # Errors
    /// `UNKNOWN_FORMAT` for XML or JSON that is none, `TOO_LARGE` beyond the limits of size and depth.
    pub fn read(bytes: &[u8]) -> Result<Document, IngestError> {
        if bytes.len() > DOCUMENT_BYTES_MAX {
            let reason = format!("more than {DOCUMENT_BYTES_MAX} bytes");
            return Err(IngestError::new(Code::TOO_LARGE, reason));
        }
        let unknown = |reason: String| IngestError::new(Code::UNKNOWN_FORMAT, reason);
        match first(bytes) {
            None => Err(unknown("the document is empty".to_owned())),
            Some('<') => {
                let text = xml::decode(bytes).map_err(unknown)?;
                Ok(Document(Kind::Xml(xml::read(text.trim_start())?)))
            }
            Some('{' | '[') => {
                let text = xml::decode(bytes).map_err(unknown)?;
                let value: Value =
                    serde_json::from_str(&text).map_err(|error| unknown(format!("no JSON: {error}")))?;
                if depth(&value) > DEPTH_MAX {
                    return Err(IngestError::new(Code::TOO_LARGE, format!("more than {DEPTH_MAX} levels")));
                }
                Ok(Document(Kind::Json(value)))
            }
            Some(_) => Ok(Document(Kind::Message(bytes.to_vec()))),
        }
    }

    pub(crate) fn xml(&self) -> Option<&Element> {
        match &self.0 {
            Kind::Xml(root) => Some(root),
            _ => None,
        }
    }

    pub(crate) fn json(&self) -> Option<&Value> {
        match &self.0 {
            Kind::Json(value) => Some(value),
            _ => None,
        }
    }
}

/// The first character that says something, whatever the encoding.
fn first(bytes: &[u8]) -> Option<char> {
    let marks = [0xef, 0xbb, 0xbf, 0xff, 0xfe, 0];
    let found = bytes.iter().find(|byte| !byte.is_ascii_whitespace() && !marks.contains(*byte));
    found.map(|byte| char::from(*byte))
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_their_first_character() {
        for (bytes, kind) in [
            (&b"\xef\xbb\xbf {\"a\": 1}"[..], "json"),
            (b"[1]", "json"),
            (b"\n<?xml version='1.0'?><a/>", "xml"),
            (b"From: a@example.com\r\n\r\nb", "message"),
            (&b"\xff\xfe<\0a\0/\0>\0"[..], "xml"),
        ] {
            let found = match Document::read(bytes).unwrap().0 {
                Kind::Xml(_) => "xml",
                Kind::Json(_) => "json",
                Kind::Message(_) => "message",
            };
            assert_eq!(found, kind);
        }
        let deep = format!("{}{}", "[".repeat(DEPTH_MAX + 1), "]".repeat(DEPTH_MAX + 1));
        for (bytes, code) in [
            (&b" \n"[..], Code::UNKNOWN_FORMAT),
            (b"{", Code::UNKNOWN_FORMAT),
            (b"<a", Code::UNKNOWN_FORMAT),
            (deep.as_bytes(), Code::TOO_LARGE),
            (&[b' '; DOCUMENT_BYTES_MAX + 1], Code::TOO_LARGE),
        ] {
            assert_eq!(Document::read(bytes).unwrap_err().code, code);
        }
    }
}
