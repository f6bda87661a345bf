//! Destinations of a recipient.

use dateline_formats::{Fields, Formatter, Item, Registry};
use serde_json::{Value, json};

use crate::recipients::Recipient;

/// What one recipient is sent.
pub struct Plan<'a> {
    /// In the order of the destinations; the content API is the last.
    pub tasks: Vec<PublishTask<'a>>,
    /// Destinations that get nothing, and why.
    pub skipped: Vec<Skipped>,
}

/// An item on its way to one destination.
pub struct PublishTask<'a> {
    /// The subscriber, and what it gets.
    pub recipient: &'a Recipient,
    /// The document of the subscriber.
    pub subscriber: &'a Fields,
    /// The destination as it is now: `{"name", "format", "delivery_type", "config"}`.
    pub destination: Fields,
    /// What writes the item for it.
    pub formatter: &'a dyn Formatter,
}

/// A destination that gets nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its name; empty for all destinations of the subscriber.
    pub destination: String,
    /// Why.
    pub why: Why,
}

/// Why a destination gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Subscribers of type `wire` can take stories only.
    NotForWire,
    /// It gets the item within its package.
    InPackage,
    /// No format of this name has a place for items of this type. Somebody must be told.
    NoFormat,
}

impl PublishTask<'_> {
    /// Whether the row is for the content API: nothing is sent, the item lies there for who asks.
    #[must_use]
    pub fn is_content_api(&self) -> bool {
        Item::from(&self.destination).text("delivery_type") == "content_api"
    }
}

/// Names the destinations of a recipient for an item, which is what a formatter will see.
#[must_use]
pub fn plan<'a>(
    registry: &'a Registry,
    item: &Fields,
    recipient: &'a Recipient,
    subscriber: &'a Fields,
) -> Plan<'a> {
    let mut plan = Plan { tasks: Vec::new(), skipped: Vec::new() };
    let view = Item::from(item);
    let is_story = matches!(view.text("type"), "text" | "preformatted");
    if Item::from(subscriber).text("subscriber_type") == "wire" && !is_story {
        plan.skipped.push(Skipped { destination: String::new(), why: Why::NotForWire });
        return plan;
    }
    for destination in destinations(subscriber, recipient.is_api_enabled) {
        let own = Item::from(&destination);
        let name = own.text("name").to_owned();
        let formatter = registry.find(own.text("format"));
        let fits = |formatter: &&dyn Formatter| view.kind().is_some_and(|kind| formatter.accepts(kind));
        let Some(formatter) = formatter.filter(fits) else {
            plan.skipped.push(Skipped { destination: name, why: Why::NoFormat });
            continue;
        };
        let task = PublishTask { recipient, subscriber, destination, formatter };
        if task.takes_packages_whole() && view.has("published_in_package") {
            plan.skipped.push(Skipped { destination: name, why: Why::InPackage });
        } else {
            plan.tasks.push(task);
        }
    }
    plan
}

/// Those of the subscriber, and the one that every subscriber of the content API has.
fn destinations(subscriber: &Fields, is_api_enabled: bool) -> Vec<Fields> {
    let own = subscriber.get("destinations").and_then(Value::as_array).into_iter().flatten();
    let mut destinations: Vec<Fields> = own.filter_map(Value::as_object).cloned().collect();
    if is_api_enabled {
        let api = json!({"name": "content api", "delivery_type": "content_api", "format": "ninjs"});
        destinations.extend(api.as_object().cloned());
    }
    destinations
}
