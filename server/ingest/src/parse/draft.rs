//! An item in the making: what is empty is left out.

use crate::limits::LIST_MAX;
use crate::time;
use dateline_formats::Fields;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

#[derive(Debug, Default)]
pub(super) struct Draft(Fields);

impl Draft {
    pub(super) fn new(kind: &str, guid: &str) -> Draft {
        let mut draft = Draft::default();
        draft.put("guid", guid);
        draft.put("uri", guid);
        draft.put("type", kind);
        draft
    }

    /// A value as it is, unless it says nothing.
    pub(super) fn put(&mut self, field: &str, value: impl Into<Value>) {
        let value = value.into();
        let says = match &value {
            Value::Null => false,
            Value::String(text) => !text.trim().is_empty(),
            Value::Array(list) => !list.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
            _ => true,
        };
        if says {
            self.0.insert(field.to_owned(), value);
        }
    }

    /// A text of one line.
    pub(super) fn line(&mut self, field: &str, text: &str) {
        self.put(field, one_line(text));
    }

    /// A time; nothing when it cannot be read.
    pub(super) fn time(&mut self, field: &str, text: &str) {
        self.put(field, time::wired(text));
    }

    /// When an item may be used: as a time, else in the sender's words.
    pub(super) fn embargo(&mut self, text: &str) {
        match time::wired(text) {
            Some(at) => self.put("embargoed", at),
            None => self.line("embargoed_text", text),
        }
    }

    /// A whole number; nothing when it is none.
    pub(super) fn whole(&mut self, field: &str, text: &str) {
        self.put(field, text.trim().parse::<i64>().ok());
    }

    /// `usable`, `withheld` or `canceled`, by whatever words senders have.
    pub(super) fn status(&mut self, text: &str) {
        let status = match text.trim().to_ascii_lowercase().as_str() {
            "canceled" | "cancelled" | "cancel" | "kill" | "killed" => "canceled",
            "withheld" | "hold" => "withheld",
            _ => "usable",
        };
        self.put("pubstatus", status);
    }

    /// How the dateline is printed, and its place; what is there already stays.
    pub(super) fn dateline(&mut self, text: &str, located: Fields) {
        let mut dateline = self.0.get("dateline").and_then(Value::as_object).cloned().unwrap_or_default();
        if !one_line(text).is_empty() {
            dateline.insert("text".to_owned(), one_line(text).into());
        }
        if !located.is_empty() {
            dateline.insert("located".to_owned(), located.into());
        }
        self.put("dateline", dateline);
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    pub(super) fn text_of(&self, field: &str) -> &str {
        self.0.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn finish(self) -> Fields {
        self.0
    }
}

/// White space between words becomes one space.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A field of an object.
pub(super) fn set(object: &mut Value, field: &str, value: impl Into<Value>) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(field.to_owned(), value.into());
    }
}

/// `{qcode, name, scheme?}`; without a name the code is it. None without either.
pub(super) fn concept(qcode: &str, name: &str, scheme: &str) -> Option<Value> {
    let (qcode, name) = (qcode.trim(), one_line(name));
    let known = if qcode.is_empty() { name.as_str() } else { qcode };
    if known.is_empty() {
        return None;
    }
    let mut out = json!({"qcode": known, "name": if name.is_empty() { known } else { &name }});
    if !scheme.is_empty() {
        set(&mut out, "scheme", scheme);
    }
    Some(out)
}

/// At most as many as a list may have, each once.
pub(super) fn distinct(found: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    for value in found {
        if out.len() < LIST_MAX.min(200) && !out.contains(&value) {
            out.push(value);
        }
    }
    out
}

/// An id for what has none of its own: the same for the same text.
pub(super) fn tag(domain: &str, text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("tag:{domain}:{hex}")
}

/// A part of an object, or none of its kind.
pub(super) fn fields(entries: impl IntoIterator<Item = (&'static str, String)>) -> Fields {
    let kept = entries.into_iter().filter(|(_, text)| !text.is_empty());
    kept.map(|(name, text)| (name.to_owned(), text.into())).collect()
}
