//! Collects the events of one item of the log and brings them into the order in which they are told.

use dateline_engine::{DocId, Millis};

use crate::adlist::AdList;
use crate::event::{Event, FenceTold, Kind, MatchTold, Reason, Source, Told};

pub(crate) struct Teller {
    source: Source,
    /// The time of events that have none of their own.
    pub(crate) at: Millis,
    events: Vec<Event>,
}

impl Teller {
    pub(crate) fn new(source: Source, at: Millis) -> Self {
        Self { source, at, events: Vec::new() }
    }

    pub(crate) fn tell_match(
        &mut self,
        id: &DocId,
        list: &AdList,
        ad: &DocId,
        distance_m: Option<f64>,
        kind: Kind,
        reason: Reason,
    ) {
        let told = MatchTold {
            list: id.clone(),
            ad: ad.clone(),
            device: list.device.clone(),
            user: list.user.clone(),
            name: list.name.clone(),
            distance_m,
        };
        self.push(self.at, kind, reason, Told::Match(told));
    }

    pub(crate) fn tell_fence(&mut self, at: Millis, kind: Kind, reason: Reason, told: FenceTold) {
        self.push(at, kind, reason, Told::Fence(told));
    }

    fn push(&mut self, at: Millis, kind: Kind, reason: Reason, told: Told) {
        self.events.push(Event { source: self.source, at, kind, reason, told });
    }

    /// Exits before enters before levels; within each fences, then lists, by id.
    pub(crate) fn in_order(mut self) -> Vec<Event> {
        fn key(event: &Event) -> (Kind, bool, &DocId, &DocId, Option<&DocId>) {
            match &event.told {
                Told::Fence(told) => (event.kind, false, &told.fence, &told.device, told.other.as_ref()),
                Told::Match(told) => (event.kind, true, &told.list, &told.ad, None),
            }
        }
        self.events.sort_by(|a, b| key(a).cmp(&key(b)));
        self.events
    }
}
