//! When a schedule comes: a cron pattern on the clock of a time zone.
//!
//! Where clocks change, croner's rules hold. A pattern with one hour, one minute and one second names a time of day: it
//! comes once a day, in a gap at the first moment after it, in a doubled hour the first time. Any other pattern follows
//! the clock on the wall: what falls into a gap does not come, what is doubled comes twice.

use croner::Cron;
use croner::parser::CronParser;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Steps back in time by which the newest ticks before a moment are looked for, in seconds: an hour, a day, a month.
const LOOK_BACK_S: [i64; 3] = [3_600, 86_400, 32 * 86_400];

/// A pattern, its zone and its end.
#[derive(Clone, Debug)]
pub(crate) struct Timing {
    cron: Cron,
    zone: TimeZone,
    /// Nothing comes after this.
    until: Option<Timestamp>,
}

/// # Errors
/// Why the text is no pattern of five fields, or six with seconds before, or seven with years behind.
pub(super) fn cron(text: &str) -> Result<Cron, String> {
    CronParser::new().parse(text).map_err(|error| error.to_string())
}

/// # Errors
/// That there is no such zone in the IANA database.
pub(super) fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name)
        .map_err(|_| format!("there is no time zone '{name}'; names are such as Europe/Berlin"))
}

impl Timing {
    pub(super) fn new(cron: Cron, zone: TimeZone, until: Option<Timestamp>) -> Self {
        Self { cron, zone, until }
    }

    /// The first tick after a moment.
    pub(crate) fn after(&self, at: Timestamp) -> Option<Timestamp> {
        let next = self.cron.find_next_occurrence(&at.to_zoned(self.zone.clone()), false).ok()?.timestamp();
        // What is not later would be found again and again.
        Some(next).filter(|next| *next > at && self.until.is_none_or(|until| *next <= until))
    }

    /// The first `most` ticks after a moment.
    pub(crate) fn following(&self, at: Timestamp, most: usize) -> Vec<Timestamp> {
        std::iter::successors(self.after(at), |at| self.after(*at)).take(most).collect()
    }

    /// The newest `most` ticks from `first`, which is one, to `now`, oldest first. The cost does not grow with the time
    /// between the two.
    pub(crate) fn since(&self, first: Timestamp, now: Timestamp, most: usize) -> Vec<Timestamp> {
        let starts = LOOK_BACK_S.iter().filter_map(|s| Timestamp::from_second(now.as_second() - s).ok());
        for start in starts.filter(|start| *start > first) {
            let found = self.between(self.after(start), now, most);
            if found.len() == most {
                return found;
            }
        }
        self.between(Some(first), now, most)
    }

    fn between(&self, first: Option<Timestamp>, now: Timestamp, most: usize) -> Vec<Timestamp> {
        let mut newest = std::collections::VecDeque::with_capacity(most);
        let ticks = std::iter::successors(first, |at| self.after(*at));
        for tick in ticks.take_while(|tick| *tick <= now) {
            if newest.len() == most {
                newest.pop_front();
            }
            newest.push_back(tick);
        }
        newest.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(pattern: &str, name: &str) -> Timing {
        Timing::new(cron(pattern).unwrap(), zone(name).unwrap(), None)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The ticks after a moment are these, to the second.
    fn check(pattern: &str, name: &str, from: &str, expected: &[&str]) {
        let expected: Vec<Timestamp> = expected.iter().map(|text| at(text)).collect();
        assert_eq!(
            timing(pattern, name).following(at(from), expected.len()),
            expected,
            "{pattern} in {name}"
        );
    }

    /// Dates and times of the changes are those of the IANA database, computed by hand from the offsets.
    #[test]
    fn a_time_of_day_comes_once_where_clocks_change() {
        // Berlin, 2026-03-29: 02:00 +01:00 becomes 03:00 +02:00. Half past two is not on the clock.
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-27T12:00:00Z",
            &["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
        );
        // Berlin, 2026-10-25: 03:00 +02:00 becomes 02:00 +01:00. Half past two comes twice on the clock.
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        );
        // New York, 2026-03-08 and 2026-11-01.
        check(
            "30 2 * * *",
            "America/New_York",
            "2026-03-07T12:00:00Z",
            &["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"],
        );
        check(
            "30 1 * * *",
            "America/New_York",
            "2026-10-31T12:00:00Z",
            &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
        );
        // Lord Howe moves by half an hour: 2026-10-04, 02:00 +10:30 becomes 02:30 +11:00.
        check(
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T00:00:00Z",
            &["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"],
        );
        // Santiago jumps at midnight: 2026-09-06, 00:00 -04:00 becomes 01:00 -03:00.
        check(
            "0 0 * * *",
            "America/Santiago",
            "2026-09-05T12:00:00Z",
            &["2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"],
        );
        // No change of clocks here, ever.
        check("30 2 * * *", "Asia/Kolkata", "2026-03-28T22:00:00Z", &["2026-03-29T21:00:00Z"]);
        check("30 2 * * *", "UTC", "2026-03-29T02:30:00Z", &["2026-03-30T02:30:00Z"]);
    }

    #[test]
    fn a_rhythm_follows_the_clock_on_the_wall() {
        check(
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-03-29T00:15:00Z",
            &["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"],
        );
        // From two to three everything comes twice, at even distances.
        check(
            "*/30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            &["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"],
        );
        // The day whose hour is missing has none.
        check("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", &["2026-03-30T00:00:00Z"]);
        check(
            "@hourly",
            "Europe/Berlin",
            "2026-10-24T23:59:59.999Z",
            &["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"],
        );
        check("*/20 * * * * *", "UTC", "2026-01-01T00:00:00.001Z", &["2026-01-01T00:00:20Z"]);
    }

    #[test]
    fn days_are_those_of_the_zone() {
        check(
            "0 0 L * *",
            "Asia/Tokyo",
            "2026-02-01T00:00:00Z",
            &["2026-02-27T15:00:00Z", "2026-03-30T15:00:00Z"],
        );
        check("0 9 * * MON#1", "America/New_York", "2026-03-01T00:00:00Z", &["2026-03-02T14:00:00Z"]);
        check("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]);
    }

    #[test]
    fn what_never_comes_is_found_out_soon() {
        for never in ["0 0 30 2 *", "0 0 0 1 1 * 2020", "0 0 31 4,6,9,11 *"] {
            assert_eq!(timing(never, "Europe/Berlin").after(at("2026-01-01T00:00:00Z")), None, "{never}");
        }
        let until = Some(at("2026-01-01T00:01:00Z"));
        let ending = Timing::new(cron("* * * * *").unwrap(), TimeZone::UTC, until);
        assert_eq!(ending.following(at("2026-01-01T00:00:00Z"), 5), [at("2026-01-01T00:01:00Z")]);
        for bad in ["", "* * *", "60 * * * *", "x * * * *", "* * * * * * * *", "5/0 * * * *"] {
            assert!(cron(bad).is_err(), "{bad}");
        }
        assert!(zone("Europe/Atlantis").is_err() && zone("").is_err());
    }

    #[test]
    fn the_newest_ticks_of_a_long_time_are_found() {
        let check = |pattern: &str, first: &str, now: &str, most: usize| {
            let timing = timing(pattern, "Europe/Berlin");
            let (first, now) = (at(first), at(now));
            let before = Timestamp::from_second(first.as_second() - 1).unwrap();
            let all: Vec<Timestamp> = std::iter::successors(timing.after(before), |at| timing.after(*at))
                .take_while(|tick| *tick <= now)
                .collect();
            let newest = &all[all.len().saturating_sub(most)..];
            assert_eq!(timing.since(all[0], now, most), newest, "{pattern}");
        };
        check("* * * * * *", "2026-03-28T23:00:00Z", "2026-03-29T03:00:00Z", 1_000);
        check("*/7 * * * *", "2026-03-20T00:00:00Z", "2026-04-20T00:00:00Z", 1_000);
        check("30 2 * * *", "2020-01-01T00:00:00Z", "2026-04-20T00:00:00Z", 1_000);
        check("30 2 * * *", "2026-04-18T00:00:00Z", "2026-04-20T00:00:00Z", 1_000);
        check("0 * * * *", "2026-04-20T00:00:00Z", "2026-04-20T00:00:00Z", 1);
        // Ten years of seconds are not walked through.
        let every_second = timing("* * * * * *", "UTC");
        let newest = every_second.since(at("2016-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"), 1_000);
        assert_eq!((newest.len(), newest[999]), (1_000, at("2026-01-01T00:00:00Z")));
    }
}
