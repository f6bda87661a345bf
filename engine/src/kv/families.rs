//! The column families of a store and how each is tuned.

/// One column family. The discriminant is its place in `Family::ALL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Family {
    /// Store facts: format, identity, epochs, counters, catalog, cursors.
    Meta,
    /// Current version of each document, tombstones included.
    Heads,
    /// Superseded versions.
    History,
    /// The log.
    Log,
    /// Declared secondary and unique indexes.
    Index,
    /// Documents by the time at which their current version ends.
    Expiry,
    /// Documents by the time at which superseded versions may go.
    Surplus,
    /// Answers already given under an idempotency key.
    Idem,
    /// Chunks of attachments.
    Blobs,
    /// The positions lane.
    Positions,
    /// Job payloads, immutable.
    Job,
    /// Job states.
    Jst,
    /// Jobs that may run now, by priority.
    Ready,
    /// Jobs by the time at which something is due.
    Timer,
    /// Waiting members of ordered groups.
    Grp,
    /// Unique keys of unfinished jobs.
    Uniq,
    /// Jobs that gave up.
    Dead,
    /// Results of finished jobs.
    Done,
}

impl Family {
    pub(crate) const ALL: [Self; 18] = [
        Self::Meta,
        Self::Heads,
        Self::History,
        Self::Log,
        Self::Index,
        Self::Expiry,
        Self::Surplus,
        Self::Idem,
        Self::Blobs,
        Self::Positions,
        Self::Job,
        Self::Jst,
        Self::Ready,
        Self::Timer,
        Self::Grp,
        Self::Uniq,
        Self::Dead,
        Self::Done,
    ];

    /// Name on disk. Never changed.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Heads => "heads",
            Self::History => "history",
            Self::Log => "log",
            Self::Index => "index",
            Self::Expiry => "expiry",
            Self::Surplus => "surplus",
            Self::Idem => "idem",
            Self::Blobs => "blobs",
            Self::Positions => "positions",
            Self::Job => "job",
            Self::Jst => "jst",
            Self::Ready => "ready",
            Self::Timer => "timer",
            Self::Grp => "grp",
            Self::Uniq => "uniq",
            Self::Dead => "dead",
            Self::Done => "done",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_stands_at_its_place() {
        for (place, family) in Family::ALL.into_iter().enumerate() {
            assert_eq!(family as usize, place);
        }
    }
}
