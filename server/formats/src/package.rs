//! Packages: groups of references, one of which, `root`, refers to the others.

use crate::item::Item;

/// One group of a package.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group<'a> {
    fields: Item<'a>,
}

/// A reference to another item; some of that item's fields stand beside it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reference<'a> {
    pub(crate) id: &'a str,
    pub(crate) fields: Item<'a>,
}

/// The groups in order.
pub(crate) fn groups(item: Item<'_>) -> impl Iterator<Item = Group<'_>> {
    item.objects("groups").map(|fields| Group { fields })
}

impl<'a> Group<'a> {
    pub(crate) fn id(self) -> &'a str {
        self.fields.text("id")
    }

    pub(crate) fn is_root(self) -> bool {
        self.id() == "root"
    }

    /// The role, `grpRole:` and the id when it has none.
    pub(crate) fn role(self) -> String {
        match self.fields.text("role") {
            "" => format!("grpRole:{}", self.id()),
            role => role.to_owned(),
        }
    }

    /// Ids of the groups this one refers to.
    pub(crate) fn group_ids(self) -> impl Iterator<Item = &'a str> {
        self.fields.objects("refs").map(|reference| reference.text("idRef")).filter(|id| !id.is_empty())
    }

    /// The items this group refers to.
    pub(crate) fn references(self) -> impl Iterator<Item = Reference<'a>> {
        self.fields
            .objects("refs")
            .map(|fields| Reference { id: fields.text("residRef"), fields })
            .filter(|reference| !reference.id.is_empty())
    }
}
