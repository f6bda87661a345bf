//! Jobs that wait for others: each is done by itself in one of a few slots, and a slow one holds nobody else.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use dateline_engine::{Beat, Error, ErrorKind, Heartbeat, LeaseTerm, LeasedJob, Nack, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

use super::lane::{Desk, LEASE};
use crate::app::App;
use crate::outcome;

/// How often a job shows that it is being worked on.
const BEAT: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_secs(5);
/// A job that takes longer is a slow one.
const QUICK: Duration = Duration::from_millis(250);

/// The slots of one lane, on threads of their own: what the network does to them is not felt by those who serve.
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    max: usize,
    /// Places beside the slots, for slow jobs.
    patience: Arc<Semaphore>,
    patience_max: usize,
    /// What is on its way when the server stops gets so long; what it does not finish is done after the next start.
    last: Duration,
    /// Taken when the lane ends.
    runtime: Option<Runtime>,
}

impl Slots {
    /// # Errors
    /// `Unavailable` when no thread can be started.
    pub(crate) fn new(name: &str, max: usize, threads: usize, last: Duration) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .max_blocking_threads(2 * max)
            .thread_name(name)
            .enable_all()
            .build()
            .map_err(|error| Error::unavailable(format!("cannot start the threads of {name}: {error}")))?;
        let (free, patience) = (Arc::new(Semaphore::new(max)), Arc::new(Semaphore::new(0)));
        Ok(Self { free, max, patience, patience_max: 0, last, runtime: Some(runtime) })
    }

    /// Lets so many jobs that wait long go on beside the slots: they hardly do anything, so a thousand of them keep nobody
    /// from a slot.
    pub(crate) fn with_patience(mut self, max: usize) -> Self {
        self.patience_max = max.min(Semaphore::MAX_PERMITS);
        self.patience = Arc::new(Semaphore::new(self.patience_max));
        self
    }

    /// Slots that are free, and at least one.
    pub(crate) fn free(&self) -> usize {
        self.free.available_permits().max(1)
    }

    /// Begins each of these jobs as a slot becomes free. Those that wait are kept alive meanwhile, and given back when the
    /// server stops.
    ///
    /// # Errors
    /// `Unavailable` when the lane has ended, and what a heartbeat fails with.
    pub(crate) fn each<F>(
        &self,
        desk: &Desk<'_>,
        jobs: &[LeasedJob],
        work: impl Fn(LeasedJob) -> F,
    ) -> Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(runtime) = &self.runtime else { return Err(Error::unavailable("the lane has ended")) };
        for (place, job) in jobs.iter().enumerate() {
            let permit = loop {
                let free = Arc::clone(&self.free);
                // A timer is made inside the runtime that runs it.
                let slot = async { tokio::time::timeout(LOOK, free.acquire_owned()).await };
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
            let (job, patience) = (work(job.clone()), Arc::clone(&self.patience));
            runtime.spawn(async move {
                let mut job = pin!(job);
                if tokio::time::timeout(QUICK, &mut job).await.is_ok() {
                    return drop(permit);
                }
                let place = patience.try_acquire_owned();
                // Without a place there it keeps its slot.
                let kept = place.is_err().then_some(permit);
                job.await;
                drop((place, kept));
            });
        }
        Ok(())
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        let all = |max: usize| u32::try_from(max).unwrap_or(u32::MAX);
        let quick = self.free.acquire_many(all(self.max));
        let slow = self.patience.acquire_many(all(self.patience_max));
        let idle =
            async { tokio::time::timeout(self.last, async { (quick.await, slow.await) }).await.is_ok() };
        let _ = runtime.block_on(idle);
        runtime.shutdown_timeout(Duration::from_secs(1));
    }
}

/// Does one job while its lease is kept alive; one that fails is handed back and comes again.
pub(crate) async fn alive(app: &App, job: &LeasedJob, work: impl Future<Output = Result<()>>) {
    let Err(error) = kept_alive(app, job, work).await else { return };
    tracing::debug!(job = %job.id, %error, "a job comes again");
    let nack = Nack { lease: job.lease, error: error.to_string(), retry_in: None };
    // The lease ends by itself if even this is not possible.
    drop(outcome::of(|done| app.store().queue().submit_nack(nack, done)).await);
}

async fn kept_alive(app: &App, job: &LeasedJob, work: impl Future<Output = Result<()>>) -> Result<()> {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(BEAT) => {
                let beat = Heartbeat { lease: job.lease, term: LeaseTerm::new(LEASE)?, progress: None };
                match outcome::of(|done| app.store().queue().submit_heartbeat(beat, done)).await {
                    Ok(Beat::Cancel) => return Err(Error::invalid("the job was cancelled")),
                    // The lease has passed to another worker, which does the same.
                    Err(error) if error.kind() == ErrorKind::Conflict => return Err(error),
                    _ => {}
                }
            }
        }
    }
}

/// Work that reads the store or the disk, off the threads that wait.
///
/// # Errors
/// What the work fails with; `Internal` when it panics.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Error::internal(format!("a thread failed: {error}"))))
}
