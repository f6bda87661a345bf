//! The lane: takes as many jobs as there are free slots and lets each be sent by itself.
//!
//! A destination that takes long gives its slot back and waits among others that do, so a thousand receivers that never
//! answer do not keep the living from theirs. Jobs are settled by their senders, so the lane takes others meanwhile.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use dateline_engine::{Error, LeasedJob, Result};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use super::sender::Sender;
use crate::app::App;
use crate::publishing::exchange::TRANSMIT_LANE;
use crate::work::{Desk, Lane};

/// Jobs taken at a time at the most.
const JOBS_MAX: usize = 64;
/// What is on its way when the server stops gets so long to arrive.
const LAST: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_secs(5);
/// A delivery that takes longer is a slow one.
const QUICK: Duration = Duration::from_millis(250);

/// The lane.
pub(crate) struct Transmit {
    sender: Arc<Sender>,
    slots: Arc<Semaphore>,
    slots_max: usize,
    /// For slow deliveries, which hardly do anything; without a place there they keep their slot.
    patience: Arc<Semaphore>,
    patience_max: usize,
    /// Taken when the lane ends.
    runtime: Option<Runtime>,
}

impl Transmit {
    /// # Errors
    /// `Invalid` for settings that cannot be used, `Unavailable` when no thread can be started.
    pub(crate) fn new(app: &App) -> Result<Self> {
        // Its own threads: what the network does to them is not felt by those who serve.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("dateline-transmit")
            .enable_all()
            .build()
            .map_err(|error| Error::unavailable(format!("cannot start the threads that send: {error}")))?;
        let slots_max = app.config().publishing.deliveries_max.max(1);
        let patience_max = app.config().publishing.slow_deliveries_max;
        Ok(Self {
            sender: Arc::new(Sender::new(app)?),
            slots: Arc::new(Semaphore::new(slots_max)),
            slots_max,
            patience: Arc::new(Semaphore::new(patience_max)),
            patience_max,
            runtime: Some(runtime),
        })
    }
}

impl Lane for Transmit {
    fn name(&self) -> &'static str {
        TRANSMIT_LANE
    }

    fn jobs_max(&self) -> usize {
        self.slots.available_permits().clamp(1, JOBS_MAX)
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
            let (sender, patience, job) = (Arc::clone(&self.sender), Arc::clone(&self.patience), job.clone());
            runtime.spawn(async move {
                let mut delivery = pin!(sender.deliver(&job));
                if tokio::time::timeout(QUICK, &mut delivery).await.is_ok() {
                    return drop(permit);
                }
                let place = patience.try_acquire_owned();
                let kept = place.is_err().then_some(permit);
                delivery.await;
                drop((place, kept));
            });
        }
        Ok(())
    }
}

impl Drop for Transmit {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        let all = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let (quick, slow) = (
            self.slots.acquire_many(all(self.slots_max)),
            self.patience.acquire_many(all(self.patience_max)),
        );
        let idle = async { tokio::time::timeout(LAST, async { (quick.await, slow.await) }).await.is_ok() };
        // What has not arrived by then is sent again after the next start.
        let _ = runtime.block_on(idle);
        runtime.shutdown_timeout(Duration::from_secs(1));
    }
}
