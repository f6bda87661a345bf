//! Formats an item once for all subscribers whose output does not differ.

use std::collections::BTreeMap;
use std::rc::Rc;

use dateline_engine::{Error, Result};
use dateline_formats::{Context, Document, Formatter, Recipient, Related, Site};
use jiff::Timestamp;
use serde_json::{Value, json};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::rows::hashed;

/// The outputs of one item.
pub(super) struct Formatting<'a> {
    pub(super) site: &'a Site,
    pub(super) related: &'a Related,
    pub(super) now: Timestamp,
    known: BTreeMap<String, Formatted>,
}

/// What a format made of an item: outputs, or the text of its error.
pub(super) type Formatted = std::result::Result<Rc<Vec<Output>>, String>;

/// One output, as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// Follows from the bytes, so the same output is stored once.
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) is_binary: bool,
    pub(crate) bytes: usize,
}

/// One destination of an item.
pub(super) struct Wanted<'a> {
    pub(super) item: &'a Value,
    /// Tells items apart that are not the same for all: what of a package is in it.
    pub(super) variant: &'a str,
    pub(super) format: &'a dyn Formatter,
    pub(super) subscriber: &'a str,
    pub(super) config: Option<&'a Value>,
    pub(super) sequence: u64,
    /// The snapshot that is formatted.
    pub(super) published: &'a str,
}

impl<'a> Formatting<'a> {
    pub(super) fn new(site: &'a Site, related: &'a Related, now: Timestamp) -> Self {
        Self { site, related, now, known: BTreeMap::new() }
    }

    /// The outputs for a destination.
    pub(super) fn of(&mut self, wanted: &Wanted<'_>) -> Formatted {
        let key = key(wanted);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let formatted = self.write(wanted);
        if !wanted.format.varies().by_transmission {
            self.known.insert(key, formatted.clone());
        }
        formatted
    }

    fn write(&self, wanted: &Wanted<'_>) -> Formatted {
        let config = wanted.config.and_then(Value::as_object).cloned().unwrap_or_default();
        let recipient = Recipient { config, embeds: None };
        let context = Context {
            now: self.now,
            sequence: wanted.sequence,
            site: self.site,
            related: self.related,
            recipient: &recipient,
        };
        let documents = wanted.format.format(wanted.item, &context).map_err(|error| error.to_string())?;
        Ok(Rc::new(documents.iter().map(|document| output(document, wanted.published)).collect()))
    }
}

fn key(wanted: &Wanted<'_>) -> String {
    let varies = wanted.format.varies();
    let config = wanted.config.filter(|_| varies.by_destination).map(Value::to_string).unwrap_or_default();
    let subscriber = if varies.by_subscriber { wanted.subscriber } else { "" };
    json!([wanted.format.id(), wanted.variant, config, subscriber]).to_string()
}

/// `{"text" | "base64", "content_type", "extension"}`.
fn output(document: &Document, published: &str) -> Output {
    let (member, text) = match std::str::from_utf8(&document.bytes) {
        Ok(text) => ("text", text.to_owned()),
        Err(_) => ("base64", STANDARD.encode(&document.bytes)),
    };
    let id = hashed(&[published, document.content_type, &text]);
    let body = json!({
        member: text, "content_type": document.content_type, "extension": document.extension, "_version": 1,
    });
    Output { id, body: body.to_string(), is_binary: member == "base64", bytes: document.bytes.len() }
}

/// The bytes of a stored output, and whether they are text.
///
/// # Errors
/// `Corrupt` when they cannot be read.
pub(crate) fn stored(output: &Value) -> Result<(Vec<u8>, bool)> {
    if let Some(text) = output.get("text").and_then(Value::as_str) {
        return Ok((text.as_bytes().to_vec(), true));
    }
    let coded = output.get("base64").and_then(Value::as_str).unwrap_or_default();
    let bytes = STANDARD.decode(coded);
    bytes.map(|bytes| (bytes, false)).map_err(|error| Error::corrupt(format!("formatted item: {error}")))
}
