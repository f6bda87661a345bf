//! Whether everything that is kept twice agrees.
//!
//! `store`: every stored key against the format, documents against their log records and index entries. `log`: the
//! other way round, each record against what it has written. `schema`: documents of older schemas, and notes of what
//! upgrades could not do to them. `search` and `geo`: each against the documents.
//!
//! Reading only. Beside a running server each part is compared as of one moment of its own; what is written meanwhile
//! is no difference. Memory grows with the number of documents the kept log names.

mod log;
mod report;
mod routes;
mod schema;

use std::time::Duration;

use dateline_engine::{Error, Result, Seq, Tail};

use crate::app::App;
pub(crate) use report::{Part, Report};
pub(crate) use routes::routes;

/// How long followers may take to come up to the moment that is verified.
const CATCH_UP: Duration = Duration::from_secs(600);

/// Hears how far it has come: the part, what is done of it, and of how much.
pub(crate) type Watch<'a> = &'a mut dyn FnMut(&'static str, u64, u64);

/// Compares everything.
///
/// # Errors
/// When something cannot be read at all, or a follower does not keep up; a difference is no error.
pub(crate) fn check(app: &App, watch: Watch<'_>) -> Result<Report> {
    let store = app.store();
    let mut keys = 0;
    let found = store.verify(&mut |read| {
        keys = read;
        watch("store", read, 0);
    })?;
    let mut parts = vec![Part::named("store", keys, &found)];
    let snapshot = store.snapshot()?;
    let tail = snapshot.tail();
    parts.push(log::check(store, &snapshot, watch)?);
    watch("schema", 0, 0);
    parts.push(schema::check(&snapshot)?);
    // A snapshot keeps superseded bytes alive, and the rest does not need it.
    drop(snapshot);
    catch_up(app, tail)?;
    watch("search", 0, 0);
    parts.push(Part::named("search", tail.seq.get(), &app.search().verify()?));
    watch("geo", 0, 0);
    let geo = app.geo().verify()?;
    parts.push(Part::counted("geo", geo.compared, geo.differences, &geo.first));
    Ok(Report { seq: tail.seq, parts })
}

fn catch_up(app: &App, tail: Tail) -> Result<()> {
    let behind = |name: &str, at: Seq, failed: Option<String>| {
        let reason = failed.unwrap_or_else(|| format!("it is at {at}, the log at {}", tail.seq));
        Error::busy(format!("{name} does not keep up: {reason}"))
    };
    if !app.search().wait_visible(tail.seq, CATCH_UP) {
        return Err(behind("search", app.search().visible(), app.search().failed()));
    }
    if !app.geo().wait_for(tail, CATCH_UP) {
        return Err(behind("geo", app.geo().visible().seq, app.geo().failed()));
    }
    Ok(())
}
