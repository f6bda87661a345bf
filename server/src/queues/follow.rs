//! One job: as it stands, as it has ended, or as it goes on.

use std::time::Duration;

use axum::extract::State;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use dateline_engine::{JobId, JobState, JobStep, Millis};
use futures_util::stream;
use serde_json::Value;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, Interval};

use super::show::{Shown, shown};
use super::watched::Watch;
use super::{job_id, no_job};
use crate::app::App;
use crate::auth::credentials::Credentials;
use crate::auth::policy;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Access, Answer, Refusal};
use crate::resources::target::Id;
use crate::resources::{Query, answer};
use crate::streams::{Caller, Kind, Seat, heartbeat, sse};

/// Longest wait for the end of a job, in seconds; a client asks again.
pub(super) const WAIT_S_MAX: u64 = 60;
/// Wait for a change that was to come by now.
const LATE: Duration = Duration::from_millis(20);

/// `GET /api/jobs/{id}`.
pub(super) async fn one(
    State(app): State<App>,
    caller: Caller,
    Id(text): Id,
    Query(params): Query,
    headers: HeaderMap,
) -> Answer {
    let id = job_id(&text)?;
    let wait = Duration::from_secs(params.number("wait", 0, 0, WAIT_S_MAX)?);
    let standing = Standing { app: app.clone(), credentials: caller.credentials.clone() };
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains(sse::MEDIA_TYPE) {
        let seat = app.connections().take(Kind::Job, &caller, &text, app.store().now())?;
        return Following::start(app, id, standing, seat).await;
    }
    let job = until_ended(&app, id, wait).await?.job;
    standing.check()?;
    Ok(answer::json_bytes(job.to_string().into_bytes()))
}

/// A job at its end, or as it stands when the wait is over or the server begins to stop.
///
/// # Errors
/// 404 when there is none, or its lane keeps it no longer.
pub(crate) async fn until_ended(app: &App, id: JobId, wait: Duration) -> Result<Shown, Refusal> {
    let deadline = Instant::now() + wait;
    let (mut watch, mut draining) = (app.watched().watch(id)?, app.draining());
    loop {
        let shown = look(app, &watch, id).await?;
        if shown.has_ended || Instant::now() >= deadline {
            return Ok(shown);
        }
        tokio::select! {
            () = watch.moved() => {}
            () = tokio::time::sleep_until(deadline) => return Ok(shown),
            _ = draining.wait_for(|draining| *draining) => return Ok(shown),
        }
    }
}

/// The job; when it ended while it was watched and its lane keeps nothing, how it ended.
async fn look(app: &App, watch: &Watch, id: JobId) -> Result<Shown, Refusal> {
    let found = app.scan(move |store| {
        let found = shown(store, id)?;
        if found.is_none() {
            // One step of the queue more: what was written before it has been told.
            store.queue().lanes()?;
        }
        Ok::<_, Problem>(found)
    });
    let ended = |state| Shown::ended(id, state);
    match (found.await?, watch.last()) {
        (Some(shown), _) => Ok(shown),
        (None, Some(JobStep::Done { .. })) => Ok(ended(JobState::Done)),
        (None, Some(JobStep::Cancelled)) => Ok(ended(JobState::Cancelled)),
        (None, _) => Err(no_job(id).into()),
    }
}

/// Whoever waits gets nothing that they may not see any more when it comes.
struct Standing {
    app: App,
    credentials: Credentials,
}

impl Standing {
    fn check(&self) -> Result<(), Problem> {
        let found = self.app.auth().identify(self.app.store(), &self.credentials)?;
        let principal = found.ok_or_else(not_signed_in)?.principal;
        policy::enter(&principal, Access::Privilege("jobs"), &Method::GET)
    }
}

fn not_signed_in() -> Problem {
    policy::not_signed_in("the token is unknown or has expired")
}

/// A client that is told whenever a job has changed, until it has ended.
struct Following {
    app: App,
    id: JobId,
    standing: Standing,
    watch: Watch,
    draining: Receiver<bool>,
    heartbeat: Interval,
    /// What the client knows.
    told: Option<Value>,
    ended: bool,
    seat: Seat,
}

impl Following {
    async fn start(app: App, id: JobId, standing: Standing, seat: Seat) -> Answer {
        let (watch, draining) = (app.watched().watch(id)?, app.draining());
        // Of a job that there is not, the status says so.
        look(&app, &watch, id).await?;
        let heartbeat = heartbeat();
        let following =
            Self { app, id, standing, watch, draining, heartbeat, told: None, ended: false, seat };
        let pieces = stream::unfold(following, |mut following| async move {
            let piece = following.next().await?;
            Some((Bytes::from(piece), following))
        });
        Ok(sse::response(pieces))
    }

    /// The next piece of the body; `None` ends it.
    async fn next(&mut self) -> Option<String> {
        while !self.ended {
            if *self.draining.borrow() {
                return Some(self.bye("shutdown"));
            }
            if self.seat.is_to_end() {
                return Some(self.bye("disconnected"));
            }
            let shown = match look(&self.app, &self.watch, self.id).await {
                Ok(shown) => shown,
                Err(refusal) => return Some(self.lost(&refusal)),
            };
            if let Err(problem) = self.standing.check() {
                let is_signed_out = problem.slug() == Slug::Unauthorized;
                return Some(self.bye(if is_signed_out { "signed_out" } else { "forbidden" }));
            }
            if self.told.as_ref() != Some(&shown.job) {
                let mut piece = String::new();
                sse::event(&mut piece, None, "job", &shown.job);
                if shown.has_ended {
                    piece.push_str(&self.bye("ended"));
                }
                self.told = Some(shown.job);
                self.seat.sent(1);
                return Some(piece);
            }
            tokio::select! {
                () = self.watch.moved() => {}
                () = at(&self.app, shown.due) => {}
                _ = self.draining.wait_for(|draining| *draining) => {}
                _ = self.seat.call() => {}
                _ = self.heartbeat.tick() => return Some(": still here\n\n".to_owned()),
            }
        }
        None
    }

    fn bye(&mut self, reason: &str) -> String {
        self.ended = true;
        sse::bye(reason)
    }

    /// A dead job was forgotten between two looks, or the store cannot be read.
    fn lost(&mut self, refusal: &Refusal) -> String {
        if refusal.problem().slug() == Slug::NotFound {
            return self.bye("gone");
        }
        tracing::error!(detail = refusal.problem().detail(), "following a job ended");
        self.bye("error")
    }
}

/// Until a job becomes ready by itself, of which nobody tells; for ever when it does not.
async fn at(app: &App, due: Option<Millis>) {
    match due {
        None => std::future::pending().await,
        Some(due) => {
            let left_ms = due.get().saturating_sub(app.store().now().get());
            tokio::time::sleep(Duration::from_millis(left_ms) + LATE).await;
        }
    }
}
