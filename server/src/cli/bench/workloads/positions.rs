//! Devices that report where they are: each step stores a batch of fixes. `matched` is the time until the matcher has
//! seen the batch and its events are stored. A batch counts as one operation.

use std::time::{Duration, Instant};

use dateline_engine::{DocId, Durability, Error, Receipt, Tail};
use dateline_geo::{Fix, Point};
use serde_json::json;

use super::{End, Workload};
use crate::app::App;
use crate::cli::bench::client::Client;
use crate::cli::bench::ground::Ground;
use crate::cli::bench::parameters::Parameters;
use crate::cli::bench::recorder::Kind;

const BATCH: usize = 0;
const MATCHED: usize = 1;
const KINDS: &[Kind] = &[Kind::counted("batch"), Kind::beside("matched")];
/// Fixes of one batch.
const FIXES: u64 = 100;
/// Circles that devices enter and leave.
const FENCES: u32 = 100;
/// Batches that may wait to be seen by the watcher; more than that are not watched.
const WATCHED_MAX: usize = 4_096;

/// A stored batch, and when it should have begun.
type Stored = (Tail, Instant);

struct Positions {
    app: App,
    durability: Durability,
    devices: u64,
    stored: crossbeam::channel::Sender<Stored>,
    watched: crossbeam::channel::Receiver<Stored>,
}

pub(super) fn make(parameters: &Parameters, ground: &Ground) -> Result<Box<dyn Workload>, Error> {
    let app = ground.app()?.clone();
    fences(&app)?;
    let (stored, watched) = crossbeam::channel::bounded(WATCHED_MAX);
    let (durability, devices) = (parameters.durability.into(), parameters.records);
    Ok(Box::new(Positions { app, durability, devices, stored, watched }))
}

/// In the square of one degree in which the devices move.
fn fences(app: &App) -> Result<(), Error> {
    let catalog = app.store().catalog();
    let collection = catalog.by_name("fences").ok_or_else(|| Error::internal("no collection fences"))?.id;
    let mut transaction = dateline_engine::Transaction::new(Durability::Buffered);
    for number in 0..FENCES {
        let (row, column) = (f64::from(number / 10), f64::from(number % 10));
        let center = [10.05 + column / 10.0, 59.05 + row / 10.0];
        let body = json!({
            "name": format!("bench {number}"),
            "circle": {"center": center, "radius_m": 1_500},
            "detect": ["enter", "exit"],
        });
        let id = DocId::new(format!("bench-{number}"))?;
        let condition = dateline_engine::Condition::Always;
        transaction = transaction.put(collection, id, condition, body.to_string());
    }
    app.store().commit(transaction).map(drop)
}

impl Positions {
    fn submit(&self, fixes: &[Fix]) -> Result<Receipt, Error> {
        let (answer, outcome) = crossbeam::channel::bounded(1);
        self.app.geo().submit(fixes, self.durability, move |result| {
            // The receiver waits below.
            let _ = answer.send(result);
        });
        outcome.recv().map_err(|_| Error::unavailable("the engine stopped before it answered"))?
    }
}

impl Workload for Positions {
    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    fn step(&self, client: &mut Client) -> Result<(), Error> {
        let at = self.app.store().now();
        let mut fixes = Vec::new();
        for _ in 0..FIXES {
            let device = DocId::new(format!("device-{}", client.random.u64(0..self.devices)))?;
            let (lon, lat) = (10.0 + client.random.f64(), 59.0 + client.random.f64());
            let point = Point::new(lon, lat).map_err(Error::internal)?;
            fixes.push(Fix::bare(device, point, at));
        }
        // Device, time and two coordinates.
        client.wrote(fixes.iter().map(|fix| fix.device.as_str().len() + 16).sum());
        let intended = client.intended();
        if let Some(receipt) = client.timed(BATCH, || self.submit(&fixes))? {
            // One that is not watched is only missing among the matched.
            let _ = self.stored.try_send((receipt.tail, intended));
        }
        Ok(())
    }

    fn sides(&self) -> usize {
        1
    }

    fn side(&self, client: &mut Client, end: &End) -> Result<(), Error> {
        loop {
            match self.watched.recv_timeout(Duration::from_millis(50)) {
                Ok((tail, intended)) => {
                    if self.app.geo().wait_for(tail, Duration::from_secs(30)) {
                        client.seen(MATCHED, intended);
                    } else if let Some(reason) = self.app.geo().failed() {
                        return Err(Error::internal(format!("the matcher has stopped: {reason}")));
                    }
                }
                Err(_) if end.has_come() => return Ok(()),
                Err(_) => {}
            }
        }
    }
}
