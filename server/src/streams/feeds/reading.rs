//! Taking changes of a feed under a lease, and acknowledging them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use dateline_engine::{Change, Claim, Conflict, Error, Millis, Seq, Store, partition_of};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::definition::bad;
use super::shared::Working;
use super::{Found, find};
use crate::app::App;
use crate::auth::Principal;
use crate::auth::credentials::Credentials;
use crate::auth::policy::{self, Action};
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, ObjectBody, Refusal};
use crate::outcome;
use crate::streams::reader::BYTES_MAX;
use crate::streams::view::{Event, View};

/// Records read at a time.
const STEP: usize = 1_024;
/// Records looked at for one lease: a filter that passes little still answers soon.
const LOOKED_AT_MAX: usize = 16 * STEP;

/// What a consumer asks for.
struct Wanted {
    max: usize,
    wait: Duration,
    lease_ms: u64,
}

impl Wanted {
    fn of(body: &Map<String, Value>) -> Result<Self, Problem> {
        if let Some(name) = body.keys().find(|name| !["max", "wait_s", "lease_s"].contains(&name.as_str())) {
            return Err(bad(name, "unknown member"));
        }
        let number = |name: &str, usual: u64, min: u64, max: u64| match body.get(name) {
            None | Some(Value::Null) => Ok(usual),
            Some(value) => value
                .as_u64()
                .filter(|number| (min..=max).contains(number))
                .ok_or_else(|| bad(name, &format!("a whole number from {min} to {max}"))),
        };
        Ok(Self {
            max: usize::try_from(number("max", 100, 1, 1_000)?).unwrap_or(1_000),
            wait: Duration::from_secs(number("wait_s", 0, 0, 60)?),
            lease_ms: number("lease_s", 30, 1, 3_600)? * 1_000,
        })
    }
}

/// Gives the claim back when the consumer goes away while work is looked for.
struct Looking<'a> {
    working: &'a Working,
    claim: Claim,
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        // Does nothing once work was found or passed by.
        self.working.release(&self.claim);
    }
}

/// `POST /api/feeds/{name}/read {"max"?, "wait_s"?, "lease_s"?}`.
pub(super) async fn read(
    State(app): State<App>,
    principal: Principal,
    credentials: Credentials,
    Path(name): Path<String>,
    ObjectBody(body): ObjectBody,
) -> Answer {
    let wanted = Wanted::of(&body)?;
    let found = own(&app, &principal, &name)?;
    let mut view = Arc::new(found.definition.view(&app, principal)?);
    let partitions = found.definition.partitions;
    let deadline = Instant::now() + wanted.wait;
    let (mut tail, mut draining) = (app.tail(), app.draining());
    loop {
        let freed = found.working.freed.notified();
        let head = app.store().feed().head();
        let (now, until) = ends(&app, &wanted);
        if let Some(claim) = found.working.claim(head, now, until) {
            let looking = Looking { working: &found.working, claim };
            let (seen, max) = (Arc::clone(&view), wanted.max);
            let work = app.scan(move |store| look(store, &seen, &claim, partitions, max)).await?;
            // Nobody gets what was written after their rights were taken.
            let standing = app.auth().identify(app.store(), &credentials)?.ok_or_else(not_signed_in)?;
            if !view.is_of(&standing.principal) {
                view = Arc::new(view.again(standing.principal)?);
                continue;
            }
            if work.events.is_empty() {
                found.working.passed(app.store(), &claim, work.through);
                continue;
            }
            if !found.working.found(&claim, work.through, ends(&app, &wanted).1) {
                continue;
            }
            drop(looking);
            return Ok(given(&app, &found, &claim, &work.events));
        }
        let lease_ends = found.working.next_end().map_or(deadline, |end| {
            Instant::now() + Duration::from_millis(end.get().saturating_sub(now.get()).max(1))
        });
        if Instant::now() >= deadline || *draining.borrow() {
            return Ok(axum::Json(json!({"changes": [], "lease": null})).into_response());
        }
        tokio::select! {
            _ = tail.wait_for(|tail| tail.seq > head) => {}
            () = freed => {}
            () = tokio::time::sleep_until(deadline.min(lease_ends)) => {}
            _ = draining.wait_for(|draining| *draining) => {}
        }
        // The feed may have been reset or removed meanwhile.
        let stored = app.feeds().stored(app.store(), &name)?;
        if stored.is_none_or(|stored| stored.seq != found.working.made) {
            return Err(changed(&name).into());
        }
    }
}

fn ends(app: &App, wanted: &Wanted) -> (Millis, Millis) {
    let now = app.store().now();
    (now, Millis::new(now.get() + wanted.lease_ms))
}

/// The feed, which only its owner consumes: what is given out follows the owner's rights.
fn own(app: &App, principal: &Principal, name: &str) -> Result<Found, Problem> {
    policy::decide(principal, Action::Update, "feeds")?;
    let found = find(app, principal, Action::Read, name)?;
    if found.definition.user != principal.user.as_str() {
        return Err(Problem::new(Slug::Forbidden, "the feed belongs to somebody else"));
    }
    Ok(found)
}

fn given(app: &App, found: &Found, claim: &Claim, events: &[Event]) -> axum::response::Response {
    let lease = Lease { epoch: app.store().epoch().get(), made: found.working.made, claim: *claim };
    let given = Given {
        lease: lease.text(),
        partition: claim.partition,
        attempt: claim.attempt,
        changes: events.iter().map(|event| &*event.data).collect(),
    };
    axum::Json(given).into_response()
}

#[derive(Serialize)]
struct Given<'a> {
    lease: String,
    partition: usize,
    attempt: u32,
    changes: Vec<&'a RawValue>,
}

struct Work {
    events: Vec<Event>,
    through: Seq,
}

/// Looks for work of one partition until there is enough of it, or enough of the log was looked at.
fn look(store: &Store, view: &View, claim: &Claim, partitions: usize, max: usize) -> Result<Work, Problem> {
    let mut work = Work { events: Vec::new(), through: claim.after };
    let (mut bytes, mut records) = (0, 0);
    loop {
        let changes: Vec<Change> = store.feed().changes(work.through, STEP)?;
        for change in &changes {
            if partition_of(change, partitions) == claim.partition {
                view.events(change, &mut bytes, &mut work.events)?;
            }
            work.through = change.seq;
            if work.events.len() >= max || bytes >= BYTES_MAX {
                return Ok(work);
            }
        }
        records += changes.len();
        if changes.is_empty() || records >= LOOKED_AT_MAX {
            return Ok(work);
        }
    }
}

/// `EPOCH-DEFINITION-PARTITION-NUMBER`: good for one opening of the store and one definition of the feed.
struct Lease {
    epoch: u32,
    made: Seq,
    claim: Claim,
}

impl Lease {
    fn text(&self) -> String {
        let Claim { partition, number, .. } = self.claim;
        format!("{}-{}-{partition}-{number}", self.epoch, self.made)
    }
}

/// `POST /api/feeds/{name}/ack {"lease", "upto"?}`.
pub(super) async fn ack(
    State(app): State<App>,
    principal: Principal,
    Path(name): Path<String>,
    ObjectBody(body): ObjectBody,
) -> Answer {
    let found = own(&app, &principal, &name)?;
    let lease = body.get("lease").and_then(Value::as_str).and_then(parts);
    let [epoch, made, partition, number] = lease.ok_or_else(|| bad("lease", "not a lease of a feed"))?;
    let upto = match body.get("upto") {
        None | Some(Value::Null) => None,
        Some(upto) => Some(Seq::new(upto.as_u64().ok_or_else(|| bad("upto", "expected a log sequence"))?)),
    };
    if epoch != u64::from(app.store().epoch().get()) || made != found.working.made.get() {
        return Err(Refusal::from(Error::from(Conflict::LeaseLost)));
    }
    let partition = usize::try_from(partition).unwrap_or(usize::MAX);
    let mut taken = Ok(());
    let stored = outcome::of(|done| taken = found.working.ack(app.store(), partition, number, upto, done));
    taken?;
    stored.await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn parts(lease: &str) -> Option<[u64; 4]> {
    let parts: Option<Vec<u64>> = lease.split('-').map(|part| part.parse().ok()).collect();
    parts?.try_into().ok()
}

fn changed(name: &str) -> Problem {
    Problem::new(Slug::Conflict, format!("feed '{name}' was reset or removed"))
}

fn not_signed_in() -> Problem {
    policy::not_signed_in("the token is unknown or has expired")
}
