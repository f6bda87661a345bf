//! Publishing into the content API: an item is put under its id, for more and more subscribers.
//!
//! The item is Newsroom NINJS with `subscribers` beside it, which nobody is shown. A subscriber that has an item once
//! keeps it, whatever the filters say later (clients know it so); what is killed stays, as canceled.

use std::collections::BTreeSet;

use dateline_engine::{Condition, DocId, Result, Transaction};
use dateline_formats::{Context, Recipient as Destination};
use dateline_publish::filter::{Catalog, Question, TargetMedia, Truth};
use dateline_publish::recipients::Recipient;
use dateline_publish::transmission;
use serde_json::{Map, Value};

use crate::app::App;
use crate::eve::{date, json, patch};
use crate::publishing::{audience, items, related};

/// An item about to be stored.
pub(crate) struct Stored {
    id: DocId,
    condition: Condition,
    body: Map<String, Value>,
}

/// The item for these subscribers; `None` without any, or when a filter keeps it out.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn stored(
    app: &App,
    catalog: &Catalog,
    item: &Value,
    recipients: &[Recipient],
) -> Result<Option<Stored>> {
    let store = app.store();
    let now = items::now(store);
    let entitled = recipients.iter().filter(|recipient| recipient.is_api_enabled);
    let subscribers: BTreeSet<&str> = entitled.map(|recipient| &*recipient.subscriber).collect();
    if subscribers.is_empty() || catalog.blocks_api(item, now) != Truth::False {
        return Ok(None);
    }
    let publishing = app.publishing();
    let Some(format) = publishing.formats().find("newsroom ninjs") else { return Ok(None) };
    let (site, mut related) = (publishing.site(store)?, related::of(app, item)?);
    let question = Question { item, now, media: TargetMedia::of_item(item), content_api: true };
    let products = catalog.test_products(question).unwrap_or_default();
    let matching = products.into_iter().filter(|product| product.matched);
    related.products = matching.map(|product| (product.product, product.name)).collect();
    let recipient = Destination::default();
    let context = Context { now, sequence: 0, site: &site, related: &related, recipient: &recipient };
    let formatted = match format.format(item, &context) {
        Ok(documents) => documents.into_iter().next(),
        Err(error) => {
            tracing::warn!(%error, "an item cannot be put into the content API");
            None
        }
    };
    let body = formatted.and_then(|document| serde_json::from_slice::<Value>(&document.bytes).ok());
    let Some(Value::Object(mut body)) = body else { return Ok(None) };
    let guid = body.get("guid").and_then(Value::as_str).or_else(|| item.get("_id")?.as_str());
    let Ok(id) = DocId::new(guid.unwrap_or_default()) else { return Ok(None) };
    let earlier = store.get(publishing.collections().items, id.as_str())?;
    let condition = earlier.as_ref().map_or(Condition::Absent, |known| Condition::Revision(known.revision()));
    let known = earlier.as_ref().map(audience::body).transpose()?;
    let mut all = subscribers;
    let before = known.as_ref().and_then(|known| known.get("subscribers")?.as_array());
    all.extend(before.into_iter().flatten().filter_map(Value::as_str));
    name_subscribers(item, recipients, &mut body);
    for member in ["firstcreated", "versioncreated"] {
        body.entry(member).or_insert_with(|| date::format(store.now().get()).into());
    }
    let version = known.as_ref().and_then(Value::as_object).map_or(0, patch::version) + 1;
    body.insert("subscribers".to_owned(), all.into_iter().collect());
    patch::set_version(&mut body, version);
    Ok(Some(Stored { id, condition, body }))
}

/// Each association names those who may have it.
fn name_subscribers(item: &Value, recipients: &[Recipient], body: &mut Map<String, Value>) {
    let Some(item) = item.as_object() else { return };
    let named = transmission::name_subscribers(item, recipients);
    let associations = body.get_mut("associations").and_then(Value::as_object_mut);
    for (name, own) in associations.into_iter().flatten() {
        let subscribers = named.get("associations").and_then(|all| all.get(name)?.get("subscribers"));
        if let (Some(own), Some(subscribers)) = (own.as_object_mut(), subscribers) {
            own.insert("subscribers".to_owned(), subscribers.clone());
        }
    }
}

impl Stored {
    /// Adds it to the transaction that stores the rows.
    pub(crate) fn add_to(&self, app: &App, transaction: Transaction) -> Transaction {
        let items = app.publishing().collections().items;
        transaction.put(items, self.id.clone(), self.condition, json::encode(&self.body))
    }
}
