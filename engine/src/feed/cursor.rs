//! How far a consumer has come, stored with the data.

use crate::types::{Epoch, Millis, Tail};

/// A durable position of one named consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Everything up to here has been taken in.
    pub at: Tail,
    /// The opening of the store in which it was moved.
    pub epoch: Epoch,
    /// When it was moved.
    pub seen: Millis,
    /// What it has not seen is kept from being trimmed, as long as the policy lets anybody hold it.
    pub holds: bool,
}
