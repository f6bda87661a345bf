//! How a provider fares: whether it is asked now, whether it is too quiet, what an error does to it.

use crate::error::IngestError;
use crate::provider::Provider;
use jiff::{SignedDuration, Timestamp};

/// Decisions about a provider at a point in time.
#[derive(Debug, Clone, Copy)]
pub struct Health<'a> {
    /// The provider as it is stored.
    pub provider: &'a Provider,
    /// The time.
    pub now: Timestamp,
}

impl Health<'_> {
    /// Whether it is asked: it is open, somebody here can ask it, and the last time is long enough ago.
    #[must_use]
    pub fn is_due(self) -> bool {
        let own = self.provider;
        let is_time = match own.last_updated {
            Some(last) => self.now >= after(last, own.schedule_s) || last > self.now,
            None => true,
        };
        !own.is_closed && own.service.is_some() && is_time
    }

    /// Whether no item has come for too long; never for one that has not brought any.
    #[must_use]
    pub fn is_quiet(self) -> bool {
        let own = self.provider;
        let last = own.last_item_arrived.filter(|_| own.idle_s > 0 && !own.is_closed);
        last.is_some_and(|last| self.now >= after(last, own.idle_s))
    }

    /// The words with which an error closes it, when it is one that does.
    #[must_use]
    pub fn closing(self, error: &IngestError) -> Option<String> {
        let is_critical = self.provider.is_critical(error.code);
        is_critical.then(|| format!("Channel closed due to critical error: {error}"))
    }
}

fn after(from: Timestamp, seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    from.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use serde_json::{Value, json};

    fn with<T>(value: Value, ask: impl Fn(Health<'_>) -> T) -> T {
        let provider = Provider::read("p", value.as_object().unwrap(), 2880);
        let now = "2026-01-01T12:00:00Z".parse().unwrap();
        ask(Health { provider: &provider, now })
    }

    #[test]
    fn due_by_schedule() {
        for (value, due) in [
            (json!({"feeding_service": "rss"}), true),
            (json!({"feeding_service": "rss", "is_closed": true}), false),
            (json!({"feeding_service": "pigeon"}), false),
            (json!({"feeding_service": "rss", "last_updated": "2026-01-01T11:55:00Z"}), true),
            (json!({"feeding_service": "rss", "last_updated": "2026-01-01T11:55:01Z"}), false),
            // A clock that was set back must not stop it.
            (json!({"feeding_service": "rss", "last_updated": "2026-01-02T11:55:01Z"}), true),
        ] {
            assert_eq!(with(value.clone(), |health| health.is_due()), due, "{value}");
        }
    }

    #[test]
    fn quiet_after_idle_time() {
        for (value, quiet) in [
            (json!({"last_item_arrived": "2026-01-01T10:00:00Z"}), false),
            (json!({"idle_time": {"hours": 2}}), false),
            (json!({"idle_time": {"hours": 2}, "last_item_arrived": "2026-01-01T10:00:00Z"}), true),
            (json!({"idle_time": {"hours": 2}, "last_item_arrived": "2026-01-01T10:00:01Z"}), false),
        ] {
            assert_eq!(with(value.clone(), |health| health.is_quiet()), quiet, "{value}");
        }
    }

    #[test]
    fn critical_errors_close() {
        let error = IngestError::new(Code::API_REFUSED, "401");
        let closed =
            with(json!({"critical_errors": {"4007": true}}), |health| health.closing(&error)).unwrap();
        assert!(
            closed.starts_with("Channel closed due to critical error: IngestApiError Error 4007"),
            "{closed}"
        );
        assert_eq!(with(json!({"critical_errors": {"4007": false}}), |health| health.closing(&error)), None);
    }
}
