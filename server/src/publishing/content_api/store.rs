//! Publishing into the content API: an item is put under its id, for more and more subscribers.
//!
//! The item is Newsroom NINJS with `subscribers` beside it, which nobody is shown. A subscriber that has an item once
//! keeps it, whatever the filters say later (clients know it so); what is killed stays, as canceled. An update is stored
//! together with what it makes of the item that it evolved from.

use std::collections::{BTreeMap, BTreeSet};

use dateline_engine::{Condition, DocId, Result, Transaction};
use dateline_formats::{Context, Recipient as Destination, Related};
use dateline_publish::filter::{Catalog, Question, TargetMedia, Truth};
use dateline_publish::recipients::{Action, Recipient};
use serde_json::{Map, Value};

use super::lineage::{self, Parent};
use crate::app::App;
use crate::eve::{date, json, patch};
use crate::media;
use crate::publishing::{audience, items, related};

/// An item about to be stored.
pub(crate) struct Stored {
    id: DocId,
    condition: Condition,
    body: Map<String, Value>,
    parent: Option<Parent>,
}

/// The item for these subscribers; `None` without any, or when a filter keeps it out. What is taken back is taken back
/// from whoever has it, whatever filters say now.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn stored(
    app: &App,
    catalog: &Catalog,
    action: Action,
    item: &Value,
    recipients: &[Recipient],
) -> Result<Option<Stored>> {
    let store = app.store();
    let now = items::now(store);
    let entitled = recipients.iter().filter(|recipient| recipient.is_api_enabled);
    let mut all: BTreeSet<&str> = entitled.map(|recipient| &*recipient.subscriber).collect();
    if catalog.blocks_api(item, now) != Truth::False {
        all.clear();
    }
    let takes_back = matches!(action, Action::Kill | Action::Takedown | Action::Unpublish);
    if all.is_empty() && !takes_back {
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
    if all.is_empty() && known.is_none() {
        return Ok(None);
    }
    all.extend(known.iter().flat_map(subscribers_of));
    let entitled = Entitled::of(item, recipients, &related);
    let by_itself = |guid: &str| items::find(store, publishing.collections().items, guid);
    name_subscribers(&mut body, &entitled, known.as_ref(), &all, by_itself)?;
    for member in ["firstcreated", "versioncreated"] {
        body.entry(member).or_insert_with(|| date::format(store.now().get()).into());
    }
    let known = known.as_ref().and_then(Value::as_object);
    let parent = Parent::of(store, publishing.collections().items, &id, &body)?;
    lineage::trace(&mut body, &id, known, parent.as_ref());
    let version = known.map_or(0, patch::version) + 1;
    body.insert("subscribers".to_owned(), all.into_iter().collect());
    // By these a file is found again with those who may have it.
    let files = media::ids_of(&Value::Object(body.clone()));
    body.insert("media_ids".to_owned(), files.into_iter().collect());
    patch::set_version(&mut body, version);
    Ok(Some(Stored { id, condition, body, parent }))
}

/// Who may have each associated item, by the names that it has in the item.
#[derive(Default)]
struct Entitled<'a>(BTreeMap<String, BTreeSet<&'a str>>);

impl<'a> Entitled<'a> {
    /// What the recipients get; formats send current versions of `related` items, which may have a guid of their own.
    fn of(item: &Value, recipients: &'a [Recipient], related: &Related) -> Self {
        let mut own = Self::default();
        let associations = item.get("associations").and_then(Value::as_object);
        for association in associations.into_iter().flat_map(Map::values) {
            let Some(id) = association.get("_id").and_then(Value::as_str) else { continue };
            let entitled = recipients.iter().filter(|recipient| recipient.is_api_enabled);
            let entitled = entitled.filter(|recipient| recipient.associations.contains(id));
            let entitled: BTreeSet<&str> = entitled.map(|recipient| &*recipient.subscriber).collect();
            let current = related.items.get(id);
            let sources = [Some(association), current].into_iter().flatten();
            let names = sources.flat_map(|source| ["guid", "uri", "ingest_id"].map(|name| source.get(name)));
            let names: BTreeSet<&str> = names.flatten().filter_map(Value::as_str).chain([id]).collect();
            names.into_iter().for_each(|name| own.add(name, &entitled));
        }
        own
    }

    /// Of two items with one name, only those who may have both get either.
    fn add(&mut self, name: &str, subscribers: &BTreeSet<&'a str>) {
        match self.0.get_mut(name) {
            Some(known) => known.retain(|own| subscribers.contains(own)),
            None => drop(self.0.insert(name.to_owned(), subscribers.clone())),
        }
    }
}

/// Items inside of a stored one: associations, and those of fields that hold items.
pub(super) fn inner(body: &mut Map<String, Value>) -> Vec<&mut Map<String, Value>> {
    let mut found = Vec::new();
    for (name, member) in body.iter_mut().filter_map(|(name, member)| Some((name, member.as_object_mut()?))) {
        match name.as_str() {
            "associations" => found.extend(member.values_mut().filter_map(Value::as_object_mut)),
            "extra_items" => {
                let lists = member.values_mut().filter_map(|field| field.get_mut("items")?.as_array_mut());
                found.extend(lists.flatten().filter_map(Value::as_object_mut));
            }
            _ => {}
        }
    }
    found
}

/// Each item inside names those who may have it, as far as they have the whole: whom the recipients say, and who had it
/// before. A member of a package is for those who have it by itself, which `stored` tells.
fn name_subscribers(
    body: &mut Map<String, Value>,
    entitled: &Entitled<'_>,
    earlier: Option<&Value>,
    all: &BTreeSet<&str>,
    stored: impl Fn(&str) -> Result<Option<Value>>,
) -> Result<()> {
    let had: Vec<&Value> = earlier
        .and_then(|earlier| earlier.get("associations")?.as_object())
        .into_iter()
        .flat_map(Map::values)
        .collect();
    for own in inner(body) {
        let guid = own.get("guid").and_then(Value::as_str).unwrap_or_default().to_owned();
        let before = had.iter().filter(|had| had.get("guid").and_then(Value::as_str) == Some(guid.as_str()));
        let mut named: BTreeSet<String> =
            before.flat_map(|had| subscribers_of(had)).map(str::to_owned).collect();
        match entitled.0.get(&guid) {
            Some(entitled) => named.extend(entitled.iter().map(|own| (*own).to_owned())),
            None => {
                let by_itself = stored(&guid)?;
                named.extend(by_itself.iter().flat_map(subscribers_of).map(str::to_owned));
            }
        }
        named.retain(|subscriber| !guid.is_empty() && all.contains(subscriber.as_str()));
        own.insert("subscribers".to_owned(), named.into_iter().collect());
    }
    Ok(())
}

/// Who may have an item, or one inside of it.
pub(super) fn subscribers_of(item: &Value) -> impl Iterator<Item = &str> {
    let all = item.get("subscribers").and_then(Value::as_array);
    all.into_iter().flatten().filter_map(Value::as_str)
}

impl Stored {
    /// Adds it to the transaction that stores the rows.
    pub(crate) fn add_to(&self, app: &App, transaction: Transaction) -> Transaction {
        let items = app.publishing().collections().items;
        let transaction = match &self.parent {
            Some(parent) => parent.followed_by(&self.id, items, transaction),
            None => transaction,
        };
        transaction.put(items, self.id.clone(), self.condition, json::encode(&self.body))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(body: Value, earlier: Option<&Value>, stored: Option<&Value>) -> Value {
        let mut entitled = Entitled::default();
        entitled.add("a", &BTreeSet::from(["s", "t"]));
        entitled.add("a", &BTreeSet::from(["s"]));
        entitled.add("b", &BTreeSet::from(["s", "stranger"]));
        let all = BTreeSet::from(["s", "t"]);
        let mut body = body.as_object().cloned().unwrap();
        name_subscribers(&mut body, &entitled, earlier, &all, |_| Ok(stored.cloned())).unwrap();
        body.into()
    }

    #[test]
    fn items_inside_name_who_may_have_them() {
        let body = json!({
            "headline": "x",
            "associations": {"media--2": {"guid": "a"}, "one": {"guid": "b"}, "two": {"guid": "c"}, "three": null},
            "extra_items": {"media": {"type": "media", "items": [{"guid": "a"}, {}]}},
        });
        let expected = json!({
            "headline": "x",
            "associations": {
                "media--2": {"guid": "a", "subscribers": ["s"]},
                "one": {"guid": "b", "subscribers": ["s"]},
                "two": {"guid": "c", "subscribers": []},
                "three": null,
            },
            "extra_items": {"media": {
                "type": "media", "items": [{"guid": "a", "subscribers": ["s"]}, {"subscribers": []}],
            }},
        });
        assert_eq!(named(body, None, None), expected);
    }

    #[test]
    fn who_had_an_item_keeps_it() {
        let earlier =
            json!({"associations": {"other": {"guid": "a", "subscribers": ["t", "gone"]}, "none": null}});
        let shown = named(json!({"associations": {"one": {"guid": "a"}}}), Some(&earlier), None);
        assert_eq!(shown["associations"]["one"]["subscribers"], json!(["s", "t"]));
    }

    #[test]
    fn members_of_a_package_are_for_those_who_have_them() {
        let stored = json!({"subscribers": ["t", "stranger"]});
        let shown = named(json!({"associations": {"main": {"guid": "m"}}}), None, Some(&stored));
        assert_eq!(shown["associations"]["main"]["subscribers"], json!(["t"]));
    }
}
