//! Lane `ingest`: each job is one run of one provider; several at a time, and a slow one holds nobody else.

use std::sync::Arc;
use std::time::Duration;

use dateline_engine::{Beat, Error, ErrorKind, Heartbeat, LeaseTerm, LeasedJob, Nack, Result};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use super::run;
use crate::app::App;
use crate::outcome;
use crate::work::{Desk, LEASE, Lane};

/// The lane's name.
pub(crate) const INGEST_LANE: &str = "ingest";
/// Providers asked at a time.
const RUNS_MAX: usize = 8;
/// How often a run shows that it is alive.
const BEAT: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_secs(5);
/// Runs that are on their way when the server stops get so long; what they do not finish is done after the next start.
const LAST: Duration = Duration::from_secs(2);

/// The lane.
pub(crate) struct Poll {
    slots: Arc<Semaphore>,
    /// Taken when the lane ends.
    runtime: Option<Runtime>,
}

impl Poll {
    /// # Errors
    /// `Unavailable` when no thread can be started.
    pub(crate) fn new() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(2 * RUNS_MAX)
            .thread_name("dateline-ingest")
            .enable_all()
            .build()
            .map_err(|error| Error::unavailable(format!("cannot start the threads that fetch: {error}")))?;
        Ok(Self { slots: Arc::new(Semaphore::new(RUNS_MAX)), runtime: Some(runtime) })
    }
}

impl Lane for Poll {
    fn name(&self) -> &'static str {
        INGEST_LANE
    }

    fn jobs_max(&self) -> usize {
        self.slots.available_permits().clamp(1, RUNS_MAX)
    }

    fn work(&mut self, desk: &Desk<'_>, jobs: &[LeasedJob]) -> Result<()> {
        let Some(runtime) = &self.runtime else { return Err(Error::unavailable("the lane has ended")) };
        for (place, job) in jobs.iter().enumerate() {
            let permit = loop {
                let slots = Arc::clone(&self.slots);
                // A timer is made inside the runtime that runs it.
                let slot = async { tokio::time::timeout(LOOK, slots.acquire_owned()).await };
                match runtime.block_on(slot) {
                    Ok(Ok(permit)) => break permit,
                    Ok(Err(_)) => return Err(Error::unavailable("the lane has ended")),
                    Err(_) => desk.heartbeat(jobs.get(place..).unwrap_or_default())?,
                }
                if desk.is_stopping() {
                    let left = jobs.iter().skip(place);
                    left.for_each(|job| drop(desk.app.store().queue().release(job.lease)));
                    return Ok(());
                }
            };
            let (app, job) = (desk.app.clone(), job.clone());
            runtime.spawn(async move {
                if let Err(error) = alive(&app, &job).await {
                    tracing::debug!(job = %job.id, %error, "a run comes again");
                    let nack = Nack { lease: job.lease, error: error.to_string(), retry_in: None };
                    // The lease ends by itself if even this is not possible.
                    drop(outcome::of(|done| app.store().queue().submit_nack(nack, done)).await);
                }
                drop(permit);
            });
        }
        Ok(())
    }
}

/// One run, while its lease is kept alive.
async fn alive(app: &App, job: &LeasedJob) -> Result<()> {
    let payload: Value = serde_json::from_slice(&job.payload).unwrap_or_default();
    let provider = payload.get("provider").and_then(Value::as_str).unwrap_or_default().to_owned();
    let run = run::run(app, job, &provider);
    tokio::pin!(run);
    loop {
        tokio::select! {
            done = &mut run => return done,
            () = tokio::time::sleep(BEAT) => {
                let beat = Heartbeat { lease: job.lease, term: LeaseTerm::new(LEASE)?, progress: None };
                match outcome::of(|done| app.store().queue().submit_heartbeat(beat, done)).await {
                    Ok(Beat::Cancel) => return Err(Error::invalid("the run was cancelled")),
                    // The lease has passed to another run, which does the same.
                    Err(error) if error.kind() == ErrorKind::Conflict => return Err(error),
                    _ => {}
                }
            }
        }
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        let all = u32::try_from(RUNS_MAX).unwrap_or(u32::MAX);
        let idle = async { tokio::time::timeout(LAST, self.slots.acquire_many(all)).await.is_ok() };
        let _ = runtime.block_on(idle);
        runtime.shutdown_timeout(Duration::from_secs(1));
    }
}
