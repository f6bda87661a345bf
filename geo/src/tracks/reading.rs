//! Reading one device's track, and counting all fixes by cell.

use std::ops::ControlFlow;
use std::sync::Arc;

use dateline_engine::{DocId, Entry, Error, ErrorKind, Feed, Millis, PositionSeq, Result, Seq};

use super::Tracks;
use super::segment::{Segment, name_of};
use crate::fix::{FUTURE_MS_MAX, Fix};
use crate::heat::{Heat, HeatGrid};
use crate::packed;
use crate::within::Within;

/// Bytes of batches that one page of a track reads at the most.
const PAGE_BYTES_MAX: usize = 64 << 20;
/// Bytes of batches that one count of fixes reads at the most.
const HEAT_BYTES_MAX: usize = 256 << 20;
/// Batches whose commit times are worth a search for where to begin.
const SEARCH_BATCHES_MIN: usize = 16;
/// Fixes of one page at the most.
const PAGE_FIXES_MAX: usize = 10_000;

/// Which part of a track is asked for.
#[derive(Clone, Debug)]
pub struct TrackQuery {
    /// Whose.
    pub device: DocId,
    /// Fixes of this time or later.
    pub from: Option<Millis>,
    /// Fixes of this time or earlier.
    pub to: Option<Millis>,
    /// Fixes that were stored when the log stood here or later.
    pub since: Seq,
    /// Fixes after this one: its batch, and its place there.
    pub after: Option<(PositionSeq, u32)>,
    /// Fixes at the most.
    pub limit: usize,
}

/// Some fixes of a device.
#[derive(Clone, Debug, Default)]
pub struct Track {
    /// In the order of their times.
    pub fixes: Vec<Fix>,
    /// From where the next page goes on. Pages follow one another in the order in which fixes were stored.
    pub next: Option<(PositionSeq, u32)>,
}

impl Tracks {
    /// A page of a track. One that would read too much ends early, perhaps empty, and says where the next goes on.
    ///
    /// # Errors
    /// `Corrupt` or `Unavailable` when the lane cannot be read.
    pub fn track(&self, query: &TrackQuery) -> Result<Track> {
        let name = name_of(query.device.as_str());
        let (from_ms, to_ms) = bounds(query.from, query.to);
        let (segments, open) = self.pieces(from_ms, to_ms, |posting| posting >> 16 == name);
        let mut page = Page::new(self.shared.store.feed(), query);
        for segment in segments {
            if page.start() > segment.facts.last {
                continue;
            }
            if page.read(batches(&segment, name))?.is_break() {
                return Ok(page.end());
            }
        }
        let _full = page.read(open)?;
        Ok(page.end())
    }

    /// Counts the fixes of a time that lie in a part of the earth.
    ///
    /// # Errors
    /// `Busy` when too many batches would have to be read, or too many cells are met; `Invalid` when the part is none.
    pub fn heat(
        &self,
        within: &Within,
        from: Option<Millis>,
        to: Option<Millis>,
        grid: HeatGrid,
    ) -> Result<Heat> {
        within.check().map_err(Error::invalid)?;
        let (from_ms, to_ms) = bounds(from, to);
        let (segments, open) = self.pieces(from_ms, to_ms, |_| true);
        let (feed, mut heat, mut bytes) = (self.shared.store.feed(), Heat::new(grid), 0);
        let mut stretches: Vec<(PositionSeq, PositionSeq)> =
            segments.iter().map(|segment| (segment.facts.first, segment.facts.last)).collect();
        stretches.extend(open.first().copied().zip(open.last().copied()));
        for (first, last) in stretches {
            let mut at = PositionSeq::new(first.get().saturating_sub(1)).max(feed.floors().positions);
            while at < last {
                let entries = feed.positions(at, 1_024)?;
                let Some(Entry::Positions { seq, .. }) = entries.last() else { break };
                at = *seq;
                for entry in entries {
                    let Entry::Positions { seq, batch, .. } = entry else { continue };
                    bytes += batch.len();
                    if bytes > HEAT_BYTES_MAX {
                        let why = format!("more than {HEAT_BYTES_MAX} bytes of positions lie in that time");
                        return Err(Error::busy(why));
                    }
                    if seq > last {
                        break;
                    }
                    for record in packed::records(&batch)? {
                        let record = record?;
                        if (from_ms..=to_ms).contains(&record.at.get()) {
                            let point = record.fix()?.point;
                            if within.holds(point) {
                                heat.add(point)?;
                            }
                        }
                    }
                }
            }
        }
        Ok(heat)
    }

    /// What may hold fixes of a time: segments, and of the open one the batches with these postings.
    fn pieces(
        &self,
        from_ms: u64,
        to_ms: u64,
        is_meant: impl Fn(u64) -> bool,
    ) -> (Vec<Arc<Segment>>, Vec<PositionSeq>) {
        let state = self.shared.state();
        let segments = state.segments.iter().filter(|segment| segment.facts.spans(from_ms, to_ms));
        let segments: Vec<Arc<Segment>> = segments.map(Arc::clone).collect();
        let first = state.open.first.get();
        let meant = state.open.postings.iter().filter(|posting| is_meant(**posting));
        let mut open: Vec<PositionSeq> =
            meant.map(|posting| PositionSeq::new(first + (posting & 0xffff))).collect();
        open.dedup();
        (segments, open)
    }
}

fn bounds(from: Option<Millis>, to: Option<Millis>) -> (u64, u64) {
    (from.map_or(0, Millis::get), to.map_or(u64::MAX, Millis::get))
}

/// The batches of a segment that name a device; of a damaged one all.
fn batches(segment: &Segment, name: u64) -> Vec<PositionSeq> {
    segment.batches(name).unwrap_or_else(|error| {
        tracing::warn!(%error, "every batch is looked at; remove the file while the server is stopped");
        (segment.facts.first.get()..=segment.facts.last.get()).map(PositionSeq::new).collect()
    })
}

/// A page that fills in the order of the lane.
struct Page<'a> {
    feed: Feed,
    query: &'a TrackQuery,
    from_ms: u64,
    to_ms: u64,
    limit: usize,
    bytes: usize,
    found: Vec<((PositionSeq, u32), Fix)>,
    /// The last fix that was looked at, when the page ends before the track.
    next: Option<(PositionSeq, u32)>,
}

impl<'a> Page<'a> {
    fn new(feed: Feed, query: &'a TrackQuery) -> Self {
        let (from_ms, to_ms) = bounds(query.from, query.to);
        let limit = query.limit.clamp(1, PAGE_FIXES_MAX);
        Self { feed, query, from_ms, to_ms, limit, bytes: 0, found: Vec::new(), next: None }
    }

    /// The first batch that may hold something.
    fn start(&self) -> PositionSeq {
        let floor = self.feed.floors().positions.next();
        self.query.after.map_or(floor, |(seq, _)| seq.max(floor))
    }

    fn read(&mut self, mut batches: Vec<PositionSeq>) -> Result<ControlFlow<()>> {
        batches.retain(|seq| *seq >= self.start());
        // A batch that was stored long before a time holds no fix of it: fixes from the future are refused.
        if batches.len() >= SEARCH_BATCHES_MIN && self.from_ms > 0 {
            let early = self.from_ms.saturating_sub(2 * FUTURE_MS_MAX);
            let (mut low, mut high) = (0, batches.len());
            while low < high {
                let middle = low.midpoint(high);
                let Some(seq) = batches.get(middle) else { break };
                match self.batch(*seq)? {
                    Some(stored) if stored.at.get() >= early => high = middle,
                    _ => low = middle + 1,
                }
            }
            batches.drain(..low);
        }
        for seq in batches {
            let Some(stored) = self.batch(seq)? else { continue };
            self.bytes += stored.bytes.len();
            if stored.after >= self.query.since && self.look(seq, &stored.bytes)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if self.bytes > PAGE_BYTES_MAX {
                self.next = Some((seq, u32::MAX));
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Takes the fixes of one batch; breaks when there are more than fit.
    fn look(&mut self, seq: PositionSeq, batch: &[u8]) -> Result<ControlFlow<()>> {
        for (index, record) in (0_u32..).zip(packed::records(batch)?) {
            let record = record?;
            let is_meant = record.device == self.query.device.as_str().as_bytes()
                && (self.from_ms..=self.to_ms).contains(&record.at.get())
                && self.query.after.is_none_or(|after| (seq, index) > after);
            if !is_meant {
                continue;
            }
            if self.found.len() == self.limit {
                self.next = self.found.last().map(|(place, _)| *place);
                return Ok(ControlFlow::Break(()));
            }
            self.found.push(((seq, index), record.fix()?));
        }
        Ok(ControlFlow::Continue(()))
    }

    /// One batch; `None` when it has been trimmed meanwhile.
    fn batch(&self, seq: PositionSeq) -> Result<Option<Stored>> {
        let Some(before) = seq.get().checked_sub(1) else { return Ok(None) };
        let entries = match self.feed.positions(PositionSeq::new(before), 1) {
            Err(error) if error.kind() == ErrorKind::Gone => return Ok(None),
            entries => entries?,
        };
        let stored = entries.into_iter().find_map(|entry| match entry {
            Entry::Positions { seq: found, after, at, batch } if found == seq => {
                Some(Stored { after, at, bytes: batch })
            }
            _ => None,
        });
        Ok(stored)
    }

    fn end(self) -> Track {
        let mut fixes: Vec<Fix> = self.found.into_iter().map(|(_, fix)| fix).collect();
        // The sort is stable: fixes of one time stay as they were sent.
        fixes.sort_by_key(|fix| fix.at);
        Track { fixes, next: self.next }
    }
}

struct Stored {
    after: Seq,
    at: Millis,
    bytes: bytes::Bytes,
}
