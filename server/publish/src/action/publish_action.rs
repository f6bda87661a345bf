//! Actions on items: who may do them, from which states, and what comes of it.

use super::settings::Settings;
use super::state::State::{self, *};
use crate::recipients;

/// What is done with an item on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PublishAction {
    /// It goes out now.
    Publish,
    /// It goes out at its time. A publishing whose updates have a `publish_schedule` is one.
    Schedule,
    /// It does not go out at its time.
    Deschedule,
    /// A new version goes out.
    Correct,
    /// A new version is begun while the last one is out.
    Correction,
    /// A version that was begun is given up.
    CancelCorrection,
    /// It must not be used: it was wrong.
    Kill,
    /// It must not be used.
    Takedown,
    /// It is taken back, and may come again.
    Unpublish,
    /// A version goes out once more, to chosen subscribers.
    Resend,
    /// A new story updates it.
    Rewrite,
    /// It no longer updates another story.
    Unlink,
    /// It is thrown away.
    Spike,
    /// It is brought back.
    Unspike,
}

impl PublishAction {
    /// All there are.
    pub const ALL: [Self; 14] = [
        Self::Publish,
        Self::Schedule,
        Self::Deschedule,
        Self::Correct,
        Self::Correction,
        Self::CancelCorrection,
        Self::Kill,
        Self::Takedown,
        Self::Unpublish,
        Self::Resend,
        Self::Rewrite,
        Self::Unlink,
        Self::Spike,
        Self::Unspike,
    ];

    /// The privilege it needs.
    #[must_use]
    pub fn privilege(self) -> &'static str {
        match self {
            Self::Publish | Self::Schedule => "publish",
            Self::Deschedule => "archive",
            Self::Correct | Self::Correction | Self::CancelCorrection => "correct",
            Self::Kill => "kill",
            Self::Takedown => "takedown",
            Self::Unpublish => "unpublish",
            Self::Resend => "resend",
            Self::Rewrite | Self::Unlink => "rewrite",
            Self::Spike => "spike",
            Self::Unspike => "unspike",
        }
    }

    /// The `operation` of the item and of its history.
    #[must_use]
    pub fn operation(self) -> &'static str {
        match self {
            Self::Publish | Self::Schedule => "publish",
            Self::Deschedule => "deschedule",
            Self::Correct => "correct",
            Self::Correction => "correction",
            Self::CancelCorrection => "cancel_correction",
            Self::Kill => "kill",
            Self::Takedown => "takedown",
            Self::Unpublish => "unpublish",
            Self::Resend => "resend",
            Self::Rewrite => "rewrite",
            Self::Unlink => "unlink",
            Self::Spike => "spike",
            Self::Unspike => "unspike",
        }
    }

    /// The kind of publishing: by it validators are chosen and refusals are told. Takedown and unpublish are kills there
    /// (clients know it so).
    pub(crate) fn act(self) -> &'static str {
        match self {
            Self::Schedule => "publish",
            Self::Takedown | Self::Unpublish => "kill",
            other => other.operation(),
        }
    }

    /// The state of the item afterwards; `None` where it stays as it is, or is what it was before.
    #[must_use]
    pub fn state(self) -> Option<State> {
        match self {
            Self::Publish => Some(Published),
            Self::Schedule => Some(Scheduled),
            Self::Deschedule => Some(InProgress),
            Self::Correct => Some(Corrected),
            Self::Correction => Some(Correction),
            Self::Kill => Some(Killed),
            Self::Takedown => Some(Recalled),
            Self::Unpublish => Some(Unpublished),
            Self::Spike => Some(Spiked),
            Self::CancelCorrection | Self::Resend | Self::Rewrite | Self::Unlink | Self::Unspike => None,
        }
    }

    /// The `pubstatus` of the item afterwards, of actions that give it to the publishing chain.
    #[must_use]
    pub fn pubstatus(self) -> Option<&'static str> {
        match self {
            Self::Publish | Self::Schedule | Self::Correct => Some("usable"),
            Self::Kill | Self::Takedown | Self::Unpublish => Some("canceled"),
            _ => None,
        }
    }

    /// Whether it takes an item back.
    #[must_use]
    pub fn is_withdrawal(self) -> bool {
        matches!(self, Self::Kill | Self::Takedown | Self::Unpublish)
    }

    /// Whether it may be done with an item in that state.
    ///
    /// Superdesk names `kill` among the states from which a correction may be begun, which is none. A killed item stays so.
    #[must_use]
    pub fn is_allowed(self, from: State, settings: &Settings) -> bool {
        match self {
            Self::Publish => matches!(
                from,
                Fetched | Routed | Submitted | InProgress | Scheduled | Unpublished | Correction
            ),
            Self::Schedule => matches!(from, Fetched | Routed | Submitted | InProgress),
            Self::Deschedule => from == Scheduled,
            Self::Correct => matches!(from, Published | Corrected | Correction),
            Self::Correction | Self::CancelCorrection => {
                matches!(from, Published | Correction | BeingCorrected | Corrected)
                    || (from == Scheduled && settings.allows_updating_scheduled_items)
            }
            Self::Kill | Self::Takedown | Self::Unpublish => {
                matches!(from, Published | Scheduled | Corrected | Correction)
            }
            Self::Resend => matches!(from, Published | Corrected | Killed | BeingCorrected),
            Self::Rewrite => match from {
                Killed | Spiked => false,
                Scheduled => settings.allows_updating_scheduled_items,
                _ => true,
            },
            Self::Unlink => true,
            // Also from recalled, unpublished and correction (clients know it so).
            Self::Spike => !matches!(from, Spiked | Published | Scheduled | Corrected | Killed),
            Self::Unspike => from == Spiked,
        }
    }

    /// What the exchange is asked for; `None` for what subscribers are told nothing of.
    #[must_use]
    pub fn requested(self) -> Option<recipients::Action> {
        match self {
            Self::Publish | Self::Schedule => Some(recipients::Action::Publish),
            Self::Correct => Some(recipients::Action::Correct),
            Self::Kill => Some(recipients::Action::Kill),
            Self::Takedown => Some(recipients::Action::Takedown),
            Self::Unpublish => Some(recipients::Action::Unpublish),
            Self::Resend => Some(recipients::Action::Resend),
            _ => None,
        }
    }
}
