//! The jobs the server does itself: one supervised thread per lane of the queue.
//!
//! A lane's work is finished in the same commit that completes its jobs, so a crash at any moment leaves a job either
//! undone or done, never half. Whatever goes wrong in a lane stays in it: the jobs are handed back, the thread goes
//! on after a pause.

mod expire;
mod lane;
mod new_ad;
mod new_log;
mod settle;
mod slots;
mod stop;
mod trim;
mod worker;

use std::sync::Arc;
use std::thread::JoinHandle;

use dateline_engine::{Error, FollowerHandle, Result};

use crate::app::App;
use crate::ingest::{INGEST_LANE, PUBLISH_LANE, Poll, PublishRouted};
use crate::internal::{INTERNAL_LANE, Internal};
use crate::mail::Mail;
use crate::media::NewMedia;
use crate::places::clock;
use crate::publishing;
use crate::publishing::consumer::Transmit;
use crate::publishing::exchange::Publish;
use crate::publishing::{EXPIRY_LANE, RemoveExpired};
use crate::{blobs, ingest, schedules, scrub};
use expire::Expire;
pub(crate) use lane::{Desk, LEASE, Lane};
use new_ad::NewAd;
use new_log::NewLog;
pub(crate) use settle::{hand_back, together};
pub(crate) use slots::{Slots, alive, blocking};
pub(crate) use stop::Stop;
use worker::Worker;

/// Whether the server itself works this lane: then nobody else takes jobs of it, and none but
/// administrators add to it.
pub(crate) fn is_own_lane(name: &str) -> bool {
    OWN_LANES.contains(&name)
}

const OWN_LANES: [&str; 11] = [
    "ads:expire",
    EXPIRY_LANE,
    INGEST_LANE,
    PUBLISH_LANE,
    INTERNAL_LANE,
    "new:ad",
    "new:log",
    "new:media",
    "publish",
    "send:mail",
    "transmit",
];

/// The running threads. Dropping them stops them too.
pub(crate) struct Workers {
    stop: Arc<Stop>,
    /// One a lane; these also end when the server drains.
    threads: Vec<JoinHandle<()>>,
    housekeepers: Vec<JoinHandle<()>>,
    legal: Option<FollowerHandle>,
}

/// Starts a thread for every lane; each shows in `/readyz?verbose`.
///
/// # Errors
/// `NotFound` without the built-in collections, `Unavailable` when no thread can be started.
pub(crate) fn start(app: &App) -> Result<Workers> {
    let lanes: Vec<Box<dyn Lane>> = vec![
        Box::new(Expire::new(app)?),
        Box::new(NewAd),
        Box::new(NewLog::new(app)?),
        Box::new(Mail::new(app)?),
        Box::new(NewMedia::new()?),
        Box::new(Publish),
        Box::new(Transmit::new(app)?),
        Box::new(Poll::new()?),
        Box::new(PublishRouted),
        Box::new(RemoveExpired::new(app)?),
        Box::new(Internal::new()?),
    ];
    let mut workers =
        Workers { stop: Arc::default(), threads: Vec::new(), housekeepers: Vec::new(), legal: None };
    for lane in lanes {
        assert!(is_own_lane(lane.name()), "{} is missing from OWN_LANES", lane.name());
        let name = format!("dateline-{}", lane.name());
        let worker = Worker::new(app, lane, Arc::clone(&workers.stop));
        let thread = std::thread::Builder::new().name(name).spawn(move || worker.run());
        workers
            .threads
            .push(thread.map_err(|error| Error::unavailable(format!("cannot start a worker: {error}")))?);
    }
    workers.legal = publishing::keep_legal(app)?;
    workers.keep_house(app, "trim", trim::run)?;
    workers.keep_house(app, "sweep", blobs::sweep_until)?;
    workers.keep_house(app, "schedules", schedules::keep)?;
    workers.keep_house(app, "scrub", scrub::run)?;
    workers.keep_house(app, "clock", clock::run)?;
    workers.keep_house(app, "ingest", ingest::keep_time)?;
    Ok(workers)
}

impl Workers {
    /// A thread for work that no job asks for.
    fn keep_house(&mut self, app: &App, name: &str, run: fn(&App, &Stop)) -> Result<()> {
        let (app, stop) = (app.clone(), Arc::clone(&self.stop));
        let thread = std::thread::Builder::new().name(format!("dateline-{name}"));
        let thread = thread.spawn(move || run(&app, &stop));
        let thread = thread.map_err(|error| Error::unavailable(format!("cannot start {name}: {error}")))?;
        self.housekeepers.push(thread);
        Ok(())
    }

    /// Lets each finish the jobs it has in hand.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.set();
        drop(self.legal.take());
        for thread in self.threads.drain(..).chain(self.housekeepers.drain(..)) {
            // A worker catches the panics of its lane; its own end is all there is to wait for.
            drop(thread.join());
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests;
