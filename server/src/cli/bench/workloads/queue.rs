//! The durable queue: each client adds a job, leases one and completes it. A cycle counts once, with its ack.

use std::time::Duration;

use dateline_engine::{Ack, Durability, Error, Holder, LeaseRequest, LeaseTerm, NewJob, Store, Transaction};

use super::Workload;
use crate::cli::bench::client::Client;
use crate::cli::bench::ground::Ground;
use crate::cli::bench::parameters::Parameters;
use crate::cli::bench::recorder::Kind;
use crate::cli::bench::words::Words;

const CYCLE: usize = 0;
const ENQUEUE: usize = 1;
const LEASE: usize = 2;
const ACK: usize = 3;
const KINDS: &[Kind] =
    &[Kind::counted("cycle"), Kind::beside("enqueue"), Kind::beside("lease"), Kind::beside("ack")];

struct Jobs {
    store: Store,
    words: Words,
    durability: Durability,
    value_bytes: usize,
    request: LeaseRequest,
}

pub(super) fn make(parameters: &Parameters, ground: &Ground) -> Result<Box<dyn Workload>, Error> {
    let request = LeaseRequest {
        lane: "bench".to_owned(),
        max: 1,
        term: LeaseTerm::new(Duration::from_secs(600))?,
        holder: Holder::Process,
        wait: Duration::from_secs(5),
    };
    Ok(Box::new(Jobs {
        store: ground.store.clone(),
        words: Words::new(),
        durability: parameters.durability.into(),
        value_bytes: parameters.value_bytes,
        request,
    }))
}

impl Workload for Jobs {
    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    fn step(&self, client: &mut Client) -> Result<(), Error> {
        let payload = self.words.body(&mut client.random, "", self.value_bytes);
        client.wrote(payload.len());
        let job = NewJob::new("bench", payload);
        client.cycle(CYCLE, |client| {
            let transaction = Transaction::new(self.durability).enqueue(job);
            client.timed(ENQUEUE, || self.store.commit(transaction))?;
            let leased = client.timed(LEASE, || self.store.queue().lease(&self.request))?;
            for job in leased.unwrap_or_default() {
                client.timed(ACK, || self.store.queue().ack(Ack { lease: job.lease, result: None }))?;
            }
            Ok(())
        })
    }
}
