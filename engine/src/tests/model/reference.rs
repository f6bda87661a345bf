//! What a collection is, written from the contract: every version there ever was, and which are kept.
//!
//! It knows nothing of keys or families. What housekeeping has to look at, and when, is part of the contract: it
//! decides in which order ends become records.

use std::collections::BTreeMap;

use crate::Keep;

/// A tombstone that the log still needs is looked at again after an hour at the least.
const TOMBSTONE_AGAIN_MS: u64 = 3_600_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Put,
    /// By request or at its end.
    Tombstone,
    /// Nothing of what came before is kept, and neither is this.
    Purge,
}

#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) seq: u64,
    pub(super) kind: Kind,
    pub(super) body: String,
    /// How many upgrades there were when it was written.
    pub(super) upgrades: usize,
    pub(super) updated: u64,
    /// When it ends by itself; of a tombstone, when it may be forgotten.
    pub(super) ends: Option<u64>,
}

impl Version {
    pub(super) fn is_live(&self, now: u64) -> bool {
        self.kind == Kind::Put && self.ends.is_none_or(|end| end > now)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Doc {
    /// Oldest first.
    pub(super) all: Vec<Version>,
    /// Versions before this place are gone.
    pub(super) kept_from: usize,
}

impl Doc {
    /// The newest version, unless it was forgotten.
    pub(super) fn head(&self) -> Option<&Version> {
        self.all.last().filter(|version| version.kind != Kind::Purge)
    }

    pub(super) fn kept(&self) -> &[Version] {
        &self.all[self.kept_from..]
    }
}

/// One write of a transaction: the document, its plate or `None` for a delete, its own end, and the condition.
pub(super) struct Write {
    pub(super) id: String,
    pub(super) plate: Option<u8>,
    pub(super) ends: Option<u64>,
    /// 0 anything, 1 no live document, else a live one.
    pub(super) condition: u8,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Reference {
    pub(super) now: u64,
    pub(super) seq: u64,
    pub(super) keep: Keep,
    pub(super) docs: BTreeMap<String, Doc>,
    /// The history is whole from here on.
    pub(super) floor: u64,
    pub(super) log_floor: u64,
    /// `(seq, group_last, id)` of records of documents.
    pub(super) log: Vec<(u64, u64, String)>,
    /// When each record was written.
    pub(super) times: BTreeMap<u64, u64>,
    /// `(after, byte)` of batches of positions.
    pub(super) positions: Vec<(u64, u8)>,
    pub(super) jobs: usize,
    /// Of each upgrade, whether it renames what the one before has set.
    pub(super) upgrades: Vec<bool>,
    /// Documents by the time at which they are to be looked at, with the version that is meant.
    ends: BTreeMap<(u64, String), u64>,
    /// Documents by the time at which their older versions are to be looked at.
    surplus: BTreeMap<(u64, String), ()>,
    /// Versions are kept by another rule than when they were filed.
    survey: bool,
}

impl Reference {
    pub(super) fn new(now: u64, keep: Keep) -> Self {
        Self { now, keep, ..Self::default() }
    }

    pub(super) fn live(&self, id: &str) -> Option<&Version> {
        self.docs.get(id)?.head().filter(|head| head.is_live(self.now))
    }

    /// Who holds a plate; one that has ended holds it until its end is recorded.
    pub(super) fn holder(&self, plate: u8) -> Option<&String> {
        let held = |doc: &Doc| doc.head().is_some_and(|head| head.body == body_of(plate));
        self.docs.iter().find(|(_, doc)| plate > 0 && held(doc)).map(|(id, _)| id)
    }

    /// A record that is not about a document.
    pub(super) fn record(&mut self) -> u64 {
        self.seq += 1;
        self.times.insert(self.seq, self.now);
        self.seq
    }

    /// Applies writes in order; `false` and no effect when one of them may not be.
    pub(super) fn write(&mut self, writes: &[Write]) -> bool {
        let mut next = self.clone();
        let first = next.log.len();
        for Write { id, plate, ends, condition } in writes {
            let live = next.live(id).is_some();
            let allowed = match condition {
                0 => true,
                1 => !live,
                _ => live,
            };
            let holder = plate.and_then(|plate| next.holder(plate)).filter(|holder| *holder != id).cloned();
            let is_held = holder.as_ref().is_some_and(|holder| next.live(holder).is_some());
            if !allowed || is_held || (plate.is_none() && !live) {
                return false;
            }
            if let Some(ended) = holder {
                next.entomb(&ended);
            }
            match plate {
                Some(plate) => {
                    let ends = ends.or(next.keep.expire_after_ms.map(|ms| next.now + ms));
                    next.version(id, Kind::Put, body_of(*plate), ends);
                }
                None => next.entomb(id),
            }
        }
        next.close_group(first);
        *self = next;
        true
    }

    fn close_group(&mut self, first: usize) {
        let last = self.seq;
        self.log[first..].iter_mut().for_each(|record| record.1 = last);
    }

    fn entomb(&mut self, id: &str) {
        let ends = self.keep.tombstone_ms.map(|ms| self.now + ms);
        self.version(id, Kind::Tombstone, String::new(), ends);
    }

    fn version(&mut self, id: &str, kind: Kind, body: String, ends: Option<u64>) {
        let seq = self.record();
        self.log.push((seq, 0, id.to_owned()));
        let doc = self.docs.entry(id.to_owned()).or_default();
        let before = doc.head().map(|head| head.ends);
        doc.all.push(Version { seq, kind, body, upgrades: self.upgrades.len(), updated: self.now, ends });
        if let Some(end) = before.flatten() {
            self.ends.remove(&(end, id.to_owned()));
        }
        if kind == Kind::Purge {
            return;
        }
        if let Some(end) = ends {
            self.ends.insert((end, id.to_owned()), seq);
        }
        if before.is_some() && self.limits_versions() {
            self.surplus.insert((self.surplus_at(self.now), id.to_owned()), ());
        }
    }

    fn limits_versions(&self) -> bool {
        self.keep.versions_max.is_some() || self.keep.versions_ms.is_some()
    }

    /// When a version that was superseded at this time is to be looked at.
    fn surplus_at(&self, superseded: u64) -> u64 {
        ((superseded + self.keep.versions_ms.unwrap_or(0)) / 1_000 + 1) * 1_000
    }

    /// Other rules for what is written from now on, and for all versions, whenever they were written.
    pub(super) fn alter(&mut self, keep: Keep) {
        self.record();
        let before = std::mem::replace(&mut self.keep, keep);
        if (before.versions_max, before.versions_ms) != (keep.versions_max, keep.versions_ms) {
            self.survey = self.limits_versions();
        }
    }

    /// Documents are shown otherwise from now on, those of the past too.
    pub(super) fn upgrade(&mut self, renames: bool) {
        self.record();
        self.upgrades.push(renames);
    }

    /// The body of a version as readers see it.
    pub(super) fn shown(&self, version: &Version) -> String {
        let mut members: Vec<String> = Vec::new();
        for (place, renames) in self.upgrades.iter().enumerate().skip(version.upgrades) {
            if *renames && let Some(set) = members.last_mut().filter(|set| set.starts_with("\"s")) {
                *set = set.replacen("\"s", "\"r", 1);
            }
            members.push(format!(r#""s{place}":{place}"#));
        }
        if version.kind != Kind::Put || members.is_empty() {
            return version.body.clone();
        }
        let own = version.body.trim_matches(['{', '}']);
        let own = (!own.is_empty()).then(|| own.to_owned());
        format!("{{{}}}", own.into_iter().chain(members).collect::<Vec<_>>().join(","))
    }

    /// Does what is due now.
    pub(super) fn tidy(&mut self) {
        if std::mem::take(&mut self.survey) {
            for (id, doc) in self.docs.iter().filter(|(_, doc)| doc.head().is_some()) {
                for newer in doc.kept().iter().skip(1) {
                    let at = self.surplus_at(newer.updated).max(self.now);
                    self.surplus.insert((at, id.clone()), ());
                }
            }
        }
        let first = self.log.len();
        let later = self.ends.split_off(&(self.now + 1, String::new()));
        let due = std::mem::replace(&mut self.ends, later);
        for ((_, id), seq) in due {
            let head = self.docs[&id].head().filter(|head| head.seq == seq).cloned();
            match head {
                None => {}
                Some(head) if head.kind == Kind::Put => self.entomb(&id),
                Some(head) if head.seq > self.log_floor => {
                    let after = (self.keep.tombstone_ms.unwrap_or(0) / 4).max(TOMBSTONE_AGAIN_MS);
                    self.ends.insert((self.now + after, id), seq);
                }
                Some(head) => {
                    self.version(&id, Kind::Purge, String::new(), None);
                    self.floor = self.floor.max(head.seq);
                    let doc = self.docs.get_mut(&id).unwrap();
                    doc.kept_from = doc.all.len();
                }
            }
        }
        self.close_group(first);
        let later = self.surplus.split_off(&(self.now + 1, String::new()));
        for ((_, id), ()) in std::mem::replace(&mut self.surplus, later) {
            self.cut(&id);
        }
    }

    /// Removes the versions that neither rule keeps.
    fn cut(&mut self, id: &str) {
        if !self.limits_versions() {
            return;
        }
        let (keep, now) = (self.keep, self.now);
        let doc = self.docs.get_mut(id).unwrap();
        if doc.head().is_none() {
            return;
        }
        let newest = doc.all.len() - 1;
        let stays = |place: usize, version: &Version| {
            let few = keep.versions_max.is_some_and(|max| newest - place < max as usize);
            let superseded = doc.all.get(place + 1).map(|newer| newer.updated);
            let young = superseded.is_some_and(|at| keep.versions_ms.is_some_and(|ms| at + ms > now));
            few || young || version.seq == doc.all[newest].seq
        };
        let first = (doc.kept_from..doc.all.len()).find(|&place| stays(place, &doc.all[place]));
        let first = first.unwrap_or(newest);
        if first > doc.kept_from {
            doc.kept_from = first;
            self.floor = self.floor.max(doc.all[first].seq);
        }
    }

    /// The collection goes, and another one of its name comes, of whose past nothing is known.
    pub(super) fn drop_and_define(&mut self, keep: Keep) {
        self.record();
        self.docs.clear();
        self.ends.clear();
        self.surplus.clear();
        self.survey = false;
        self.upgrades.clear();
        self.floor = self.record();
        self.keep = keep;
    }

    /// What was to be seen of a document at a record.
    pub(super) fn seen_at(&self, id: &str, seq: u64) -> Option<&Version> {
        let at = *self.times.get(&seq)?;
        let then = self.docs.get(id)?.all.iter().rev().find(|version| version.seq <= seq);
        then.filter(|version| version.is_live(at))
    }
}

/// Plate 0 stands for none, which is not held to uniqueness.
pub(super) fn body_of(plate: u8) -> String {
    if plate == 0 { "{}".to_owned() } else { format!(r#"{{"plate":"P{plate}"}}"#) }
}
