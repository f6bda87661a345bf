//! States of an item.

/// Where an item is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Begun by somebody, on no desk.
    Draft,
    /// Came from a feed.
    Ingested,
    /// Sent to a desk by a rule.
    Routed,
    /// Taken from a feed to a desk.
    Fetched,
    /// Sent from one desk to another.
    Submitted,
    /// Worked on.
    InProgress,
    /// Thrown away; it may be brought back until it expires.
    Spiked,
    /// Out.
    Published,
    /// Withdrawn for good: it was wrong.
    Killed,
    /// Out, in a later version.
    Corrected,
    /// Will be out at its time.
    Scheduled,
    /// Withdrawn for good.
    Recalled,
    /// Taken back; it may come again.
    Unpublished,
    /// Worked on again while the last version is still out.
    Correction,
    /// Out, and worked on again; a state of published rows.
    BeingCorrected,
}

impl State {
    /// Each with its name, in the order of the way.
    pub const ALL: [(Self, &'static str); 15] = [
        (Self::Draft, "draft"),
        (Self::Ingested, "ingested"),
        (Self::Routed, "routed"),
        (Self::Fetched, "fetched"),
        (Self::Submitted, "submitted"),
        (Self::InProgress, "in_progress"),
        (Self::Spiked, "spiked"),
        (Self::Published, "published"),
        (Self::Killed, "killed"),
        (Self::Corrected, "corrected"),
        (Self::Scheduled, "scheduled"),
        (Self::Recalled, "recalled"),
        (Self::Unpublished, "unpublished"),
        (Self::Correction, "correction"),
        (Self::BeingCorrected, "being_corrected"),
    ];

    /// The state of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, own)| *own == name).map(|(state, _)| *state)
    }

    /// Its name in items.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(own, _)| *own == self).map_or("", |(_, name)| name)
    }

    /// Whether an item in it was given to the publishing chain: it is out, was, or will be.
    #[must_use]
    pub fn is_published(self) -> bool {
        matches!(
            self,
            Self::Published
                | Self::Scheduled
                | Self::Corrected
                | Self::Killed
                | Self::Recalled
                | Self::Unpublished
                | Self::BeingCorrected
        )
    }

    /// Whether an item in it was withdrawn; it counts as no reason to keep others.
    pub(crate) fn is_withdrawn(self) -> bool {
        matches!(self, Self::Killed | Self::Recalled | Self::Unpublished)
    }
}
