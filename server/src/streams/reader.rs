//! One reader of the log: where it stands, what it may see, and whether it still is who it was.
//!
//! Invariant: what was rendered is given out only if the token, asked after the rendering, still stands for the
//! rights that it was rendered with. So nobody gets a record that was written after their rights were taken.

use std::sync::Arc;

use dateline_engine::Change;

use crate::app::App;
use crate::auth::credentials::Credentials;
use crate::auth::policy;
use crate::eve::problem::Problem;
use crate::http::Refusal;
use crate::streams::position::Place;
use crate::streams::view::{Event, View};

/// Bytes of documents after which a step ends, once the group is whole.
pub(crate) const BYTES_MAX: usize = 8 << 20;

/// See the module.
pub(crate) struct Reader {
    app: App,
    credentials: Credentials,
    view: Arc<View>,
    at: Place,
}

/// How far one step may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// About so many records.
    pub(crate) records: usize,
    /// At most so many events, which may end it inside a record.
    pub(crate) events: usize,
    /// Ends it after the event with which its events take up so many bytes.
    pub(crate) bytes: usize,
    /// Ends it only after a whole group; not where `events` ends it.
    pub(crate) whole_groups: bool,
}

impl Bounds {
    /// About so many records in whole groups.
    pub(crate) const fn groups(records: usize) -> Self {
        Self { records, events: usize::MAX, bytes: BYTES_MAX, whole_groups: true }
    }
}

/// What one step brought.
pub(crate) struct Taken {
    pub(crate) events: Vec<Event>,
    /// Records read; none at the end of the log.
    pub(crate) records: usize,
    /// Bytes of the bodies that were read for it, shown or not.
    pub(crate) bytes_looked_at: usize,
    /// Where the reader stands after it.
    at: Place,
}

/// Why a reader cannot go on.
pub(crate) enum End {
    /// The session has ended, the key was revoked, or the user may not enter any more.
    SignedOut,
    /// What was asked for is not allowed any more.
    Forbidden(Problem),
    /// An operator has ended the connection.
    Disconnected,
    /// The log cannot be read from here.
    Failed(Refusal),
}

impl Reader {
    pub(crate) fn new(app: &App, credentials: Credentials, view: View, at: Place) -> Self {
        Self { app: app.clone(), credentials, view: Arc::new(view), at }
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// All up to here has been taken.
    pub(crate) fn at(&self) -> Place {
        self.at
    }

    pub(crate) fn go_to(&mut self, at: Place) {
        self.at = at;
    }

    /// Reads on.
    pub(crate) async fn take(&mut self, bounds: Bounds) -> Result<Taken, End> {
        loop {
            let (view, at) = (Arc::clone(&self.view), self.at);
            let step = self.app.scan(move |store| -> Result<_, Problem> {
                look(&view, at, &store.feed().changes(at.seq, bounds.records)?, bounds)
            });
            let taken = step.await.map_err(End::Failed)?;
            if self.has_same_rights()? {
                self.at = taken.at;
                return Ok(taken);
            }
        }
    }

    /// Asks who the token stands for now; with other rights the view is made anew.
    fn has_same_rights(&mut self) -> Result<bool, End> {
        let found = self.app.auth().identify(self.app.store(), &self.credentials);
        let found = found.map_err(|error| End::Failed(error.into()))?.ok_or(End::SignedOut)?;
        if self.view.is_of(&found.principal) {
            return Ok(true);
        }
        self.view = Arc::new(self.view.again(found.principal).map_err(End::Forbidden)?);
        Ok(false)
    }
}

/// Looks at records until there is enough of them.
fn look(view: &View, from: Place, changes: &[Change], bounds: Bounds) -> Result<Taken, Problem> {
    let mut taken = Taken { events: Vec::new(), records: 0, bytes_looked_at: 0, at: from };
    let mut bytes = 0;
    for change in changes {
        let before = taken.events.len();
        view.events(change, &mut taken.bytes_looked_at, &mut taken.events)?;
        if taken.records == 0 && from.events > 0 {
            // The first of the record's events were given out before.
            let given = usize::try_from(from.events).unwrap_or(usize::MAX).min(taken.events.len());
            taken.events.drain(..given);
        }
        taken.records += 1;
        if taken.events.len() > bounds.events {
            taken.events.truncate(bounds.events);
            if let Some(last) = taken.events.last().filter(|_| bounds.events > before) {
                taken.at = last.place;
            }
            break;
        }
        taken.at = Place::after(change.seq);
        bytes += taken.events.iter().skip(before).map(|event| event.bytes).sum::<usize>();
        let is_enough = bytes >= bounds.bytes
            || taken.bytes_looked_at >= BYTES_MAX
            || taken.events.len() == bounds.events;
        if is_enough && (!bounds.whole_groups || change.seq == change.group_last) {
            break;
        }
    }
    Ok(taken)
}

impl From<End> for Refusal {
    fn from(end: End) -> Self {
        match end {
            End::SignedOut => policy::not_signed_in("the token is unknown or has expired").into(),
            End::Forbidden(problem) => problem.into(),
            End::Disconnected => policy::not_signed_in("an operator has ended the connection").into(),
            End::Failed(refusal) => refusal,
        }
    }
}
