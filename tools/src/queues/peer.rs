//! The products that are measured, behind one face.

use std::path::Path;

use super::{beanstalkd, dateline, redis};
use crate::program::Running;

/// Which product.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Dateline,
    Redis,
    Beanstalkd,
}

/// In the order of the table's columns.
pub(super) const KINDS: [Kind; 3] = [Kind::Dateline, Kind::Redis, Kind::Beanstalkd];

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dateline => "dateline",
            Self::Redis => "redis",
            Self::Beanstalkd => "beanstalkd",
        }
    }
}

/// A running product. Dropping it kills it.
pub(super) struct Peer {
    _running: Running,
    door: Door,
}

enum Door {
    Dateline(dateline::Door),
    Redis(u16),
    Beanstalkd(u16),
}

/// One connection to it.
pub(super) enum Client {
    Dateline(dateline::Client),
    Redis(redis::Client),
    Beanstalkd(beanstalkd::Client),
}

impl Peer {
    /// Starts it with its files in `dir`.
    pub(super) async fn start(kind: Kind, binary: &Path, dir: &Path) -> Result<Self, String> {
        let (running, door) = match kind {
            Kind::Dateline => {
                let (running, door) = dateline::start(binary, dir).await?;
                (running, Door::Dateline(door))
            }
            Kind::Redis => {
                let (running, port) = redis::start(dir).await?;
                (running, Door::Redis(port))
            }
            Kind::Beanstalkd => {
                let (running, port) = beanstalkd::start(dir)?;
                (running, Door::Beanstalkd(port))
            }
        };
        Ok(Self { _running: running, door })
    }

    pub(super) async fn client(&self) -> Result<Client, String> {
        Ok(match &self.door {
            Door::Dateline(door) => Client::Dateline(door.client().await?),
            Door::Redis(port) => Client::Redis(redis::Client::connect(*port).await?),
            Door::Beanstalkd(port) => Client::Beanstalkd(beanstalkd::Client::connect(*port).await?),
        })
    }
}

impl Client {
    /// Adds so many jobs and waits until they are on disk.
    pub(super) async fn put(&mut self, jobs: usize) -> Result<(), String> {
        match self {
            Self::Dateline(client) => client.put(jobs).await,
            Self::Redis(client) => client.put(jobs).await,
            Self::Beanstalkd(client) => client.put(jobs).await,
        }
    }

    /// Takes up to so many jobs, waiting for a first one, and completes them; how many.
    pub(super) async fn take(&mut self, max: usize) -> Result<usize, String> {
        match self {
            Self::Dateline(client) => client.take(max).await,
            Self::Redis(client) => client.take(max).await,
            Self::Beanstalkd(client) => client.take(max).await,
        }
    }
}

/// What every job carries: letters and digits, so that it is the same in JSON and in a protocol of lines.
pub(super) fn payload() -> String {
    let mut rng = fastrand::Rng::with_seed(1);
    std::iter::repeat_with(|| rng.alphanumeric()).take(1_024).collect()
}
