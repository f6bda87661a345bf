//! Where a reader of the log stands: `EPOCH-SEQ`, or a bare sequence of the history of now.
//!
//! Most records are one event to a reader, some are several (a change, and what is notified of it). `EPOCH-SEQ.N` is the
//! place between them: all records up to `SEQ`, and `N` events of the one after.

use std::fmt;

use dateline_engine::{Epoch, Revision, Seq, Store};

use crate::eve::problem::{Problem, Slug};

/// How far a reader has come in the history of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// All records up to here.
    pub(crate) seq: Seq,
    /// And so many events of the next record.
    pub(crate) events: u32,
}

impl Place {
    /// After a record.
    pub(crate) const fn after(seq: Seq) -> Self {
        Self { seq, events: 0 }
    }

    /// As clients keep it.
    pub(crate) const fn id(self, epoch: Epoch) -> Id {
        Id { epoch, place: self }
    }
}

/// A place on its way to a client: `EPOCH-SEQ`, `EPOCH-SEQ.N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id {
    epoch: Epoch,
    place: Place,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch.get(), self.place.seq)?;
        if self.place.events > 0 {
            write!(f, ".{}", self.place.events)?;
        }
        Ok(())
    }
}

/// A position as a client gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) epoch: Option<Epoch>,
    pub(crate) seq: Seq,
    /// Events of the record after `seq`; 0 but for readers of events.
    pub(crate) events: u32,
}

impl Position {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (epoch, seq) = match text.trim().split_once('-') {
            Some((epoch, seq)) => (Some(Epoch::new(epoch.parse().ok()?)), seq),
            None => (None, text.trim()),
        };
        let (seq, events) = match seq.split_once('.') {
            Some((seq, events)) => {
                (seq, events.parse().ok().filter(|events| *events > 0 && epoch.is_some())?)
            }
            None => (seq, 0),
        };
        Some(Self { epoch, seq: Seq::new(seq.parse().ok()?), events })
    }

    pub(crate) const fn place(self) -> Place {
        Place { seq: self.seq, events: self.events }
    }

    /// Why reading cannot go on from here in this store, if it cannot.
    pub(crate) fn obstacle(&self, store: &Store) -> Result<Option<&'static str>, Problem> {
        let feed = store.feed();
        if let Some(epoch) = self.epoch
            && !store.knows(Revision { epoch, seq: self.seq })?
        {
            return Ok(Some("epoch"));
        }
        // A buffered write is told before it is durable: its sequence is a good place to read on from.
        if self.seq > store.watermark().applied().seq {
            return Ok(Some("future"));
        }
        if self.seq < feed.floor()? {
            return Ok(Some("trimmed"));
        }
        Ok(None)
    }
}

/// Where to begin to read: `now`, `earliest`, a sequence, or `EPOCH-SEQ`. `None` when the text is none of these.
///
/// # Errors
/// 410 naming `member` when the log cannot be read from there.
pub(crate) fn beginning(store: &Store, member: &str, text: &str) -> Result<Option<Seq>, Problem> {
    match text.trim() {
        "now" => return Ok(Some(store.feed().head())),
        "earliest" => return Ok(Some(store.feed().floor()?)),
        _ => {}
    }
    let Some(position) = Position::parse(text).filter(|position| position.events == 0) else {
        return Ok(None);
    };
    match position.obstacle(store)? {
        None => Ok(Some(position.seq)),
        Some(reason) => Err(gone(store, member, position.seq, reason)?),
    }
}

fn gone(store: &Store, member: &str, seq: Seq, reason: &str) -> Result<Problem, Problem> {
    let (floor, head) = (store.feed().floor()?, store.feed().head());
    let detail = match reason {
        "future" => format!("{seq} is past the end of the log, which is {head}"),
        "epoch" => format!("{seq} belongs to another history of this store"),
        _ => format!("the log is kept from {floor} on, {seq} is gone"),
    };
    Ok(Problem::new(Slug::Gone, detail)
        .with("floor", floor.get())
        .with("head", head.get())
        .issue(member, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_have_one_form_each() {
        let check = |text: &str, epoch: Option<u32>, seq: u64, events: u32| {
            let expected = Position { epoch: epoch.map(Epoch::new), seq: Seq::new(seq), events };
            assert_eq!(Position::parse(text), Some(expected), "{text}");
            if let Some(epoch) = expected.epoch {
                assert_eq!(expected.place().id(epoch).to_string(), text.trim());
            }
        };
        check("42", None, 42, 0);
        check("3-42", Some(3), 42, 0);
        check("3-42.2", Some(3), 42, 2);
        check(" 3-0 ", Some(3), 0, 0);
        let bad = [
            "",
            "-",
            "3-",
            "-3",
            "a",
            "3-4-5",
            "1e3",
            "99999999999999999999",
            "3-4.",
            "3-4.0",
            "4.1",
            "3-4.1.1",
        ];
        for bad in bad {
            assert_eq!(Position::parse(bad), None, "{bad}");
        }
    }
}
