//! Answers, written without building a document tree.
//!
//! A stored body is the bytes of one JSON object. An answer is those bytes with the server's members spliced in:
//!
//! ```text
//! {"_id":ID, <members of the body>, "_etag":..,"_created":..,"_updated":..,"_seq":N, <extras>,
//!  "_links":{"self":{"title":..,"href":..}}, "_status":"OK"}
//! ```
//!
//! The body is trusted to be an object and to hold no member of [`super::system::NEVER_STORED`]; the write path sees
//! to that. Only its outer braces are looked at here.

use serde_json::Value;

use super::date;
use super::link;
use super::page::ListMeta;

/// What the server knows about a version of a document beside its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta<'a> {
    /// The document's id.
    pub id: &'a str,
    /// The entity tag, without quotes.
    pub etag: &'a str,
    /// Creation, unix milliseconds.
    pub created_ms: u64,
    /// Last write, unix milliseconds.
    pub updated_ms: u64,
    /// Log sequence of the version.
    pub seq: u64,
}

/// One document of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// System members.
    pub meta: Meta<'a>,
    /// Resource of the self link; `None` leaves `_links` out.
    pub resource: Option<&'a str>,
    /// Members that are not stored, such as `distance_m`; their names must not be in the body.
    pub extras: &'a [(&'a str, Value)],
    /// Whether to say `"_status":"OK"`, as the answer to a write does.
    pub status_ok: bool,
}

impl<'a> Item<'a> {
    /// A document as it is read: with a self link, without extras or status.
    pub fn read(meta: Meta<'a>, resource: &'a str) -> Self {
        Self { meta, resource: Some(resource), extras: &[], status_ok: false }
    }

    /// A document as the answer to its write.
    pub fn written(meta: Meta<'a>, resource: &'a str) -> Self {
        Self { status_ok: true, ..Self::read(meta, resource) }
    }

    /// With members that are not stored.
    pub fn with(self, extras: &'a [(&'a str, Value)]) -> Self {
        Self { extras, ..self }
    }
}

/// The stored bytes are not those of a JSON object: a broken store, not a client's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnObject;

impl std::fmt::Display for NotAnObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stored body is not a JSON object")
    }
}

impl std::error::Error for NotAnObject {}

/// Appends one document to `out`. On an error `out` is as before.
pub fn document(out: &mut Vec<u8>, body: &[u8], item: &Item<'_>) -> Result<(), NotAnObject> {
    let members = members(body)?;
    out.reserve(members.len() + 400);
    out.extend_from_slice(b"{\"_id\":");
    text(out, item.meta.id);
    if !members.is_empty() {
        out.push(b',');
        out.extend_from_slice(members);
    }
    system_members(out, item);
    out.push(b'}');
    Ok(())
}

/// Appends the answer of a write without the document (`Prefer: return=minimal`).
pub fn minimal(out: &mut Vec<u8>, version: Option<u64>, item: &Item<'_>) {
    out.extend_from_slice(b"{\"_id\":");
    text(out, item.meta.id);
    if let Some(version) = version {
        out.extend_from_slice(format!(",\"_version\":{version}").as_bytes());
    }
    system_members(out, item);
    out.push(b'}');
}

fn system_members(out: &mut Vec<u8>, item: &Item<'_>) {
    let meta = &item.meta;
    out.extend_from_slice(b",\"_etag\":");
    text(out, meta.etag);
    let (created, updated) = (date::format(meta.created_ms), date::format(meta.updated_ms));
    out.extend_from_slice(
        format!(",\"_created\":\"{created}\",\"_updated\":\"{updated}\",\"_seq\":{}", meta.seq).as_bytes(),
    );
    extras(out, item.extras);
    if let Some(resource) = item.resource {
        out.extend_from_slice(b",\"_links\":{\"self\":{\"title\":");
        text(out, &link::document_title(resource));
        out.extend_from_slice(b",\"href\":");
        text(out, &link::document_href(resource, meta.id));
        out.extend_from_slice(b"}}");
    }
    if item.status_ok {
        out.extend_from_slice(b",\"_status\":\"OK\"");
    }
}

fn extras(out: &mut Vec<u8>, extras: &[(&str, Value)]) {
    for (name, value) in extras {
        out.push(b',');
        text(out, name);
        out.push(b':');
        out.extend_from_slice(value.to_string().as_bytes());
    }
}

/// What is between the outer braces, without white space around it.
fn members(body: &[u8]) -> Result<&[u8], NotAnObject> {
    let inner = body.trim_ascii().strip_prefix(b"{").and_then(|body| body.strip_suffix(b"}"));
    inner.map(<[u8]>::trim_ascii).ok_or(NotAnObject)
}

/// A JSON string.
fn text(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        out.extend_from_slice(Value::from(text).to_string().as_bytes());
    }
}

/// A list envelope, written document by document.
#[derive(Debug)]
pub struct ListWriter {
    out: Vec<u8>,
    len: usize,
}

impl ListWriter {
    /// Begins the envelope; `bytes` is a guess of its size.
    pub fn new(bytes: usize) -> Self {
        let mut out = Vec::with_capacity(bytes.max(256));
        out.extend_from_slice(b"{\"_items\":[");
        Self { out, len: 0 }
    }

    /// Adds a document. On an error the envelope is as before.
    pub fn push(&mut self, body: &[u8], item: &Item<'_>) -> Result<(), NotAnObject> {
        let before = self.out.len();
        self.separate();
        let written = document(&mut self.out, body, item);
        match written {
            Ok(()) => self.len += 1,
            Err(_) => self.out.truncate(before),
        }
        written
    }

    /// Adds a value that is no stored document.
    pub fn push_value(&mut self, value: &Value) {
        self.separate();
        self.out.extend_from_slice(value.to_string().as_bytes());
        self.len += 1;
    }

    /// Documents so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no document was added yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        self.out.len()
    }

    /// Ends the envelope of a list: `_meta`, `_links`, `_seq`, then `extras` such as `_aggregations`.
    pub fn finish(
        mut self,
        meta: &ListMeta,
        next_cursor: Option<&str>,
        links: &Value,
        seq: u64,
        extras: &[(&str, Value)],
    ) -> Vec<u8> {
        let meta = meta.to_json(next_cursor);
        self.out
            .extend_from_slice(format!("],\"_meta\":{meta},\"_links\":{links},\"_seq\":{seq}").as_bytes());
        self.close(extras)
    }

    /// Ends the envelope of the answer to an array POST: `_status` alone.
    pub fn finish_written(mut self, extras: &[(&str, Value)]) -> Vec<u8> {
        self.out.extend_from_slice(b"],\"_status\":\"OK\"");
        self.close(extras)
    }

    fn close(mut self, members: &[(&str, Value)]) -> Vec<u8> {
        extras(&mut self.out, members);
        self.out.push(b'}');
        self.out
    }

    fn separate(&mut self) {
        if self.len > 0 {
            self.out.push(b',');
        }
    }
}

#[cfg(test)]
mod tests;
