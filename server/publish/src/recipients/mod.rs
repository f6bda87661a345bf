//! Recipients of an action: whom the filters name, and whom earlier deliveries bind.
//!
//! Publishing asks the filters. What comes after must reach those that have the item already, whatever the filters
//! say today: a correction goes to them and to those that match now; a kill, takedown or unpublishing to them. A
//! resend goes to whom somebody chose.

mod associations;
mod before;
mod package;

use std::collections::BTreeSet;
use std::sync::Arc;

use dateline_formats::{Fields, Item};
use jiff::Timestamp;
use serde_json::Value;

use crate::filter::{Catalog, ItemFault, Percolator, Question, Taken, TargetMedia, Undecided};
use before::Before;
pub use package::{Member, Share, share_of, shares};

/// What is done with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes out for the first time, or again after it was taken back.
    Publish,
    /// A new version replaces it.
    Correct,
    /// It must not be used.
    Kill,
    /// It is recalled.
    Takedown,
    /// It is taken back, and may come again.
    Unpublish,
    /// A version goes out once more, to chosen subscribers.
    Resend,
}

/// One row of the publish queue, as far as it binds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delivery {
    /// The id of its subscriber.
    pub subscriber: String,
    /// Its `publishing_action`: the state of the item then.
    pub publishing_action: String,
    /// Its codes.
    pub codes: Vec<String>,
    /// Whether it was a delivery to the content API.
    pub is_content_api: bool,
    /// Its `associated_items`.
    pub associated_items: Vec<String>,
}

impl Delivery {
    /// Reads a row of the queue.
    #[must_use]
    pub fn of_row(row: &Fields) -> Self {
        let row = Item::from(row);
        let texts = |field: &str| row.list(field).filter_map(Value::as_str).map(str::to_owned).collect();
        let kind = row.object("destination").map(|destination| destination.text("delivery_type"));
        Self {
            subscriber: row.text("subscriber_id").to_owned(),
            publishing_action: row.text("publishing_action").to_owned(),
            codes: texts("codes"),
            is_content_api: kind == Some("content_api"),
            associated_items: texts("associated_items"),
        }
    }

    fn shared_codes(&self) -> Vec<Arc<str>> {
        self.codes.iter().map(|code| code.as_str().into()).collect()
    }
}

/// An action with all that decides who is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The action.
    pub action: Action,
    /// The item as it will be sent.
    pub item: &'a Value,
    /// The time.
    pub now: Timestamp,
    /// Whether the site has a content API.
    pub content_api: bool,
    /// `UNPUBLISH_TO_MATCHING_SUBSCRIBERS`: whether an item that nobody got is killed or unpublished at those that match.
    pub unpublish_to_matching: bool,
    /// The rows of the item, oldest first.
    pub deliveries: &'a [Delivery],
    /// The rows of the item that this one updates (`rewrite_of`), oldest first.
    pub original_deliveries: &'a [Delivery],
    /// The ids of the subscribers somebody chose, for a resend.
    pub chosen: &'a [String],
}

/// Those that are concerned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recipients {
    /// In the order of their ids.
    pub list: Vec<Recipient>,
    /// Those of which a broken filter leaves it open.
    pub undecided: Vec<Undecided>,
}

/// A subscriber, and what it gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipient {
    /// Its id.
    pub subscriber: Arc<str>,
    /// The codes for its rows.
    pub codes: Vec<Arc<str>>,
    /// Whether it also gets the item through the content API.
    pub is_api_enabled: bool,
    /// Ids of associated items that it may have.
    pub associations: BTreeSet<String>,
    /// Why it is concerned.
    pub cause: Cause,
}

/// Why a subscriber is concerned.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// The filters say so; with the products that accept the item (of destinations, of the content API).
    Matched {
        /// Products of its destinations.
        products: Vec<Arc<str>>,
        /// Products of the content API.
        api_products: Vec<Arc<str>>,
    },
    /// It got the item before.
    Before,
    /// It got the item that this one updates.
    OriginalBefore,
    /// Somebody chose it.
    Chosen,
}

/// Decides who is concerned.
///
/// # Errors
/// When the item cannot be given to anybody.
pub fn recipients(percolator: &Percolator, request: Request<'_>) -> Result<Recipients, ItemFault> {
    let before = Before::of(percolator.catalog(), request.deliveries);
    let mut found = match request.action {
        Action::Publish => published(percolator, request)?,
        Action::Correct => corrected(percolator, request, &before)?,
        Action::Kill | Action::Takedown | Action::Unpublish => taken_back(percolator, request, &before)?,
        Action::Resend => resent(percolator.catalog(), request, &before),
    };
    found.list.sort_unstable_by(|a, b| a.subscriber.cmp(&b.subscriber));
    associations::add(percolator, request, &before, &mut found.list)?;
    Ok(found)
}

fn published(percolator: &Percolator, request: Request<'_>) -> Result<Recipients, ItemFault> {
    let mut found = matching(percolator, request)?;
    let member = |key: &str| request.item.get(key).and_then(Value::as_str);
    if member("type") == Some("text") && member("rewrite_of").is_some() {
        // What the filters say of the update stands; the others are those who must not keep the old story.
        let before = Before::of(percolator.catalog(), request.original_deliveries);
        found.add_missing(before.recipients(Cause::OriginalBefore));
    }
    Ok(found)
}

/// Who matches only now is told of a correction if somebody has the story at all (clients know it so).
fn corrected(
    percolator: &Percolator,
    request: Request<'_>,
    before: &Before<'_>,
) -> Result<Recipients, ItemFault> {
    let mut found = Recipients { list: before.recipients(Cause::Before), undecided: Vec::new() };
    if found.list.is_empty() {
        return Ok(found);
    }
    let regions = request.item.get("target_regions").and_then(Value::as_array);
    let is_regional = regions.is_some_and(|regions| !regions.is_empty());
    let catalog = percolator.catalog();
    let is_meant = |id: &str| !(is_regional && catalog.subscriber_type(id) == Some("digital"));
    let mut others = matching(percolator, request)?;
    others.list.retain(|recipient| is_meant(&recipient.subscriber));
    others.undecided.retain(|undecided| is_meant(&undecided.subscriber));
    found.undecided = others.undecided;
    found.add_missing(others.list);
    Ok(found)
}

fn taken_back(
    percolator: &Percolator,
    request: Request<'_>,
    before: &Before<'_>,
) -> Result<Recipients, ItemFault> {
    let list = before.recipients(Cause::Before);
    if list.is_empty() && request.unpublish_to_matching {
        return matching(percolator, request);
    }
    Ok(Recipients { list, undecided: Vec::new() })
}

fn resent(catalog: &Catalog, request: Request<'_>, before: &Before<'_>) -> Recipients {
    let chosen: BTreeSet<&str> = request.chosen.iter().map(String::as_str).collect();
    let list = chosen.into_iter().filter_map(|id| {
        Some(Recipient {
            subscriber: id.into(),
            codes: catalog.all_codes(id)?,
            is_api_enabled: request.content_api && catalog.has_api_products(id),
            associations: before.associations(id).cloned().unwrap_or_default(),
            cause: Cause::Chosen,
        })
    });
    Recipients { list: list.collect(), undecided: Vec::new() }
}

fn matching(percolator: &Percolator, request: Request<'_>) -> Result<Recipients, ItemFault> {
    let answer = percolator.recipients(Question {
        item: request.item,
        now: request.now,
        media: TargetMedia::of_item(request.item),
        content_api: request.content_api,
    })?;
    let list = answer.taken.into_iter().map(Recipient::from).collect();
    Ok(Recipients { list, undecided: answer.undecided })
}

impl From<Taken> for Recipient {
    fn from(taken: Taken) -> Self {
        let is_api_enabled = taken.is_api_enabled();
        let Taken { subscriber, codes, products, api_products, .. } = taken;
        let cause = Cause::Matched { products, api_products };
        Self { subscriber, codes, is_api_enabled, associations: BTreeSet::new(), cause }
    }
}

impl Recipients {
    /// Adds those that are not there yet; of nobody in the list it is open.
    fn add_missing(&mut self, others: Vec<Recipient>) {
        let mut known: BTreeSet<Arc<str>> = self.list.iter().map(|own| Arc::clone(&own.subscriber)).collect();
        self.list.extend(others.into_iter().filter(|other| known.insert(Arc::clone(&other.subscriber))));
        self.undecided.retain(|own| !known.contains(&own.subscriber));
    }
}

#[cfg(test)]
mod tests;
