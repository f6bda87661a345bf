//! Items that must not be used.

use dateline_formats::{Fields, Item};

use super::Outcome;

pub(super) fn skip(item: &Fields) -> Outcome {
    match Item::from(item).text("pubstatus") {
        "canceled" => Outcome::Stopped("the item was withdrawn".to_owned()),
        _ => Outcome::Unchanged,
    }
}
