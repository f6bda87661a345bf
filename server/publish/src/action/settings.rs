//! Settings of the site that actions follow.

use jiff::tz::TimeZone;

/// How a site publishes. The names in brackets are those of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Media and related items go out together with what they are in (`PUBLISH_ASSOCIATED_ITEMS`).
    pub publishes_associated_items: bool,
    /// When media that are out already go out once more with a story (`PUBLISH_ASSOCIATIONS_RESEND`).
    pub resends_media: ResendMedia,
    /// Minutes that published items are kept; `None`: as the stage, the desk or the site says
    /// (`PUBLISHED_CONTENT_EXPIRY_MINUTES`).
    pub published_expiry_minutes: Option<u32>,
    /// Minutes that spiked items are kept; `None`: as the stage, the desk or the site says (`SPIKE_EXPIRY_MINUTES`).
    pub spiked_expiry_minutes: Option<u32>,
    /// Minutes that items are kept where stage and desk say nothing; 0: for ever (`CONTENT_EXPIRY_MINUTES`).
    pub expiry_minutes: u32,
    /// The source of items that came from no feed and are on a desk without one
    /// (`DEFAULT_SOURCE_VALUE_FOR_MANUAL_ARTICLES`).
    pub default_source: String,
    /// Signatures keep everybody who worked on an item each time (`FULL_SIGN_OFF`).
    pub keeps_full_sign_off: bool,
    /// Scheduled items may be updated by a new story (`ALLOW_UPDATING_SCHEDULED_ITEMS`).
    pub allows_updating_scheduled_items: bool,
    /// An update may be updated before it is out (`WORKFLOW_ALLOW_MULTIPLE_UPDATES`).
    pub allows_multiple_updates: bool,
    /// Corrections are begun before they go out (`CORRECTIONS_WORKFLOW`).
    pub has_corrections_workflow: bool,
    /// The priority of new updates; `None`: that of the story (`RESET_PRIORITY_VALUE_FOR_UPDATE_ARTICLES`).
    pub priority_of_updates: Option<u32>,
    /// The zone of times in texts.
    pub time_zone: TimeZone,
}

/// With which stories media go out once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResendMedia {
    /// None.
    Never,
    /// Those that are neither corrections nor updates.
    New,
    /// Those that are no corrections.
    Updates,
    /// All.
    Always,
}

impl ResendMedia {
    /// The setting as it is written; what nobody knows is never.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "new" => Self::New,
            "updates" => Self::Updates,
            "corrections" => Self::Always,
            _ => Self::Never,
        }
    }

    pub(crate) fn applies(self, is_correction: bool, is_update: bool) -> bool {
        match self {
            Self::Never => false,
            Self::New => !is_correction && !is_update,
            Self::Updates => !is_correction,
            Self::Always => true,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            publishes_associated_items: false,
            resends_media: ResendMedia::New,
            published_expiry_minutes: None,
            spiked_expiry_minutes: None,
            expiry_minutes: 0,
            default_source: "AAP".to_owned(),
            keeps_full_sign_off: false,
            allows_updating_scheduled_items: false,
            allows_multiple_updates: false,
            has_corrections_workflow: false,
            priority_of_updates: None,
            time_zone: TimeZone::UTC,
        }
    }
}
