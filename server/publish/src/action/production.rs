//! What an action changes.

use dateline_formats::Fields;
use jiff::Timestamp;

use super::draft::id_of;
use super::refusal::Refusal;
use crate::recipients;

/// All that an action changes. It is one commit: what is touched is touched first, then rows go, then versions and rows
/// are added.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Production {
    /// New versions of items, each with its `_id` and `_current_version`, in the order in which they were made. What
    /// editors have saved of these items without making a version is void.
    pub versions: Vec<Fields>,
    /// Documents that change without a new version.
    pub touched: Vec<Touch>,
    /// Items whose published rows go.
    pub retracted: Vec<String>,
    /// Items whose rows in the text archive go.
    pub unarchived: Vec<String>,
    /// New published rows, without `_id` and `publish_sequence_no`, which the store gives in this order.
    pub snapshots: Vec<Fields>,
    /// New history rows: `{"item_id", "user_id", "operation", "update", "version"}`.
    pub history: Vec<Fields>,
    /// What the exchange is asked for, in the order of the rows.
    pub requests: Vec<Request>,
    /// What browsers are told.
    pub notices: Vec<Notice>,
    /// What people are told.
    pub messages: Vec<Message>,
    /// Packages that should have been corrected with a member and could not be.
    pub left: Vec<Left>,
}

/// A package that stays as it is though a member was corrected.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    /// Its id.
    pub package: String,
    /// Why it could not be corrected.
    pub refusal: Refusal,
}

/// Top-level fields that are set in documents, null ones as null.
#[derive(Clone, Debug, PartialEq)]
pub struct Touch {
    /// Which documents.
    pub target: Target,
    /// The fields.
    pub fields: Fields,
}

/// Documents that are touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An item in production, by its id.
    Item(String),
    /// All published rows of an item, by its id.
    Snapshots(String),
    /// One published row, by its own id.
    Snapshot(String),
}

/// What the exchange is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The action.
    pub action: recipients::Action,
    /// The id of the item.
    pub item: String,
    /// Its version.
    pub version: u64,
    /// When it is due; `None`: now.
    pub due: Option<Timestamp>,
    /// The ids of the subscribers somebody chose, for a resend.
    pub chosen: Vec<String>,
}

/// An event for browsers.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Its name, such as `item:publish`.
    pub event: &'static str,
    /// What it says.
    pub extra: Fields,
}

/// Something for people.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// An e-mail to subscribers: an item was killed or taken down.
    Withdrawn {
        /// Addresses, each once.
        addresses: Vec<String>,
        /// The item with the texts of the kill, and `desk_name`, `city` and `action` beside them.
        item: Fields,
    },
    /// A story was corrected of which there are translations.
    TranslationChanged {
        /// Ids of users.
        users: Vec<String>,
        /// The story.
        item: Fields,
    },
}

impl Production {
    /// The new version of an item; `None` if it has none.
    #[must_use]
    pub fn version_of(&self, item: &str) -> Option<&Fields> {
        self.versions.iter().rfind(|version| id_of(version) == item)
    }
}
