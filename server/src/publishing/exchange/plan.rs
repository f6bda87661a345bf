//! What a request comes to, before anything is written: recipients, rows, outputs. A dry run is this and nothing more.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use dateline_engine::{CollectionId, DocId};
use dateline_publish::filter::{Percolator, Undecided};
use dateline_publish::recipients::{self, Cause, Recipient, share_of};
use dateline_publish::transmission::{self, Content, PublishTask, Why};
use dateline_publish::validate::{Rules, filter_document};
use serde_json::{Map, Value, json};

use super::channel::{Channel, Exchange};
use super::formatting::{Formatting, Output, Wanted};
use super::numbers::Numbers;
use super::rows::{self, Row, row_id};
use super::{Fault, Request, deliveries, package, routing};
use crate::app::App;
use crate::eve::{date, json as text};
use crate::publishing::content_api::{self, Stored};
use crate::publishing::{actions, items, related};

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
        let recipients: Vec<Recipient> = portions.iter().map(|portion| portion.recipient.clone()).collect();
        let stored = content_api::stored(app, percolator.catalog(), request.action, item, &recipients)?;
        Ok::<_, Fault>((portions, undecided, stored))
    })??;
    let (site, related) = (publishing.site(store)?, related::of(app, item)?);
    let validators = Vec::new();
    let nothing = Map::new();
    let rules = actions::rules(publishing.settings(), &site, &validators, &nothing);
    let mut making = Making {
        app,
        queue: publishing.collections().queue,
        request,
        channel,
        round,
        rules: &rules,
        is_stored: stored.is_some(),
        whole: None,
        formatting: Formatting::new(&site, &related, items::now(store)),
        rows: Vec::new(),
        outputs: BTreeMap::new(),
        skipped: Vec::new(),
    };
    for portion in &portions {
        let subscriber = &*portion.recipient.subscriber;
        if let Some(document) = items::find(store, publishing.collections().subscribers, subscriber)? {
            making.subscriber(portion, item, &document, numbers)?;
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
    app: &'a App,
    queue: CollectionId,
    request: &'a Request,
    channel: &'a Channel,
    round: &'a str,
    rules: &'a Rules<'a>,
    is_stored: bool,
    whole: Option<Rc<Value>>,
    formatting: Formatting<'a>,
    rows: Vec<Row>,
    outputs: BTreeMap<String, Output>,
    skipped: Vec<Skipped>,
}

impl Making<'_> {
    fn subscriber(
        &mut self,
        portion: &Portion,
        item: &Value,
        subscriber: &Value,
        numbers: &mut Numbers<'_>,
    ) -> Result<(), Fault> {
        let (Some(fields), Some(own)) =
            (portion.item.as_ref().unwrap_or(item).as_object(), subscriber.as_object())
        else {
            return Ok(());
        };
        let seen = self.seen(portion, fields);
        let planned = transmission::plan(self.app.publishing().formats(), fields, &portion.recipient, own);
        for skipped in &planned.skipped {
            self.skip(portion, &skipped.destination, why(skipped.why));
        }
        for task in &planned.tasks {
            self.task(portion, task, subscriber, fields, &seen, numbers)?;
        }
        Ok(())
    }

    /// The item as formats see it: made once for all who get all of it.
    fn seen(&mut self, portion: &Portion, fields: &Map<String, Value>) -> Rc<Value> {
        let made = || Rc::new(Value::Object(filter_document(self.rules, fields)));
        match portion.item {
            Some(_) => made(),
            None => Rc::clone(self.whole.get_or_insert_with(made)),
        }
    }

    /// The rows of one destination.
    fn task(
        &mut self,
        portion: &Portion,
        task: &PublishTask<'_>,
        subscriber: &Value,
        item: &Map<String, Value>,
        seen: &Value,
        numbers: &mut Numbers<'_>,
    ) -> Result<(), Fault> {
        let destination = Value::Object(task.destination.clone());
        if task.is_content_api() && !self.is_stored {
            self.skip(portion, "content api", "a filter keeps the item out of the content API");
            return Ok(());
        }
        let id = &*portion.recipient.subscriber;
        let first = row_id(&self.request.published, id, rows::delivery_of(&destination), 0, self.round)?;
        if self.app.store().head(self.queue, first.as_str())?.is_some() {
            // A worker before this one has come so far.
            return Ok(());
        }
        let sequence = numbers.next(id, subscriber)?;
        if task.is_content_api() {
            let content = Content::Stored(String::new());
            let mut made = task.rows(item, vec![transmission::Output { sequence, content }]);
            let now = date::format(self.app.store().now().get());
            made.iter_mut().for_each(|row| drop(row.insert("completed_at".to_owned(), now.as_str().into())));
            return made.into_iter().try_for_each(|row| self.row(portion, task, subscriber, row, 0, None));
        }
        let fields =
            seen.as_object().filter(|fields| task.takes_packages_whole() && fields.contains_key("groups"));
        let is_whole = fields.is_some();
        let whole = fields.map(|fields| {
            let member = |id: &str| self.formatting.related.items.get(id).and_then(Value::as_object).cloned();
            Value::Object(transmission::with_members(fields, member))
        });
        let variant = if is_whole { format!("whole {}", portion.variant) } else { portion.variant.clone() };
        let wanted = Wanted {
            item: whole.as_ref().unwrap_or(seen),
            variant: &variant,
            format: task.formatter,
            subscriber: id,
            config: task.destination.get("config"),
            sequence,
            published: &self.request.published,
        };
        match self.formatting.of(&wanted) {
            Err(error) => {
                let mut row = task.failed(item, &error);
                row.insert("published_seq_num".to_owned(), sequence.into());
                self.row(portion, task, subscriber, row, 0, None)
            }
            Ok(outputs) => {
                for (part, output) in outputs.iter().enumerate() {
                    let content = Content::Stored(output.id.clone());
                    for row in task.rows(item, vec![transmission::Output { sequence, content }]) {
                        self.row(portion, task, subscriber, row, part, Some(output))?;
                    }
                    self.outputs.entry(output.id.clone()).or_insert_with(|| output.clone());
                }
                Ok(())
            }
        }
    }

    fn row(
        &mut self,
        portion: &Portion,
        task: &PublishTask<'_>,
        subscriber: &Value,
        row: Map<String, Value>,
        part: usize,
        output: Option<&Output>,
    ) -> Result<(), Fault> {
        let (published, owner) = (&self.request.published, &*portion.recipient.subscriber);
        let destination = Value::Object(task.destination.clone());
        let delivery = rows::delivery_of(&destination);
        let id: DocId = row_id(published, owner, delivery, part, self.round)?;
        let mut body = rows::completed(row, published, &task.destination, output);
        routing::note(self.channel.router, &mut body);
        let job = output.map(|_| routing::transmit_job(id.as_str(), &body, subscriber));
        self.rows.push(Row { id, subscriber: owner.to_owned(), text: text::encode(&body), body, job });
        Ok(())
    }

    fn skip(&mut self, portion: &Portion, destination: &str, reason: &'static str) {
        self.skipped.push(Skipped {
            subscriber: portion.recipient.subscriber.to_string(),
            destination: destination.to_owned(),
            reason,
        });
    }
}

fn why(why: Why) -> &'static str {
    match why {
        Why::NotForWire => "a wire subscriber gets text only",
        Why::InPackage => "the item goes out in its package",
        Why::NoFormat => "no format of that name has a place for items of this type",
    }
}
