//! Makes one copy for one destination, in the commit that ends its job.

use dateline_engine::{
    Condition, DocId, Document, Durability, Error, ErrorKind, LeasedJob, Result, Transaction,
};
use dateline_formats::{Fields, Item, word_count};
use dateline_publish::internal::{self, Destination};
use serde_json::{Value, json};

use super::job::Copying;
use super::lane::{ended, nothing};
use crate::app::App;
use crate::eve::{json as text, patch};
use crate::macros::Call;
use crate::publishing::{Followed, find_item, follow, hashed, item_of, now, record_notice};
use crate::work::blocking;

/// A destination that somebody changes all the time.
const TRIES: usize = 5;

/// What a copy is made of.
struct Order {
    destination: Destination,
    /// The document of the destination, as it was read.
    document: Document,
    /// The version, under the id of its item; empty for one whose row is gone.
    source: Fields,
    /// The stage: of the destination, or where its desk has what comes in.
    stage: Option<String>,
}

/// Makes a copy, or does with the copy that is there what was done with the item.
///
/// # Errors
/// What the store or the macro fails with: the job comes again.
pub(super) async fn copy(app: &App, job: &LeasedJob, copying: &Copying) -> Result<()> {
    for attempt in 1..=TRIES {
        match attempted(app, job, copying).await {
            Err(error) if error.kind() == ErrorKind::Conflict && attempt < TRIES => {}
            done => return done,
        }
    }
    Ok(())
}

async fn attempted(app: &App, job: &LeasedJob, copying: &Copying) -> Result<()> {
    let order = match read(app, copying)? {
        Ok(order) => order,
        Err(reason) => return app.commit(nothing(job, &json!({"skipped": reason}))).await.map(drop),
    };
    if order.destination.publishes() {
        let followed = Followed {
            event: copying.version.event,
            id: follower_id(app, &order.destination, &copying.version.item)?,
            fresh: fresh(app, &order, &copying.version.item, "")?,
            source: order.source,
        };
        let (app, job) = (app.clone(), job.clone());
        return blocking(move || follow(&app, &job, &followed)).await;
    }
    let published = copying.version.published.as_deref().unwrap_or_default();
    let id = copy_id(app, &["copy", published, &order.destination.id])?;
    if app.store().head(app.publishing().collections().archive, id.as_str())?.is_some() {
        return app.commit(nothing(job, &json!({"skipped": "it was copied"}))).await.map(drop);
    }
    let mut fields = fresh(app, &order, &copying.version.item, id.as_str())?;
    if let Some(name) = &order.destination.macro_name {
        let call = Call {
            item: &fields,
            desk: &order.destination.desk,
            stage: order.stage.as_deref(),
            cause: "internal_destination",
            id: id.as_str(),
        };
        let outcome = app.macros().run(app, name, &call).await;
        let outcome = outcome.map_err(crate::macros::Trouble::into_error)?;
        if let Some(reason) = outcome.onto(&mut fields) {
            return app.commit(nothing(job, &json!({"stopped": reason}))).await.map(drop);
        }
    }
    if let Some(count) = word_count(Item::from(&fields).text("body_html")) {
        fields.insert("word_count".to_owned(), count.into());
    }
    patch::set_version(&mut fields, 1);
    // What the destination says now is what it said when the copy was made.
    let unchanged = Condition::Revision(order.document.revision());
    let archive = app.publishing().collections().archive;
    let transaction = Transaction::new(Durability::Sync)
        .expect(app.internals().collection, order.document.id, unchanged)
        .put(archive, id.clone(), Condition::Absent, text::encode(&fields));
    let transaction = record_notice(app, transaction, "item:routed", id.as_str(), "", &fields)?;
    app.commit(ended(transaction, job, &json!({"copy": id.as_str()}))).await.map(drop)
}

/// What a copy is made of, or why there is none.
fn read(app: &App, copying: &Copying) -> Result<std::result::Result<Order, &'static str>> {
    let collection = app.internals().collection;
    let Some(document) = app.store().get(collection, &copying.destination)? else {
        return Ok(Err("the destination is gone"));
    };
    let value: Value = serde_json::from_slice(&document.body)
        .map_err(|error| Error::corrupt(format!("document {}: {error}", document.id)))?;
    let destination = Destination::read(document.id.as_str(), &value);
    if !destination.is_active {
        return Ok(Err("the destination is not active"));
    }
    let source = match &copying.version.published {
        None => Fields::new(),
        Some(published) => match row(app, published, &copying.version.item)? {
            Some(source) => source,
            None => return Ok(Err("the published row is gone")),
        },
    };
    let Some(desk) = find_item(app.store(), app.publishing().collections().desks, &destination.desk)? else {
        return Ok(Err("the desk is gone"));
    };
    let incoming = || desk.get("incoming_stage").and_then(Value::as_str).map(str::to_owned);
    let stage = destination.stage.clone().or_else(incoming);
    Ok(Ok(Order { destination, document, source, stage }))
}

/// The item of a published row, under its own id.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn row(app: &App, published: &str, item: &str) -> Result<Option<Fields>> {
    let row = find_item(app.store(), app.publishing().collections().published, published)?;
    let fields = row.as_ref().and_then(Value::as_object).map(|row| item_of(row, item));
    Ok(match fields {
        Some(Value::Object(fields)) => Some(fields),
        _ => None,
    })
}

/// The copy of an item that goes out by itself at a destination, if there is one.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn followed(app: &App, destination: &Destination, item: &str) -> Result<Option<Value>> {
    let id = follower_id(app, destination, item)?;
    find_item(app.store(), app.publishing().collections().archive, id.as_str())
}

/// An item has one copy that goes out by itself at a destination.
fn follower_id(app: &App, destination: &Destination, item: &str) -> Result<DocId> {
    copy_id(app, &["follower", item, &destination.id])
}

/// The id of a copy: the same however often it is made.
fn copy_id(app: &App, of: &[&str]) -> Result<DocId> {
    let domain = &app.publishing().settings().urn_domain;
    DocId::new(format!("urn:newsml:{domain}:copy:{}", hashed(of)))
}

/// The copy as it would be made now; without an `id` one that goes out by itself.
fn fresh(app: &App, order: &Order, original: &str, id: &str) -> Result<Fields> {
    let is_follower = id.is_empty();
    let own = if is_follower { follower_id(app, &order.destination, original)? } else { DocId::new(id)? };
    let mut fields = internal::copy(
        &order.source,
        &internal::Copying {
            id: own.as_str(),
            original,
            desk: &order.destination.desk,
            stage: order.stage.as_deref(),
            state: "routed",
            user: "",
            unique_id: app.publishing().counters().unique(),
            now: now(app.store()),
        },
    );
    if is_follower {
        fields.insert("processed_from".to_owned(), original.into());
    } else {
        fields.extend(internal::kept_back(&order.source));
    }
    Ok(fields)
}
