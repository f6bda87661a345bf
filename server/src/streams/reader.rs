//! One reader of the log: where it stands, what it may see, and whether it still is who it was.
//!
//! Invariant: what was rendered is given out only if the token, asked after the rendering, still stands for the
//! rights that it was rendered with. So nobody gets a record that was written after their rights were taken.

use std::sync::Arc;

use axum::http::HeaderMap;
use dateline_engine::{Change, Seq};

use crate::app::App;
use crate::auth::credentials::Credentials;
use crate::auth::policy;
use crate::eve::problem::Problem;
use crate::http::{Peer, Refusal};
use crate::streams::view::{Event, View};

/// Bytes of documents after which a step ends, once the group is whole.
pub(crate) const BYTES_MAX: usize = 8 << 20;

/// See the module.
pub(crate) struct Reader {
    app: App,
    credentials: Credentials,
    view: Arc<View>,
    at: Seq,
}

/// What one step brought.
pub(crate) struct Taken {
    pub(crate) events: Vec<Event>,
    /// Records read; none at the end of the log.
    pub(crate) records: usize,
    /// Bytes of the bodies that were read for it, shown or not.
    pub(crate) bytes_looked_at: usize,
}

/// Why a reader cannot go on.
pub(crate) enum End {
    /// The session has ended, the key was revoked, or the user may not enter any more.
    SignedOut,
    /// What was asked for is not allowed any more.
    Forbidden(Problem),
    /// The log cannot be read from here.
    Failed(Refusal),
}

impl Reader {
    /// # Errors
    /// 401 without a token in `headers`.
    pub(crate) fn new(
        app: &App,
        headers: &HeaderMap,
        peer: Peer,
        view: View,
        at: Seq,
    ) -> Result<Self, Problem> {
        let credentials = Credentials::of(headers, peer.tls).ok_or_else(not_signed_in)?;
        Ok(Self { app: app.clone(), credentials, view: Arc::new(view), at })
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// All up to here has been taken.
    pub(crate) fn at(&self) -> Seq {
        self.at
    }

    pub(crate) fn go_to(&mut self, at: Seq) {
        self.at = at;
    }

    /// Reads on: about `limit` records at the most, in whole groups.
    pub(crate) async fn take(&mut self, limit: usize) -> Result<Taken, End> {
        loop {
            let (view, at) = (Arc::clone(&self.view), self.at);
            let step = self.app.scan(move |store| -> Result<_, Problem> {
                let changes = store.feed().changes(at, limit)?;
                Ok((look(&view, &changes)?, changes))
            });
            let (taken, changes) = step.await.map_err(End::Failed)?;
            if self.has_same_rights()? {
                let last = taken.records.checked_sub(1).and_then(|last| changes.get(last));
                self.at = last.map_or(at, |change| change.seq);
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

/// Looks at records until the bytes are enough and a group is whole.
fn look(view: &View, changes: &[Change]) -> Result<Taken, Problem> {
    let mut taken = Taken { events: Vec::new(), records: 0, bytes_looked_at: 0 };
    for change in changes {
        taken.events.extend(view.event(change, &mut taken.bytes_looked_at)?);
        taken.records += 1;
        if taken.bytes_looked_at >= BYTES_MAX && change.seq == change.group_last {
            break;
        }
    }
    Ok(taken)
}

fn not_signed_in() -> Problem {
    policy::not_signed_in("the token is unknown or has expired")
}

impl From<End> for Refusal {
    fn from(end: End) -> Self {
        match end {
            End::SignedOut => not_signed_in().into(),
            End::Forbidden(problem) => problem.into(),
            End::Failed(refusal) => refusal,
        }
    }
}
