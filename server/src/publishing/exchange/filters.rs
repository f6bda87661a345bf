//! Filters: which subscribers a request concerns. Each has a name by which a channel asks for it.

use dateline_publish::filter::Percolator;
use dateline_publish::recipients::{self, Action, Recipients};

use super::Fault;

/// A filter. What each does is told in `docs/filters.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Those that match now; nothing that went before counts.
    Default,
    /// Those that match now, and those that got the story this one updates.
    Content,
    /// Those that got it, and those that match now.
    Corrected,
    /// Those that got it.
    Killed,
    /// Those that were chosen.
    Resend,
}

const NAMES: [(&str, Filter); 5] = [
    ("default", Filter::Default),
    ("content", Filter::Content),
    ("content:corrected", Filter::Corrected),
    ("content:killed", Filter::Killed),
    ("resend", Filter::Resend),
];

impl Filter {
    pub(crate) fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(own, _)| *own == name).map(|(_, filter)| *filter)
    }

    /// The one of an operation.
    pub(crate) fn of(action: Action) -> Self {
        match action {
            Action::Publish => Self::Content,
            Action::Correct => Self::Corrected,
            Action::Kill | Action::Takedown | Action::Unpublish => Self::Killed,
            Action::Resend => Self::Resend,
        }
    }

    /// # Errors
    /// When nobody can have the item.
    pub(crate) fn recipients(
        self,
        percolator: &Percolator,
        request: recipients::Request<'_>,
    ) -> Result<Recipients, Fault> {
        let (action, original_deliveries) = match self {
            Self::Default => (Action::Publish, &[][..]),
            Self::Content => (Action::Publish, request.original_deliveries),
            Self::Corrected => (Action::Correct, request.original_deliveries),
            // The three take an item back from the same subscribers.
            Self::Killed => (Action::Kill, request.original_deliveries),
            Self::Resend => (Action::Resend, request.original_deliveries),
        };
        let request = recipients::Request { action, original_deliveries, ..request };
        Ok(recipients::recipients(percolator, request)?)
    }
}
