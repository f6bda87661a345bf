//! Bytes of a way to try again, in the tail of a job's state or a lane.

use crate::error::{Error, Result};
use crate::queue::retry::{Backoff, Retry, Waits};

pub(super) fn encode_retry(retry: &Retry) -> Vec<u8> {
    let (kind, numbers): (u8, &[u64]) = match &retry.backoff {
        Backoff::Exponential => (1, &[retry.ms_base, retry.ms_max]),
        Backoff::Linear => (2, &[retry.ms_base, retry.ms_max]),
        Backoff::List(waits) => (3, waits.as_ms()),
    };
    let mut value = vec![kind];
    numbers.iter().for_each(|number| value.extend_from_slice(&number.to_le_bytes()));
    value
}

/// Reads a way to try again; `None` where there is none.
pub(super) fn decode_retry(value: &[u8]) -> Result<Option<Retry>> {
    let Some((kind, numbers)) = value.split_first() else { return Ok(None) };
    let (numbers, rest) = numbers.as_chunks::<8>();
    let numbers: Vec<u64> = numbers.iter().map(|number| u64::from_le_bytes(*number)).collect();
    let retry = match (kind, &numbers[..]) {
        (1, [ms_base, ms_max]) => Retry { backoff: Backoff::Exponential, ms_base: *ms_base, ms_max: *ms_max },
        (2, [ms_base, ms_max]) => Retry { backoff: Backoff::Linear, ms_base: *ms_base, ms_max: *ms_max },
        (3, waits) => {
            let waits = Waits::new(waits).map_err(|error| Error::corrupt(error.to_string()))?;
            Retry { backoff: Backoff::List(waits), ms_base: 0, ms_max: 0 }
        }
        (kind, _) => return Err(Error::corrupt(format!("way to try again {kind}"))),
    };
    if !rest.is_empty() {
        return Err(Error::corrupt("a way to try again is cut"));
    }
    retry.check().map_err(|error| Error::corrupt(error.to_string()))?;
    Ok(Some(retry))
}
