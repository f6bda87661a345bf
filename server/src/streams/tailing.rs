//! A reader that stays: what happens next for it, whatever form its connection has.

use std::future::pending;
use std::time::Duration;

use dateline_engine::Tail;
use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::app::App;
use crate::streams::connections::{Call, Seat};
use crate::streams::position::Place;
use crate::streams::reader::{Bounds, End, Reader};
use crate::streams::view::Event;

/// How often the position is told to a reader that nothing else is told.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Steps full of records that pass nothing after which the position is told.
const STEPS_MAX: usize = 20;

/// What happens next.
pub(crate) enum Moment {
    /// At least one event.
    Events(Vec<Event>),
    /// It is time to tell the position.
    Position,
    /// The server begins to stop.
    Draining,
    /// The reader cannot go on.
    Ended(End),
}

/// Beats for one reader, the first in a while.
pub(crate) fn heartbeat() -> Interval {
    let mut heartbeat = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeat
}

/// See the module.
pub(crate) struct Tailing {
    app: App,
    reader: Reader,
    tail: watch::Receiver<Tail>,
    draining: watch::Receiver<bool>,
    heartbeat: Interval,
    /// Its connection, where that carries nothing else.
    seat: Option<Seat>,
}

impl Tailing {
    pub(crate) fn new(app: App, reader: Reader, seat: Option<Seat>) -> Self {
        let heartbeat = heartbeat();
        let (tail, draining) = (app.tail(), app.draining());
        Self { app, reader, tail, draining, heartbeat, seat }
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    pub(crate) fn go_to(&mut self, at: Place) {
        self.reader.go_to(at);
    }

    /// Reads on in steps; waits at the end of the log.
    pub(crate) async fn next(&mut self, bounds: Bounds) -> Moment {
        let (mut passed_by, mut is_due) = (0, false);
        loop {
            if *self.draining.borrow() {
                return Moment::Draining;
            }
            if self.seat.as_ref().is_some_and(|seat| seat.is_to_end()) {
                return Moment::Ended(End::Disconnected);
            }
            let taken = match self.reader.take(bounds).await {
                Ok(taken) => taken,
                Err(end) => return Moment::Ended(end),
            };
            if !taken.events.is_empty() {
                self.app.metrics().stream_events.inc_by(taken.events.len() as u64);
                if let Some(seat) = &self.seat {
                    seat.sent(taken.events.len());
                }
                return Moment::Events(taken.events);
            }
            passed_by += taken.records;
            // Catching up never waits below, so the heartbeat is looked at here too.
            is_due |=
                passed_by >= STEPS_MAX * bounds.records || self.heartbeat.tick().now_or_never().is_some();
            if is_due {
                return Moment::Position;
            }
            if taken.records > 0 {
                continue;
            }
            let at = self.reader.at().seq;
            tokio::select! {
                // The store ends after every stream has been told to; an error here is that end.
                _ = self.tail.wait_for(|tail| tail.seq > at) => {}
                _ = self.draining.wait_for(|draining| *draining) => {}
                // The reader asks for its rights by itself.
                _ = called(self.seat.as_ref()) => {}
                _ = self.heartbeat.tick() => is_due = true,
            }
        }
    }
}

async fn called(seat: Option<&Seat>) -> Call {
    match seat {
        Some(seat) => seat.call().await,
        None => pending().await,
    }
}
