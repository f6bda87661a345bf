//! The lane: takes as many jobs as there are free slots and lets each be sent by itself.
//!
//! A destination that takes long gives its slot back and waits among others that do, so a thousand receivers that never
//! answer do not keep the living from theirs. Jobs are settled by their senders, so the lane takes others meanwhile.

use std::sync::Arc;
use std::time::Duration;

use dateline_engine::{LeasedJob, Result};

use super::sender::Sender;
use crate::app::App;
use crate::publishing::exchange::TRANSMIT_LANE;
use crate::work::{Desk, Lane, Slots};

/// Jobs taken at a time at the most.
const JOBS_MAX: usize = 64;
/// What is on its way when the server stops gets so long to arrive; the rest is sent again after the next start.
const LAST: Duration = Duration::from_secs(5);

/// The lane.
pub(crate) struct Transmit {
    sender: Arc<Sender>,
    slots: Slots,
}

impl Transmit {
    /// # Errors
    /// `Invalid` for settings that cannot be used, `Unavailable` when no thread can be started.
    pub(crate) fn new(app: &App) -> Result<Self> {
        let publishing = &app.config().publishing;
        let slots = Slots::new("dateline-transmit", publishing.deliveries_max.max(1), 2, LAST)?;
        let slots = slots.with_patience(publishing.slow_deliveries_max);
        Ok(Self { sender: Arc::new(Sender::new(app)?), slots })
    }
}

impl Lane for Transmit {
    fn name(&self) -> &'static str {
        TRANSMIT_LANE
    }

    fn jobs_max(&self) -> usize {
        self.slots.free().min(JOBS_MAX)
    }

    fn work(&mut self, desk: &Desk<'_>, jobs: &[LeasedJob]) -> Result<()> {
        self.slots.each(desk, jobs, |job| {
            let sender = Arc::clone(&self.sender);
            async move { sender.deliver(&job).await }
        })
    }
}
