//! Versions of a collection's schema: what a body of an older one becomes on its way out.
//!
//! A collection declares *upgrades*, each of which takes bodies to the next version: members are renamed, removed,
//! converted, or given a default. Versions count from 1. Every stored body carries the version it is of, and stays as
//! it is: history, groups, backups and checks of bytes know nothing of upgrades. Whoever reads through the doors of
//! [`Store`](crate::Store) and [`Snapshot`](crate::Snapshot) is shown every body at the newest version, the past
//! included, and index entries are those of bodies as they are shown. One that is at the newest version costs a
//! comparison of two integers.
//!
//! Invariant: what an upgrade makes of a body depends on nothing but the two, and an upgrade that was declared is never
//! changed. So a later version adds to what was shown and takes nothing back, and an index whose fields no upgrade
//! touches stays as it is; the others are built anew, as any index that is declared on a live collection.
//!
//! An upgrade never fails a reading. What it cannot do to a body it leaves, and tells as [`Unmet`].

mod convert;
mod place;
mod present;
mod upgrade;

pub use convert::Conversion;
pub(crate) use present::{parse, present};
pub(crate) use upgrade::raise;
pub use upgrade::{Unmet, Upgrade};

/// The version of a collection without upgrades, and of what was stored before there were any, as 0.
pub(crate) const FIRST: u32 = 1;

/// The version that these upgrades lead to.
pub(crate) fn newest(upgrades: &[Upgrade]) -> u32 {
    upgrades.last().map_or(FIRST, |last| last.to)
}

#[cfg(test)]
mod tests;
