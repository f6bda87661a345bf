//! Macros: named changes of an item on its way to a desk.
//!
//! Those of this room are built in; others are served elsewhere and asked by the server. Whatever a macro answers goes
//! through [`Outcome::onto`], which leaves alone what is not its to change ([`KEPT`]).

mod abstracts;
mod desk;
mod kept;
mod markup;
mod withdrawn;

use dateline_formats::Fields;

pub use kept::KEPT;
use kept::kept;

/// The macro of an internal destination whose copies go out by themselves.
pub const AUTO_PUBLISH: &str = "Internal_Destination_Auto_Publish";

/// What came of a macro.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The item as it is to be.
    Changed(Fields),
    /// It stays as it is.
    Unchanged,
    /// It is not to be sent; why.
    Stopped(String),
}

/// A macro that is built in.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// The name by which it is configured.
    pub name: &'static str,
    /// What people call it.
    pub label: &'static str,
    /// What it does.
    pub description: &'static str,
    /// Whether it makes sense for people who edit an item, and not only on the way to a desk.
    pub is_for_editors: bool,
    run: fn(&Fields, Option<&Fields>) -> Result<Outcome, String>,
}

/// All that are built in, by name.
pub const BUILT_IN: [BuiltIn; 5] = [
    BuiltIn {
        name: "Clean_Markup",
        label: "Clean markup",
        description: "Removes from texts what could act: scripts, handlers, frames, forms.",
        is_for_editors: true,
        run: |item, _| markup::clean(item),
    },
    BuiltIn {
        name: "Desk_Defaults",
        label: "Defaults of the desk",
        description: "Takes source, language and content profile from the desk.",
        is_for_editors: false,
        run: |item, desk| Ok(desk::defaults(item, desk)),
    },
    BuiltIn {
        name: AUTO_PUBLISH,
        label: "Publish automatically",
        description: "The copy of an internal destination goes out, and is corrected and withdrawn with its source.",
        is_for_editors: false,
        run: |_, _| Err("it is for internal destinations only".to_owned()),
    },
    BuiltIn {
        name: "Populate_Abstract",
        label: "Populate abstract",
        description: "Makes the first paragraph of the body the abstract of an item that has none.",
        is_for_editors: true,
        run: |item, _| abstracts::populate(item),
    },
    BuiltIn {
        name: "Skip_Withdrawn",
        label: "Skip withdrawn items",
        description: "Stops the copy of an item that was killed or taken down.",
        is_for_editors: false,
        run: |item, _| Ok(withdrawn::skip(item)),
    },
];

/// The built-in macro of a name.
#[must_use]
pub fn built_in(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|own| own.name == name)
}

impl BuiltIn {
    /// Does it to an item on its way to `desk`, a document with its `_id`; none when it goes nowhere.
    ///
    /// # Errors
    /// A sentence when it cannot be done to this item.
    pub fn run(&self, item: &Fields, desk: Option<&Fields>) -> Result<Outcome, String> {
        (self.run)(item, desk)
    }
}

impl Outcome {
    /// Changes the item, as far as that is a macro's to change. Gives the reason when the item is not to be sent.
    pub fn onto(self, item: &mut Fields) -> Option<String> {
        match self {
            Self::Changed(changed) => {
                *item = kept(item, changed);
                None
            }
            Self::Unchanged => None,
            Self::Stopped(reason) => Some(reason),
        }
    }
}

/// An item with some members set; unchanged when there are none.
fn with(item: &Fields, members: Vec<(&str, serde_json::Value)>) -> Outcome {
    if members.is_empty() {
        return Outcome::Unchanged;
    }
    let mut changed = item.clone();
    changed.extend(members.into_iter().map(|(member, value)| (member.to_owned(), value)));
    Outcome::Changed(changed)
}

#[cfg(test)]
mod tests;
