//! Macros: named changes of an item, built in or done by another server.
//!
//! **Built-in ones** are decisions of `dateline-publish`: they look at the item and its desk. **External ones** are
//! configured (`[[macros]]`), so that a site's operator decides which addresses get items: the item is sent there, signed
//! as HTTP push signs, through the guard of everything that leaves the server.
//!
//! A call may take seconds, so nobody calls while something waits for the answer: first the macro, then the decision, under
//! the versions that the decision rests on. Whoever does not get through calls again; `webhook-id` is the same then.

mod external;
mod routes;

use std::fmt;

use dateline_engine::{Error, Result};
use dateline_formats::Fields;
use dateline_publish::macros::{AUTO_PUBLISH, BUILT_IN, BuiltIn, Outcome, built_in};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::app::App;
use crate::config::MacroConfig;
use crate::eve::problem::{Problem, Slug};
use crate::publishing::find_item;
use crate::work::blocking;
use external::External;

pub(crate) use routes::routes;

/// Calls at one time; more wait for their turn as long as their answer may take.
const CALLS_MAX: usize = 32;

/// The macros of a site.
pub(crate) struct Macros {
    externals: Vec<External>,
    calls: Semaphore,
}

/// A macro by its name.
#[derive(Clone, Copy)]
pub(crate) enum Macro<'a> {
    BuiltIn(&'static BuiltIn),
    External(&'a External),
}

/// What a macro is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) item: &'a Fields,
    /// The desk it goes to; empty: none.
    pub(crate) desk: &'a str,
    pub(crate) stage: Option<&'a str>,
    /// What sends it: `fetch`, `routing`, `internal_destination`, `editor`.
    pub(crate) cause: &'static str,
    /// The same whenever the same thing is asked.
    pub(crate) id: &'a str,
}

/// Why there is no outcome.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// There is no macro of this name.
    Unknown(String),
    /// A built-in macro cannot do this; why.
    Refused(String),
    /// The other server; what it did.
    Upstream(String),
    /// Too many calls at one time.
    Busy,
    /// The store.
    Store(Error),
}

impl Macros {
    /// # Errors
    /// `Invalid` with the macro and setting that cannot be used.
    pub(crate) fn open(configured: &[MacroConfig]) -> Result<Self> {
        let mut externals: Vec<External> = Vec::with_capacity(configured.len());
        for config in configured {
            let external = External::read(config)?;
            if built_in(&external.name).is_some() || externals.iter().any(|own| own.name == external.name) {
                return Err(Error::invalid(format!("macros '{}': the name is taken", external.name)));
            }
            externals.push(external);
        }
        Ok(Self { externals, calls: Semaphore::new(CALLS_MAX) })
    }

    /// The macro of a name.
    pub(crate) fn find(&self, name: &str) -> Option<Macro<'_>> {
        let external = || self.externals.iter().find(|own| own.name == name).map(Macro::External);
        built_in(name).map(Macro::BuiltIn).or_else(external)
    }

    /// Whether an item that is fetched or routed may go through a macro.
    ///
    /// # Errors
    /// A sentence that says why not.
    pub(crate) fn check(&self, name: &str) -> std::result::Result<(), String> {
        match self.find(name) {
            Some(_) if name == AUTO_PUBLISH => Err(format!("{name} is for internal destinations only")),
            Some(_) => Ok(()),
            None => Err(Trouble::Unknown(name.to_owned()).to_string()),
        }
    }

    /// Those that a desk is offered.
    fn offered(&self, desk: Option<&str>, with_backend: bool) -> Vec<Value> {
        let built_in = BUILT_IN.iter().filter(|own| own.is_for_editors || with_backend).map(|own| {
            let access = if own.is_for_editors { "frontend" } else { "backend" };
            json!({"name": own.name, "label": own.label, "description": own.description, "access_type": access})
        });
        let externals = self.externals.iter().filter(|own| own.is_offered(desk, with_backend));
        let externals = externals.map(|own| {
            json!({
                "name": own.name, "label": own.label, "access_type": own.access_type(), "desks": own.desks,
                "external": true,
            })
        });
        built_in.chain(externals).collect()
    }

    /// Asks a macro that is built in; none for one that has to be called.
    ///
    /// # Errors
    /// `Unknown`, `Refused`, or what the store fails with.
    pub(crate) fn run_here(
        &self,
        app: &App,
        name: &str,
        call: &Call<'_>,
    ) -> std::result::Result<Option<Outcome>, Trouble> {
        match self.find(name) {
            Some(Macro::BuiltIn(own)) => here(app, own, call.item, call.desk).map(Some),
            Some(Macro::External(_)) => Ok(None),
            None => Err(Trouble::Unknown(name.to_owned())),
        }
    }

    /// Asks a macro, and waits for the answer.
    ///
    /// # Errors
    /// [`Trouble`].
    pub(crate) async fn run(
        &self,
        app: &App,
        name: &str,
        call: &Call<'_>,
    ) -> std::result::Result<Outcome, Trouble> {
        match self.find(name) {
            Some(Macro::BuiltIn(own)) => {
                let (app, item, desk) = (app.clone(), call.item.clone(), call.desk.to_owned());
                blocking(move || Ok(here(&app, own, &item, &desk))).await?
            }
            Some(Macro::External(own)) => {
                let turn = tokio::time::timeout(own.time_max, self.calls.acquire()).await;
                let _turn = turn.map_err(|_| Trouble::Busy)?.map_err(|_| Trouble::Busy)?;
                own.call(app, call).await
            }
            None => Err(Trouble::Unknown(name.to_owned())),
        }
    }
}

/// Does a built-in macro with the desk an item goes to.
fn here(app: &App, own: &BuiltIn, item: &Fields, desk: &str) -> std::result::Result<Outcome, Trouble> {
    let desk = match desk {
        "" => None,
        desk => find_item(app.store(), app.publishing().collections().desks, desk)?,
    };
    own.run(item, desk.as_ref().and_then(Value::as_object)).map_err(Trouble::Refused)
}

impl Trouble {
    /// As the answer to whoever asked for the macro in `field`.
    pub(crate) fn into_problem(self, field: &str) -> Problem {
        let told = self.to_string();
        match self {
            Self::Unknown(_) => Problem::new(Slug::ValidationFailed, told.as_str()).issue(field, told),
            Self::Refused(_) => Problem::new(Slug::Unprocessable, told.as_str()).issue(field, told),
            Self::Upstream(_) => Problem::new(Slug::UpstreamFailed, told),
            Self::Busy => Problem::new(Slug::Overloaded, told).retry_after(1),
            Self::Store(error) => error.into(),
        }
    }

    /// As the reason why a job comes again.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Store(error) => error,
            other => Error::busy(other.to_string()),
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "there is no macro '{name}'"),
            Self::Refused(why) | Self::Upstream(why) => f.write_str(why),
            Self::Busy => f.write_str("too many macros are being asked"),
            Self::Store(error) => error.fmt(f),
        }
    }
}
