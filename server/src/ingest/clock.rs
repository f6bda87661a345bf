//! The thread that asks providers in time: a job of lane `ingest` for each that is due. A job that is there already is not
//! added twice, so a run that takes long is not overtaken.

use std::ops::ControlFlow;
use std::time::Duration;

use dateline_engine::{NewJob, Result, Seq, Transaction};
use dateline_ingest::{Health, Provider};
use serde_json::{Map, Value, json};

use super::{INGEST_LANE, of, state};
use crate::app::App;
use crate::publishing::now;
use crate::work::Stop;

/// How often it looks.
const LOOK: Duration = Duration::from_secs(1);
/// Providers that are asked by the clock.
const PROVIDERS_MAX: usize = 10_000;

/// Keeps time until it is told to stop.
pub(crate) fn run(app: &App, stop: &Stop) {
    let mut clock = Clock { providers: Vec::new(), marks: None };
    let mut told = None;
    while !stop.is_set() {
        match clock.turn(app) {
            Ok(()) => told = None,
            Err(error) => {
                clock.marks = None;
                let reason = error.to_string();
                if told.replace(reason.clone()) != Some(reason) {
                    tracing::warn!(%error, "providers are not asked");
                }
            }
        }
        stop.pause(LOOK);
    }
}

struct Clock {
    providers: Vec<Provider>,
    /// The last changes of providers and states that were read.
    marks: Option<[Seq; 2]>,
}

impl Clock {
    fn turn(&mut self, app: &App) -> Result<()> {
        let collections = of(app).collections;
        let marks = [app.store().changed(collections.providers), app.store().changed(collections.states)];
        if self.marks != Some(marks) {
            self.providers = providers(app)?;
            self.marks = Some(marks);
        }
        let now = now(app.store());
        for provider in self.providers.iter_mut().filter(|own| Health { provider: own, now }.is_due()) {
            app.store()
                .commit(Transaction::new(dateline_engine::Durability::Buffered).enqueue(job(&provider.id)))?;
            // Until the run has written down that it was.
            provider.last_updated = Some(now);
        }
        Ok(())
    }
}

/// The job of one run.
pub(super) fn job(provider: &str) -> NewJob {
    let payload = json!({"provider": provider}).to_string();
    // A run that fails is over: the next one comes by the clock.
    NewJob {
        unique: Some(provider.to_owned()),
        attempts_max: 3,
        ..NewJob::new(INGEST_LANE, payload.into_bytes())
    }
}

fn providers(app: &App) -> Result<Vec<Provider>> {
    let ingest = of(app);
    let mut found: Vec<(String, Map<String, Value>)> = Vec::new();
    app.store().snapshot()?.scan(ingest.collections.providers, None, false, |document| {
        // One that cannot be read is shown as damaged to those who look at it.
        if let Ok(body) = serde_json::from_slice(&document.body) {
            found.push((document.id.as_str().to_owned(), body));
        }
        if found.len() < PROVIDERS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    let mut providers = Vec::with_capacity(found.len());
    for (id, mut body) in found {
        let last = state::read(app, &id)?.get("last_updated").cloned().unwrap_or_default();
        body.insert("last_updated".to_owned(), last);
        providers.push(Provider::read(&id, &body, ingest.settings.expiry_minutes));
    }
    Ok(providers)
}
