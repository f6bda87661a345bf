//! Lane `new:media`: what an ad names becomes media.
//!
//! An ad may name uploads, files, or blobs that came in pieces. A blob of the ad's own user gets an upload of the same id,
//! with renditions, metadata and a point; every file is held by the ad from then on. All of it is one commit with the job,
//! so that a crash leaves a job either undone or done.

use dateline_engine::{Ack, Condition, DocId, Durability, Error, LeasedJob, Result, Transaction};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::made::{self, Wish};
use super::{references, upload};
use crate::app::App;
use crate::blobs::{Shelf, Source};
use crate::eve::json as text;
use crate::eve::problem::Problem;
use crate::http::Refusal;
use crate::ids;
use crate::publishing::items;
use crate::work::{Desk, Lane, hand_back};

/// Entries of one ad that are looked at.
const ENTRIES_MAX: usize = 50;

/// The lane.
pub(crate) struct NewMedia {
    runtime: Runtime,
}

impl NewMedia {
    /// # Errors
    /// `Unavailable` when its thread cannot be made ready.
    pub(crate) fn new() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| Error::unavailable(format!("new:media cannot start: {error}")))?;
        Ok(Self { runtime })
    }
}

impl Lane for NewMedia {
    fn name(&self) -> &'static str {
        "new:media"
    }

    fn jobs_max(&self) -> usize {
        8
    }

    fn work(&mut self, desk: &Desk<'_>, jobs: &[LeasedJob]) -> Result<()> {
        desk.each(jobs, |job| match self.runtime.block_on(done(desk.app, job)) {
            Ok(()) => Ok(()),
            Err(problem) => hand_back(desk.app.store(), job, problem.detail()),
        })
    }
}

/// What one entry of an ad turned out to be.
enum Found {
    /// Files that are here.
    Files(Vec<String>),
    /// A blob and what was made of it.
    New { id: DocId, body: Vec<u8>, made: Box<made::Made> },
    /// Nothing that is known, or nothing of this user's; the reason is told in the result of the job.
    Nothing(String),
}

async fn done(app: &App, job: &LeasedJob) -> std::result::Result<(), Problem> {
    let payload: Value = serde_json::from_slice(&job.payload).unwrap_or_default();
    let ad = payload.get("ad").and_then(Value::as_str).unwrap_or_default().to_owned();
    let ads = crate::publishing::collection(app.store(), "ads")?;
    let document = items::find(app.store(), ads, &ad)?;
    let user = document.as_ref().and_then(|ad| ad.get("user")?.as_str()).unwrap_or_default().to_owned();
    let entries = document.as_ref().and_then(|ad| ad.get("media")?.as_array()).cloned().unwrap_or_default();
    let (collections, shelf) = (app.media().collections(), Shelf::of(app.store())?);
    let mut transaction = Transaction::new(Durability::Sync);
    let mut told = Vec::new();
    for entry in entries.iter().take(ENTRIES_MAX) {
        let Some(id) = named(entry) else { continue };
        match found(app, id, &user).await? {
            Found::Files(files) => {
                transaction = references::add(transaction, collections.references, &ad, &files);
                told.push(json!({"media": id, "held": files.len()}));
            }
            Found::New { id, body, made } => {
                told.push(json!({"media": id.as_str(), "upload": id.as_str(), "files": made.ids().len()}));
                transaction = references::add(transaction, collections.references, &ad, &made.ids());
                transaction = references::add(transaction, collections.references, id.as_str(), &made.ids());
                transaction =
                    made.add_to(shelf, transaction.put(collections.uploads, id, Condition::Absent, body));
            }
            Found::Nothing(reason) => told.push(json!({"media": id, "error": reason})),
        }
    }
    let result = json!({"media": told}).to_string().into();
    let transaction = transaction.complete(Ack { lease: job.lease, result: Some(result) });
    app.commit(transaction).await?;
    Ok(())
}

/// An entry is an id, or an object that holds one.
fn named(entry: &Value) -> Option<&str> {
    let inside = || ["media", "upload", "blob", "_id"].iter().find_map(|name| entry.get(*name)?.as_str());
    entry.as_str().or_else(inside).filter(|id| DocId::new(*id).is_ok())
}

async fn found(app: &App, id: &str, user: &str) -> std::result::Result<Found, Problem> {
    let (collections, shelf) = (app.media().collections(), Shelf::of(app.store())?);
    if let Some(upload) = items::find(app.store(), collections.uploads, id)? {
        return Ok(Found::Files(references::here(app, references::ids_of(&upload).iter())?));
    }
    let named = references::here(app, std::iter::once(&id.to_owned()))?;
    if !named.is_empty() {
        return Ok(Found::Files(named));
    }
    let blob = items::find(app.store(), shelf.blobs, id)?;
    let own = blob.filter(|blob| blob.get("user").and_then(Value::as_str) == Some(user) && !user.is_empty());
    let Some(blob) = own else { return Ok(Found::Nothing("no such upload, file or blob".to_owned())) };
    let word = |name: &str| blob.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let Ok((manifest, _)) = shelf.manifest(app.store(), id) else {
        return Ok(Found::Nothing("the blob has no bytes".to_owned()));
    };
    // What the document says of the bytes may have been changed by its owner, so they are asked themselves.
    let held = manifest.clone();
    let digest = app.scan(move |store| Source::digest(store, &held)).await.map_err(Refusal::into_problem)?;
    let wish = Wish::new(&app.media().settings.picture, &word("name"));
    match made::of_stored(app, manifest, ids::hex(&digest), wish).await {
        Ok(made) => {
            let body = text::encode(&upload::document(&made, &word("name"), user));
            Ok(Found::New { id: DocId::new(id)?, body, made: Box::new(made) })
        }
        // A file that is no good is no reason to try again.
        Err(problem) if problem.status_code() < 500 => Ok(Found::Nothing(problem.detail().to_owned())),
        Err(problem) => Err(problem),
    }
}
