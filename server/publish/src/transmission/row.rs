//! Rows of the publish queue.

use std::sync::Arc;

use dateline_formats::{Document, Fields, Item};
use serde_json::{Value, json};

use super::plan::PublishTask;
use crate::recipients::Recipient;

/// What a format has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The number of the subscriber's sequence that the output was given.
    pub sequence: u64,
    /// The output.
    pub content: Content,
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A text, and the name of the encoding in which it is sent.
    Text(String, String),
    /// Bytes, by the id under which they are stored.
    Stored(String),
}

impl Output {
    /// A document that is text.
    ///
    /// # Errors
    /// Gives the document back when it is not: its bytes are stored first, and then it is [`Content::Stored`].
    pub fn text(sequence: u64, mut document: Document) -> Result<Self, Document> {
        match String::from_utf8(std::mem::take(&mut document.bytes)) {
            Ok(text) => Ok(Self { sequence, content: Content::Text(text, "utf-8".to_owned()) }),
            Err(error) => Err(Document { bytes: error.into_bytes(), ..document }),
        }
    }
}

impl PublishTask<'_> {
    /// The rows for what was written of an item, a row for each output.
    #[must_use]
    pub fn rows(&self, item: &Fields, outputs: Vec<Output>) -> Vec<Fields> {
        // What goes to the content API is there as soon as it is written.
        let state = if self.is_content_api() { "success" } else { "pending" };
        let row = |output: Output| {
            let mut row = self.row(item, state);
            row.insert("published_seq_num".to_owned(), output.sequence.into());
            match output.content {
                Content::Text(text, encoding) => {
                    row.insert("formatted_item".to_owned(), text.into());
                    row.insert("item_encoding".to_owned(), encoding.into());
                }
                Content::Stored(id) => {
                    row.insert("encoded_item_id".to_owned(), id.into());
                }
            }
            row
        };
        outputs.into_iter().map(row).collect()
    }

    /// The row for an item that could not be written, with the reason.
    #[must_use]
    pub fn failed(&self, item: &Fields, reason: &str) -> Fields {
        let mut row = self.row(item, "error");
        row.insert("error_message".to_owned(), reason.into());
        row
    }

    fn row(&self, item: &Fields, state: &str) -> Fields {
        let view = Item::from(item);
        let id = if view.has("item_id") { view.text("item_id") } else { view.text("_id") };
        let value = |field: &str| item.get(field).cloned().unwrap_or(Value::Null);
        let codes: Vec<&str> = self.recipient.codes.iter().map(Arc::as_ref).collect();
        let row = json!({
            "item_id": id,
            "item_version": value("_current_version"),
            "formatted_item": "",
            "item_encoding": "utf-8",
            "encoded_item_id": null,
            "subscriber_id": &*self.recipient.subscriber,
            "destination": destination(&self.destination),
            "codes": codes,
            "published_seq_num": null,
            "publish_schedule": value("publish_schedule"),
            "publishing_action": publishing_action(view),
            "published_in_package": value("published_in_package"),
            "unique_name": value("unique_name"),
            "content_type": value("type"),
            "headline": value("headline"),
            "ingest_provider": value("ingest_provider"),
            "associated_items": self.recipient.associations,
            "priority": Item::from(self.subscriber).has("priority"),
            "state": state,
            "transmit_started_at": null,
            "completed_at": null,
            "error_message": null,
            "retry_attempt": 0,
            "next_retry_attempt_at": null,
            "moved_to_legal": false,
        });
        row.as_object().cloned().unwrap_or_default()
    }
}

/// As what the item goes out: its state. What is worked on again is still what it was, and what is scheduled is out when
/// it is sent.
fn publishing_action(item: Item<'_>) -> &str {
    match item.text("state") {
        "being_corrected" if item.has("correction_sequence") => "corrected",
        "being_corrected" | "scheduled" => "published",
        state => state,
    }
}

/// A destination as a row keeps it, without what is only for its editing.
fn destination(destination: &Fields) -> Value {
    let field = |name: &str| destination.get(name).cloned();
    json!({
        "name": field("name"),
        "format": field("format"),
        "delivery_type": field("delivery_type"),
        "config": field("config").unwrap_or_else(|| json!({})),
    })
}

/// The item as the content API keeps it: each association names the subscribers that may have it.
#[must_use]
pub fn name_subscribers(item: &Fields, recipients: &[Recipient]) -> Fields {
    let mut item = item.clone();
    let associations = item.get_mut("associations").and_then(Value::as_object_mut);
    for association in associations.into_iter().flat_map(Fields::values_mut).filter_map(Value::as_object_mut)
    {
        let id = Item::from(&*association).text("_id").to_owned();
        let entitled = recipients.iter().filter(|recipient| recipient.associations.contains(&id));
        let entitled: Vec<&str> = entitled.map(|recipient| &*recipient.subscriber).collect();
        if !id.is_empty() {
            association.insert("subscribers".to_owned(), json!(entitled));
        }
    }
    item
}
