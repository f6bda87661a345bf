//! `as_of`: a state of the past, by log sequence or by time.

use dateline_engine::{Millis, Moment, Seq, Snapshot};

use crate::eve::problem::Problem;
use crate::eve::{Params, date};

/// Reads `as_of`; `None` without it. A state that is no longer kept is `Gone`, with where the kept part begins.
pub(crate) fn of(snapshot: &Snapshot<'_>, params: &Params) -> Result<Option<Moment>, Problem> {
    let Some(text) = params.get("as_of").filter(|text| !text.is_empty()) else { return Ok(None) };
    if let Ok(seq) = text.parse::<u64>() {
        let moment = snapshot.moment(Seq::new(seq)).map_err(|error| match error.kind() {
            dateline_engine::ErrorKind::Invalid => Problem::query("as_of", error),
            _ => error.into(),
        })?;
        return Ok(Some(moment));
    }
    let time = date::parse_time(text).and_then(|at| u64::try_from(at.as_millisecond()).ok());
    let time =
        time.ok_or_else(|| Problem::query("as_of", "expected a sequence number or a date and time"))?;
    Ok(Some(snapshot.moment_at(Millis::new(time))?))
}
