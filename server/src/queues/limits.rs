//! How rates, limits and ways to be tried again are written, by clients and for them.

use dateline_engine::{Backoff, Rate, Retry, Waits};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{in_seconds, seconds, wrong};
use crate::eve::problem::Problem;

/// Longest wait or age in seconds: ten years.
pub(super) const WAIT_S_MAX: f64 = 3_652.0 * 86_400.0;

/// `null` takes a limit away, its absence leaves it.
pub(super) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// At most `jobs` begin in `per_s`, and `burst` at once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedRate {
    jobs: u32,
    per_s: Option<f64>,
    burst: Option<u32>,
}

impl WantedRate {
    pub(super) fn check(&self, field: &str) -> Result<Rate, Problem> {
        let per_s = seconds(&format!("{field}.per_s"), self.per_s.unwrap_or(1.0), 86_400.0)?;
        let per_ms = u64::try_from(per_s.as_millis()).unwrap_or(u64::MAX);
        // As many at once as come in a time, unless told otherwise.
        let rate = Rate { jobs: self.jobs, per_ms, burst: self.burst.unwrap_or(self.jobs) };
        rate.check().map_err(|error| wrong(field, error))?;
        Ok(rate)
    }
}

pub(super) fn shown_rate(rate: Option<Rate>) -> Value {
    rate.map_or(
        Value::Null,
        |rate| json!({"jobs": rate.jobs, "per_s": in_seconds(rate.per_ms), "burst": rate.burst}),
    )
}

/// `"exponential"`, `"linear"`, or the waits in seconds.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum WantedBackoff {
    Word(String),
    List(Vec<f64>),
}

impl WantedBackoff {
    fn check(&self) -> Result<Backoff, Problem> {
        match self {
            Self::Word(word) if word == "exponential" => Ok(Backoff::Exponential),
            Self::Word(word) if word == "linear" => Ok(Backoff::Linear),
            Self::Word(_) => Err(wrong("backoff", "must be exponential, linear or a list of seconds")),
            Self::List(waits) => {
                let ms = waits.iter().map(|wait| in_ms("backoff", *wait)).collect::<Result<Vec<_>, _>>()?;
                Waits::new(&ms).map(Backoff::List).map_err(|error| wrong("backoff", error))
            }
        }
    }
}

/// What was asked for over what is; the rest stays.
pub(super) fn retry(
    backoff: Option<&WantedBackoff>,
    base_s: Option<f64>,
    max_s: Option<f64>,
    now: Retry,
) -> Result<Retry, Problem> {
    let retry = Retry {
        backoff: backoff.map_or(Ok(now.backoff), WantedBackoff::check)?,
        ms_base: base_s.map_or(Ok(now.ms_base), |base| in_ms("backoff_s", base))?,
        ms_max: max_s.map_or(Ok(now.ms_max), |max| in_ms("backoff_max_s", max))?,
    };
    if retry.ms_base > retry.ms_max {
        return Err(wrong("backoff_s", "must not be above backoff_max_s"));
    }
    Ok(retry)
}

pub(super) fn shown_backoff(backoff: Backoff) -> Value {
    match backoff {
        Backoff::Exponential => "exponential".into(),
        Backoff::Linear => "linear".into(),
        Backoff::List(waits) => waits.as_ms().iter().map(|wait| in_seconds(*wait)).collect::<Vec<_>>().into(),
    }
}

/// Seconds of a member in milliseconds.
pub(super) fn in_ms(field: &str, given: f64) -> Result<u64, Problem> {
    let duration = seconds(field, given, WAIT_S_MAX)?;
    Ok(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
