//! Bounds of actions.

/// Levels of packages within packages that an action follows.
pub(super) const PACKAGE_DEPTH_MAX: usize = 16;
/// Items that one action publishes, with members, associated items and packages that are corrected with them.
pub(super) const ITEMS_MAX: usize = 2_000;

const _: () = assert!(PACKAGE_DEPTH_MAX < ITEMS_MAX);
