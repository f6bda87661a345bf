//! Values that become values of another type.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value as Json};

/// What a value is to become. Null stays null, and a list has each of its elements converted, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Conversion {
    /// Numbers and booleans become the text they are written as.
    Text,
    /// Texts that are numbers become these, true becomes 1 and false 0.
    Number,
    /// The texts `true` and `false` and the numbers 1 and 0 become booleans.
    Boolean,
    /// Whatever is no list becomes the only element of one.
    List,
}

impl Conversion {
    /// What a value becomes; `None` when there is no such value.
    pub(super) fn of(self, value: &Json) -> Option<Json> {
        match (self, value) {
            (_, Json::Null) => Some(Json::Null),
            (Self::List, Json::Array(_)) => Some(value.clone()),
            (Self::List, other) => Some(Json::Array(vec![other.clone()])),
            (_, Json::Array(items)) => items.iter().map(|item| self.single(item)).collect(),
            _ => self.single(value),
        }
    }

    fn single(self, value: &Json) -> Option<Json> {
        match (self, value) {
            (_, Json::Null)
            | (Self::Text, Json::String(_))
            | (Self::Number, Json::Number(_))
            | (Self::Boolean, Json::Bool(_)) => Some(value.clone()),
            (Self::Text, Json::Number(number)) => Some(number.to_string().into()),
            (Self::Text, Json::Bool(truth)) => Some(truth.to_string().into()),
            (Self::Number, Json::String(text)) => number(text.trim()).map(Json::Number),
            (Self::Number, Json::Bool(truth)) => Some(u8::from(*truth).into()),
            (Self::Boolean, Json::String(text)) => text.trim().parse::<bool>().ok().map(Json::Bool),
            (Self::Boolean, Json::Number(number)) => match number.as_u64() {
                Some(0) => Some(false.into()),
                Some(1) => Some(true.into()),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A number as JSON writes it: whole where it fits 64 bits, else the nearest double.
fn number(text: &str) -> Option<Number> {
    serde_json::from_str(text).ok()
}
