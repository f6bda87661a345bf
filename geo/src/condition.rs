//! Conditions on the attributes of devices.
//!
//! Which language they are written in is not known here: whoever starts the matcher brings a reader for it.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

type Test = dyn Fn(&Value) -> bool + Send + Sync;

/// A condition on an object: the device's attributes, as they are and once more under `fields`, beside `speed`,
/// `heading`, `accuracy` and `altitude` of its last fix.
#[derive(Clone)]
pub struct Condition(Arc<Test>);

/// Reads a condition, or says what is wrong with it.
pub type ReadCondition = fn(&Value) -> Result<Condition, String>;

impl Condition {
    /// Wraps a test, which must depend on nothing but what it is given.
    pub fn new(test: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(test))
    }

    pub(crate) fn accepts(&self, device: &Value) -> bool {
        (self.0)(device)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Condition")
    }
}
