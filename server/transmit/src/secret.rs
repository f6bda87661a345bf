//! A text that is used and never shown.

use std::fmt;

/// Settings of destinations that are secret, of all delivery types: whoever stores a destination hides them.
///
/// The first three are read here; the others are of delivery types that other programs serve with the same destinations.
pub const SECRET_SETTINGS: [&str; 7] = [
    "secret_token",
    "webhook_secret",
    "password",
    "apiKey",
    "access_key_id",
    "secret_access_key",
    "connection_string",
];

/// A password, token or key. `Debug` does not show it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(..)")
    }
}
