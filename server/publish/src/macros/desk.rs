//! What an item has of its desk.

use dateline_formats::{Fields, Item};

use super::{Outcome, with};

/// Member of the item, member of the desk, and whether media have it too.
const MEMBERS: [(&str, &str, bool); 3] = [
    ("source", "source", true),
    ("language", "desk_language", true),
    ("profile", "default_content_profile", false),
];

pub(super) fn defaults(item: &Fields, desk: Option<&Fields>) -> Outcome {
    let Some(desk) = desk.map(Item::from) else { return Outcome::Unchanged };
    let view = Item::from(item);
    let is_text = matches!(view.text("type"), "" | "text" | "preformatted");
    let set = MEMBERS.into_iter().filter(|(_, _, of_media)| is_text || *of_media).filter_map(
        |(own, of_desk, _)| {
            let value = desk.text(of_desk);
            (!value.is_empty() && view.text(own) != value).then(|| (own, value.into()))
        },
    );
    with(item, set.collect())
}
