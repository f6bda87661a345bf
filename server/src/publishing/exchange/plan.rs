//! What a request comes to, before anything is written: recipients, rows, outputs. A dry run is this and nothing more.

use std::collections::{BTreeMap, BTreeSet};

use dateline_engine::{CollectionId, DocId, Store};
use dateline_publish::filter::{Percolator, Undecided};
use dateline_publish::recipients::{self, Cause, Recipient, share_of};
use serde_json::{Value, json};

use super::channel::{Channel, Exchange};
use super::formatting::{Formatting, Output, Wanted};
use super::numbers::Numbers;
use super::rows::{self, About, CONTENT_API, Made, Row, row_id};
use super::{Fault, Request, deliveries, package, routing};
use crate::app::App;
use crate::eve::date;
use crate::publishing::content_api::{self, Stored};
use crate::publishing::{items, related};

/// What a request comes to.
pub(crate) struct Plan {
    /// The channel that was taken.
    pub(crate) channel: String,
    pub(crate) recipients: Vec<Recipient>,
    /// Subscribers that get nothing because a broken filter leaves it open.
    pub(crate) undecided: Vec<Undecided>,
    /// In the order of subscribers.
    pub(crate) rows: Vec<Row>,
    pub(crate) outputs: BTreeMap<String, Output>,
    /// What the content API will have.
    pub(crate) stored: Option<Stored>,
    /// Destinations that get nothing, and why.
    pub(crate) skipped: Vec<Skipped>,
}

/// A destination that gets nothing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Skipped {
    pub(crate) subscriber: String,
    pub(crate) destination: String,
    pub(crate) reason: &'static str,
}

/// One recipient with the item it gets.
struct Portion {
    recipient: Recipient,
    /// `None`: the item of the request.
    item: Option<Value>,
    variant: String,
}

/// Makes the plan of a request; `round` tells apart what is sent again on purpose. Reads the store.
///
/// # Errors
/// `Item` when nobody can have it; `Store` when the store cannot be read.
pub(crate) fn plan(
    app: &App,
    request: &Request,
    item: &Value,
    numbers: &mut Numbers<'_>,
    round: &str,
) -> Result<Plan, Fault> {
    let (store, publishing) = (app.store(), app.publishing());
    let channel = publishing.channels().pick(request.action, item);
    let earlier = deliveries::of(store, publishing.collections().queue, &request.item)?;
    let original = match item.get("rewrite_of").and_then(Value::as_str) {
        Some(original) => deliveries::of(store, publishing.collections().queue, original)?,
        None => Vec::new(),
    };
    let asked = recipients::Request {
        action: request.action,
        item,
        now: items::now(store),
        content_api: publishing.settings().content_api,
        unpublish_to_matching: publishing.settings().unpublish_to_matching,
        deliveries: &earlier,
        original_deliveries: &original,
        chosen: &request.chosen,
    };
    let (portions, undecided, stored) = publishing.audience().ask(store, |percolator| {
        let (portions, undecided) = portions(app, channel, percolator, request, asked)?;
        let subscribers = portions.iter().filter(|portion| portion.recipient.is_api_enabled);
        let subscribers: Vec<&str> = subscribers.map(|portion| &*portion.recipient.subscriber).collect();
        let stored = content_api::stored(app, percolator.catalog(), item, &subscribers)?;
        Ok::<_, Fault>((portions, undecided, stored))
    })??;
    let (site, related) = (publishing.site(store)?, related::of(app, item)?);
    let mut making = Making {
        store,
        queue: publishing.collections().queue,
        request,
        item,
        channel,
        round,
        is_stored: stored.is_some(),
        formatting: Formatting::new(publishing.formats(), &site, &related, items::now(store)),
        rows: Vec::new(),
        outputs: BTreeMap::new(),
        skipped: Vec::new(),
    };
    for portion in &portions {
        let subscriber = &*portion.recipient.subscriber;
        if let Some(document) = items::find(store, publishing.collections().subscribers, subscriber)? {
            making.subscriber(portion, &document, numbers)?;
        }
    }
    let Making { rows, outputs, skipped, .. } = making;
    let recipients = portions.into_iter().map(|portion| portion.recipient).collect();
    Ok(Plan { channel: channel.name.clone(), recipients, undecided, rows, outputs, stored, skipped })
}

/// Who gets what: of a package each its share, of everything else all the same.
fn portions(
    app: &App,
    channel: &Channel,
    percolator: &Percolator,
    request: &Request,
    asked: recipients::Request<'_>,
) -> Result<(Vec<Portion>, Vec<Undecided>), Fault> {
    let is_package = asked.item.get("type").and_then(Value::as_str) == Some("composite");
    if is_package && channel.exchange == Exchange::Content && request.action != recipients::Action::Resend {
        let earlier = earlier_package(app, request)?;
        let (store, collections) = (app.store(), app.publishing().collections());
        let shares = package::recipients(store, &collections, percolator, asked.item, earlier.as_ref())?;
        let mut portions = Vec::with_capacity(shares.len());
        for share in shares {
            let whole = share.members.len() == package::members(asked.item).collect::<BTreeSet<_>>().len();
            let item = match whole {
                true => None,
                // Who has none of the members any more is told by the empty package of a correction.
                false => Some(share_of(asked.item, &share.members).unwrap_or_else(|| empty(asked.item))),
            };
            let variant = if whole { String::new() } else { json!(share.members).to_string() };
            let cause = Cause::Before;
            let recipient = Recipient {
                subscriber: share.subscriber.as_str().into(),
                codes: share.codes,
                is_api_enabled: share.is_api_enabled,
                associations: BTreeSet::new(),
                cause,
            };
            portions.push(Portion { recipient, item, variant });
        }
        if !portions.is_empty() {
            return Ok((portions, Vec::new()));
        }
    }
    let found = channel.filter(request.action).recipients(percolator, asked)?;
    let portion = |recipient| Portion { recipient, item: None, variant: String::new() };
    Ok((found.list.into_iter().map(portion).collect(), found.undecided))
}

/// The package as it went out before this version.
fn earlier_package(app: &App, request: &Request) -> Result<Option<Value>, Fault> {
    let (store, published) = (app.store(), app.publishing().collections().published);
    let mut newest: Option<(u64, Value)> = None;
    for id in store.lookup(published, "item_id", &[Value::from(request.item.as_str())])? {
        if id.as_str() == request.published {
            continue;
        }
        let Some(row) = items::find(store, published, id.as_str())? else { continue };
        let number = row.get("publish_sequence_no").and_then(Value::as_u64).unwrap_or(0);
        if newest.as_ref().is_none_or(|(known, _)| *known < number) {
            newest = Some((number, row));
        }
    }
    Ok(newest.map(|(_, row)| row))
}

fn empty(package: &Value) -> Value {
    let mut package = package.clone();
    package["groups"] = json!([{"id": "root", "refs": []}]);
    package
}

/// Rows in the making.
struct Making<'a> {
    store: &'a Store,
    queue: CollectionId,
    request: &'a Request,
    item: &'a Value,
    channel: &'a Channel,
    round: &'a str,
    is_stored: bool,
    formatting: Formatting<'a>,
    rows: Vec<Row>,
    outputs: BTreeMap<String, Output>,
    skipped: Vec<Skipped>,
}

impl Making<'_> {
    fn subscriber(
        &mut self,
        portion: &Portion,
        subscriber: &Value,
        numbers: &mut Numbers<'_>,
    ) -> Result<(), Fault> {
        let is_text =
            matches!(self.item.get("type").and_then(Value::as_str), None | Some("text" | "preformatted"));
        let destinations = subscriber.get("destinations").and_then(Value::as_array);
        for destination in destinations.into_iter().flatten() {
            let skip = match subscriber.get("subscriber_type").and_then(Value::as_str) {
                Some("wire") if !is_text => Some("a wire subscriber gets text only"),
                _ if self.request.package.is_some() && is_packaged(destination) => {
                    Some("the item goes out in its package")
                }
                _ => None,
            };
            match skip {
                Some(reason) => self.skip(portion, destination, reason),
                None => self.destination(portion, subscriber, destination, numbers)?,
            }
        }
        if portion.recipient.is_api_enabled && self.is_stored {
            let number = numbers.next(&portion.recipient.subscriber, subscriber)?;
            let destination = json!({
                "_id": CONTENT_API, "name": "content api", "delivery_type": CONTENT_API, "format": "ninjs", "config": {},
            });
            self.row(portion, subscriber, &destination, number, 0, &Made::Stored)?;
        }
        Ok(())
    }

    fn destination(
        &mut self,
        portion: &Portion,
        subscriber: &Value,
        destination: &Value,
        numbers: &mut Numbers<'_>,
    ) -> Result<(), Fault> {
        let id = &*portion.recipient.subscriber;
        let first = row_id(&self.request.published, id, rows::delivery_of(destination), 0, self.round)?;
        if self.store.head(self.queue, first.as_str())?.is_some() {
            // A worker before this one has come so far.
            return Ok(());
        }
        let format = destination.get("format").and_then(Value::as_str).unwrap_or_default();
        let number = numbers.next(id, subscriber)?;
        let wanted = Wanted {
            item: portion.item.as_ref().unwrap_or(self.item),
            variant: &portion.variant,
            format,
            subscriber: id,
            config: destination.get("config"),
            sequence: number,
            published: &self.request.published,
        };
        match self.formatting.of(&wanted) {
            None => self.skip(portion, destination, "the format has no place for items of this type"),
            Some(Err(error)) => {
                self.row(portion, subscriber, destination, number, 0, &Made::Failed(&error))?;
            }
            Some(Ok(outputs)) => {
                for (part, output) in outputs.iter().enumerate() {
                    let made = Made::Output { id: &output.id, is_binary: output.is_binary };
                    self.row(portion, subscriber, destination, number, part, &made)?;
                    self.outputs.entry(output.id.clone()).or_insert_with(|| output.clone());
                }
            }
        }
        Ok(())
    }

    fn row(
        &mut self,
        portion: &Portion,
        subscriber: &Value,
        destination: &Value,
        sequence: u64,
        part: usize,
        made: &Made<'_>,
    ) -> Result<(), Fault> {
        let recipient = &portion.recipient;
        let delivery = rows::delivery_of(destination);
        let id: DocId = row_id(&self.request.published, &recipient.subscriber, delivery, part, self.round)?;
        let about = About {
            item: self.item,
            published: &self.request.published,
            item_id: &self.request.item,
            package: self.request.package.as_deref(),
            recipient,
            subscriber,
            destination,
            sequence,
        };
        let now = date::format(self.store.now().get());
        let body = rows::body(&about, made, &now);
        let job = matches!(made, Made::Output { .. }).then(|| {
            routing::job(self.channel.router, id.as_str(), &recipient.subscriber, delivery, subscriber)
        });
        self.rows.push(Row { id, subscriber: recipient.subscriber.to_string(), body, job });
        Ok(())
    }

    fn skip(&mut self, portion: &Portion, destination: &Value, reason: &'static str) {
        let name = destination.get("name").and_then(Value::as_str).unwrap_or_default();
        self.skipped.push(Skipped {
            subscriber: portion.recipient.subscriber.to_string(),
            destination: name.to_owned(),
            reason,
        });
    }
}

fn is_packaged(destination: &Value) -> bool {
    destination.pointer("/config/packaged") == Some(&Value::Bool(true))
}
