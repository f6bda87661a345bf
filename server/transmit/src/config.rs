//! The settings of a destination.

use serde_json::{Map, Value};
use std::fmt;

/// The settings of a destination, as they are stored: a JSON object.
///
/// `Debug` shows the keys only; any value may be a secret.
#[derive(Clone, Default, PartialEq)]
pub struct Config(Map<String, Value>);

impl Config {
    /// Wraps the stored object.
    pub fn new(settings: Map<String, Value>) -> Config {
        Config(settings)
    }

    /// A text that is not blank, without white space around it. A number counts as its digits.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        let text = match self.0.get(key)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    /// A text as it was written, with the white space around it: passwords may have some.
    pub(crate) fn verbatim(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str().filter(|text| !text.is_empty())
    }

    /// Whether a switch is on; `default` where it was never touched.
    pub(crate) fn is_on(&self, key: &str, default: bool) -> bool {
        match self.0.get(key) {
            None | Some(Value::Null) => default,
            Some(Value::Bool(on)) => *on,
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            // Forms that send text send the words.
            Some(Value::String(text)) => !matches!(text.trim(), "" | "false" | "False" | "0" | "no" | "off"),
            Some(Value::Array(_) | Value::Object(_)) => true,
        }
    }

    /// A port; nothing where there is none.
    ///
    /// # Errors
    /// A sentence if it is no number from 1 to 65535.
    pub(crate) fn port(&self, key: &str) -> Result<Option<u16>, String> {
        let Some(text) = self.text(key) else { return Ok(None) };
        match text.parse() {
            Ok(port) if port > 0 => Ok(Some(port)),
            _ => Err(format!("{key} is not a port")),
        }
    }
}

impl From<Value> for Config {
    fn from(value: Value) -> Config {
        match value {
            Value::Object(settings) => Config(settings),
            _ => Config::default(),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Config ")?;
        out.debug_set().entries(self.0.keys()).finish()
    }
}
