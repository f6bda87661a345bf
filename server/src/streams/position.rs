//! Where a reader of the log stands: `EPOCH-SEQ`, or a bare sequence of the history of now.

use dateline_engine::{Epoch, Revision, Seq, Store};

use crate::eve::problem::{Problem, Slug};

/// A position as a client gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) epoch: Option<Epoch>,
    pub(crate) seq: Seq,
}

impl Position {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (epoch, seq) = match text.trim().split_once('-') {
            Some((epoch, seq)) => (Some(Epoch::new(epoch.parse().ok()?)), seq),
            None => (None, text.trim()),
        };
        Some(Self { epoch, seq: Seq::new(seq.parse().ok()?) })
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
    let Some(position) = Position::parse(text) else { return Ok(None) };
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
        let check = |text: &str, epoch: Option<u32>, seq: u64| {
            let expected = Position { epoch: epoch.map(Epoch::new), seq: Seq::new(seq) };
            assert_eq!(Position::parse(text), Some(expected), "{text}");
        };
        check("42", None, 42);
        check("3-42", Some(3), 42);
        check(" 3-0 ", Some(3), 0);
        for bad in ["", "-", "3-", "-3", "a", "3-4-5", "1e3", "99999999999999999999"] {
            assert_eq!(Position::parse(bad), None, "{bad}");
        }
    }
}
