//! One subscription of a socket: the stream of the log that it is, held to its window.

use std::future::pending;
use std::sync::Arc;

use futures_util::stream::{self, AbortHandle, BoxStream, StreamExt};

use super::command::Wanted;
use crate::app::App;
use crate::eve::problem::Problem;
use crate::streams::caller::Caller;
use crate::streams::named::{Hold, Named};
use crate::streams::reader::{Bounds, Reader};
use crate::streams::tailing::Tailing;
use crate::streams::telling::{Beginning, Bye, Next, Telling, Told};
use crate::streams::view::View;
use crate::streams::window::Window;

/// Records read at a time.
const RECORDS: usize = 256;
/// What the events of one piece take up, in bytes. A socket that does not take them holds no more than that.
const BYTES: usize = 256 << 10;

/// What a subscription has to say.
pub(super) struct Piece {
    pub(super) id: u64,
    pub(super) told: Vec<Told>,
    /// Why, when nothing follows.
    pub(super) bye: Option<Bye>,
}

/// What the connection keeps of a subscription.
pub(super) struct Open {
    pub(super) window: Arc<Window>,
    pub(super) named: Option<Named>,
    stop: AbortHandle,
}

impl Open {
    /// Ends it: no piece comes any more.
    pub(super) fn stop(&self) {
        self.stop.abort();
    }
}

/// A subscription that begins.
pub(super) struct Begun {
    pub(super) open: Open,
    pub(super) hello: serde_json::Value,
    pub(super) pieces: BoxStream<'static, Piece>,
}

/// Begins a subscription.
///
/// # Errors
/// 400, 403 and 404 for what is asked for, 429 for too many names.
pub(super) async fn begin(app: &App, caller: &Caller, wanted: Wanted) -> Result<Begun, Problem> {
    let Wanted { id, topics, written, filter, part, with_documents, last, credit, name } = wanted;
    if let Some(part) = part {
        part.check(app, &topics)?;
    }
    let view = View::new(app, caller.principal.clone(), topics, filter, with_documents)?;
    let view = view.within(part.map(|part| part.within()).transpose()?);
    let (named, hold, beginning) = match &name {
        None => (None, None, Beginning::after(app, last.as_deref())?),
        Some(name) => {
            let user = &caller.principal.user;
            let (named, hold, beginning) = Named::take(app, user, name, last.as_deref()).await?;
            (Some(named), Some(hold), beginning)
        }
    };
    let window = Arc::new(Window::new(id, name, written, credit, beginning.from));
    let reader = Reader::new(app, caller.credentials.clone(), view, beginning.from);
    let hello = beginning.hello.clone();
    let telling = Telling::new(Tailing::new(app.clone(), reader, None), beginning);
    let running = Subscription { id, telling, window: Arc::clone(&window), hold };
    let pieces = stream::unfold(Some(running), |running| async move {
        let mut running = running?;
        let piece = running.next().await;
        let goes_on = piece.bye.is_none();
        Some((piece, goes_on.then_some(running)))
    });
    let (pieces, stop) = stream::abortable(pieces);
    Ok(Begun { open: Open { window, named, stop }, hello, pieces: pieces.boxed() })
}

struct Subscription {
    id: u64,
    telling: Telling,
    window: Arc<Window>,
    hold: Option<Hold>,
}

impl Subscription {
    async fn next(&mut self) -> Piece {
        let next = loop {
            let room = self.window.room();
            let bounds = Bounds { records: RECORDS, events: room, bytes: BYTES, whole_groups: false };
            tokio::select! {
                why = lost(self.hold.as_ref()) => break Next::Bye(why),
                () = self.window.opened(), if room == 0 => {}
                next = self.telling.next(bounds), if room > 0 => break next,
            }
        };
        match next {
            Next::Told(told) => {
                self.window.sent(&told);
                Piece { id: self.id, told, bye: None }
            }
            Next::Bye(why) => Piece { id: self.id, told: Vec::new(), bye: Some(why) },
        }
    }
}

async fn lost(hold: Option<&Hold>) -> Bye {
    match hold {
        Some(hold) => hold.lost().await,
        None => pending().await,
    }
}
