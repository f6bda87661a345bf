//! ODBC: the item as a call of a stored procedure.
//!
//! Settings: `connection_string`, `stored_procedure`.
//!
//! A destination does not bring its own connection string, which could name any host and load any driver: the setting
//! names one of [`Site::odbc`], as `wire` or `DSN=wire`. The keys of the formatted item, a JSON object, are the parameters
//! of the procedure; their values are bound and never a part of the statement. Drivers open their sockets themselves, so
//! the configured connection strings stand in for the guard.
//!
//! A call whose answer was lost is repeated: the procedure sees the same item again.

#[cfg(feature = "odbc")]
mod driver;
mod statement;

use crate::digest::Sha;
use crate::failure::{Code, Failure};
use crate::limits::{ODBC_CALLS_MAX, ODBC_MAX};
use crate::media::MediaProvider;
use crate::receipt::Receipt;
use crate::secret::Secret;
use crate::site::Site;
use crate::transmission::Transmission;
use crate::transmitter::{Lent, Transmitter};
use serde_json::{Map, Value};
use statement::Call;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub(crate) struct Odbc {
    connections: BTreeMap<String, Secret>,
    /// Calls block a thread each, and one that is given up blocks it until the driver returns.
    threads: Arc<Semaphore>,
}

impl Odbc {
    pub(crate) fn new(site: &Site) -> Odbc {
        Odbc { connections: site.odbc.clone(), threads: Arc::new(Semaphore::new(ODBC_CALLS_MAX)) }
    }

    async fn deliver(&self, transmission: &Transmission) -> Result<Receipt, Failure> {
        let lasting = |message: &str| Failure::lasting(Code::Odbc, message);
        let config = &transmission.destination.config;
        let named =
            config.text("connection_string").ok_or_else(|| lasting("connection_string is not set"))?;
        let name = named.strip_prefix("DSN=").unwrap_or(&named).trim_end_matches(';');
        let connection = self.connections.get(name).ok_or_else(|| {
            lasting("connection_string is not the name of a connection that the site has configured")
        })?;
        let procedure =
            config.text("stored_procedure").ok_or_else(|| lasting("stored_procedure is not set"))?;
        let text = transmission.body.as_text().ok_or_else(|| lasting("the formatted item is not text"))?;
        let fields: Map<String, Value> =
            serde_json::from_str(text).map_err(|_| lasting("the formatted item is no JSON object"))?;
        let call = Call::new(&procedure, &fields).map_err(|error| lasting(&error))?;
        let target = format!("{procedure} in {name}");
        self.call(connection.clone(), call).await?;
        Ok(Receipt {
            id: transmission.id(),
            sha256: Sha::of(text.as_bytes()).hex(),
            bytes: text.len() as u64,
            target,
            answer: None,
            media_sent: 0,
            duration: Duration::ZERO,
        })
    }

    async fn call(&self, connection: Secret, call: Call) -> Result<(), Failure> {
        let late = |_| Failure::passing(Code::Odbc, format!("not done within {} s", ODBC_MAX.as_secs()));
        let stopped = || Failure::passing(Code::Odbc, "the caller of the database stopped");
        let threads = Arc::clone(&self.threads);
        let work = async move {
            let permit = threads.acquire_owned().await.map_err(|_| stopped())?;
            let work = move || {
                let called = run(&connection, &call);
                drop(permit);
                called
            };
            tokio::task::spawn_blocking(work).await.map_err(|_| stopped())?
        };
        timeout(ODBC_MAX, work).await.map_err(late)?
    }
}

#[cfg(feature = "odbc")]
fn run(connection: &Secret, call: &Call) -> Result<(), Failure> {
    driver::run(connection, call)
}

#[cfg(not(feature = "odbc"))]
fn run(_: &Secret, _: &Call) -> Result<(), Failure> {
    Err(Failure::passing(Code::Odbc, "this server is built without ODBC"))
}

impl Transmitter for Odbc {
    fn key(&self) -> &'static str {
        "ODBC"
    }

    fn name(&self) -> &'static str {
        "ODBC"
    }

    fn codes(&self) -> &'static [Code] {
        &[Code::Odbc]
    }

    fn send<'a>(
        &'a self,
        transmission: &'a Transmission,
        _: &'a dyn MediaProvider,
    ) -> Lent<'a, Result<Receipt, Failure>> {
        Box::pin(self.deliver(transmission))
    }
}
