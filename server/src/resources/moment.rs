//! `as_of`: a state of the past, by log sequence or by time.

use dateline_engine::{Millis, Seq};

use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Params, date};

/// Everything up to this sequence, nothing after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) Seq);

impl Moment {
    /// Reads `as_of`; `None` without it.
    pub(crate) fn of(app: &App, params: &Params) -> Result<Option<Self>, Problem> {
        let Some(text) = params.get("as_of").filter(|text| !text.is_empty()) else { return Ok(None) };
        let head = app.store().watermark().applied().seq;
        if let Ok(seq) = text.parse::<u64>() {
            if seq > head.get() {
                return Err(Problem::query(
                    "as_of",
                    format!("{seq} lies ahead of the log, which ends at {head}"),
                ));
            }
            return Ok(Some(Self(Seq::new(seq))));
        }
        let time = date::parse_time(text).and_then(|at| u64::try_from(at.as_millisecond()).ok());
        let time =
            time.ok_or_else(|| Problem::query("as_of", "expected a sequence number or a date and time"))?;
        at_time(app, Millis::new(time)).map(Some)
    }
}

/// The last record written at or before a time. Times rise with sequences, so halving finds it.
fn at_time(app: &App, time: Millis) -> Result<Moment, Problem> {
    let feed = app.store().feed();
    let (mut low, mut high) = (feed.floor()?.get(), feed.head().get());
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        let record = feed.changes(Seq::new(middle - 1), 1)?;
        let record = record.first().ok_or_else(|| Problem::new(Slug::Internal, "the log has a hole"))?;
        if record.at <= time {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Ok(Moment(Seq::new(low)))
}
