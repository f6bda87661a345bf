//! The content API: items as subscribers read them for themselves, by a token of their own.

mod store;

pub(super) use store::{Stored, stored};
