//! What a stream of the log says, in the order in which it says it: `hello`, `reset` where an id leads nowhere, then
//! events and positions. Server-sent events and sockets are two ways of writing this down.

use std::fmt;
use std::sync::Arc;

use dateline_engine::Seq;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::http::Refusal;
use crate::streams::position::{Id, Place, Position};
use crate::streams::reader::{Bounds, End};
use crate::streams::tailing::{Moment, Tailing};
use crate::streams::view::Event;

/// The kind of what only says how far was read.
const POSITION: &str = "pos";

/// One thing told.
pub(crate) struct Told {
    /// The record that it is about, or up to which it was read.
    pub(crate) seq: Seq,
    /// Where a client goes on that has got this.
    pub(crate) place: Place,
    pub(crate) id: Id,
    pub(crate) kind: &'static str,
    pub(crate) data: Data,
}

impl Told {
    /// Whether it is of the log; the others are about the stream.
    pub(crate) const fn is_event(&self) -> bool {
        matches!(self.data, Data::Shared(_))
    }

    /// Whether it only says how far was read.
    pub(crate) fn is_position(&self) -> bool {
        self.kind == POSITION
    }
}

/// JSON, shared with other streams or of this one alone.
pub(crate) enum Data {
    Shared(Arc<RawValue>),
    Own(Value),
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shared(text) => f.write_str(text.get()),
            Self::Own(value) => value.fmt(f),
        }
    }
}

/// What comes next.
pub(crate) enum Next {
    Told(Vec<Told>),
    /// Nothing more.
    Bye(Bye),
}

/// Why nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bye {
    /// The server begins to stop.
    Shutdown,
    /// The sign-in of the reader has ended.
    SignedOut,
    /// What was asked for is not allowed any more.
    Forbidden,
    /// An operator has ended the connection.
    Disconnected,
    /// The log cannot be read.
    Failed,
    /// A later subscription has the name.
    TakenOver,
    /// The name was forgotten.
    Forgotten,
}

impl Bye {
    /// As clients are told.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown",
            Self::SignedOut => "signed_out",
            Self::Forbidden => "forbidden",
            Self::Disconnected => "disconnected",
            Self::Failed => "error",
            Self::TakenOver => "taken_over",
            Self::Forgotten => "forgotten",
        }
    }
}

/// Where a stream starts, and what it says first.
pub(crate) struct Beginning {
    pub(crate) from: Place,
    pub(crate) hello: Value,
    reset: Option<Value>,
}

impl Beginning {
    /// After the last id that a client has, which may be `now` or `earliest`; at the head without one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn after(app: &App, last: Option<&str>) -> Result<Self, Problem> {
        let store = app.store();
        let (head, floor) = (Place::after(store.feed().head()), store.feed().floor()?);
        let (from, obstacle) = match last {
            None | Some("now") => (head, None),
            Some("earliest") => (Place::after(floor), None),
            Some(text) => match Position::parse(text) {
                None => (head, Some("unknown")),
                Some(position) => match position.obstacle(store)? {
                    None => (position.place(), None),
                    Some(reason) => (head, Some(reason)),
                },
            },
        };
        let head = head.seq.get();
        let hello =
            json!({"epoch": store.epoch().get(), "from": from.seq.get(), "head": head, "floor": floor.get()});
        let reset = obstacle.map(|reason| json!({"reason": reason, "head": head}));
        Ok(Self { from, hello, reset })
    }
}

/// See the module.
pub(crate) struct Telling {
    tailing: Tailing,
    first: Option<Beginning>,
}

impl Telling {
    /// `tailing` reads from where `beginning` says.
    pub(crate) fn new(tailing: Tailing, beginning: Beginning) -> Self {
        Self { tailing, first: Some(beginning) }
    }

    /// What comes next; nothing does after `Bye`.
    pub(crate) async fn next(&mut self, bounds: Bounds) -> Next {
        if let Some(Beginning { from, hello, reset }) = self.first.take() {
            let mut first = vec![self.about(from, "hello", hello)];
            first.extend(reset.map(|reset| self.about(from, "reset", reset)));
            return Next::Told(first);
        }
        match self.tailing.next(bounds).await {
            Moment::Events(events) => Next::Told(events.into_iter().map(|event| self.of(event)).collect()),
            Moment::Position => Next::Told(vec![self.position()]),
            Moment::Draining => Next::Bye(Bye::Shutdown),
            Moment::Ended(End::SignedOut) => Next::Bye(Bye::SignedOut),
            Moment::Ended(End::Forbidden(_)) => Next::Bye(Bye::Forbidden),
            Moment::Ended(End::Disconnected) => Next::Bye(Bye::Disconnected),
            Moment::Ended(End::Failed(refusal)) => self.failed(&refusal),
        }
    }

    fn of(&self, event: Event) -> Told {
        let id = event.place.id(self.tailing.reader().app().store().epoch());
        Told { seq: event.seq, place: event.place, id, kind: event.kind, data: Data::Shared(event.data) }
    }

    fn about(&self, place: Place, kind: &'static str, data: Value) -> Told {
        let id = place.id(self.tailing.reader().app().store().epoch());
        Told { seq: place.seq, place, id, kind, data: Data::Own(data) }
    }

    /// Moves the client's position although nothing passed its topics.
    fn position(&self) -> Told {
        let (head, at) = (self.tailing.reader().app().store().feed().head(), self.tailing.reader().at());
        self.about(at, POSITION, json!({"seq": at.seq.get(), "head": head.get()}))
    }

    /// The log was trimmed past a reader that was too slow, or cannot be read.
    fn failed(&mut self, refusal: &Refusal) -> Next {
        if refusal.problem().slug() != Slug::Gone {
            tracing::error!(detail = refusal.problem().detail(), "stream ended");
            return Next::Bye(Bye::Failed);
        }
        let head = self.tailing.reader().app().store().feed().head();
        self.tailing.go_to(Place::after(head));
        let data = json!({"reason": "trimmed", "head": head.get()});
        Next::Told(vec![self.about(Place::after(head), "reset", data)])
    }
}

/// How long a client waits before it comes back, in ms: each a little differently, so that a restart brings no
/// stampede.
pub(crate) fn retry_ms(least: u64, spread: u64) -> u64 {
    least + crate::ids::random_u64().unwrap_or(0) % spread
}
