//! Which destinations take a version: a job for each, in the commit that ends the question.

use dateline_engine::{Durability, LeasedJob, Result, Transaction};
use dateline_formats::Fields;
use dateline_publish::internal::Destination;
use serde_json::{Value, json};

use super::copying::{followed, row};
use super::job::{Copying, Version};
use super::lane::{ended, nothing};
use crate::app::App;
use crate::publishing::now;

/// Asks every destination.
///
/// # Errors
/// When the store cannot be read or written.
pub(super) fn decide(app: &App, job: &LeasedJob, version: &Version) -> Result<()> {
    let item = match &version.published {
        Some(published) => match row(app, published, &version.item)? {
            Some(item) => item,
            None => {
                return app
                    .store()
                    .commit(nothing(job, &json!({"skipped": "the published row is gone"})))
                    .map(drop);
            }
        },
        None => Fields::new(),
    };
    let mut transaction = Transaction::new(Durability::Sync);
    let mut told = Vec::new();
    let destinations = app.internals().destinations.current(app.store())?;
    for destination in destinations.iter() {
        if is_concerned(app, destination, version, &item)? {
            let copying = Copying { version: version.clone(), destination: destination.id.clone() };
            transaction = transaction.enqueue(copying.job(app));
            told.push(destination.name.as_str());
        }
    }
    app.store().commit(ended(transaction, job, &json!({"destinations": told}))).map(drop)
}

fn is_concerned(app: &App, destination: &Destination, version: &Version, item: &Fields) -> Result<bool> {
    let has_follower = destination.publishes() && followed(app, destination, &version.item)?.is_some();
    let audience = app.publishing().audience();
    let matches =
        |filter: &str| audience.matches(app.store(), filter, &Value::Object(item.clone()), now(app.store()));
    destination.takes(item, version.event, version.phase, has_follower, matches)
}
