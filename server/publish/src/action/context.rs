//! What actions need to know beside the item.

use dateline_formats::Fields;
use jiff::Timestamp;
use serde_json::Value;

use super::settings::Settings;
use crate::validate::Rules;

/// Looks up stored documents. All answers are of one moment; the commit checks that nothing has changed since.
pub trait Archive {
    /// The last version of an item in production.
    fn item(&self, id: &str) -> Option<Fields>;
    /// The published rows of an item, oldest first.
    fn snapshots(&self, item: &str) -> Vec<Fields>;
    /// The packages in production that have the item as a member.
    fn packages(&self, item: &str) -> Vec<Fields>;
    /// The last published rows of the items with this `translation_id`.
    fn translations(&self, translation: &str) -> Vec<Fields>;
    /// A desk: `{"source"?, "content_expiry"?, "working_stage"?, "name"}`.
    fn desk(&self, id: &str) -> Option<Fields>;
    /// A stage: `{"content_expiry"?}`.
    fn stage(&self, id: &str) -> Option<Fields>;
    /// All subscribers, active or not: `{"_id", "email"?, "is_active", "subscriber_type"}`.
    fn subscribers(&self) -> Vec<Fields>;
}

/// Who acts; nobody when a rule or the clock does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Editor<'a> {
    /// The id of the user.
    pub id: &'a str,
    /// What the user signs with.
    pub sign_off: &'a str,
    /// The name that others see.
    pub name: &'a str,
}

/// Everything that a decision depends on beside the item and what is asked.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Stored documents.
    pub archive: &'a dyn Archive,
    /// Profiles, vocabularies and validators.
    pub rules: Rules<'a>,
    /// Settings of the site.
    pub settings: &'a Settings,
    /// Who acts.
    pub editor: Editor<'a>,
    /// The time.
    pub now: Timestamp,
}

impl Context<'_> {
    /// The desk of an item.
    pub(crate) fn desk_of(&self, item: &Fields) -> Option<Fields> {
        self.task_of(item, "desk").and_then(|id| self.archive.desk(id))
    }

    /// The stage of an item.
    pub(crate) fn stage_of(&self, item: &Fields) -> Option<Fields> {
        self.task_of(item, "stage").and_then(|id| self.archive.stage(id))
    }

    fn task_of<'i>(&self, item: &'i Fields, key: &str) -> Option<&'i str> {
        item.get("task")?.get(key).and_then(Value::as_str)
    }
}
