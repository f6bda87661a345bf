//! What an index says about itself: up to which record of which log it is exact, and made how.
//!
//! The text travels as the payload of a tantivy commit, in the same atomic write as the list of segments, so
//! it can never disagree with what is searched:
//!
//! ```text
//! {"store": hex, "seq": n, "epoch": n, "at": ms, "gen": n, "mapping": hex, "collections": n,
//!  "format": n, "tantivy": "x.y.z/n"} crc
//! ```
//! `crc` is the CRC-32C of the JSON, decimal: `meta.json` has no checksum of its own, and a changed digit of `seq`
//! would call for documents that were never lost.
//! `epoch` and `at` are those of the log record at `seq`: a log that lost its tail and grew again has another
//! record there. `mapping` covers the collections up to number `collections`.

use dateline_engine::{CollectionId, Epoch, Error, ErrorKind, Millis, Result, Seq, Store};
use serde_json::{Value as Json, json};

use crate::schema::FORMAT;
use crate::searched::Searched;

/// A log record as far as it can be recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Mark {
    pub(crate) seq: Seq,
    pub(crate) epoch: Epoch,
    pub(crate) at: Millis,
}

impl Mark {
    /// The record at `seq` of this log; `None` when it has been trimmed or is not there.
    pub(crate) fn read(store: &Store, seq: Seq) -> Result<Option<Self>> {
        let feed = store.feed();
        if seq == Seq::ZERO {
            return Ok(Some(Self::default()));
        }
        if seq > feed.head() || seq <= feed.floor()? {
            return Ok(None);
        }
        let before = Seq::new(seq.get().saturating_sub(1));
        let changes = match feed.changes(before, 1) {
            // Trimmed since the floor was read.
            Err(error) if error.kind() == ErrorKind::Gone => return Ok(None),
            changes => changes?,
        };
        let found = changes.into_iter().find(|change| change.seq == seq);
        Ok(found.map(|change| Self { seq, epoch: change.epoch, at: change.at }))
    }
}

/// The payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) store: String,
    pub(crate) mark: Mark,
    pub(crate) generation: u64,
    pub(crate) mapping: String,
    pub(crate) collections: CollectionId,
    pub(crate) format: u32,
    pub(crate) tantivy: String,
}

impl Checkpoint {
    pub(crate) fn new(store: &Store, searched: &Searched, generation: u64, mark: Mark) -> Self {
        let collections = searched.newest();
        Self {
            store: store.id().to_string(),
            mark,
            generation,
            mapping: searched.fingerprint(collections),
            collections,
            format: FORMAT,
            tantivy: tantivy_version(),
        }
    }

    pub(crate) fn encode(&self) -> String {
        let json = json!({
            "store": self.store,
            "seq": self.mark.seq.get(),
            "epoch": self.mark.epoch.get(),
            "at": self.mark.at.get(),
            "gen": self.generation,
            "mapping": self.mapping,
            "collections": self.collections.get(),
            "format": self.format,
            "tantivy": self.tantivy,
        });
        seal(&json.to_string())
    }

    pub(crate) fn decode(payload: &str) -> Result<Self> {
        unseal(payload)
            .and_then(|json| Self::from_json(&serde_json::from_str(json).ok()?))
            .ok_or_else(|| Error::corrupt(format!("search index: unreadable checkpoint {payload:?}")))
    }

    fn from_json(json: &Json) -> Option<Self> {
        let number = |name: &str| json.get(name)?.as_u64();
        let small = |name: &str| u32::try_from(number(name)?).ok();
        let text = |name: &str| Some(json.get(name)?.as_str()?.to_owned());
        let mark = Mark {
            seq: Seq::new(number("seq")?),
            epoch: Epoch::new(small("epoch")?),
            at: Millis::new(number("at")?),
        };
        Some(Self {
            store: text("store")?,
            mark,
            generation: number("gen")?,
            mapping: text("mapping")?,
            collections: CollectionId::new(small("collections")?),
            format: small("format")?,
            tantivy: text("tantivy")?,
        })
    }
}

/// Adds the checksum.
pub(crate) fn seal(json: &str) -> String {
    format!("{json} {}", crc32c::crc32c(json.as_bytes()))
}

/// The JSON of a payload whose checksum is right.
pub(crate) fn unseal(payload: &str) -> Option<&str> {
    let (json, crc) = payload.rsplit_once(' ')?;
    (crc.parse() == Ok(crc32c::crc32c(json.as_bytes()))).then_some(json)
}

/// What the store says to a checkpoint.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// What the checkpoint would be if it were written now.
    pub(crate) now: Checkpoint,
    /// The oldest and newest position of the log.
    pub(crate) floor: Seq,
    pub(crate) head: Seq,
    /// The log's record at the checkpoint, if it is still there.
    pub(crate) record: Option<Mark>,
}

impl Expected {
    pub(crate) fn of(
        checkpoint: &Checkpoint,
        store: &Store,
        searched: &Searched,
        generation: u64,
    ) -> Result<Self> {
        let mut now = Checkpoint::new(store, searched, generation, checkpoint.mark);
        now.collections = checkpoint.collections;
        now.mapping = searched.fingerprint(checkpoint.collections);
        let feed = store.feed();
        let record = Mark::read(store, checkpoint.mark.seq)?;
        Ok(Self { now, floor: feed.floor()?, head: feed.head(), record })
    }
}

/// What to do with an index at its opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is exact up to its checkpoint; go on from there.
    Resume,
    /// It was made for something else or differently.
    Rebuild(String),
    /// It knows records that the log does not have: the store has lost acknowledged data.
    Future(String),
}

/// Pure: decides from what the index and the store say.
pub(crate) fn judge(found: &Checkpoint, expected: &Expected) -> Verdict {
    let (now, seq) = (&expected.now, found.mark.seq);
    let differs = |what: &str, old: &dyn std::fmt::Display, new: &dyn std::fmt::Display| {
        Verdict::Rebuild(format!("{what} was {old}, is {new}"))
    };
    if found.store != now.store {
        return differs("the store", &found.store, &now.store);
    }
    if found.format != now.format {
        return differs("the format", &found.format, &now.format);
    }
    if found.tantivy != now.tantivy {
        return differs("tantivy", &found.tantivy, &now.tantivy);
    }
    if found.generation != now.generation {
        return differs("the generation", &found.generation, &now.generation);
    }
    if seq > expected.head {
        return Verdict::Future(format!("it is exact up to {seq}, the log ends at {}", expected.head));
    }
    if seq < expected.floor {
        return Verdict::Rebuild(format!("it ends at {seq}, the log starts after {}", expected.floor));
    }
    match expected.record {
        Some(record) if record != found.mark => {
            return Verdict::Future(format!("the log has another record {seq} than was indexed"));
        }
        // At the floor the record itself is gone; nothing speaks against it.
        Some(_) | None => {}
    }
    if found.mapping != now.mapping {
        return differs("the mapping", &found.mapping, &now.mapping);
    }
    Verdict::Resume
}

/// The version of tantivy and of the files it writes.
fn tantivy_version() -> String {
    tantivy::version_string().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            store: "ab".to_owned(),
            mark: Mark { seq: Seq::new(50), epoch: Epoch::new(2), at: Millis::new(1_700) },
            generation: 3,
            mapping: "cd".to_owned(),
            collections: CollectionId::new(9),
            format: 1,
            tantivy: "0.27.0/7".to_owned(),
        }
    }

    #[test]
    fn golden_text() {
        let text = r#"{"store":"ab","seq":50,"epoch":2,"at":1700,"gen":3,"mapping":"cd","collections":9,"format":1,"tantivy":"0.27.0/7"}"#;
        let payload = format!("{text} 933317939");
        assert_eq!(checkpoint().encode(), payload);
        assert_eq!(Checkpoint::decode(&payload).unwrap(), checkpoint());
        for bad in ["", "{}", "null", &text.replace("50", "-1"), &text.replace("\"gen\":3,", "")] {
            assert!(Checkpoint::decode(&seal(bad)).is_err(), "{bad}");
        }
        assert!(Checkpoint::decode(text).is_err(), "without a checksum");
        for bit in 0..payload.len() * 8 {
            let mut bytes = payload.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let changed = String::from_utf8_lossy(&bytes);
            assert!(Checkpoint::decode(&changed).is_err(), "{changed}");
        }
    }

    #[test]
    fn verdicts() {
        let check = |change: &dyn Fn(&mut Checkpoint, &mut Expected), verdict: &str| {
            let mut found = checkpoint();
            let mut expected = Expected {
                now: checkpoint(),
                floor: Seq::new(10),
                head: Seq::new(100),
                record: Some(checkpoint().mark),
            };
            change(&mut found, &mut expected);
            let judged = format!("{:?}", judge(&found, &expected));
            assert!(judged.starts_with(verdict), "{judged} is not {verdict}");
        };
        check(&|_, _| {}, "Resume");
        check(&|_, e| e.head = Seq::new(50), "Resume");
        check(&|_, e| e.head = Seq::new(49), "Future");
        check(&|_, e| (e.floor, e.record) = (Seq::new(50), None), "Resume");
        check(&|_, e| (e.floor, e.record) = (Seq::new(51), None), "Rebuild(\"it ends");
        check(&|f, _| f.mark.epoch = Epoch::new(1), "Future");
        check(&|f, _| f.mark.at = Millis::new(1), "Future");
        check(&|f, _| f.store = "x".to_owned(), "Rebuild(\"the store");
        check(&|f, _| f.mapping = "x".to_owned(), "Rebuild(\"the mapping");
        check(&|f, _| f.format = 0, "Rebuild(\"the format");
        check(&|f, _| f.tantivy = "0.26".to_owned(), "Rebuild(\"tantivy");
        check(&|f, _| f.generation = 2, "Rebuild(\"the generation");
    }
}
