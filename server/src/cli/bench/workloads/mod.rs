//! The workloads, a file for each.

mod documents;
mod feed;
mod positions;
mod publish;
mod queue;
mod search;
mod stamps;
mod ycsb;

use std::sync::atomic::{AtomicBool, Ordering};

use dateline_engine::{Error, Transaction};

use super::client::Client;
use super::ground::{Ground, Needs};
use super::parameters::Parameters;
use super::recorder::Kind;
use crate::config::suggest;

/// Work for many threads.
pub(crate) trait Workload: Sync {
    /// What is timed; operations name them by their place.
    fn kinds(&self) -> &'static [Kind];

    /// Documents to be there before.
    fn records(&self) -> u64 {
        0
    }

    /// Adds the record of this number to a transaction.
    fn record(&self, _number: u64, transaction: Transaction) -> Result<Transaction, Error> {
        Ok(transaction)
    }

    /// Waits until what was loaded is where it belongs.
    fn loaded(&self) -> Result<(), Error> {
        Ok(())
    }

    /// One step of one client.
    fn step(&self, client: &mut Client) -> Result<(), Error>;

    /// Threads beside the clients.
    fn sides(&self) -> usize {
        0
    }

    /// What such a thread does until `end`.
    fn side(&self, _client: &mut Client, _end: &End) -> Result<(), Error> {
        Ok(())
    }
}

/// Whether the clients have ended.
#[derive(Debug, Default)]
pub(crate) struct End(AtomicBool);

impl End {
    pub(crate) fn has_come(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn come(&self) {
        self.0.store(true, Ordering::Release);
    }
}

type Make = fn(&Parameters, &Ground) -> Result<Box<dyn Workload>, Error>;

/// A workload by name.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    pub(crate) needs: Needs,
    pub(crate) make: Make,
}

/// Every workload.
pub(crate) const ALL: &[Entry] = &[
    Entry { name: "ycsb-a", text: "half reads, half updates, zipfian", needs: Needs::Store, make: ycsb::a },
    Entry { name: "ycsb-b", text: "95 % reads, 5 % updates, zipfian", needs: Needs::Store, make: ycsb::b },
    Entry { name: "ycsb-c", text: "reads, zipfian", needs: Needs::Store, make: ycsb::c },
    Entry {
        name: "ycsb-d",
        text: "95 % reads of the latest, 5 % inserts",
        needs: Needs::Store,
        make: ycsb::d,
    },
    Entry { name: "ycsb-e", text: "95 % scans of 1 to 100, 5 % inserts", needs: Needs::Store, make: ycsb::e },
    Entry {
        name: "ycsb-f",
        text: "half reads, half read-modify-writes, zipfian",
        needs: Needs::Store,
        make: ycsb::f,
    },
    Entry {
        name: "documents",
        text: "get, create, patch, look up by an index, delete",
        needs: Needs::Store,
        make: documents::make,
    },
    Entry { name: "queue", text: "enqueue, lease, ack", needs: Needs::Store, make: queue::make },
    Entry {
        name: "feed",
        text: "writers, and readers that follow the log",
        needs: Needs::Store,
        make: feed::make,
    },
    Entry {
        name: "positions",
        text: "batches of 100 fixes until they are matched",
        needs: Needs::App,
        make: positions::make,
    },
    Entry {
        name: "search",
        text: "90 % full-text queries, 10 % writes until they are found",
        needs: Needs::App,
        make: search::make,
    },
    Entry {
        name: "publish",
        text: "document with job until feed, search and worker have it",
        needs: Needs::App,
        make: publish::make,
    },
];

/// # Errors
/// A sentence with the nearest name and all of them.
pub(crate) fn find(name: &str) -> Result<&'static Entry, String> {
    ALL.iter().find(|entry| entry.name == name).ok_or_else(|| {
        let names = ALL.iter().map(|entry| entry.name);
        let near = suggest::nearest(name, names.clone());
        let meant = near.map_or(String::new(), |near| format!("did you mean '{near}'? "));
        format!("there is no workload '{name}'; {meant}there are {}", names.collect::<Vec<_>>().join(", "))
    })
}
