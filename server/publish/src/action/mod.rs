//! The producer: decides whether an action on an item may be done, and all that it changes.
//!
//! A [`Command`] says what is asked of an item. [`produce`] checks it against the state table
//! ([`PublishAction::is_allowed`]), the item itself, and what goes along with it, in the order in which clients are told;
//! then it writes metadata, the published row, history, and what the exchange is asked for, into a [`Production`]. A
//! [`Refusal`] says why not, and changes nothing.
//!
//! What is stored elsewhere is looked up through [`Archive`], which the server lends; nothing is written. Members of a
//! package and associated items go through the same steps as the item itself, and see what was changed before them: a
//! production is one commit.
//!
//! Privileges are the server's to check ([`PublishAction::privilege`]); locks of the item itself too.

mod archived;
mod associated;
mod associations;
mod checks;
mod context;
mod correct;
mod draft;
mod expiry;
mod groups;
mod letter;
mod limits;
mod media;
mod members;
mod metadata;
mod producer;
mod production;
mod publish_action;
mod refusal;
mod resend;
mod rewrite;
mod schedule;
mod settings;
mod sign_off;
mod snapshot;
mod spike;
mod state;
mod times;
mod withdraw;

use dateline_formats::Fields;

pub use context::{Archive, Context, Editor};
pub use groups::check_package;
pub use letter::Letter;
pub use production::{Left, Message, Notice, Production, Request, Target, Touch};
pub use publish_action::PublishAction;
pub use refusal::{Reason, Refusal};
pub use rewrite::Rewrite;
pub use settings::{ResendMedia, Settings};
pub use state::State;
pub use times::schedule_settings;
pub use withdraw::said_with_withdrawal;

use producer::{Cause, Producer};

/// What is asked of an item.
#[derive(Clone, Copy, Debug)]
pub enum Command<'a> {
    /// It goes out; at its time if the updates have a `publish_schedule`.
    Publish(Edit<'a>),
    /// A new version goes out.
    Correct(Edit<'a>),
    /// It must not be used: it was wrong.
    Kill(Edit<'a>),
    /// It must not be used.
    Takedown(Edit<'a>),
    /// It is taken back.
    Unpublish(Edit<'a>),
    /// It must not be used, long after it went out: the item is a row of the text archive.
    KillArchived(Edit<'a>),
    /// It does not go out at its time: an update of a scheduled item with `publish_schedule` null.
    Deschedule(Edit<'a>),
    /// Its time has come: the schedule of a request is due. A refusal means that it is no longer, or not yet, and that the
    /// request is void.
    FallDue,
    /// A correction is begun.
    Correction,
    /// A correction that was begun is given up (`?remove_correction=true`).
    CancelCorrection,
    /// It goes once more to these subscribers. `version` is the one that somebody has seen.
    Resend {
        /// Their ids.
        subscribers: &'a [String],
        /// A number, or nothing when the client says none.
        version: Option<u64>,
    },
    /// Another story updates it.
    Rewrite(Rewrite<'a>),
    /// It no longer updates another story.
    Unlink {
        /// A new id of an event.
        event_id: &'a str,
    },
    /// It is thrown away.
    Spike {
        /// A new id of an event.
        event_id: &'a str,
    },
    /// It is brought back.
    Unspike {
        /// The id of a desk; none: where it was.
        desk: Option<&'a str>,
        /// The id of a stage; none: the incoming stage of the desk.
        stage: Option<&'a str>,
    },
}

/// The updates that come with an action, and how they were sent.
#[derive(Clone, Copy, Debug)]
pub struct Edit<'a> {
    /// Top-level fields that replace those of the item; null ones as null. Without fields of the system such as `_etag`.
    pub updates: &'a Fields,
    /// The desk through which a personal item goes out (`?desk_id`).
    pub desk: Option<&'a str>,
    /// Whether somebody has read the warnings (`?publishing_warnings_confirmed`).
    pub is_confirmed: bool,
}

impl Command<'_> {
    /// The action, by which privileges are asked: for the text archive also `archived`; for what falls due none.
    #[must_use]
    pub fn action(&self) -> PublishAction {
        match self {
            Self::Publish(_) | Self::FallDue => PublishAction::Publish,
            Self::Correct(_) => PublishAction::Correct,
            Self::Kill(_) | Self::KillArchived(_) => PublishAction::Kill,
            Self::Takedown(_) => PublishAction::Takedown,
            Self::Unpublish(_) => PublishAction::Unpublish,
            Self::Deschedule(_) => PublishAction::Deschedule,
            Self::Correction => PublishAction::Correction,
            Self::CancelCorrection => PublishAction::CancelCorrection,
            Self::Resend { .. } => PublishAction::Resend,
            Self::Rewrite(_) => PublishAction::Rewrite,
            Self::Unlink { .. } => PublishAction::Unlink,
            Self::Spike { .. } => PublishAction::Spike,
            Self::Unspike { .. } => PublishAction::Unspike,
        }
    }
}

/// Decides an action on `original`, the last version of an item in production; of [`Command::KillArchived`], a row of the
/// text archive.
///
/// # Errors
/// When the state of the item does not allow the action (412), when item, updates or what goes along are not as they
/// must be (400), or when something that is named is not there (400, 404).
pub fn produce(
    context: &Context<'_>,
    original: &Fields,
    command: &Command<'_>,
) -> Result<Production, Refusal> {
    let mut producer = Producer::new(context);
    let action = command.action();
    match command {
        Command::Publish(edit)
        | Command::Correct(edit)
        | Command::Kill(edit)
        | Command::Takedown(edit)
        | Command::Unpublish(edit) => {
            producer.is_confirmed = edit.is_confirmed;
            let cause = Cause { package: None, desk: edit.desk };
            producer.publish(action, original.clone(), edit.updates.clone(), cause)?;
        }
        Command::KillArchived(edit) => archived::kill(&mut producer, original, edit.updates)?,
        Command::Deschedule(edit) => schedule::give_up(&mut producer, original, edit.updates)?,
        Command::FallDue => schedule::fall_due(&mut producer, original)?,
        Command::Correction | Command::CancelCorrection => {
            correct::begin_or_cancel(&mut producer, action, original)?;
        }
        Command::Resend { subscribers, version } => {
            resend::resend(&mut producer, original, subscribers, *version)?;
        }
        Command::Rewrite(request) => rewrite::rewrite(&mut producer, original, *request)?,
        Command::Unlink { event_id } => rewrite::unlink(&mut producer, original, event_id)?,
        Command::Spike { event_id } => spike::spike(&mut producer, original, event_id)?,
        Command::Unspike { desk, stage } => spike::unspike(&mut producer, original, *desk, *stage)?,
    }
    Ok(producer.out)
}

#[cfg(test)]
mod tests;
