//! How much one subscription of a socket may be sent, and how far it has acknowledged.
//!
//! With a credit at most so many events are under way: sent, and not acknowledged. Without one the socket itself is the
//! bound: nothing is read ahead of what the client takes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dateline_engine::Seq;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::eve::problem::{Problem, Slug};
use crate::streams::position::Place;
use crate::streams::telling::Told;

/// See the module.
pub(crate) struct Window {
    id: u64,
    name: Option<String>,
    topics: String,
    credit: Option<usize>,
    state: Mutex<State>,
    opened: Notify,
}

struct State {
    /// Records of the events that were sent and not acknowledged, in order; kept with a credit only.
    under_way: VecDeque<Seq>,
    /// Where a client stands that has got all that was sent.
    told: Place,
    /// The record of the last event.
    last: Seq,
    acked: Option<Seq>,
    events: u64,
}

impl Window {
    pub(crate) fn new(
        id: u64,
        name: Option<String>,
        topics: String,
        credit: Option<usize>,
        from: Place,
    ) -> Self {
        let state = State { under_way: VecDeque::new(), told: from, last: from.seq, acked: None, events: 0 };
        Self { id, name, topics, credit, state: Mutex::new(state), opened: Notify::new() }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Events that may be sent now.
    pub(crate) fn room(&self) -> usize {
        self.credit.map_or(usize::MAX, |credit| credit.saturating_sub(self.state().under_way.len()))
    }

    /// Waits for an acknowledgement.
    pub(crate) async fn opened(&self) {
        self.opened.notified().await;
    }

    /// Counts what is sent.
    pub(crate) fn sent(&self, told: &[Told]) {
        let mut state = self.state();
        for told in told {
            state.told = told.place;
            if told.is_event() {
                state.last = told.seq;
                state.events += 1;
                if self.credit.is_some() {
                    state.under_way.push_back(told.seq);
                }
            }
        }
    }

    /// Takes all up to a record as acknowledged; up to where the client needs nothing again.
    ///
    /// # Errors
    /// 422 when it was not sent so far.
    pub(crate) fn ack(&self, seq: Seq) -> Result<Seq, Problem> {
        let mut state = self.state();
        let sent = state.told.seq.max(state.last);
        if seq > sent {
            let detail = format!("seq: {seq} was not sent, the last was {sent}");
            return Err(Problem::new(Slug::Unprocessable, detail).issue("seq", "not sent"));
        }
        while state.under_way.front().is_some_and(|front| *front <= seq) {
            state.under_way.pop_front();
        }
        // Of a record with several events only some may be out.
        let acked = state.acked.unwrap_or(Seq::ZERO).max(seq.min(state.told.seq));
        state.acked = Some(acked);
        drop(state);
        self.opened.notify_one();
        Ok(acked)
    }

    /// Where a client stands that has acknowledged every event, also past records that were none for it.
    pub(crate) fn passed(&self) -> Option<Seq> {
        let state = self.state();
        state.under_way.is_empty().then_some(state.told.seq)
    }

    pub(crate) fn shown(&self) -> Value {
        let state = self.state();
        json!({
            "id": self.id,
            "name": self.name,
            "topics": self.topics,
            "credit": self.credit,
            "unacknowledged": self.credit.map(|_| state.under_way.len()),
            "seq": state.told.seq.get(),
            "acknowledged": state.acked.map(Seq::get),
            "events": state.events,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dateline_engine::Epoch;

    use super::*;
    use crate::streams::records::encoded;
    use crate::streams::telling::Data;

    fn event(seq: u64, place: Place) -> Told {
        let data = Data::Shared(encoded(&json!({})).unwrap());
        Told { seq: Seq::new(seq), place, id: place.id(Epoch::new(1)), kind: "change", data }
    }

    fn whole(seq: u64) -> Told {
        event(seq, Place::after(Seq::new(seq)))
    }

    #[test]
    fn acknowledgements_open_the_window() {
        let window = Arc::new(Window::new(1, None, "changes".into(), Some(3), Place::after(Seq::new(10))));
        assert_eq!(window.room(), 3);
        let position = Place::after(Seq::new(15));
        let told = Told { data: Data::Own(json!({})), ..event(15, position) };
        window.sent(&[whole(12), whole(14), told]);
        assert_eq!((window.room(), window.passed()), (1, None), "a position takes nothing");
        assert_eq!(window.ack(Seq::new(16)).unwrap_err().status_code(), 422);
        assert_eq!(window.ack(Seq::new(13)).unwrap().get(), 13);
        assert_eq!(window.room(), 2);
        assert_eq!(window.ack(Seq::new(12)).unwrap().get(), 13, "it never goes back");
        assert_eq!(window.ack(Seq::new(15)).unwrap().get(), 15);
        assert_eq!((window.room(), window.passed()), (3, Some(Seq::new(15))));
    }

    #[test]
    fn a_record_that_is_half_sent_is_not_acknowledged() {
        let window = Window::new(1, None, "changes".into(), Some(1), Place::after(Seq::new(10)));
        let half = Place { seq: Seq::new(11), events: 1 };
        window.sent(&[event(12, half)]);
        assert_eq!(window.room(), 0);
        assert_eq!(window.ack(Seq::new(12)).unwrap().get(), 11);
        assert_eq!(window.room(), 1);
        window.sent(&[whole(12)]);
        assert_eq!(window.ack(Seq::new(12)).unwrap().get(), 12);
    }

    #[test]
    fn without_a_credit_nothing_is_counted() {
        let window = Window::new(1, None, "changes".into(), None, Place::after(Seq::new(10)));
        window.sent(&[whole(11), whole(12)]);
        assert_eq!((window.room(), window.state().under_way.len()), (usize::MAX, 0));
        assert_eq!(window.ack(Seq::new(12)).unwrap().get(), 12);
    }
}
