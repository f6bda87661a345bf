//! What happened to an item, as internal destinations are told.

use crate::recipients::Action;

/// What was done with the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It went out, or will at its time.
    Publish,
    /// A new version went out.
    Correct,
    /// It must not be used: it was wrong.
    Kill,
    /// It must not be used.
    Takedown,
    /// It was taken back.
    Unpublish,
    /// It will not go out at its time.
    Deschedule,
}

/// Where an item is on the way of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has none.
    Now,
    /// Its time is ahead.
    Scheduled,
    /// Its time has come.
    Due,
}

impl Event {
    const NAMES: [(Self, &'static str); 6] = [
        (Self::Publish, "publish"),
        (Self::Correct, "correct"),
        (Self::Kill, "kill"),
        (Self::Takedown, "takedown"),
        (Self::Unpublish, "unpublish"),
        (Self::Deschedule, "deschedule"),
    ];

    /// What the exchange is asked for is what happened; a resend is nothing new.
    #[must_use]
    pub fn of(action: Action) -> Option<Self> {
        match action {
            Action::Publish => Some(Self::Publish),
            Action::Correct => Some(Self::Correct),
            Action::Kill => Some(Self::Kill),
            Action::Takedown => Some(Self::Takedown),
            Action::Unpublish => Some(Self::Unpublish),
            Action::Resend => None,
        }
    }

    /// Its name, as jobs have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(own, _)| *own == self).map_or("", |(_, name)| name)
    }

    /// The one of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, own)| *own == name).map(|(event, _)| *event)
    }
}

impl Phase {
    const NAMES: [(Self, &'static str); 3] =
        [(Self::Now, "now"), (Self::Scheduled, "scheduled"), (Self::Due, "due")];

    /// Its name, as jobs have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(own, _)| *own == self).map_or("", |(_, name)| name)
    }

    /// The one of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, own)| *own == name).map(|(phase, _)| *phase)
    }
}
